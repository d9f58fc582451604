"""A disk that somebody fills to the last octet (RELIABILITY: refuse mail with 452, keep serving and deleting, recover without repair)."""
import contextlib
import os
import subprocess
import time

import pytest
from site_under_test import Site
from wire import Wire

USER = b"joe@f.example"
DISK = "96M"

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a small file system")


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    out = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "none", str(path)], capture_output=True, text=True)
    if out.returncode != 0:
        pytest.skip("no file system can be mounted here: " + out.stderr.strip())
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


class Filler:
    """Somebody else who takes all there is."""

    def __init__(self, disk):
        self.disk, self.path = disk, disk / "filler"

    def free(self):
        v = os.statvfs(self.disk)
        return v.f_bavail * v.f_frsize

    def fill(self):
        with open(self.path, "ab", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 65536)
        with open(self.path, "ab", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 512)


def wait_for(what, patience=30):
    end = time.monotonic() + patience
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@contextlib.contextmanager
def imap(site):
    with Wire(site.port("imap"), timeout=60) as w:
        assert say(w, b"LOGIN " + USER + b" secret").startswith(b"OK")
        yield w


def say(w, command):
    w.say(b"t " + command + b"\r\n")
    while not (line := w.line()).startswith(b"t "):
        assert line, "closed"
    return line[2:]


def append(w, octets):
    w.say(b"t APPEND INBOX {%d+}\r\nSubject: x\r\n\r\n%s\r\n" % (octets + 14, b"x" * octets))
    while not (line := w.line()).startswith(b"t "):
        assert line, "closed"
    return line[2:]


def send(site):
    with Wire(site.port("smtp"), timeout=60) as w:
        assert w.code(b"HELO c.example") == 250
        code = w.code(b"MAIL FROM:<a@b.example>")
        if code != 250:
            return code
        assert w.code(b"RCPT TO:<" + USER + b">") == 250
        assert w.code(b"DATA") == 354
        return w.code(b"Subject: y\r\n\r\nhello\r\n.")


def given(site):
    return site.log().count("disk.reserve-given")


def deletes(w, n):
    """All the ways in which clients delete, without a word about a quota."""
    assert say(w, b"SELECT INBOX").startswith(b"OK")
    for command in (b"STORE 1 +FLAGS (\\Seen)", b"STORE 1 +FLAGS (\\Deleted)", b"UID FETCH 1:* FLAGS", b"EXPUNGE", b"MOVE 1 Trash", b"FETCH 1 BODY[]<0.100>"):
        answer = say(w, command)
        assert answer.startswith(b"OK"), (n, command, answer)


def test_deleting_goes_on_when_nothing_is_left_and_mail_is_taken_again_when_there_is(disk):
    site = Site("full.example", directory=disk, settings="\n[limits]\ndisk-minimum = 1M\n")
    filler = Filler(disk)
    site.init()
    log, site.log_path = site.log_path, disk.parent / "log"
    site.start()
    try:
        reserve = site.path / "data" / "reserve"
        site.command("domain", "add", "f.example")
        site.account(USER.decode())
        with imap(site) as w:
            say(w, b"CREATE Trash")
            for _ in range(24):
                assert append(w, 100000).startswith(b"OK")
        wait_for(reserve.exists)
        assert "reserve" not in site.try_command("check").stdout
        whole = reserve.stat().st_size

        filler.fill()
        wait_for(lambda: given(site) == 1)
        assert send(site) == 452
        out = site.try_command("check")
        assert "nearly full" in out.stdout and "452" in out.stdout and "set aside" in out.stdout
        with imap(site) as w:
            answer = append(w, 10)
            assert answer.startswith(b"NO [UNAVAILABLE]") and b"disk is full" in answer
            assert say(w, b"COPY 1 Trash").startswith(b"BAD")  # nothing is selected
            deletes(w, "given up once")
            assert say(w, b"COPY 1 Trash").startswith(b"NO [UNAVAILABLE]")
            assert say(w, b"RENAME Trash Bin").startswith(b"OK")
            assert say(w, b"RENAME Bin Trash").startswith(b"OK")
        wait_for(lambda: reserve.exists() and 0 < reserve.stat().st_size < whole)  # a part, of what came free

        filler.fill()  # and again
        wait_for(lambda: given(site) == 2)
        with imap(site) as w:
            deletes(w, "given up twice")
        wait_for(reserve.exists)

        site.stop()
        filler.fill()  # started again with nothing but the part of a reserve
        assert filler.free() == 0
        site.start()
        assert given(site) == 3 and "disk.low" in site.log()[site.log().rindex("server.stopped"):]
        assert send(site) == 452
        with imap(site) as w:
            deletes(w, "started on a full disk")
        assert site.command("verify")

        filler.path.unlink()
        wait_for(lambda: "disk.enough" in site.log())
        assert send(site) == 250
        wait_for(lambda: reserve.exists() and reserve.stat().st_size == whole)
        assert site.try_command("check").returncode == 0
        site.command("verify")
    finally:
        site.stop()
        site.log_path = log
