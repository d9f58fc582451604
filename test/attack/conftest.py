import itertools
import os
import pathlib
import shutil
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parent)]

from site_under_test import Site  # noqa: E402
from wire import drain  # noqa: E402

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
        lines = [x for x in s.log().splitlines() if " error " in x or "fault" in x or "Sanitizer" in x or "runtime error" in x]
        assert not lines, lines[:20]


@pytest.fixture
def empty(site):
    """joe and ann have no mail from another test."""
    for user in (b"joe@r.example", b"ann@r.example"):
        drain(site, user)


_strangers = itertools.count(1)


@pytest.fixture
def stranger():
    """A client address of its own: what one test provokes costs no other test anything."""
    n = next(_strangers)
    return f"127.1.{n // 250}.{n % 250 + 1}"


@pytest.fixture(scope="session")
def strict():
    """A site as it stands on the open network: no exemptions for loopback, small limits."""
    s = Site("mx.strict.example")
    s.init()
    text = s.conf.read_text().replace("loopback = yes", "loopback = no")
    for key, value in {"message-size": "100K", "connections-per-address": "5", "recipients": "100"}.items():
        line = next(line for line in text.splitlines() if line.startswith(f"#{key} = "))
        text = text.replace(line, f"{key} = {value}")
    if os.getuid() == 0:        # such a site does not run as root
        text = text.replace("#user = NAME", "user = nobody")
        os.chmod(s.directory, 0o755)
        for path in (s.path, *s.path.rglob("*")):
            shutil.chown(path, "nobody")
    s.conf.write_text(text)
    s.start()
    try:
        s.command("domain", "add", "r.example", "unknown=reject")
        s.command("account", "add", "joe@r.example", stdin="secret\n")
        yield s
    finally:
        s.__exit__(None, None, None)
