import itertools
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from site_under_test import Site  # noqa: E402

SETUP = [
    ("domain", "add", "r.example", "unknown=reject"),
    ("account", "add", "joe@r.example"),
    ("account", "add", "ann@r.example"),
    ("account", "add", "mute@r.example", "may-send=no"),
    ("account", "add", "catch@r.example"),
    ("account", "add", "small@r.example", "quota=2000"),
    ("alias", "add", "bouncer", "burnt@r.example"),
    ("domain", "add", "catch.example", "unknown=deliver:catch@r.example"),
]


@pytest.fixture(scope="session")
def site():
    with Site("mx.r.example") as s:
        for words in SETUP:
            s.command(*words, stdin="secret\n")
        yield s
        assert "fault" not in s.log().lower(), s.log()[-3000:]


_strangers = itertools.count(1)


@pytest.fixture
def stranger():
    """A client address of its own: what one test provokes costs no other test anything."""
    n = next(_strangers)
    return f"127.1.{n // 250}.{n % 250 + 1}"
