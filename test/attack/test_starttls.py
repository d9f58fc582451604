"""Commands injected before TLS begins ("NO STARTTLS", USENIX'21; RFC 3207 §4.2, RFC 2595 §4)."""
import ssl

import pytest

from wire import Wire


@pytest.mark.parametrize("door", ["smtp", "submission"])
@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"R", b"EHLO evil\r\nMAIL FROM:<evil@b.example>\r\n", b"\r\n", b"\n", b"\x00"], ids=repr)
def test_input_behind_starttls_closes_the_connection_rfc3207_4_2(site, door, injected):
    with Wire(site.port(door)) as w:
        w.code(b"EHLO c.example")
        w.say(b"STARTTLS\r\n" + injected)
        code, _ = w.reply()
        assert code in (0, 220)
        if code == 220:
            try:
                w.start_tls()
            except (ssl.SSLError, OSError):
                return
        assert w.is_closed()


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"USER joe@r.example\r\n", b"C", b"\r\n"], ids=repr)
def test_input_behind_stls_closes_the_connection_rfc2595_4(site, injected):
    with Wire(site.port("pop3")) as w:
        w.say(b"STLS\r\n" + injected)
        line = w.line()
        if line.startswith(b"+OK"):
            try:
                w.start_tls()
            except (ssl.SSLError, OSError):
                return
            line = w.line()
        assert line == b""


@pytest.mark.parametrize("injected", [b"b NOOP\r\n", b"b LOGIN joe@r.example x\r\n", b"b", b"\r\n", b"\x00"], ids=repr)
def test_input_behind_starttls_closes_the_connection_rfc9051_11_1(site, injected):
    with Wire(site.port("imap")) as w:
        w.say(b"a STARTTLS\r\n" + injected)
        line = w.line()
        if line.startswith(b"a OK"):
            try:
                w.start_tls()
            except (ssl.SSLError, OSError):
                return
            line = w.line()
        assert line == b""


def test_starttls_is_neither_offered_nor_taken_twice_rfc3207_4_2(site):
    with Wire(site.port("smtp")) as w:
        w.say(b"EHLO c.example\r\n")
        assert "STARTTLS" in w.reply()[1]
        assert w.code(b"STARTTLS") == 220
        w.start_tls()
        w.say(b"EHLO c.example\r\n")
        assert "STARTTLS" not in w.reply()[1]
        assert w.code(b"STARTTLS") in (502, 503)


def test_starttls_takes_no_parameters_rfc3207_4(site):
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        assert w.code(b"STARTTLS now") == 501
        assert w.code(b"NOOP") == 250


def test_stls_is_neither_offered_nor_taken_twice_rfc2595_4(site):
    with Wire(site.port("pop3")) as w:
        assert w.ok(b"CAPA")
        assert b"STLS\r\n" in w.body()
        assert w.ok(b"STLS")
        w.start_tls()
        assert w.ok(b"CAPA")
        assert b"STLS" not in w.body()
        assert not w.ok(b"STLS")


def test_stls_forgets_the_user_and_is_refused_after_login_rfc2595_4(site):
    with Wire(site.port("pop3")) as w:
        assert w.ok(b"USER joe@r.example")
        assert w.ok(b"STLS")
        w.start_tls()
        assert not w.ok(b"PASS secret")
        assert w.login(b"joe@r.example")
    with Wire(site.port("pop3")) as w:
        assert w.login(b"joe@r.example")
        assert not w.ok(b"STLS")
        assert w.ok(b"NOOP")


@pytest.mark.parametrize("door", ["submissions", "pop3s"])
def test_implicit_tls_answers_no_cleartext_rfc8314_3(site, door):
    with Wire(site.port(door), greet=False) as w:
        w.say(b"EHLO c.example\r\nCAPA\r\n")
        got = w.line()
        assert b"220" not in got and b"+OK" not in got      # a TLS alert at most


def test_cleartext_inside_a_handshake_ends_the_connection_rfc3207_4_1(site):
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        assert w.code(b"STARTTLS") == 220
        w.say(b"MAIL FROM:<a@b.example>\r\n")
        got = w.line()
        assert not got.startswith((b"2", b"5"))
