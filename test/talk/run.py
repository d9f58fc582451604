#!/usr/bin/python3
"""Play conversations against a real site: one .talk file, one behaviour, one fresh site.

    run.py FILE...          or, through pytest: python3 -m pytest test/talk

A file is read line by line; blank lines and lines that begin with # mean nothing.

    settings: LINE                      appended to restante.conf before the site starts
    issuer: FILE                        keys of an issuer of access tokens, whose public ones stand in FILE beside restante.conf
    setup: domain add ex.org            a command line, which must succeed; `< text` at its end goes to its standard input
    refused setup: ARGUMENTS            one that must fail

    connect SERVICE [NAME]              smtp submission submissions lmtp imap imaps pop3 pop3s; NAME tells several connections apart
    connect SERVICE [NAME] from ADDRESS ... from another address of 127/8
    with NAME                           go on with that connection
    > text                              send text and CRLF
    >> text                             send text and nothing behind it
    >N> text                            send it N times
    < text                              the next line begins with text
    <* text                             pass over lines until one begins with text
    <N< text                            so N times
    <~ expression                       the next line is matched by a regular expression, whole; what (?P<name>...) matches is ${name} from then on
    starttls                            the TLS handshake, now
    compress                            from now on DEFLATE in both directions (RFC 4978)
    closed                              the other side closes, having sent nothing more
    hang up                             we close

    expect mailbox ADDRESS N            so many messages are in it (password `secret`)
    expect header ADDRESS N text        message N (from 1) has a header line, unfolded, that begins with text
    expect no header ADDRESS N text     ... has none
    expect body ADDRESS N text          ... has text somewhere in its body
    expect octets ADDRESS N text        ... contains these octets, as RETR sends them
    expect queue N                      so many rows wait in the queue
    expect queue SENDER RECIPIENT       a row for them is there
    expect log text                     a line of the log contains text
    expect no log text                  no line does
    expect error text                   a line of level error contains text; any other such line fails the talk

In text that is sent or expected: \\r \\n \\t \\0 \\\\ \\xHH, and ${b64:text} for its base64, ${repeat:N:text}, ${port:SERVICE},
${bearer:AUTHZID:ALG:CLAIM=VALUE,...} for what OAUTHBEARER sends with a token of the issuer, in base64; dates count from now.
"""
import base64
import json
import pathlib
import re
import shlex
import socket
import ssl
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from site_under_test import Site  # noqa: E402
from tokens import Issuer, message  # noqa: E402

PATIENCE = 30
IMPLICIT_TLS = ("submissions", "imaps", "pop3s")
PASSWORD = "secret"


class TalkFailed(Exception):
    pass


class Connection:
    """One connection to the site; everything waits at most PATIENCE seconds."""

    def __init__(self, port, is_tls, source):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0))
        self.buffer = b""
        self.deflate = self.inflate = None
        if is_tls:
            self.start_tls()

    def start_tls(self):
        if self.buffer:
            raise TalkFailed(f"more came before the handshake: {self.buffer!r}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def compress(self):
        self.deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        self.inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        self.buffer = self.inflate.decompress(self.buffer)

    def send(self, octets):
        if self.deflate is not None:
            octets = self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self.socket.sendall(octets)
        except OSError as e:
            raise TalkFailed(f"can't send: {e}")

    def fill(self):
        """More octets, or FALSE at the end."""
        try:
            more = self.socket.recv(65536)
        except socket.timeout:
            raise TalkFailed(f"no answer within {PATIENCE} s; so far {self.buffer!r}")
        except OSError:
            return False
        self.buffer += more if self.inflate is None else self.inflate.decompress(more)
        return more != b""

    def line(self):
        while b"\n" not in self.buffer:
            if not self.fill():
                raise TalkFailed(f"the connection was closed; so far {self.buffer!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise TalkFailed(f"a line without CR: {line!r}")
        return line[:-1]

    def expect_closed(self):
        while self.fill():
            pass
        if self.buffer:
            raise TalkFailed(f"closed, but before that {self.buffer!r}")

    def close(self):
        self.socket.close()


class Talk:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.lines = self.path.read_text().split("\n")
        self.site = None
        self.connections = {}
        self.current = None
        self.expected_errors = []
        self.kept = {}
        self.issuer = Issuer()

    # text -----------------------------------------------------------------------------------------------------------

    def substitute(self, match):
        kind, _, rest = match.group(1).partition(":")
        if match.group(1) in self.kept:
            return self.kept[match.group(1)]
        if kind == "b64":
            return base64.b64encode(self.unescape(rest)).decode()
        if kind == "repeat":
            times, _, text = rest.partition(":")
            return text * int(times)
        if kind == "port":
            return str(self.site.port(rest))
        if kind == "bearer":
            return self.bearer(*rest.split(":", 2))
        raise TalkFailed(f"unknown ${{{match.group(1)}}}")

    def bearer(self, authzid, algorithm, claims):
        pairs = dict(claim.split("=", 1) for claim in claims.split(",") if claim)
        values = {name: int(value) if value.lstrip("-").isdigit() else value for name, value in pairs.items()}
        return base64.b64encode(message(self.issuer.token(algorithm, **values), authzid)).decode()

    @staticmethod
    def unescape(text):
        """The octets that escaped text means; what is not ASCII goes as UTF-8."""
        names = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
        out, at = b"", 0
        while at < len(text):
            if text[at] != "\\":
                out += text[at].encode()
                at += 1
            elif text[at + 1] == "x":
                out += bytes([int(text[at + 2 : at + 4], 16)])
                at += 4
            else:
                out += names[text[at + 1]]
                at += 2
        return out

    def octets(self, text):
        return self.unescape(re.sub(r"\$\{([^}]*)\}", self.substitute, text))

    # lines ----------------------------------------------------------------------------------------------------------

    def run(self):
        """Raises TalkFailed with file and line."""
        settings = [line.split(":", 1)[1].strip() for line in self.lines if line.startswith("settings:")]
        files = {line.split(":", 1)[1].strip(): self.issuer.jwks() for line in self.lines if line.startswith("issuer:")}
        with Site("mx.site.example", settings="".join(s + "\n" for s in settings), files=files) as self.site:
            for number, line in enumerate(self.lines, 1):
                if line.strip() and not line.startswith(("#", "settings:", "issuer:")):
                    self.run_line(number, line)
            for connection in self.connections.values():
                connection.close()
            self.check_log()

    def run_line(self, number, line):
        for pattern, method in self.FORMS:
            match = re.fullmatch(pattern, line, re.S)
            if match:
                try:
                    method(self, *match.groups())
                except (TalkFailed, RuntimeError, OSError) as e:
                    raise TalkFailed(f"{self.path.name}:{number}: {line}\n    {e}\n--- log ---\n{self.site.log()[-1500:]}")
                return
        raise TalkFailed(f"{self.path.name}:{number}: what is this? {line}")

    def setup(self, refused, command):
        command, _, text = command.partition(" < ")
        out = self.site.try_command(*shlex.split(command), stdin=text + "\n" if text else "")
        if (out.returncode != 0) != bool(refused):
            raise TalkFailed(f"exit {out.returncode}: {out.stdout}{out.stderr}")

    def connect(self, service, name, source):
        self.current = Connection(self.site.port(service), service in IMPLICIT_TLS, source or "127.0.0.1")
        self.connections[name or service] = self.current

    def use(self, name):
        self.current = self.connections[name]

    def send_line(self, text):
        self.current.send(self.octets(text or "") + b"\r\n")

    def send_raw(self, text):
        self.current.send(self.octets(text))

    def send_times(self, times, text):
        self.current.send((self.octets(text) + b"\r\n") * int(times))

    def hear(self, text):
        line, want = self.current.line(), self.octets(text or "")
        if not line.startswith(want) or (not want and line):
            raise TalkFailed(f"heard {line!r}")

    def hear_times(self, times, text):
        for _ in range(int(times)):
            self.hear(text)

    def hear_after(self, text):
        want = self.octets(text)
        while not self.current.line().startswith(want):
            pass

    def hear_match(self, expression):
        line = self.current.line().decode("utf-8", "replace")
        match = re.fullmatch(expression, line)
        if not match:
            raise TalkFailed(f"heard {line!r}")
        self.kept.update(match.groupdict())

    def start_tls(self):
        self.current.start_tls()

    def compress(self):
        self.current.compress()

    def closed(self):
        self.current.expect_closed()

    def hang_up(self):
        self.current.close()

    # expectations ---------------------------------------------------------------------------------------------------

    def log_in(self, address):
        """A session that a talk has just ended may hold the maildrop a moment longer."""
        end = time.monotonic() + PATIENCE
        while True:
            c = Connection(self.site.port("pop3"), False, "127.0.0.1")
            c.line()
            c.send(f"USER {address}\r\nPASS {PASSWORD}\r\n".encode())
            c.line()
            login = c.line()
            if login.startswith(b"+OK"):
                return c
            c.close()
            if not login.startswith(b"-ERR [IN-USE]") or time.monotonic() > end:
                raise TalkFailed(f"{address}: {login!r}")
            time.sleep(0.05)

    def maildrop(self, address):
        """All messages, as RETR sends them with the dots taken off. Read by hand: what is tested must not be hidden by a library."""
        c = self.log_in(address)
        c.send(b"STAT\r\n")
        found = []
        for i in range(1, int(c.line().split()[1]) + 1):
            c.send(f"RETR {i}\r\n".encode())
            if not c.line().startswith(b"+OK"):
                raise TalkFailed(f"{address}: can't read message {i}")
            lines = []
            while (line := c.line()) != b".":
                lines.append(line[1:] if line.startswith(b".") else line)
            found.append(b"".join(line + b"\r\n" for line in lines))
        c.send(b"QUIT\r\n")
        c.line()
        c.close()
        return found

    def message(self, address, number):
        found = self.maildrop(address)
        if len(found) < int(number):
            raise TalkFailed(f"{address} has {len(found)} messages")
        return found[int(number) - 1]

    def expect_mailbox(self, address, count):
        found = self.maildrop(address)
        if len(found) != int(count):
            raise TalkFailed(f"{address} has {len(found)} messages: {b'---'.join(found)[:3000]!r}")

    def expect_header(self, negated, address, number, text):
        header = self.message(address, number).split(b"\r\n\r\n", 1)[0]
        lines = re.sub(rb"\r\n[ \t]+", b" ", header).split(b"\r\n")
        if any(line.startswith(self.octets(text)) for line in lines) == bool(negated):
            raise TalkFailed("the header is\n" + header.decode("utf-8", "replace"))

    def expect_body(self, address, number, text):
        message = self.message(address, number)
        if self.octets(text) not in message.split(b"\r\n\r\n", 1)[1]:
            raise TalkFailed(f"the message is {message!r}")

    def expect_octets(self, address, number, text):
        message = self.message(address, number)
        if self.octets(text) not in message:
            raise TalkFailed(f"the message is {message!r}")

    def queue(self):
        return json.loads(self.site.command("queue", "list", "--json"))

    def expect_queue(self, count):
        if len(self.queue()) != int(count):
            raise TalkFailed(f"the queue is {self.queue()}")

    def expect_queued(self, sender, recipient):
        sender = "" if sender == "<>" else sender
        if not any((row["sender"], row["recipient"]) == (sender, recipient) for row in self.queue()):
            raise TalkFailed(f"the queue is {self.queue()}")

    def expect_log(self, negated, text):
        end = time.monotonic() + 5
        while text not in self.site.log() and not negated and time.monotonic() < end:
            time.sleep(0.05)
        if (text in self.site.log()) == bool(negated):
            raise TalkFailed("the log is otherwise")

    def expect_error(self, text):
        self.expected_errors.append(text)
        self.expect_log(None, text)

    def check_log(self):
        for line in self.site.log().splitlines():
            words = line.split()
            if len(words) > 1 and words[1] == "error" and not any(text in line for text in self.expected_errors):
                raise TalkFailed(f"{self.path.name}: unexpected in the log: {line}")

    FORMS = [
        (r"(refused )?setup: (.*)", setup),
        (r"connect (\w+)(?: (?!from\b)(\w+))?(?: from ([\d.]+))?", connect),
        (r"with (\w+)", use),
        (r">> (.*)", send_raw),
        (r">(\d+)> (.*)", send_times),
        (r">(?: (.*))?", send_line),
        (r"<\* (.*)", hear_after),
        (r"<~ (.*)", hear_match),
        (r"<(\d+)< (.*)", hear_times),
        (r"<(?: (.*))?", hear),
        (r"starttls", start_tls),
        (r"compress", compress),
        (r"closed", closed),
        (r"hang up", hang_up),
        (r"expect mailbox (\S+) (\d+)", expect_mailbox),
        (r"expect (no )?header (\S+) (\d+) (.*)", expect_header),
        (r"expect body (\S+) (\d+) (.*)", expect_body),
        (r"expect octets (\S+) (\d+) (.*)", expect_octets),
        (r"expect queue (\d+)", expect_queue),
        (r"expect queue (\S+) (\S+)", expect_queued),
        (r"expect (no )?log (.*)", expect_log),
        (r"expect error (.*)", expect_error),
    ]


def main(paths):
    failures = 0
    for path in paths:
        try:
            Talk(path).run()
            print(f"ok    {path}")
        except TalkFailed as e:
            failures += 1
            print(f"FAIL  {e}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or sorted(pathlib.Path(__file__).parent.glob("*.talk"))))
