"""IMAP as real clients speak it: imaplib, curl, mbsync and mutt."""
import imaplib
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest
from imap import Imap
from mail import message, send
from site_under_test import Site

USER = "joe@ex.org"


@pytest.fixture()
def site():
    with Site("mx.site.example") as s:
        s.command("domain", "add", "ex.org")
        s.account(USER)
        s.account("ann@ex.org")
        yield s


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def names(client, *args):
    return sorted(re.sub(rb'.*"/" ', b"", line).strip(b'"') for line in ok(client.list(*args)) if line)


def test_recent_messages_are_new_once_also_over_a_restart(site):
    """RFC 3501 §2.3.2: what a session was told of is not \\Recent to the next one."""
    def recent():
        with imaplib.IMAP4("127.0.0.1", site.port("imap")) as c:
            ok(c.login(USER, "secret"))
            ok(c.select())
            return ok(c.recent())[0], ok(c.search(None, "RECENT"))[0], ok(c.search(None, "NEW"))[0]

    def deliver(subject):
        assert send(site.port("smtp"), "a@stranger.example", [USER], message(subject))[0] == 250

    deliver("one")
    deliver("two")
    assert recent() == (b"2", b"1 2", b"1 2")
    assert recent()[1:] == (b"", b"")
    site.stop()
    site.start()
    assert recent()[1:] == (b"", b"")
    deliver("three")
    assert recent() == (b"1", b"3", b"3")


def test_imaplib_makes_fills_searches_and_removes_mailboxes(site):
    with imaplib.IMAP4("127.0.0.1", site.port("imap")) as c:
        ok(c.login(USER, "secret"))
        offered = ok(c.capability())[0].split()
        assert {b"IMAP4rev1", b"IMAP4rev2", b"ACL", b"RIGHTS=kxte", b"QUOTA", b"LIST-EXTENDED"} <= set(offered)
        ok(c.create("Work/2026"))
        ok(c.subscribe("Work/2026"))
        assert b"Work/2026" in names(c) and names(c, '""', "Work/%") == [b"Work/2026"]
        assert any(b"Work/2026" in line for line in ok(c.lsub()))
        for subject in ("apples", "pears"):
            ok(c.append("Work/2026", "(\\Flagged)", imaplib.Time2Internaldate(time.time()), message(subject)))
        assert b"MESSAGES 2" in ok(c.status("Work/2026", "(MESSAGES UNSEEN)"))[0]
        assert ok(c.select("Work/2026")) == [b"2"]
        assert ok(c.uid("SEARCH", "SUBJECT", "pears")) == [b"2"]
        ok(c.uid("STORE", "1", "+FLAGS", "(\\Deleted)"))
        assert ok(c.expunge()) == [b"1"]
        assert b"Subject: pears" in ok(c.fetch("1", "(RFC822)"))[0][1]
        ok(c.rename("Work/2026", "Old"))
        assert b"Old" in names(c) and b"Work/2026" not in names(c)
        assert ok(c.getquotaroot("INBOX"))[0] == [b"INBOX joe@ex.org"]
        ok(c.setacl("Old", "ann@ex.org", "lrs"))
        assert b"ann@ex.org lrs" in ok(c.getacl("Old"))[0]
        assert ok(c.myrights("Old")) == [b"Old lrswipkxteacd"]
        ok(c.deleteacl("Old", "ann@ex.org"))
        assert ok(c.namespace()) == [b'(("" "/")) (("~" "/")) NIL']
        ok(c.close())
        ok(c.delete("Old"))
        assert b"Old" not in names(c)
        assert c.select("Old")[0] == "NO"


def curl(site, path, *args):
    out = subprocess.run(["curl", "-sS", "--max-time", "30", "-u", f"{USER}:secret", f"imap://127.0.0.1:{site.port('imap')}/{path}", *args],
                         capture_output=True, check=False)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_curl_lists_appends_searches_and_fetches(site, tmp_path):
    assert b'* LIST (\\HasNoChildren) "/" INBOX' in curl(site, "")
    letter = tmp_path / "letter"
    letter.write_bytes(message("by-curl"))
    curl(site, "Drafts", "-T", str(letter))
    assert curl(site, "Drafts?SUBJECT%20by-curl").strip() == b"* SEARCH 1"
    assert curl(site, "Drafts;UID=1") == message("by-curl")
    assert b"Subject: by-curl" in curl(site, "Drafts;UID=1;SECTION=HEADER.FIELDS%20(Subject)")
    assert curl(site, "", "-X", "STATUS Drafts (MESSAGES)").strip() == b"* STATUS Drafts (MESSAGES 1)"


MBSYNC = """
IMAPAccount site
Host 127.0.0.1
Port {port}
User {user}
Pass secret
SSLType None
AuthMechs LOGIN

IMAPStore far
Account site

MaildirStore near
Path {directory}/mail/
Inbox {directory}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * !~*
Create Both
Expunge Both
SyncState *
"""


def mbsync(directory):
    out = subprocess.run(["mbsync", "-V", "-c", str(directory / "mbsyncrc"), "-a"], capture_output=True, text=True, timeout=120, check=False)
    assert out.returncode == 0, out.stdout + out.stderr
    return out.stdout


def maildir(directory, name):
    return sorted(p for part in ("cur", "new") for p in (directory / "mail" / name / part).glob("*"))


def test_mbsync_synchronises_both_ways_and_then_moves_nothing(site, tmp_path):
    (tmp_path / "mail").mkdir()
    (tmp_path / "mbsyncrc").write_text(MBSYNC.format(port=site.port("imap"), user=USER, directory=tmp_path))
    for i in range(20):
        assert send(site.port("smtp"), "a@stranger.example", [USER], message(f"m{i}"))[0] == 250
    with Imap(site.port("imap"), USER) as c:
        c.must("CREATE Work/Plans")
        letter = message("plan").decode()
        c.must(f"APPEND Work/Plans (\\Flagged) {{{len(letter)}+}}\r\n{letter}")
    mbsync(tmp_path)
    assert len(maildir(tmp_path, "INBOX")) == 20 and len(maildir(tmp_path, "Work/Plans")) == 1
    # near: a new message, a flag, a removal; far: a new one
    new = tmp_path / "mail" / "Drafts" / "new" / "1700000000.1.here"
    new.write_bytes(message("written-here").replace(b"\r\n", b"\n"))
    first, second = maildir(tmp_path, "INBOX")[:2]
    (first.parent.parent / "cur").mkdir(exist_ok=True)
    first.rename(first.parent.parent / "cur" / (re.sub(":2,.*", "", first.name) + ":2,S"))
    second.unlink()
    assert send(site.port("smtp"), "a@stranger.example", [USER], message("late"))[0] == 250
    mbsync(tmp_path)
    with Imap(site.port("imap"), USER) as c:
        assert c.must("STATUS Drafts (MESSAGES)") == [b"* STATUS Drafts (MESSAGES 1)"]
        assert c.must("STATUS INBOX (MESSAGES UNSEEN)") == [b"* STATUS INBOX (MESSAGES 20 UNSEEN 19)"]
        before = c.must('LIST "" * RETURN (STATUS (MESSAGES UIDNEXT HIGHESTMODSEQ))')
        near = {p: p.stat().st_mtime_ns for p in (tmp_path / "mail").rglob("*") if p.is_file() and "mbsync" not in p.name}
        said = mbsync(tmp_path)
        assert before == c.must('LIST "" * RETURN (STATUS (MESSAGES UIDNEXT HIGHESTMODSEQ))')
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "mail").rglob("*") if p.is_file() and "mbsync" not in p.name}
    assert near.keys() == after.keys(), said


def in_terminal(args, env, until, patience=60):
    """What a program for terminals shows until a text is there; then q and it may end."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(args[0], args, env)
    shown, end = b"", time.monotonic() + patience
    try:
        while until not in shown and time.monotonic() < end:
            if select.select([fd], [], [], 1)[0]:
                try:
                    shown += os.read(fd, 65536)
                except OSError:
                    break
        for _ in range(3):
            try:
                os.write(fd, b"q")
            except OSError:
                break
        while time.monotonic() < end:
            try:
                if not os.read(fd, 65536):
                    break
            except OSError:
                break
        return shown
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("deflate", ("yes", "no"))
def test_mutt_lists_and_reads_a_message(site, tmp_path, deflate):
    assert send(site.port("smtp"), "a@stranger.example", [USER], message("for-mutt", body="A line to be read.\r\n"))[0] == 250
    rc = tmp_path / "muttrc"
    (tmp_path / "Mail").mkdir()
    rc.write_text(f"""set folder="{tmp_path}/Mail"
set imap_user="{USER}"
set imap_pass="secret"
set ssl_starttls=no
set ssl_force_tls=no
set header_cache="{tmp_path}/cache"
set imap_deflate={deflate}
set quit=yes
set mail_check=5
set editor=true
set pager_index_lines=0
set wait_key=no
set prompt_after=no
""")
    env = dict(os.environ, TERM="xterm", HOME=str(tmp_path), COLUMNS="100", LINES="30")
    args = ["mutt", "-d", "2", "-F", str(rc), "-f", f"imap://127.0.0.1:{site.port('imap')}/INBOX"]
    assert b"for-mutt" in in_terminal(args, env, b"for-mutt")
    read = in_terminal([*args, "-e", "push <display-message>"], env, b"A line to be read.")
    assert b"A line to be read." in read
    assert ("COMPRESS DEFLATE" in (tmp_path / ".muttdebug0").read_text(errors="replace")) == (deflate == "yes")
    with Imap(site.port("imap"), USER) as c:
        assert c.must("STATUS INBOX (UNSEEN)") == [b"* STATUS INBOX (UNSEEN 0)"]


@pytest.fixture(autouse=True)
def keep_home(monkeypatch, tmp_path):
    """What clients write beside their configuration stays here."""
    monkeypatch.setenv("HOME", str(pathlib.Path(tmp_path)))
