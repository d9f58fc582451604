"""Postfix from ./.dev/peers (unpacked by ./dev deps bench, never installed): a real SMTP server on loopback, delivering by virtual(8) into
maildirs or by LMTP to Dovecot. Needs root."""
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from peers.dovecot import ROOT, free_port

UID = 64999     # of user postfix and group postdrop, inside the namespace only
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace".split()


class Postfix:
    """with Postfix(domain, users, lmtp=PATH or None) as p: p.port, p.maildir(user)."""

    def __init__(self, domain, users, lmtp=None, directory=None, settings=""):
        self.domain, self.users, self.lmtp, self.settings = domain, users, lmtp, settings
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="postfix-", dir="/tmp"))
        self.port = free_port()
        self.process = None

    def maildir(self, user):
        return self.directory / "mail" / user

    def write_configuration(self):
        d = self.directory
        etc = d / "etc"
        etc.mkdir(parents=True)
        transport = f"lmtp:unix:{self.lmtp}" if self.lmtp else "virtual"
        (etc / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.1/32
maillog_file = {d}/log
maillog_file_prefixes = {d}
virtual_mailbox_domains = {self.domain}
virtual_mailbox_maps = texthash:{etc}/users
virtual_mailbox_base = {d}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_mailbox_limit = 0
virtual_transport = {transport}
lmtp_destination_recipient_limit = 100
lmtp_destination_concurrency_limit = 20
virtual_destination_concurrency_limit = 20
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions = reject_unauth_destination
default_process_limit = 100
biff = no
alias_maps =
local_recipient_maps =
{self.settings}
""")
        (etc / "users").write_text("".join(f"{u}@{self.domain} {u}/\n" for u in self.users))
        (etc / "master.cf").write_text(f"""
127.0.0.1:{self.port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
""")

    def write_users(self):
        d = self.directory
        passwd = pathlib.Path("/etc/passwd").read_text() + f"postfix:x:{UID}:{UID}::/:/usr/sbin/nologin\n"
        group = pathlib.Path("/etc/group").read_text() + f"postfix:x:{UID}:\npostdrop:x:{UID + 1}:\n"
        (d / "passwd").write_text(passwd)
        (d / "group").write_text(group)

    def make_directories(self):
        d = self.directory
        os.chmod(d, 0o755)
        for sub in ["data", "mail"] + [f"queue/{q}" for q in QUEUES]:
            (d / sub).mkdir(parents=True, exist_ok=True)
            if sub not in ("queue/pid", "mail"):
                os.chown(d / sub, UID, 0)
        os.chmod(d / "data", 0o700)
        os.chmod(d / "queue/public", 0o710)
        os.chown(d / "queue/public", UID, UID + 1)
        os.chmod(d / "queue/maildrop", 0o730)
        os.chown(d / "queue/maildrop", UID, UID + 1)
        os.chmod(d / "queue/private", 0o700)
        for user in self.users if not self.lmtp else []:
            for sub in ("", "new", "cur", "tmp"):
                (self.maildir(user) / sub).mkdir(exist_ok=True)
                os.chown(self.maildir(user) / sub, 8, 8)

    def __enter__(self):
        d = self.directory
        self.write_configuration()
        self.write_users()
        self.make_directories()
        script = f"mount --bind {d}/passwd /etc/passwd && mount --bind {d}/group /etc/group && exec /usr/lib/postfix/sbin/master -c {d}/etc -d"
        self.process = subprocess.Popen([str(ROOT / "tools" / "with-peers"), "sh", "-c", script], stdout=subprocess.DEVNULL,
                                        stderr=open(d / "stderr", "wb"), start_new_session=True)
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    if s.recv(100).startswith(b"220"):
                        return self
            except OSError:
                pass
            time.sleep(0.05)
        log = (d / "log").read_text() if (d / "log").exists() else ""
        raise RuntimeError("Postfix did not start: " + (d / "stderr").read_text() + log)

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    def queued(self):
        return sum(len(list((self.directory / "queue" / q).rglob("?*"))) for q in ("maildrop", "incoming", "active", "deferred"))
