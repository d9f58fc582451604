"""A client that sends exactly the octets it is told to."""
import socket
import ssl
import time


class Wire:
    """One connection. say(octets) sends them as they are; lines and replies are read with a deadline."""

    def __init__(self, port, source="127.0.0.1", timeout=20, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.greeting = self.line() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """The next line with its end; b"" at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError, BrokenPipeError):
                more = b""
            if not more:
                rest, self.buffer = self.buffer, b""
                return rest
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def is_closed(self):
        """TRUE when the peer closes without another octet."""
        return self.line() == b""

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.buffer = b""

    # SMTP -----------------------------------------------------------------------------------------------------------

    def reply(self):
        """(code, lines without code); code 0: the connection ended."""
        lines = []
        while True:
            line = self.line()
            if line == b"":
                return 0, lines
            assert line.endswith(b"\r\n") and line[:3].isdigit() and line[3:4] in b" -\r", line
            lines.append(line[4:-2].decode())
            if line[3:4] != b"-":
                return int(line[:3]), lines

    def code(self, octets=None):
        if octets is not None:
            self.say(octets + b"\r\n")
        return self.reply()[0]

    def answer(self, octets):
        """"550 5.1.1": code and enhanced code."""
        self.say(octets + b"\r\n")
        code, lines = self.reply()
        return f"{code} {lines[0].split(' ')[0]}" if lines else str(code)

    def envelope(self, sender=b"a@b.example", recipients=(b"joe@r.example",), hello=b"EHLO c.example"):
        codes = [self.code(hello), self.code(b"MAIL FROM:<" + sender + b">")]
        return codes + [self.code(b"RCPT TO:<" + r + b">") for r in recipients]

    # POP3 -----------------------------------------------------------------------------------------------------------

    def ok(self, octets=None):
        """Whether the reply is +OK; the line is kept in `last`."""
        if octets is not None:
            self.say(octets + b"\r\n")
        self.last = self.line()
        assert self.last.startswith((b"+OK", b"-ERR")) or self.last == b"", self.last
        return self.last.startswith(b"+OK")

    def body(self):
        """A multi-line answer up to its dot, stuffing undone."""
        text = b"\r\n" + self.buffer
        at = 0
        while (end := text.find(b"\r\n.\r\n", at)) < 0:
            at = max(0, len(text) - 4)
            more = self.socket.recv(1 << 20)
            assert more, text[-80:]
            text += more
        self.buffer = text[end + 5:]
        return text[:end + 2].replace(b"\r\n.", b"\r\n")[2:]

    def login(self, user, password=b"secret"):
        return self.ok(b"USER " + user) and self.ok(b"PASS " + password)


def login_when_free(site, user, password=b"secret"):
    """A session over a maildrop; one whose connection was just lost may hold it a moment longer."""
    for _ in range(500):
        w = Wire(site.port("pop3"))
        if w.login(user, password):
            return w
        assert b"[IN-USE]" in w.last, w.last
        w.socket.close()
        time.sleep(0.01)
    raise AssertionError("the maildrop stays in use")


def drain(site, user, password=b"secret"):
    """All messages of a maildrop, which is empty afterwards."""
    with login_when_free(site, user, password) as w:
        assert w.ok(b"STAT")
        n = int(w.last.split()[1])
        found = []
        for i in range(1, n + 1):
            assert w.ok(b"RETR %d" % i), w.last
            found.append(w.body())
        for i in range(1, n + 1):
            assert w.ok(b"DELE %d" % i)
        assert w.ok(b"QUIT")
        return found
