"""Dovecot from ./.dev/peers (unpacked by ./dev deps, never installed): a real POP3, IMAP and LMTP server on loopback."""
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Dovecot:
    """with Dovecot(users={"name": "password"}) as d: d.pop3_port, d.imap_port, d.lmtp (socket path), d.deliver(user, octets)."""

    def __init__(self, users, mail="maildir", directory=None, settings=""):
        self.users, self.mail, self.settings = users, mail, settings
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self.pop3_port, self.imap_port = free_port(), free_port()
        self.process = None

    def configuration(self):
        d = self.directory
        owner = "nobody" if os.getuid() == 0 else str(os.getuid())
        return f"""
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
protocols = pop3 imap lmtp
listen = 127.0.0.1
default_internal_user = {owner}
default_login_user = {"daemon" if os.getuid() == 0 else owner}
default_internal_group = {"nogroup" if os.getuid() == 0 else os.getgid()}
default_client_limit = 2000
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = {self.mail}:{d}/mail/%n
mail_uid = {os.getuid() if os.getuid() else "mail"}
mail_gid = {os.getgid() if os.getuid() else "mail"}
first_valid_uid = 1
mail_fsync = always
pop3_uidl_format = %08Xu%08Xv
pop3_no_flag_updates = yes
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {d}/users
}}
userdb {{
  driver = static
  args = uid={os.getuid() or "mail"} gid={os.getgid() or "mail"} home={d}/mail/%n
}}
service pop3-login {{
  chroot =
  service_count = 0
  process_limit = 4
  inet_listener pop3 {{
    port = {self.pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  unix_listener {d}/lmtp {{
    mode = 0666
  }}
}}
{self.settings}
"""

    def __enter__(self):
        d = self.directory
        for sub in ("run", "state", "mail"):
            (d / sub).mkdir(parents=True, exist_ok=True)
        os.chmod(d, 0o755)
        os.chmod(d / "mail", 0o777)
        (d / "users").write_text("".join(f"{u}:{p}\n" for u, p in self.users.items()))
        os.chmod(d / "users", 0o644)
        (d / "dovecot.conf").write_text(self.configuration())
        self.process = subprocess.Popen([str(ROOT / "tools" / "with-peers"), "/usr/sbin/dovecot", "-F", "-c", str(d / "dovecot.conf")],
                                        stdout=subprocess.DEVNULL, stderr=open(d / "stderr", "wb"))
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.pop3_port), timeout=5) as s:
                    if s.recv(100).startswith(b"+OK"):
                        return self
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError("Dovecot did not start: " + (d / "stderr").read_text() + (d / "log").read_text()
                           if (d / "log").exists() else (d / "stderr").read_text())

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def maildir(self, user):
        return self.directory / "mail" / user

    def deliver(self, user, messages):
        """Put messages (octets, any line ends) straight into a maildir, before the mailbox is opened."""
        new = self.maildir(user) / "new"
        for sub in ("new", "cur", "tmp"):
            (self.maildir(user) / sub).mkdir(parents=True, exist_ok=True)
        for i, octets in enumerate(messages):
            (new / f"{1700000000 + i}.M{i}P1.host").write_bytes(octets)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "mail:mail", str(self.maildir(user))], check=True)
