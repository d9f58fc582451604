"""Sessions end with their account's right to be there: removal, `disabled=yes`, a new password; and what a removed account had stays removed."""
import base64
import re
import sys
import pathlib
import time

import pytest
from site_under_test import Site

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "attack"))
from wire import Wire  # noqa: E402

ENDED = b"may not be used any more"


@pytest.fixture(scope="module")
def site():
    with Site("ends.example") as s:
        s.command("domain", "add", "e.example")
        yield s


@pytest.fixture
def joe(site):
    site.account("joe@e.example")
    yield b"joe@e.example"
    site.try_command("account", "remove", "joe@e.example")


def imap(site, user=b"joe@e.example", password=b"secret"):
    w = Wire(site.port("imap"))
    w.say(b"i LOGIN " + user + b" " + password + b"\r\n")
    assert until(w, b"i ").startswith(b"i OK")
    return w


def until(w, start):
    while not (line := w.line()).startswith(start):
        assert line, "closed"
    return line


def pop3(site):
    w = Wire(site.port("pop3"))
    assert w.login(b"joe@e.example")
    return w


def submission(site):
    w = Wire(site.port("submission"))
    assert w.code(b"EHLO c.example") == 250
    assert w.code(b"AUTH PLAIN " + base64.b64encode(b"\0joe@e.example\0secret")) == 235
    return w


WAYS = {
    "removed": lambda site: site.command("account", "remove", "joe@e.example"),
    "disabled": lambda site: site.command("account", "set", "joe@e.example", "disabled=yes"),
    "re-keyed": lambda site: site.command("account", "password", "joe@e.example", stdin="secret\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_parked_sessions_are_told_at_once_and_closed_rfc9051_7_1_5(site, joe, way):
    with imap(site) as plain, imap(site) as idle, pop3(site) as pop, submission(site) as sub:
        idle.say(b"a SELECT INBOX\r\n")
        assert until(idle, b"a ").startswith(b"a OK")
        idle.say(b"b IDLE\r\n")
        assert until(idle, b"+")
        WAYS[way](site)
        began = time.monotonic()
        for w, start in ((plain, b"* BYE "), (idle, b"* BYE "), (pop, b"-ERR [SYS/PERM] "), (sub, b"421 4.7.0 ")):
            line = until(w, start)
            assert ENDED in line or b"mailbox has been removed" in line, line  # the selected one may be heard of first
            assert w.is_closed()
        assert time.monotonic() - began < 10
    if way != "re-keyed":
        with Wire(site.port("imap")) as w:
            w.say(b"a LOGIN joe@e.example secret\r\n")
            assert until(w, b"a ").startswith(b"a NO")


def test_commands_behind_a_removal_do_nothing_and_a_new_account_of_the_name_begins_empty(site, joe):
    with imap(site) as w:
        w.say(b"a SELECT INBOX\r\n")
        assert until(w, b"a ").startswith(b"a OK")
        w.say(b"b APPEND INBOX {20}\r\n")
        assert until(w, b"+")
        site.command("account", "remove", "joe@e.example")
        site.account("joe@e.example", "another")
        w.say(b"Subject: x\r\n\r\nhello.\r\nc CREATE foo\r\nd APPEND INBOX {1+}\r\nx\r\n")
        assert ENDED in until(w, b"* BYE")
    with imap(site, password=b"another") as w:
        w.say(b"a STATUS INBOX (MESSAGES)\r\n")
        assert re.search(rb"MESSAGES 0\)", until(w, b"* STATUS"))
        assert until(w, b"a ")
        w.say(b"b LIST \"\" foo\r\n")
        assert w.line().startswith(b"b OK")
    site.command("verify")


def test_pop3_quit_behind_disabled_removes_nothing_rfc1939_6(site, joe):
    site.command("inject", "joe@e.example", stdin="Subject: x\n\nhello\n")
    with pop3(site) as w:
        assert w.ok(b"DELE 1")
        site.command("account", "set", "joe@e.example", "disabled=yes")
        w.say(b"QUIT\r\n")
        assert w.line().startswith(b"-ERR [SYS/PERM]")
    site.command("account", "set", "joe@e.example", "disabled=no")
    with pop3(site) as w:
        w.say(b"STAT\r\n")
        assert w.line().startswith(b"+OK 1 ")


def test_a_message_that_is_coming_is_not_taken_from_a_disabled_account(site, joe):
    with submission(site) as w:
        assert w.code(b"MAIL FROM:<joe@e.example>") == 250
        assert w.code(b"RCPT TO:<joe@e.example>") == 250
        assert w.code(b"DATA") == 354
        w.say(b"Subject: x\r\n\r\nhel")
        site.command("account", "set", "joe@e.example", "disabled=yes")
        w.say(b"lo\r\n.\r\n")
        assert w.line().startswith(b"421 4.7.0 ")
    assert site.json("queue", "list") == []


def test_may_send_counts_from_the_next_mail_on(site, joe):
    with submission(site) as w:
        assert w.code(b"MAIL FROM:<joe@e.example>") == 250
        assert w.code(b"RCPT TO:<v@far.example>") == 250
        assert w.code(b"RSET") == 250
        site.command("account", "set", "joe@e.example", "may-send=no")
        assert w.code(b"MAIL FROM:<joe@e.example>") == 250
        assert w.code(b"RCPT TO:<v@far.example>") == 550
        assert w.code(b"RCPT TO:<joe@e.example>") == 250


def test_sessions_of_others_go_on(site, joe):
    site.account("ann@e.example")
    with imap(site, b"ann@e.example") as w:
        for way in ("disabled", "removed"):
            WAYS[way](site)
            w.say(b"a NOOP\r\n")
            assert w.line().startswith(b"a OK")
    site.command("account", "remove", "ann@e.example")
