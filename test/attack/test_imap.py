"""IMAP under a hostile or careless client (RFC 9051, 7888; RELIABILITY §2)."""
import itertools
import socket

import pytest

from wire import Wire


def tagged(w, octets, tag=b"a"):
    """The tagged answer to a command, b"" when the connection ends."""
    if octets:
        w.say(octets)
    while (line := w.line()) != b"" and not line.startswith(tag + b" "):
        pass
    return line


def log_in(w, user=b"joe@r.example"):
    assert tagged(w, b"a LOGIN " + user + b" secret\r\n").startswith(b"a OK ")


def pour(w, octets):
    """Send what may be refused; TRUE when the other side has closed meanwhile."""
    try:
        w.say(octets)
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True


def resident(site):
    with open(f"/proc/{site.server_pid()}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


SIZES = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 10, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 10, 10**40]


@pytest.mark.parametrize("is_in", [False, True], ids=["stranger", "user"])
@pytest.mark.parametrize("size", SIZES)
def test_a_literal_beyond_measure_is_refused_or_closes_rfc7888_4(site, size, is_in):
    with Wire(site.port("imap")) as w:
        if is_in:
            log_in(w)
        assert tagged(w, b"a LOGIN {%d}\r\n" % size).startswith(b"a BAD ")
        assert tagged(w, b"b NOOP\r\n", b"b").startswith(b"b OK ")
        w.say(b"a LOGIN {%d+}\r\nx LOGOUT\r\n" % size)
        assert tagged(w, b"").startswith(b"a BAD ")
        assert w.line().startswith(b"* BYE")
        assert w.is_closed()


@pytest.mark.parametrize("word", [b"LOGIN", b"SELECT", b"ENABLE", b"NOOP", b"NONE", b"UID NONE", b"ID", b""])
@pytest.mark.parametrize("is_in", [False, True], ids=["stranger", "user"])
def test_octets_of_a_literal_are_never_commands_rfc7888_4(site, word, is_in):
    inside = b"x LOGOUT\r\n"
    with Wire(site.port("imap")) as w:
        if is_in:
            log_in(w)
        w.say(b"a %s {%d+}\r\n%s {%d+}\r\n%s\r\nb NOOP\r\n" % (word, len(inside), inside, len(inside), inside))
        while not (line := w.line()).startswith(b"b "):
            assert line.startswith((b"a ", b"* ID")), line
        assert line.startswith(b"b OK ")


LINES = {
    "parentheses": b"(",
    "pairs": b"()",
    "quotes": b'"',
    "backslashes": b"\\",
    "braces": b"{",
    "NULs": b"\0",
    "0xff": b"\xff",
    "carriage returns": b"\r",
}


@pytest.mark.parametrize("is_in", [False, True], ids=["stranger", "user"])
@pytest.mark.parametrize("octets", LINES.values(), ids=LINES.keys())
def test_a_line_without_end_costs_no_memory(site, octets, is_in):
    before = resident(site)
    with Wire(site.port("imap")) as w:
        if is_in:
            log_in(w)
        w.say(b"a ID ")
        for _ in range(100):
            if pour(w, octets * (1000000 // len(octets))):
                break
        else:
            pytest.fail("100 MB were taken")
    assert resident(site) - before < 8192


@pytest.mark.parametrize("text", [b"(" * 8000, b'"' + b"x" * 8000, b'("k" ' * 1500, b'(("name" "x"))', b'("name" "x"', b'"\\'], ids=lambda t: t[:12])
@pytest.mark.parametrize("word", [b"ID", b"LOGIN", b"SELECT INBOX", b"ENABLE", b"AUTHENTICATE PLAIN"])
def test_what_never_closes_is_bad_rfc9051_9(site, word, text):
    with Wire(site.port("imap")) as w:
        if word.startswith((b"SELECT", b"ENABLE")):
            log_in(w)
        assert tagged(w, b"a " + word + b" " + text + b"\r\n").startswith(b"a BAD ")
        assert tagged(w, b"b NOOP\r\n", b"b").startswith(b"b OK ")


def test_thousands_of_literals_are_refused(site):
    with Wire(site.port("imap")) as w:
        log_in(w)
        w.say(b"a ENABLE" + b" {1+}\r\nx" * 5000 + b"\r\n")
        assert tagged(w, b"").startswith(b"a BAD [TOOBIG]")
        assert tagged(w, b"b NOOP\r\n", b"b").startswith(b"b OK ")


def test_many_large_literals_are_refused_within_the_ledger(site):
    before = resident(site)
    with Wire(site.port("imap")) as w:
        log_in(w)
        w.say(b"a ENABLE" + (b" {100000+}\r\n" + b"x" * 100000) * 100 + b"\r\n")
        assert tagged(w, b"").startswith(b"a BAD [TOOBIG]")
        assert tagged(w, b"b NOOP\r\n", b"b").startswith(b"b OK ")
    assert resident(site) - before < 8192


def test_floods_before_login_end(site):
    for command in (b"a NOOP\r\n", b"a CAPABILITY\r\n", b"a ID NIL\r\n", b"a FOO\r\n", b"\r\n", b"{0+}\r\n\r\n"):
        with Wire(site.port("imap")) as w:
            pour(w, command * 200)
            lines = []
            while line := w.line():
                lines.append(line)
            assert lines[-1].startswith(b"* BYE"), command
            assert len(lines) < 250


def test_before_login_nothing_of_the_store_is_possible_rfc9051_3(site):
    words = [b"SELECT INBOX", b"EXAMINE INBOX", b"IDLE", b"ENABLE IMAP4rev2", b"UNSELECT", b"CLOSE", b"CHECK", b"UNAUTHENTICATE"]
    for first, second in itertools.product(words, words):
        with Wire(site.port("imap")) as w:
            assert tagged(w, b"a " + first + b"\r\n").startswith(b"a BAD ")
            assert tagged(w, b"a " + second + b"\r\n").startswith(b"a BAD ")


def test_a_reader_who_takes_nothing_holds_no_worker(site):
    """The answers wait in the kernel and in one output buffer; others are served."""
    before = resident(site)
    with Wire(site.port("imap")) as w:
        w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        log_in(w)
        w.socket.settimeout(2)
        try:
            for _ in range(2000):
                w.say(b"a CAPABILITY\r\n" * 500)
        except (socket.timeout, TimeoutError):
            pass
        with Wire(site.port("imap")) as other:
            log_in(other, b"ann@r.example")
        assert resident(site) - before < 8192


STRANGE_NAMES = [b"..", b"a/../b", b"../../etc/passwd", b"/etc/passwd", b"a//b", b"a/", b"/", b".", b"a/./b", b"x" * 256, b"y/" * 51 + b"y",
                 b"z" * 1001, b"a\tb", b"a\x7fb", b"&", b"&AAA-", b"&2AA-", b"&AGE-", b"&AC8-", b"&Jjo-&Jjo-", b"%", b"*a", b"~", b"~joe", b"~/x",
                 b"~@/x", b"~a@b@c/x", b"~nobody@nowhere.example/x", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"a\x00b"]


@pytest.mark.parametrize("is_utf8", [False, True], ids=["utf7", "utf8"])
def test_strange_mailbox_names_are_refused_or_stored_safely_rfc9051_5_1(site, is_utf8):
    commands = [b"CREATE %s", b"RENAME Source %s", b"SUBSCRIBE %s", b"SELECT %s", b"STATUS %s (MESSAGES)", b"DELETE %s", b"GETACL %s",
                b'SETMETADATA %s (/private/comment "x")', b"GETQUOTAROOT %s", b"APPEND %s {2+}\r\n\r\n"]
    with Wire(site.port("imap")) as w:
        log_in(w)
        if is_utf8:
            assert tagged(w, b"a ENABLE IMAP4rev2 UTF8=ACCEPT\r\n").startswith(b"a OK ")
        for name in STRANGE_NAMES:
            literal = b"{%d+}\r\n%s" % (len(name), name)
            tagged(w, b"a CREATE Source\r\n")
            for command in commands:
                answer = tagged(w, b"a " + command.replace(b"%s", literal) + b"\r\n")
                assert answer.startswith((b"a NO ", b"a BAD ")) or name == b"a/" or (is_utf8 and name.startswith(b"&")), (command, name, answer)
                if answer.startswith(b"a BAD "):
                    assert tagged(w, b"a NOOP\r\n").startswith(b"a OK ")
        for name in (b"a", b"Source"):
            tagged(w, b"a DELETE " + name + b"\r\n")
    assert site.command("verify") is not None


def test_patterns_that_fork_everywhere_cost_no_more_than_others_rfc9051_6_3_9(site):
    with Wire(site.port("imap")) as w:
        log_in(w)
        for pattern in (b"*a" * 400, b"%*" * 20000, b"*%a" * 300, b"a" * 60000, b"*" * 60000):
            assert tagged(w, b'a LIST "" ' + pattern + b"\r\n").startswith(b"a OK ")
            assert tagged(w, b'a LSUB "" ' + pattern + b"\r\n").startswith(b"a OK ")
        many = b"(" + b" ".join([b"*a%b*"] * 100) + b")"
        assert tagged(w, b'a LIST (SUBSCRIBED RECURSIVEMATCH) "" ' + many + b" RETURN (STATUS (MESSAGES))\r\n").startswith(b"a OK ")
        assert tagged(w, b'a LIST "" ' + many[:-1] + b" x)\r\n").startswith(b"a BAD ")
        assert tagged(w, b'a LIST "" (' + b"(" * 60000 + b"\r\n").startswith(b"a BAD ")


def test_notify_beyond_measure_is_refused_rfc5465_5_8(site):
    both = b"(MessageNew MessageExpunge)"
    with Wire(site.port("imap")) as w:
        log_in(w)
        assert tagged(w, b"a NOTIFY SET " + b" ".join([b"(personal NONE)"] * 101) + b"\r\n").startswith(b"a NO [NOTIFICATIONOVERFLOW]")
        names = b"(" + b" ".join(b"m%d" % i for i in range(1001)) + b")"
        assert tagged(w, b"a NOTIFY SET (mailboxes " + names + b" " + both + b")\r\n").startswith(b"a NO [NOTIFICATIONOVERFLOW]")
        assert tagged(w, b"a NOTIFY SET " + b"(" * 60000 + b"\r\n").startswith(b"a BAD ")
        literals = b"".join(b"{60000+}\r\n" + b"x" * 60000 + b" " for _ in range(3))
        assert tagged(w, b"a NOTIFY SET (mailboxes (" + literals + b"y) NONE)\r\n").startswith(b"a NO [NOTIFICATIONOVERFLOW]")
        for _ in range(200):
            assert tagged(w, b"a NOTIFY SET STATUS (personal " + both + b")\r\n").startswith(b"a OK ")
        before = resident(site)
        for _ in range(2000):
            assert tagged(w, b"a NOTIFY SET (personal " + both + b")\r\n").startswith(b"a OK ")
        assert resident(site) < before + 4096
