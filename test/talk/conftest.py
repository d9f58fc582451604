"""Each .talk file is a test."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from run import Talk, TalkFailed  # noqa: E402


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".talk":
        return TalkFile.from_parent(parent, path=file_path)


class TalkFile(pytest.File):
    def collect(self):
        yield TalkItem.from_parent(self, name="talk")


class TalkItem(pytest.Item):
    def runtest(self):
        Talk(self.path).run()

    def repr_failure(self, info):
        return str(info.value) if info.errisinstance(TalkFailed) else super().repr_failure(info)

    def reportinfo(self):
        return self.path, 0, self.path.stem
