"""A Restante site for tests: made with the real command line, run as a real process, on ports of its own."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESTANTE = os.environ.get("RESTANTE", str(ROOT / "build/src/app/restante"))
PORTS = {"smtp": 2525, "submission": 2587, "submissions": 2465, "lmtp": 2524, "imap": 2143, "imaps": 2993, "pop3": 2110, "pop3s": 2995}

_bases_lock = threading.Lock()
_bases_given = set()


def free_base():
    """A port base whose ports are all free now, below those that the kernel gives to clients; two processes on one machine start
    looking at different places."""
    first = (os.getpid() * 37) % 590
    with _bases_lock:
        for i in range(590):
            base = (first + i) % 590 * 50
            if base in _bases_given:
                continue
            with contextlib.ExitStack() as stack:
                try:
                    for port in PORTS.values():
                        s = stack.enter_context(socket.socket())
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind(("127.0.0.1", port + base))
                except OSError:
                    continue
            _bases_given.add(base)
            return base
    raise RuntimeError("no free ports")


class CommandFailed(Exception):
    def __init__(self, args, out):
        super().__init__(f"restante {' '.join(args)}: exit {out.returncode}: {out.stderr.strip()}")
        self.status, self.stdout, self.stderr = out.returncode, out.stdout, out.stderr


class Site:
    """with Site("mx.example") as s: s.command("domain", "add", ...), s.port("smtp"), s.json("queue", "list")."""

    def __init__(self, hostname="mx.site.example", directory=None, settings="", files=None):
        self.hostname, self.settings, self.files = hostname, settings, files or {}
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="restante-test-", dir=os.environ.get("SITE_DIR", "/var/tmp")))
        self.keeps_directory = directory is not None
        self.path = self.directory / "site"
        self.conf = self.path / "restante.conf"
        self.log_path = self.directory / "log"
        self.base = None
        self.process = None

    # life -----------------------------------------------------------------------------------------------------------

    def init(self):
        """Ports are free when looked at and may be taken when bound: a site that can't start takes others."""
        self.base = free_base()
        subprocess.run([RESTANTE, "init", str(self.path), "--hostname", self.hostname, "--loopback", "--port-base", str(self.base)],
                       check=True, stdout=subprocess.DEVNULL)
        for name, text in self.files.items():
            (self.path / name).write_text(text)
        if self.settings:
            with open(self.conf, "a") as f:
                f.write(self.settings)

    def start(self, timeout=30):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([RESTANTE, "serve", "-c", str(self.conf)], stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline()
        if line.strip() != b"ready":
            self.process.wait(timeout=timeout)
            raise RuntimeError("the site did not start: " + self.log()[-3000:])

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("SIGTERM did not end the site in 30 s")
        if status != 0:
            raise RuntimeError(f"the site ended with status {status}: " + self.log()[-2000:])

    def server_pid(self):
        """The process that serves, child of the keeper; None while there is none."""
        with contextlib.suppress(OSError):
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if children:
                return int(children[0])
        return None

    def kill_server(self):
        pid = self.server_pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_keeper(self, timeout=30):
        """The server dies with its keeper; until it has, the site is taken."""
        pid = self.server_pid()
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + timeout
        while pid is not None and pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.005)

    def wait_until_serving(self, timeout=30):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port("smtp")), timeout=5) as s:
                    if s.recv(100).startswith(b"220"):
                        return
            time.sleep(0.02)
        raise RuntimeError("the site does not answer: " + self.log()[-3000:])

    def __enter__(self):
        self.init()
        self.start()
        return self

    def __exit__(self, kind, value, traceback):
        try:
            self.stop()
        finally:
            if kind is None and not self.keeps_directory:
                shutil.rmtree(self.directory, ignore_errors=True)

    # use ------------------------------------------------------------------------------------------------------------

    def port(self, name):
        return self.base + PORTS[name]

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def try_command(self, *args, stdin=""):
        return subprocess.run([RESTANTE, "-c", str(self.conf), *args], input=stdin, capture_output=True, text=True, timeout=120)

    def command(self, *args, stdin=""):
        out = self.try_command(*args, stdin=stdin)
        if out.returncode != 0:
            raise CommandFailed(args, out)
        return out.stdout

    def json(self, *args, stdin=""):
        return json.loads(self.command(*args, "--json", stdin=stdin))

    def account(self, address, password="secret"):
        self.command("account", "add", address, stdin=password + "\n")
