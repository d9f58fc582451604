#!/usr/bin/python3
"""kill -9 at random moments under SMTP and fetch load; nothing acknowledged may be lost, partial or doubled.

usage: kill.py [--rounds N] [--sites N] [--seed N]

Half of the lanes send by SMTP and read by POP3, the other half fetch from a provider site that is not killed. The ledger of what was
acknowledged is kept here, outside the killed processes. A round: load, SIGKILL of the server (every fifth time of the keeper) at a random moment,
start, compare, `restante verify`.
"""
import argparse
import pathlib
import poplib
import random
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from site_under_test import Site  # noqa: E402

DOMAIN = "kill.example"
USERS = [f"u{i}" for i in range(4)]
TOKEN = re.compile(rb"token-(\d+)-end")


class Lost(Exception):
    pass


def message(token, size):
    body = (b"%d abcdefghijklmnopqrstuvwxyz\r\n" % token) * (size // 34)
    return (b"From: <a@sender.example>\r\nSubject: token-%d-end\r\n\r\n" % token) + body + b"last-line-%d\r\n" % token


def read_reply(f):
    line = f.readline()
    while line[3:4] == b"-":
        line = f.readline()
    if not line:
        raise ConnectionError
    return line


class Ledger:
    """What was promised: token -> users."""

    def __init__(self):
        self.lock = threading.Lock()
        self.begun, self.acknowledged, self.next = {}, {}, 0

    def begin(self, users):
        with self.lock:
            self.next += 1
            self.begun[self.next] = users
            return self.next

    def acknowledge(self, token):
        with self.lock:
            self.acknowledged[token] = self.begun[token]


def send_until_killed(port, ledger, stop, rng, size):
    """One connection, one message after another, until the server is gone."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s, s.makefile("rb") as f:
            read_reply(f)
            s.sendall(b"EHLO load.example\r\n")
            read_reply(f)
            while not stop.is_set():
                users = rng.sample(USERS, rng.randint(1, 2))
                token = ledger.begin(users)
                envelope = b"MAIL FROM:<a@sender.example>\r\n" + b"".join(b"RCPT TO:<%s@kill.example>\r\n" % u.encode() for u in users)
                s.sendall(envelope + b"DATA\r\n")
                for _ in range(len(users) + 2):
                    read_reply(f)
                s.sendall(message(token, rng.choice(size)) + b".\r\n")
                if read_reply(f).startswith(b"250"):
                    ledger.acknowledge(token)
    except (OSError, ConnectionError):
        pass


def maildrop(site, user, delete=False):
    """Tokens of every message of a user, each checked to be whole."""
    p = poplib.POP3("127.0.0.1", site.port("pop3"), timeout=60)
    p.user(f"{user}@{DOMAIN}")
    p.pass_("secret")
    tokens = []
    for i in range(1, p.stat()[0] + 1):
        text = b"\r\n".join(p.retr(i)[1])
        token = int(TOKEN.search(text).group(1))
        if not text.endswith(b"last-line-%d" % token):
            raise Lost(f"message {token} of {user} is partial")
        tokens.append(token)
        if delete:
            p.dele(i)
    p.quit()
    return tokens


class Lane:
    def __init__(self, number, rng):
        self.number, self.rng, self.ledger, self.rounds = number, rng, Ledger(), 0
        self.site = Site(f"mx{number}.kill.example")

    def accounts(self, site, users):
        site.command("domain", "add", DOMAIN)
        for u in users:
            site.account(f"{u}@{DOMAIN}")

    def kill(self):
        if self.rounds % 5 == 4:
            self.site.kill_keeper()
            self.site.start()
        else:
            self.site.kill_server()
        self.site.wait_until_serving()

    def verify(self):
        out = self.site.try_command("verify")
        if out.returncode != 0:
            raise Lost("verify: " + out.stdout + out.stderr)


class SmtpLane(Lane):
    """Strangers send; readers compare."""

    def __enter__(self):
        self.site.__enter__()
        self.accounts(self.site, USERS)
        return self

    def __exit__(self, *exc):
        self.site.__exit__(*exc)

    def round(self):
        stop = threading.Event()
        size = [300, 4000, 4000, 30000, 200000] if self.rounds % 7 else [2000000]
        threads = [threading.Thread(target=send_until_killed,
                                    args=(self.site.port("smtp"), self.ledger, stop, random.Random(self.rng.random()), size)) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(self.rng.uniform(0.02, 0.5))
        self.kill()
        stop.set()
        for t in threads:
            t.join()
        self.compare()
        if self.rounds % 4 == 3:
            self.verify()
        self.rounds += 1

    def compare(self):
        found = {u: maildrop(self.site, u, delete=True) for u in USERS}
        for u in USERS:
            if len(set(found[u])) != len(found[u]):
                raise Lost(f"doubled for {u}: {sorted(t for t in found[u] if found[u].count(t) > 1)}")
            promised = {t for t, users in self.ledger.acknowledged.items() if u in users}
            if promised - set(found[u]):
                raise Lost(f"lost for {u}: {sorted(promised - set(found[u]))}")
        for token, users in self.ledger.begun.items():
            has = [u for u in USERS if token in found[u]]
            if has and set(has) != set(users):
                raise Lost(f"message {token} for {users} reached only {has}")
        self.ledger = Ledger2(self.ledger.next)


def Ledger2(first):
    """A new page of the ledger; numbers go on."""
    ledger = Ledger()
    ledger.next = first
    return ledger


class FetchLane(Lane):
    """A provider collects, the office fetches and is killed."""

    def __enter__(self):
        self.provider = Site(f"provider{self.number}.kill.example")
        self.provider.__enter__()
        self.provider.command("domain", "add", DOMAIN, f"unknown=deliver:all@{DOMAIN}", "envelope-header=X-Rcpt-To")
        self.provider.account(f"all@{DOMAIN}")
        self.site.__enter__()
        self.accounts(self.site, USERS)
        self.site.command("fetch", "add", "provider", "type=pop3", "host=127.0.0.1", f"port={self.provider.port('pop3')}", "tls=none",
                          f"user=all@{DOMAIN}", f"domains={DOMAIN}", "recipe=header X-Rcpt-To", "unknown=policy", "poll=3600", stdin="secret\n")
        return self

    def __exit__(self, *exc):
        self.site.__exit__(*exc)
        self.provider.__exit__(*exc)

    def fill(self, n):
        with socket.create_connection(("127.0.0.1", self.provider.port("smtp")), timeout=20) as s, s.makefile("rb") as f:
            read_reply(f)
            s.sendall(b"EHLO load.example\r\n")
            read_reply(f)
            for _ in range(n):
                user = self.rng.choice(USERS)
                token = self.ledger.begin([user])
                s.sendall(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<%s@kill.example>\r\nDATA\r\n" % user.encode())
                for _ in range(3):
                    read_reply(f)
                s.sendall(message(token, 2000) + b".\r\n")
                if not read_reply(f).startswith(b"250"):
                    raise Lost("the provider refused")
                self.ledger.acknowledge(token)

    def round(self):
        self.fill(60)
        runner = threading.Thread(target=lambda: self.site.try_command("fetch", "run", "provider"))
        runner.start()
        time.sleep(self.rng.uniform(0.02, 0.25))
        self.kill()
        runner.join()
        self.finish()
        self.compare()
        if self.rounds % 4 == 3:
            self.verify()
        self.rounds += 1

    def finish(self):
        """The provider may still hold the maildrop of the killed session for a moment."""
        for _ in range(50):
            out = self.site.try_command("fetch", "run", "provider")
            if out.returncode == 0:
                return
            time.sleep(0.1)
        raise Lost("fetch does not come to an end: " + out.stderr)

    def compare(self):
        left = maildrop(self.provider, "all")
        if left:
            raise Lost(f"still at the provider: {left}")
        for u in USERS:
            found = maildrop(self.site, u, delete=True)
            promised = sorted(t for t, users in self.ledger.acknowledged.items() if u in users)
            if sorted(found) != promised:
                raise Lost(f"{u} has {sorted(found)}, promised {promised}")
        self.ledger = Ledger2(self.ledger.next)


def run_lane(lane, rounds, failures):
    try:
        with lane:
            for _ in range(rounds):
                if failures:
                    return
                lane.round()
    except Exception as e:      # the lane's end is the result; the others stop at their next round
        failures.append(f"lane {lane.number} ({type(lane).__name__}), round {lane.rounds}: {e!r}\n{lane.site.log()[-2000:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    lanes = [(SmtpLane if i % 2 == 0 else FetchLane)(i, random.Random(rng.random())) for i in range(args.sites)]
    failures = []
    threads = [threading.Thread(target=run_lane, args=(lane, -(-args.rounds // args.sites), failures)) for lane in lanes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for f in failures:
        print(f)
    rounds = sum(lane.rounds for lane in lanes)
    print(f"{rounds} kills, {sum(lane.ledger.next for lane in lanes)} messages: " + ("FAILED" if failures else "0 lost, 0 partial, 0 doubled"))
    return 1 if failures else 0


sys.exit(main())
