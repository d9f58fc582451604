"""Guessing of addresses and passwords (ROUTING §7; RFC 5321 §7.3)."""
import time

from wire import Wire, drain


def accept(w, n):
    """Bring mail for n recipients: only what exceeds them counts."""
    w.envelope(recipients=[b"joe+%d@r.example" % i for i in range(n)])
    assert w.code(b"DATA") == 354
    w.say(b"Subject: x\r\n\r\nx\r\n.\r\n")
    assert w.reply()[0] == 250


def guess(w, names):
    """The codes of RCPT for each name, sent at once; they end where the session ends."""
    w.code(b"MAIL FROM:<a@b.example>")
    w.say(b"".join(b"RCPT TO:<%s@r.example>\r\n" % name for name in names))
    codes = []
    while len(codes) < len(names) and (code := w.reply()[0]) != 0:
        codes.append(code)
    return codes


def test_more_unknown_names_than_accepted_ones_and_than_twenty_close_the_session(site, stranger):
    """Without the accepted ones the tenth and later answers would take a minute together: that is for the unit test."""
    with Wire(site.port("smtp"), stranger) as w:
        accept(w, 22)
        assert guess(w, [b"name%d" % i for i in range(30)]) == [550] * 22 + [421]
        assert w.is_closed()
    drain(site, b"joe@r.example")


def test_the_eleventh_unknown_name_is_answered_later_and_the_session_goes_on(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        w.code(b"EHLO c.example")
        begin = time.monotonic()
        assert guess(w, [b"slow%d" % i for i in range(11)]) == [550] * 11
        assert time.monotonic() - begin >= 0.9
        assert w.code(b"RCPT TO:<joe@r.example>") == 250


def test_five_sessions_worth_of_guesses_refuse_the_client_until_it_is_released(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        accept(w, 100)
        assert guess(w, [b"many%d" % i for i in range(101)])[-1] == 421
    with Wire(site.port("smtp"), stranger) as w:
        assert w.greeting.startswith((b"421", b"554"))
        assert w.is_closed()
    with Wire(site.port("smtp"), "127.3.0.1") as w:
        assert w.greeting.startswith(b"220")
    site.command("guess", "release", stranger)
    with Wire(site.port("smtp"), stranger) as w:
        assert w.greeting.startswith(b"220")
    drain(site, b"joe@r.example")


def test_the_same_unknown_name_thirty_times_counts_once(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        w.envelope(recipients=[])
        w.say(b"RCPT TO:<same@r.example>\r\n" * 30)
        assert [w.reply()[0] for _ in range(30)] == [550] * 30
        assert w.code(b"RCPT TO:<joe@r.example>") == 250


def test_no_command_tells_who_exists_rfc5321_3_5_3(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        w.code(b"EHLO c.example")
        assert w.answer(b"VRFY joe") == w.answer(b"VRFY nobody") == "252 2.1.5"
        assert w.answer(b"EXPN joe") == w.answer(b"EXPN nobody") == "252 2.1.5"


def test_disabled_and_unknown_recipients_read_the_same(site, stranger):
    site.command("account", "add", "off@r.example", "disabled=yes", stdin="secret\n")
    with Wire(site.port("smtp"), stranger) as w:
        w.envelope(recipients=[])
        replies = []
        for name in (b"off", b"noo"):
            w.say(b"RCPT TO:<" + name + b"@r.example>\r\n")
            code, lines = w.reply()
            replies.append((code, [text.replace(name.decode(), "NAME") for text in lines]))
        assert replies[0] == replies[1]
    for password in (b"secret", b"wrong"):
        with Wire(site.port("pop3")) as w:
            assert not w.login(b"off@r.example", password)
            first = w.last
        with Wire(site.port("pop3")) as w:
            assert not w.login(b"nobody@r.example", password)
            assert w.last == first
