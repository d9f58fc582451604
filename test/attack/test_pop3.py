"""POP3 under a hostile or careless client (RFC 1939, 2449, 6856)."""
import itertools

import pytest

from wire import Wire, drain, login_when_free


def deliver(site, user, bodies):
    with Wire(site.port("lmtp")) as w:
        w.code(b"LHLO c.example")
        for body in bodies:
            assert w.code(b"MAIL FROM:<a@b.example>") == 250
            assert w.code(b"RCPT TO:<" + user + b">") == 250
            w.say(b"BDAT %d LAST\r\n" % len(body) + body)
            assert w.reply()[0] == 250, body


def body(n):
    return b"Subject: %d\r\n\r\nline\r\n.\r\n..\r\n.x\r\n" % n


@pytest.fixture(scope="module")
def user(site):
    site.command("account", "add", "pop@r.example", stdin="secret\n")
    return b"pop@r.example"


@pytest.fixture
def three(site, user):
    """A session over exactly three messages."""
    drain(site, user)
    deliver(site, user, [body(i) for i in (1, 2, 3)])
    with login_when_free(site, user) as w:
        yield w


# States -------------------------------------------------------------------------------------------------------------

MULTI = (b"CAPA", b"LIST", b"UIDL", b"RETR 1", b"TOP 1 0")
BEFORE = {b"CAPA": True, b"NOOP": False, b"STAT": False, b"LIST": False, b"UIDL": False, b"RETR 1": False, b"TOP 1 0": False, b"DELE 1": False, b"RSET": False,
          b"PASS secret": False, b"WHAT": False, b"": False}


def test_before_login_only_login_is_possible_rfc1939_4(site, user):
    for first, second in itertools.product(BEFORE, BEFORE):
        with Wire(site.port("pop3")) as w:
            for command in (first, second):
                assert w.ok(command) == BEFORE[command], (first, second)
                if w.last.startswith(b"+OK") and command in MULTI:
                    w.body()


def test_a_wrong_password_forgets_the_user_rfc1939_7(site, user):
    with Wire(site.port("pop3")) as w:
        assert not w.login(user, b"wrong")
        assert not w.ok(b"PASS secret")
        assert w.login(user)


class Drop:
    """A maildrop of three messages as RFC 1939 §5 describes it."""

    def __init__(self):
        self.there = [True] * 3

    def answer(self, word, n=None):
        if word in (b"RETR", b"TOP", b"LIST", b"UIDL", b"DELE"):
            if not 1 <= n <= 3 or not self.there[n - 1]:
                return False
            if word == b"DELE":
                self.there[n - 1] = False
        if word == b"RSET":
            self.there = [True] * 3
        return True


def test_sequences_of_commands_agree_with_a_model_of_the_maildrop_rfc1939_5(three):
    commands = [(b"DELE", 1), (b"DELE", 2), (b"RETR", 1), (b"LIST", 1), (b"UIDL", 1), (b"TOP", 1), (b"RSET", None), (b"DELE", 4), (b"RETR", 0), (b"NOOP", None)]
    three.socket.settimeout(30)
    for sequence in itertools.product(commands, repeat=3):
        assert three.ok(b"RSET")
        drop = Drop()
        for word, n in sequence:
            line = word if n is None else word + b" %d" % n + (b" 0" if word == b"TOP" else b"")
            expected = drop.answer(word, n)
            assert three.ok(line) == expected, (sequence, line, three.last)
            if expected and word in (b"RETR", b"TOP"):
                three.body()
        assert three.ok(b"STAT")
        assert int(three.last.split()[1]) == sum(drop.there), sequence
        for command in (b"LIST", b"UIDL"):
            assert three.ok(command)
            assert [int(x.split()[0]) for x in three.body().splitlines()] == [i + 1 for i in range(3) if drop.there[i]], sequence


@pytest.mark.parametrize("argument", [b"", b" ", b" 0", b" -1", b" 4", b" x", b" 1x", b" 1 2", b" 99999999999999999999", b" 4294967297", b" 18446744073709551617", b" +1", b" 1.0", b" \xff"],
                         ids=repr)
def test_a_message_that_is_not_there_is_an_error_rfc1939_5(three, argument):
    for word in (b"RETR", b"DELE", b"TOP"):
        assert not three.ok(word + argument + (b" 0" if word == b"TOP" else b""))
    assert three.ok(b"STAT")
    assert three.last.split()[1] == b"3"


@pytest.mark.parametrize("argument", [b"1", b"1 ", b"1 x", b"1 -1", b"1 99999999999999999999999", b"1 0 0", b"x 0"], ids=repr)
def test_top_wants_two_numbers_rfc1939_7(three, argument):
    assert not three.ok(b"TOP " + argument)


def test_top_gives_header_and_lines_and_stuffs_them_rfc1939_7(three):
    for n, want in ((0, b""), (1, b"line\r\n"), (2, b"line\r\n.\r\n"), (3, b"line\r\n.\r\n..\r\n"), (4, b"line\r\n.\r\n..\r\n.x\r\n"), (4294967295, b"line\r\n.\r\n..\r\n.x\r\n")):
        assert three.ok(b"TOP 2 %d" % n)
        assert three.body().endswith(b"Subject: 2\r\n\r\n" + want)


# Leaving ------------------------------------------------------------------------------------------------------------


def test_deletions_without_quit_are_none_rfc1939_6(site, user, three):
    uidl = three.ok(b"UIDL") and three.body()
    for i in (1, 2, 3):
        assert three.ok(b"DELE %d" % i)
    three.socket.close()
    with login_when_free(site, user) as w:
        assert w.ok(b"UIDL")
        assert w.body() == uidl


def test_deletions_are_none_when_the_line_of_quit_is_not_whole_rfc1939_6(site, user, three):
    assert three.ok(b"DELE 1")
    three.say(b"QUIT")
    three.socket.close()
    assert len(drain(site, user)) == 3


def test_quit_behind_a_flood_still_updates_rfc2449_6_6(site, user, three):
    three.say(b"NOOP\r\n" * 2000 + b"DELE 1\r\nDELE 2\r\nQUIT\r\n")
    for _ in range(2003):
        assert three.ok()
    assert three.is_closed()
    assert len(drain(site, user)) == 1


def test_a_second_session_is_refused_and_does_not_disturb_the_first_rfc3206_4(site, user, three):
    assert three.ok(b"DELE 1")
    for door in ("pop3", "pop3s"):
        with Wire(site.port(door), greet=False) as w:
            if door == "pop3s":
                w.start_tls()
            w.line()
            assert not w.login(user)
            assert b"[IN-USE]" in w.last
            assert not w.ok(b"STAT")
    assert three.ok(b"STAT")
    assert three.ok(b"QUIT")
    with Wire(site.port("pop3")) as w:
        assert w.login(user)


def test_a_wrong_password_does_not_tell_that_the_maildrop_is_in_use_rfc3206_4(site, user, three):
    with Wire(site.port("pop3")) as w:
        assert not w.login(user, b"wrong")
        assert b"[AUTH]" in w.last and b"[IN-USE]" not in w.last


# Octets -------------------------------------------------------------------------------------------------------------

ENDS = [b".\n", b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"a", b"\n", b"\r", b"..", b"\r\n.", b"\r\n..\r\n.", b"", b"\r\n\r\n"]


def test_no_message_ends_its_own_transfer_rfc1939_3(site, user):
    """Bare line ends come by LMTP's BDAT or an injection, if at all; what is stored must come out as one answer."""
    drain(site, user)
    taken = []
    for end in ENDS:
        text = b"Subject: s\n\nx" + end if b"\r" not in end else b"Subject: s\r\n\r\nx" + end
        with Wire(site.port("lmtp")) as w:
            w.code(b"LHLO c.example")
            w.code(b"MAIL FROM:<>")
            w.code(b"RCPT TO:<" + user + b">")
            w.say(b"BDAT %d LAST\r\n" % len(text) + text)
            if w.reply()[0] == 250:
                taken.append(text)
    with Wire(site.port("pop3")) as w:
        assert w.login(user)
        assert w.ok(b"STAT")
        assert int(w.last.split()[1]) == len(taken)
        for i in range(1, len(taken) + 1):
            for command in (b"RETR %d", b"TOP %d 9"):
                w.say(command % i + b"\r\nNOOP\r\n")
                assert w.ok()
                raw = b""
                while (line := w.line()) != b".\r\n":
                    assert line.rstrip(b"\r\n") != b".", raw    # a lenient client would stop here
                    raw += line
                assert w.ok() and w.last.startswith(b"+OK"), w.last
        for i in range(1, len(taken) + 1):
            assert w.ok(b"DELE %d" % i)
        assert w.ok(b"QUIT")


def test_sizes_of_list_are_the_octets_of_retr_rfc1939_11(site, user, three):
    assert three.ok(b"LIST")
    sizes = [int(x.split()[1]) for x in three.body().splitlines()]
    for i, size in enumerate(sizes):
        assert three.ok(b"RETR %d" % (i + 1))
        assert len(three.body()) == size


@pytest.mark.parametrize("octets", [256, 5000, 1_000_000])
def test_a_line_too_long_is_an_error_or_the_end_rfc2449_4(site, octets):
    with Wire(site.port("pop3")) as w:
        w.say(b"USER " + b"x" * octets + b"\r\nCAPA\r\n")
        assert not w.ok() or octets == 256
        if w.last and w.ok():
            w.body()


@pytest.mark.parametrize("line", [b"\x00", b"USER \x00", b"USER pop@r.example\x00", b"CAPA\rCAPA", b"US\x00ER x", b"\xff\xff", b"USER", b"USER  ", b"PASS", b"AUTH", b"APOP x y"], ids=repr)
def test_a_malformed_command_is_an_error_and_the_session_goes_on_rfc1939_3(site, line):
    with Wire(site.port("pop3")) as w:
        if w.ok(line):
            assert line == b"AUTH"      # RFC 5034 §4 leaves it; a list of mechanisms
            w.body()
        assert w.ok(b"CAPA")
        w.body()


def test_errors_and_wrong_passwords_end_the_session_rfc1939_3(site):
    with Wire(site.port("pop3")) as w:
        w.say(b"WHAT\r\n" * 200)
        lines = []
        while line := w.line():
            lines.append(line)
        assert len(lines) <= 30 and all(line.startswith(b"-ERR") for line in lines)


def test_a_pipelined_flood_of_retr_and_a_reader_that_stops_cost_no_memory_and_no_thread_rfc2449_6_6(site, user):
    drain(site, user)
    deliver(site, user, [b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n") * 14_000])
    pid = site.server_pid()
    before = rss(pid)
    site.command("account", "add", "flood@r.example", stdin="secret\n")
    w = Wire(site.port("pop3"))
    assert w.login(user)
    w.say(b"RETR 1\r\n" * 1000)         # a gigabyte, if somebody kept it
    with Wire(site.port("pop3")) as good:
        assert good.login(b"flood@r.example")
        assert good.ok(b"STAT")
    assert rss(pid) - before < 40 << 20
    for _ in range(3):
        assert w.ok()
        assert len(w.body()) > 1_000_000
    w.socket.close()


def rss(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * 4096


# UTF8 ---------------------------------------------------------------------------------------------------------------


def test_utf8_is_asked_for_before_login_rfc6856_2(site, user, three):
    assert not three.ok(b"UTF8")
    with Wire(site.port("pop3")) as w:
        assert w.ok(b"CAPA")
        assert b"UTF8" in w.body()
        assert w.ok(b"UTF8")


def test_uidls_are_short_unique_and_the_same_next_time_rfc1939_7(site, user, three):
    assert three.ok(b"UIDL")
    first = three.body()
    uidls = [x.split()[1] for x in first.splitlines()]
    assert len(set(uidls)) == 3 and all(1 <= len(u) <= 70 and all(33 <= c <= 126 for c in u) for u in uidls)
    assert three.ok(b"DELE 1")
    assert three.ok(b"QUIT")
    with Wire(site.port("pop3")) as w:
        assert w.login(user)
        assert w.ok(b"UIDL")
        assert [x.split()[1] for x in w.body().splitlines()] == uidls[1:]
