"""Passwords: where they may be said, how an exchange is broken off, what a wrong one costs (RFC 4954, RFC 5034)."""
import base64
import time

import pytest

from wire import Wire


def b64(text):
    return base64.b64encode(text.encode())


GOOD = b64("\0joe@r.example\0secret")


@pytest.fixture
def wire(site):
    with Wire(site.port("submission")) as w:
        w.code(b"EHLO c.example")
        yield w


def is_stranger(w):
    return w.answer(b"MAIL FROM:<joe@r.example>") == "530 5.7.0"


def test_no_password_without_tls_on_the_open_network_rfc4954_4(strict, stranger):
    with Wire(strict.port("submission"), stranger) as w:
        w.say(b"EHLO c.example\r\n")
        words = w.reply()[1]
        assert "STARTTLS" in words and not [x for x in words if x.startswith("AUTH")]
        assert w.code(b"AUTH PLAIN " + GOOD) in (502, 503, 523, 530, 538)
        assert w.code(b"AUTH LOGIN") in (502, 503, 523, 530, 538)
        assert is_stranger(w)
        assert w.code(b"STARTTLS") == 220
        w.start_tls()
        assert w.code(b"AUTH PLAIN " + GOOD) in (502, 503)      # before EHLO (RFC 4954 §4, RFC 3207 §4.2)
        w.say(b"EHLO c.example\r\n")
        assert "AUTH PLAIN LOGIN" in w.reply()[1]
        assert w.code(b"AUTH PLAIN " + GOOD) == 235
        assert w.code(b"MAIL FROM:<joe@r.example>") == 250


def test_no_pop3_password_without_tls_on_the_open_network_rfc2595_2_3(strict, stranger):
    with Wire(strict.port("pop3"), stranger) as w:
        assert w.ok(b"CAPA")
        body = w.body()
        assert b"\r\nUSER\r\n" not in body and b"SASL" not in body and b"STLS\r\n" in body
        assert not w.ok(b"USER joe@r.example")
        assert not w.ok(b"PASS secret")
        assert not w.ok(b"AUTH PLAIN " + GOOD)
        assert w.ok(b"STLS")
        w.start_tls()
        assert w.login(b"joe@r.example")


def test_no_imap_password_without_tls_on_the_open_network_rfc9051_6_2_3(strict, stranger):
    with Wire(strict.port("imap"), stranger) as w:
        assert b" LOGINDISABLED" in w.greeting and b" STARTTLS" in w.greeting and b"AUTH=" not in w.greeting
        for command in (b"LOGIN joe@r.example secret", b"AUTHENTICATE PLAIN " + GOOD, b"AUTHENTICATE LOGIN"):
            w.say(b"a " + command + b"\r\n")
            assert w.line().startswith(b"a NO [PRIVACYREQUIRED]")
        w.say(b"b STARTTLS\r\n")
        assert w.line().startswith(b"b OK")
        w.start_tls()
        w.say(b"c LOGIN joe@r.example secret\r\n")
        assert w.line().startswith(b"c OK")


@pytest.mark.parametrize("door", ["smtp", "lmtp"])
def test_a_door_for_strangers_takes_no_password_rfc4954_4(site, door):
    with Wire(site.port(door)) as w:
        w.say(b"LHLO c.example\r\n" if door == "lmtp" else b"EHLO c.example\r\n")
        assert not [x for x in w.reply()[1] if x.startswith("AUTH")]
        assert w.code(b"AUTH PLAIN " + GOOD) in (500, 502, 503)


@pytest.mark.parametrize("begin", [[b"AUTH PLAIN"], [b"AUTH LOGIN"], [b"AUTH LOGIN", b64("joe@r.example")], [b"AUTH LOGIN " + b64("joe@r.example")]], ids=repr)
def test_a_star_cancels_the_exchange_rfc4954_4(wire, begin):
    for line in begin:
        assert wire.code(line) == 334
    assert wire.code(b"*") == 501
    assert is_stranger(wire)
    assert wire.code(b"AUTH PLAIN " + GOOD) == 235


@pytest.mark.parametrize("line", [b"AUTH PLAIN " + GOOD, b"AUTH LOGIN", b"AUTH FOO", b"AUTH"], ids=lambda x: repr(x[:12]))
def test_after_a_login_there_is_no_other_rfc4954_4(wire, line):
    assert wire.code(b"AUTH PLAIN " + GOOD) == 235
    assert wire.code(line) in (501, 503, 504)
    assert wire.code(b"MAIL FROM:<joe@r.example>") == 250
    assert wire.code(b"AUTH PLAIN " + GOOD) == 503          # nor within a transaction
    assert wire.code(b"RCPT TO:<ann@r.example>") == 250


@pytest.mark.parametrize("response", [b"=", b"====", b"AGpvZQ", b"A", b"AA==", b64("\0"), b64("\0\0"), b64("\0joe@r.example"), b64("joe@r.example\0secret"), b64("\0joe@r.example\0"),
                                      b64("\0joe@r.example\0secret\0"), b64("\0joe@r.example\0secret\0x"), b64("ann@r.example\0joe@r.example\0secret"), b64("\0\0secret"),
                                      b64("\0" + "x" * 5000 + "\0secret"), b64("\0joe@r.example\0" + "x" * 5000), GOOD + b" " + GOOD, GOOD[:-1], GOOD + b"=",
                                      b"\xff\xfe", base64.b64encode(b"\0joe@r.example\0\xff\xfe"), b64("\0joe@r.example\0secret\r\n")], ids=lambda r: repr(r[:30]))
def test_what_is_no_password_of_ours_lets_nobody_in_rfc4616_2(wire, response):
    assert wire.code(b"AUTH PLAIN " + response) in (500, 501, 535)
    assert is_stranger(wire)


@pytest.mark.parametrize("responses", [[b"!"], [b64("joe@r.example"), b"!"], [b64("joe@r.example"), b"="], [b"=", b"="], [b"", b""], [b64("joe@r.example"), b""]], ids=repr)
def test_a_broken_login_exchange_lets_nobody_in_rfc4954_4(wire, responses):
    assert wire.code(b"AUTH LOGIN") == 334
    for response in responses:
        code = wire.code(response)
        assert code in (334, 501, 535)
        if code != 334:
            break
    assert code != 334
    assert is_stranger(wire)


@pytest.mark.parametrize("octets", [12_289, 20_000, 1_000_000])
def test_a_response_too_long_is_refused_and_no_command_rfc4954_4(wire, octets):
    assert wire.code(b"AUTH PLAIN") == 334
    wire.say(b"A" * octets + b"\r\nNOOP\r\n")
    assert wire.reply()[0] in (500, 501)
    assert wire.reply()[0] == 250
    assert is_stranger(wire)


def test_a_wrong_password_is_answered_later_and_stops_nobody_else_rfc4954_6(site, stranger):
    with Wire(site.port("submission"), stranger) as slow, Wire(site.port("submission")) as fast:
        slow.code(b"EHLO c.example")
        fast.code(b"EHLO c.example")
        begin = time.monotonic()
        slow.say(b"AUTH PLAIN " + b64("\0joe@r.example\0wrong") + b"\r\nNOOP\r\n")
        assert fast.code(b"AUTH PLAIN " + GOOD) == 235
        assert slow.reply()[0] == 535
        assert time.monotonic() - begin >= 0.9
        assert slow.reply()[0] == 250


def test_an_account_and_nobody_read_the_same_when_the_password_is_wrong_rfc4954_4(site):
    replies = set()
    for user in ("joe@r.example", "nobody@r.example", "x@nowhere.example", "joe", "burnt@r.example", "postmaster"):
        with Wire(site.port("submission")) as w:
            w.code(b"EHLO c.example")
            w.say(b"AUTH PLAIN " + b64(f"\0{user}\0wrong") + b"\r\n")
            replies.add(str(w.reply()))
    assert len(replies) == 1


def test_passwords_tried_in_one_connection_end_it_rfc4954_4(site):
    with Wire(site.port("submission")) as w:
        w.code(b"EHLO c.example")
        w.say(b"".join(b"AUTH PLAIN " + b64(f"\0joe@r.example\0wrong{i}") + b"\r\n" for i in range(40)))
        codes = []
        while (code := w.reply()[0]) != 0:
            codes.append(code)
        assert codes[-1] == 421 and len(codes) <= 21 and set(codes[:-1]) <= {535, 454}


def test_passwords_stand_in_no_log(site):
    for canary in ("canary-one", "canary-two"):
        with Wire(site.port("submission")) as w:
            w.code(b"EHLO c.example")
            w.code(b"AUTH PLAIN " + b64(f"\0joe@r.example\0{canary}"))
            w.code(b"AUTH LOGIN " + b64("joe@r.example"))
            w.code(b64(canary))
        with Wire(site.port("pop3")) as w:
            w.ok(b"USER joe@r.example")
            w.ok(b"PASS " + canary.encode())
            w.ok(b"PASS " + canary.encode())
        with Wire(site.port("imap")) as w:
            w.say(b"a LOGIN joe@r.example %s\r\nb LOGIN joe@r.example\r\nc AUTHENTICATE PLAIN %s\r\nd LOGOUT\r\n" % (canary.encode(), b64(f"\0joe@r.example\0{canary}")))
            while w.line():
                pass
    log = site.log()
    assert not [x for x in log.splitlines() if "secret" in x]
    assert "canary" not in log
    assert b64("\0joe@r.example\0canary-one").decode() not in log
