"""Messages that nobody should have to read (RELIABILITY §2, RFC 5322): refused or stored, and the server goes on as before."""
import os

import pytest

from site_under_test import Site
from wire import Wire, drain

H = b"Subject: bomb\r\n"


def nested(n):
    """multipart in multipart in ..., to depth n."""
    parts = []
    for i in range(n):
        parts.append(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i))
    return H + b"".join(parts) + b"\r\nx\r\n"


def rfc822(n):
    return H + b"Content-Type: message/rfc822\r\n\r\n" * n + b"x\r\n"


MESSAGES = {
    "no header": b"\r\nonly a body\r\n",
    "nothing": b"",
    "one line end": b"\r\n",
    "no header and no empty line": b"this is no header at all\r\n",
    "a colon": b":\r\n\r\n",
    "only folded lines": b" a\r\n b\r\n\r\nx\r\n",
    "NULs": b"\x00" * 4096 + b"\r\n",
    "NULs in the header": b"Sub\x00ject: \x00\r\nTo: \x00\r\n\r\n\x00\r\n",
    "a line of 1 MB": H + b"\r\n" + b"x" * 1_000_000 + b"\r\n",
    "a header line of 1 MB": b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\nx\r\n",
    "a field name of 1 MB": b"x" * 1_000_000 + b": y\r\n\r\nx\r\n",
    "10,000 header fields": b"X: y\r\n" * 10_000 + b"\r\nx\r\n",
    "header of 2 MiB": (b"X-Long: " + b"y" * 70 + b"\r\n") * 26_500 + b"\r\nx\r\n",
    "header of 2 MiB, folded": b"X-Long:" + b" y\r\n" * 524_288 + b"\r\nx\r\n",
    "1,000,000 parts": H + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 1_000_000 + b"--b--\r\n",
    "1,000,000 false boundaries": H + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--c\r\n\r\n" * 1_000_000,
    "nesting 10,000": nested(10_000),
    "messages in messages 10,000": rfc822(10_000),
    "boundaries of the same name 10,000": H + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 10_000,
    "a parameter list of 1 MB": H + b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\r\n\r\nx\r\n",
    "continued parameters": H + b"Content-Type: text/plain" + b"".join(b";\r\n a*%d*=%%41" % i for i in range(50_000)) + b"\r\n\r\nx\r\n",
    "a boundary of 100 KB": H + b"Content-Type: multipart/mixed; boundary=\"" + b"b" * 100_000 + b"\"\r\n\r\n" + b"--" + b"b" * 100_000 + b"\r\n\r\nx\r\n",
    "an empty boundary": H + b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n" + b"--\r\n\r\n" * 1000,
    "brackets that never end": b"To: " + b"(" * 500_000 + b"\r\n\r\nx\r\n",
    "quotes that never end": b"To: \"" + b"\\\"" * 300_000 + b"\r\n\r\nx\r\n",
    "100,000 addresses": b"To: " + b"a@b.example,\r\n " * 100_000 + b"c@d.example\r\n\r\nx\r\n",
    "nested groups": b"To: " + b"g:" * 200_000 + b";\r\n\r\nx\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?b?w6Q=?=\r\n " * 50_000 + b"x\r\n\r\nx\r\n",
    "encoded words that never end": b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nx\r\n",
    "references": b"References: " + b"<a@b>\r\n " * 100_000 + b"<c@d>\r\n\r\nx\r\n",
    "message ids": b"Message-ID: <x@y>\r\n" * 5_000 + b"\r\nx\r\n",
    "a date from nowhere": b"Date: Xyz, 99 Foo 99999999999999999999 99:99:99 +99999999999999\r\n\r\nx\r\n",
    "all octets": H + b"\r\n" + bytes(b for b in range(256) if b not in b"\r\n") * 1000 + b"\r\n",
}


# Sanitizers keep what is freed for a while: a build with them says nothing about memory.
GROWTH_MAX = (40 if "RESTANTE_SANITIZED" not in os.environ else 1000) << 20


def rss(site):
    with open(f"/proc/{site.server_pid()}/status") as f:
        return int(next(x for x in f if x.startswith("VmHWM:")).split()[1]) * 1024


@pytest.fixture(scope="module")
def bombed(site):
    site.command("account", "add", "bomb@r.example", stdin="secret\n")
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
    return site, site.server_pid(), rss(site)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_monstrous_message_is_stored_whole_or_refused(bombed, name):
    site, pid, before = bombed
    octets = MESSAGES[name]
    answers = []
    for door in ("chunk", "data"):
        with Wire(site.port("smtp"), timeout=30) as w:
            w.envelope(recipients=[b"bomb@r.example"])
            if door == "chunk":
                w.say(b"BDAT %d LAST\r\n" % len(octets) + octets)
            else:
                assert w.code(b"DATA") == 354
                w.say(octets.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            answers.append(w.reply()[0])
            assert w.code(b"NOOP") == 250
    assert answers[0] == answers[1] and answers[0] in (250, 552, 554)
    found = drain(site, b"bomb@r.example")
    assert len(found) == answers.count(250)
    for message in found:
        assert message.endswith(octets if octets else b"\r\n")
    assert site.server_pid() == pid, "the server died"
    assert rss(site) - before < GROWTH_MAX


def test_a_domain_that_bounces_what_it_can_not_read_says_so_and_lives_rfc3464_2():
    with Site("mx.gone.example") as site:
        site.command("domain", "add", "gone.example", "unknown=bounce")
        pid = site.server_pid()
        for i, octets in enumerate(MESSAGES.values()):
            with Wire(site.port("smtp"), timeout=30) as w:
                w.envelope(b"s%d@v.example" % i, [b"nobody@gone.example"])
                w.say(b"BDAT %d LAST\r\n" % len(octets) + octets)
                assert w.reply()[0] in (250, 552, 554)
                assert w.code(b"NOOP") == 250
        assert 1 < len(site.json("queue", "list")) <= 20
        assert site.server_pid() == pid


def test_a_catch_all_cuts_its_header_from_monstrous_ones_rfc5321_4_4(site):
    forged = b"X-Rcpt-To: evil@r.example\r\n"
    for octets in (forged * 3_000 + b"\r\nx\r\n", b"x-rcpt-to :\r\n evil@r.example\r\n" * 100 + b"\r\nx\r\n", H + forged, forged, b"X" * 900_000 + b": y\r\n" + forged + b"\r\nx\r\n",
                   b"X: y\r\n" * 2_500 + forged + b"\r\nx\r\n", b"no header line\r\n" + forged + b"\r\nx\r\n", (b"X: " + b"y" * 990 + b"\r\n") * 1_100 + forged + b"\r\nx\r\n"):
        with Wire(site.port("smtp"), timeout=30) as w:
            w.envelope(recipients=[b"any@catch.example"])
            w.say(b"BDAT %d LAST\r\n" % len(octets) + octets)
            code = w.reply()[0]
        found = drain(site, b"catch@r.example")
        assert len(found) == (code == 250)
        for message in found:
            header = message.partition(b"\r\n\r\n")[0]
            block = header[:header.index(b"\r\nReceived: ")]
            assert block.count(b"X-Rcpt-To: any@catch.example") == 1 and b"evil" not in block
            assert code == 250 and header.lower().count(b"x-rcpt-to") == 1, (octets[:60], len(octets))
