"""Where a message ends: at CRLF.CRLF and nowhere else (RFC 5321 §4.1.1.4; CVE-2023-51764)."""
import itertools

import pytest

from wire import Wire, drain

HIDDEN = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<ann@r.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"

# Ends that some server or other took for one.
FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\r\n.\r\r\n", b"\n\n.\r\n",
    b"\r\n.\r\r\n", b"\n\r.\r\n", b"\r\n .\r\n", b"\r\n. \r\n", b"\x85.\x85", b"\x0b.\x0b", b"\x0c.\x0c", b"\r\n.\r\x00\n",
]


@pytest.mark.parametrize("end", FALSE_ENDS, ids=repr)
@pytest.mark.parametrize("door", ["smtp", "submission"])
def test_a_false_end_of_data_is_content_rfc5321_4_1_1_4(site, empty, stranger, door, end):
    with Wire(site.port(door), stranger) as w:
        w.code(b"EHLO c.example")
        if door == "submission":
            assert w.code(b"AUTH PLAIN AGpvZUByLmV4YW1wbGUAc2VjcmV0") == 235
        for line in (b"MAIL FROM:<joe@r.example>", b"RCPT TO:<joe@r.example>", b"DATA"):
            assert w.code(line) in (250, 354)
        w.say(b"Subject: outer\r\n\r\nx" + end + HIDDEN + b"\r\n.\r\nNOOP\r\n")
        assert w.reply()[0] in (250, 554)
        assert w.reply() == (250, ["2.0.0 ok"])
        assert w.code(b"QUIT") == 221       # nothing was waiting: one message, one answer
    assert drain(site, b"ann@r.example") == []
    drain(site, b"joe@r.example")


def test_every_string_of_four_octets_before_the_end_is_content_rfc5321_4_1_1_4(site, empty):
    """The decoder's unit test has all of length 1 to 7; here is what a connection makes of them."""
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        for letters in itertools.product(b"\r\n.a", repeat=4):
            text = bytes(letters)
            if (b"x" + text).find(b"\r\n.\r\n") >= 0:
                continue
            w.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@r.example>\r\nDATA\r\n")
            assert [w.reply()[0] for _ in range(3)] == [250, 250, 354]
            w.say(b"Subject: s\r\n\r\nx" + text + b"HELO evil\r\n.\r\nNOOP\r\n")
            assert w.reply()[0] in (250, 554), text
            assert w.reply() == (250, ["2.0.0 ok"]), text
    drain(site, b"joe@r.example")


def test_the_end_is_found_when_every_octet_comes_alone_rfc5321_4_1_1_4(site, empty):
    with Wire(site.port("smtp")) as w:
        w.envelope()
        assert w.code(b"DATA") == 354
        for octet in b"Subject: s\r\n\r\n..x\r\n.\r\nNOOP\r\n":
            w.say(bytes([octet]))
        assert w.reply()[0] == 250
        assert w.reply()[0] == 250
    assert drain(site, b"joe@r.example")[0].endswith(b"\r\n\r\n.x\r\n")


def test_bdat_knows_no_end_of_data_and_no_stuffing_rfc3030_2(site, empty):
    body = b"Subject: s\r\n\r\n..\r\n.\r\n" + HIDDEN
    with Wire(site.port("smtp")) as w:
        w.envelope()
        w.say(b"BDAT %d LAST\r\n" % len(body) + body + b"NOOP\r\n")
        assert w.reply()[0] == 250
        assert w.reply() == (250, ["2.0.0 ok"])
    assert drain(site, b"joe@r.example")[0].endswith(body)
    assert drain(site, b"ann@r.example") == []
