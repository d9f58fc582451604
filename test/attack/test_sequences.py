"""What is allowed when: every sequence of commands up to depth 4 against a model of RFC 5321 §4.1.4 and RFC 3030 §2."""
import itertools
import socket
import struct

import pytest

from wire import Wire

HELLO = {"EHLO": b"EHLO c.example\r\n", "HELO": b"HELO c.example\r\n"}
MESSAGE = b"Subject: s\r\n\r\nx\r\n"
OCTETS = HELLO | {
    "MAIL": b"MAIL FROM:<a@b.example>\r\n",
    "RCPT": b"RCPT TO:<joe@r.example>\r\n",
    "REFUSED": b"RCPT TO:<x@elsewhere.example>\r\n",
    "DATA": b"DATA\r\n",
    "BDAT": b"BDAT 17\r\n" + MESSAGE,
    "LAST": b"BDAT 17 LAST\r\n" + MESSAGE,
    "RSET": b"RSET\r\n",
    "NOOP": b"NOOP\r\n",
    "WHAT": b"WHAT\r\n",
}


class Model:
    """The states of a server, and the codes it may answer with."""

    def __init__(self):
        self.hello = self.mail = self.chunks = False
        self.recipients = 0

    def reset(self):
        self.mail = self.chunks = False
        self.recipients = 0

    def answer(self, word):
        return getattr(self, "on_" + word)()

    def on_EHLO(self):
        self.hello = True
        self.reset()
        return {250}

    on_HELO = on_EHLO

    def on_MAIL(self):
        if not self.hello or self.mail:
            return {503}
        self.mail = True
        return {250}

    def on_RCPT(self):
        if not self.mail or self.chunks:
            return {503}
        self.recipients += 1
        return {250}

    def on_REFUSED(self):
        return {550} if self.mail and not self.chunks else {503}

    def on_DATA(self):
        if not self.mail or self.chunks:
            return {503}
        if self.recipients == 0:
            return {503, 554}       # RFC 5321 §3.3 leaves the choice
        self.reset()
        return {354}

    def on_BDAT(self):
        if not self.mail or self.recipients == 0:
            return {503, 554}
        self.chunks = True
        return {250}

    def on_LAST(self):
        code = self.on_BDAT()
        if code == {250}:
            self.reset()
        return code

    def on_RSET(self):
        self.reset()
        return {250}

    def on_NOOP(self):
        return {250}

    def on_WHAT(self):
        return {500}


def converse(port, words):
    """The codes the server answers, everything sent at once (RFC 2920); a message follows DATA where the model takes one."""
    model, said, expected = Model(), b"", []
    for word in words:
        codes = model.answer(word)
        said += OCTETS[word]
        expected.append(codes)
        if codes == {354}:
            said += MESSAGE + b".\r\n"
            expected.append({250})
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.sendall(said + b"QUIT\r\n")
        got = b""
        while more := s.recv(65536):
            got += more
    codes = [int(line[:3]) for line in got.split(b"\r\n") if line[3:4] == b" "]
    return codes, [{220}, *expected, {221}]


@pytest.mark.parametrize("first", OCTETS)
def test_sequences_to_depth_4_agree_with_the_model_rfc5321_4_1_4(site, first):
    for depth in range(4):
        for rest in itertools.product(OCTETS, repeat=depth):
            codes, expected = converse(site.port("smtp"), (first, *rest))
            assert len(codes) == len(expected) and all(c in e for c, e in zip(codes, expected)), (first, rest, codes, expected)


@pytest.mark.parametrize("words", list(itertools.product(["MAIL", "RCPT", "BDAT"], repeat=2)), ids=" ".join)
def test_starttls_forgets_what_was_said_before_it_rfc3207_4_2(site, words):
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        for word in words:
            w.code(OCTETS[word][:-2])
        assert w.code(b"STARTTLS") == 220
        w.start_tls()
        assert w.code(b"RCPT TO:<joe@r.example>") == 503
        assert w.code(b"MAIL FROM:<a@b.example>") == 503
        assert w.code(b"EHLO c.example") == 250
        assert w.code(b"DATA") in (503, 554)
        assert w.code(b"MAIL FROM:<a@b.example>") == 250
