"""An IMAP connection as a test wants it: a command, and every octet of its answer."""
import socket


class Imap:
    def __init__(self, port, user, password="secret"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.greeting = self.file.readline()
        self.counter = 0
        if user:
            assert self.say(f"LOGIN {user} {password}")[-1].startswith(b"OK")

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def say(self, command):
        """The lines of the answer, the last one without its tag. Literals are given as {n+}."""
        self.counter += 1
        tag = f"t{self.counter} ".encode()
        self.socket.sendall(tag + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError(f"closed after {lines}")
            if line.startswith(tag):
                return lines + [line[len(tag):].rstrip(b"\r\n")]
            lines.append(line.rstrip(b"\r\n"))

    def must(self, command):
        lines = self.say(command)
        assert lines[-1].startswith(b"OK"), (command, lines)
        return lines[:-1]
