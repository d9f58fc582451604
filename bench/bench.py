#!/usr/bin/python3
"""The figures of Restante beside Postfix and Dovecot, in one run on one machine; everything durable before its answer.

usage: ./dev bench [smtp] [pop3] [fetch] [memory] [imap] [imap100k] [--runs N] [--quick]

Rates are medians of N runs (three unless told), peers measured between ours so that a noisy machine disturbs both. CPU is user and
system time of all the server's processes. Postfix and Dovecot come from ./.dev/peers and listen on loopback only.
"""
import argparse
import concurrent.futures
import contextlib
import imaplib
import json
import os
import pathlib
import poplib
import re
import shutil
import smtplib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test"))
from peers.dovecot import Dovecot  # noqa: E402
from peers.postfix import Postfix  # noqa: E402
from site_under_test import Site  # noqa: E402

LOAD = str(ROOT / "build/bench/load")
IMAP = str(ROOT / "build/bench/imap")
DOMAIN = "bench.example"
USERS = [f"u{i}" for i in range(100)]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def descendants(pid):
    found = [pid]
    for p in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children") as f:
                    found += [int(c) for c in f.read().split()]
    return found


def cpu_seconds(pid):
    """Of a process, its descendants, and those of them that have ended."""
    ticks = 0
    for p in descendants(pid):
        with contextlib.suppress(OSError):
            with open(f"/proc/{p}/stat") as f:
                ticks += sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:15])
    return ticks / TICKS


def thread_seconds(pid, name):
    """CPU of the threads of a process that are called so."""
    ns = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "comm").read_text().strip() == name:
                ns += int((task / "schedstat").read_text().split()[0])
    return ns / 1e9


def resident(pid):
    total = 0
    for p in descendants(pid):
        with contextlib.suppress(OSError):
            with open(f"/proc/{p}/statm") as f:
                total += int(f.read().split()[1]) * PAGE
    return total


def load(*args):
    out = subprocess.run([LOAD, *map(str, args)], capture_output=True, text=True, timeout=600)
    if out.returncode != 0:
        sys.exit(f"load {' '.join(map(str, args))}: {out.stderr[-500:]}{out.stdout}")
    return json.loads(out.stdout)


class Restante(Site):
    """A site with the users of the benchmark, as a user would have it."""

    def __init__(self, users=USERS):
        super().__init__("mx.bench.example")
        self.users = users

    def __enter__(self):
        super().__enter__()
        self.command("domain", "add", DOMAIN)
        for user in self.users:
            self.account(f"{user}@{DOMAIN}", "password")
        return self


class PostfixDovecot:
    """Postfix handing over to Dovecot's LMTP, or alone with virtual(8)."""

    def __init__(self, with_dovecot):
        self.with_dovecot = with_dovecot
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        lmtp = None
        self.dovecot = None
        if self.with_dovecot:
            self.dovecot = self.stack.enter_context(Dovecot({u: "password" for u in USERS}, settings="protocol lmtp {\n auth_username_format = %n\n}\n"))
            lmtp = self.dovecot.directory / "lmtp"
        self.postfix = self.stack.enter_context(Postfix(DOMAIN, USERS, lmtp=lmtp))
        return self

    def __exit__(self, *exc):
        directories = [self.postfix.directory] + ([self.dovecot.directory] if self.dovecot else [])
        self.stack.close()
        for d in directories:
            shutil.rmtree(d, ignore_errors=True)

    def pids(self):
        return [self.postfix.process.pid] + ([self.dovecot.process.pid] if self.dovecot else [])

    def delivered(self):
        root = self.dovecot.directory / "mail" if self.dovecot else self.postfix.directory / "mail"
        n = 0
        for user in USERS:
            for sub in ("new", "cur"):
                with contextlib.suppress(OSError):
                    n += len(os.listdir(root / user / sub))
        return n

    def measure(self, connections, messages, recipients):
        before = self.delivered()
        cpu = sum(map(cpu_seconds, self.pids()))
        began = time.monotonic()
        load("smtp", "127.0.0.1", self.postfix.port, f"connections={connections}", f"messages={messages}", f"recipients={recipients}",
             "users=100", f"domain={DOMAIN}")
        while self.delivered() < before + messages * recipients:
            if time.monotonic() - began > 300:
                sys.exit("Postfix has not delivered everything in 300 s")
            time.sleep(0.02)
        took = time.monotonic() - began
        return messages * recipients / took, (sum(map(cpu_seconds, self.pids())) - cpu) * 1000 / (messages * recipients)


def measure_restante(site, connections, messages, recipients):
    cpu = cpu_seconds(site.process.pid)
    result = load("smtp", "127.0.0.1", site.port("smtp"), f"connections={connections}", f"messages={messages}", f"recipients={recipients}",
                  "users=100", f"domain={DOMAIN}")
    return result["rate"] * recipients, (cpu_seconds(site.process.pid) - cpu) * 1000 / (messages * recipients)


table = []


def row(figure, ours, peer, unit, goal, is_met, is_time=False):
    """A ratio says how many times better we are: of rates ours to theirs, of times theirs to ours."""
    table.append((figure, ours, peer, unit, goal, is_met))
    ratio = f"{peer / ours if is_time else ours / peer:8.1f} x" if peer else " " * 10
    print(f"{figure:54} {ours:10.1f} {peer or float('nan'):10.1f} {ratio}  {unit:10} {goal:22} {'met' if is_met else 'NOT MET'}", flush=True)


def median_pairs(runs):
    return statistics.median(r[0] for r in runs), statistics.median(r[1] for r in runs)


def bench_smtp(runs, quick):
    scale = 10 if quick else 1
    cases = [("32 connections", 32, 40000 // scale, 3000 // scale, 1, 20), ("1 connection", 1, 5000 // scale, 1000 // scale, 1, 5),
             ("100 recipients, 8 connections", 8, 1000 // scale, 60 // scale, 100, 50)]
    with Restante() as site, PostfixDovecot(True) as both, PostfixDovecot(False) as alone:
        for name, connections, ours_n, peer_n, recipients, goal in cases:
            ours, peers, alones = [], [], []
            for _ in range(runs):
                ours.append(measure_restante(site, connections, ours_n, recipients))
                peers.append(both.measure(connections, peer_n, recipients))
                alones.append(alone.measure(connections, peer_n, recipients))
            rate, cpu = median_pairs(ours)
            peer_rate, peer_cpu = median_pairs(peers)
            alone_rate, alone_cpu = median_pairs(alones)
            unit = "copies/s" if recipients > 1 else "messages/s"
            row(f"SMTP, {name}, to Postfix+Dovecot LMTP", rate, peer_rate, unit, f"at least {goal} x", rate >= goal * peer_rate)
            row(f"SMTP, {name}, to Postfix virtual(8)", rate, alone_rate, unit, "", True)
            if recipients == 1 and connections == 32:
                row(f"SMTP, {name}, CPU in microseconds", cpu * 1000, peer_cpu * 1000, "us/message", "at most 300", cpu <= 0.3)
        memory = resident(site.process.pid) / 2**20
        row("SMTP, resident memory after the load", memory, None, "MiB", "at most 64", memory <= 64)


def fill_restante(site, users, each):
    """The generator sends to u0..u(n-1) in turn: one message with n recipients gives each user one."""
    load("smtp", "127.0.0.1", site.port("smtp"), "connections=8", f"messages={each}", f"recipients={users}", f"users={users}", f"domain={DOMAIN}")


def sample_message(i):
    line = b"abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrstuvwxyz 12345\r\n"
    return (b"Received: from x by y with SMTP id %d; Sun, 22 Nov 2026 12:00:00 +0000\r\nFrom: <load@sender.example>\r\nTo: <a@b.example>\r\n"
            b"Subject: message %d\r\nMessage-ID: <%d@load.example>\r\n\r\n" % (i, i, i)) + line * 55


def look(port, users):
    """The first look of each user, the same for both sides: it writes Dovecot's indexes, and has Restante remember a password whose
    hash costs 30 ms (Dovecot's passwords are not hashed here)."""
    for user in users:
        client = poplib.POP3("127.0.0.1", port, timeout=120)
        client.user(user)
        client.pass_("password")
        client.stat()
        client.quit()


def bench_pop3(runs, quick):
    total = 1000 if quick else 10000
    cases = [("pipelined, 1 connection", 1, "pipelined", 3), ("pipelined, 8 connections", 8, "pipelined", 3), ("lock-step, 1 connection", 1, "lockstep", 2)]
    users = [f"u{i}" for i in range(8)]
    with Restante(users) as site:
        for name, connections, mode, goal in cases:
            ours, peers = [], []
            for _ in range(runs):
                fill_restante(site, connections, total // connections)
                look(site.port("pop3"), [f"{u}@{DOMAIN}" for u in users[:connections]])
                ours.append(load("pop3", "127.0.0.1", site.port("pop3"), f"connections={connections}", f"user=u%u@{DOMAIN}", "password=password",
                                 f"mode={mode}")["rate"])
                dovecot = Dovecot({u: "password" for u in users})
                for u in users[:connections]:
                    dovecot.deliver(u, [sample_message(i) for i in range(total // connections)])
                with dovecot:
                    look(dovecot.pop3_port, users[:connections])
                    peers.append(load("pop3", "127.0.0.1", dovecot.pop3_port, f"connections={connections}", "user=u%u",
                                      "password=password", f"mode={mode}")["rate"])
                shutil.rmtree(dovecot.directory, ignore_errors=True)
            rate, peer = statistics.median(ours), statistics.median(peers)
            row(f"POP3, {total} messages RETR+DELE, {name}", rate, peer, "messages/s", f"at least {goal} x", rate >= goal * peer)


def bench_fetch(runs, quick):
    total = 500 if quick else 5000
    rates = []
    users = [f"u{i}" for i in range(50)]
    for _ in range(runs):
        dovecot = Dovecot({"all": "password"})
        dovecot.deliver("all", [b"X-Rcpt-To: u%d@bench.example\r\n" % (i % 50) + sample_message(i) for i in range(total)])
        with dovecot, Restante(users) as site:
            site.command("fetch", "add", "provider", "type=pop3", "host=127.0.0.1", f"port={dovecot.pop3_port}", "tls=none", "user=all",
                         f"domains={DOMAIN}", "recipe=header X-Rcpt-To", "unknown=policy", "poll=86400", stdin="password\n")
            began = time.monotonic()
            site.command("fetch", "run", "provider", "--json")
            rates.append(total / (time.monotonic() - began))
            got = sum(1 for line in json.loads(site.command("trace", "--since", "2020-01-01", "--json", "--max", str(total * 2)))) if quick else total
            if got < total:
                sys.exit(f"fetch: {got} of {total} arrived")
        shutil.rmtree(dovecot.directory, ignore_errors=True)
    rate = statistics.median(rates)
    row(f"multidrop, {total} messages for 50 users from Dovecot", rate, None, "messages/s", "at least 2000", rate >= 2000)


def hold(site, port, connections, tls):
    before = resident(site.process.pid)
    holder = subprocess.Popen([LOAD, "hold", "127.0.0.1", str(port), f"connections={connections}", f"tls={int(tls)}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    if holder.stdout.readline() != "holding\n":
        sys.exit("load hold failed")
    time.sleep(1)
    after = resident(site.process.pid)
    holder.stdin.close()
    if holder.wait(timeout=60) != 0:
        sys.exit("load hold: a connection was refused")
    return (after - before) / connections / 1024


def hold_idle(site, n, tls):
    """Sessions in IDLE, all with the same mailbox of 10,000 messages selected."""
    before = resident(site.process.pid)
    holder = subprocess.Popen([IMAP, "idle", "127.0.0.1", str(site.port("imaps" if tls else "imap")), f"connections={n}", f"user=u0@{DOMAIN}",
                               "password=password", "select=1", f"tls={int(tls)}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if holder.stdout.readline() != "holding\n":
        sys.exit("imap idle failed")
    time.sleep(1)
    after = resident(site.process.pid)
    holder.stdin.close()
    if holder.wait(timeout=60) != 0:
        sys.exit("imap idle: a connection was refused")
    return (after - before) / n / 1024


def bench_memory(runs, quick):
    n = 1000 if quick else 5000
    for name, port, tls, goal in (("SMTP, plaintext", "smtp", False, 8), ("POP3, plaintext", "pop3", False, 8), ("POP3, TLS", "pop3s", True, 24),
                                  ("IMAP IDLE, plaintext", None, False, 8), ("IMAP IDLE, TLS", None, True, 24)):
        values = []
        for _ in range(runs):
            with Restante(["u0"]) as site:
                if port is None:
                    load("smtp", "127.0.0.1", site.port("smtp"), "connections=8", f"messages={2 * n}", "users=1", f"domain={DOMAIN}")
                for connections in (10, n):     # the first ones bring in code and tables
                    value = hold_idle(site, connections, tls) if port is None else hold(site, site.port(port), connections, tls)
                values.append(value)
        kib = statistics.median(values)
        row(f"memory of a parked connection, {name}, {n} of them", kib, None, "KiB", f"at most {goal}", kib <= goal)


# IMAP ------------------------------------------------------------------------------------------------------------------

THUNDERBIRD = "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To"
APPLE_MAIL = ("date subject from to cc message-id in-reply-to references content-type x-priority x-uniform-type-identifier "
              "x-universally-unique-identifier list-id list-unsubscribe reply-to sender bcc")
K9 = "date subject from content-type to cc reply-to message-id references in-reply-to list-unsubscribe X-K9mail-Identity Chat-Version sender"
ENVELOPES = "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"


def fields(names):
    return f"FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({names})])"


# label, commands (the last one is timed, the best of `times`), what Restante must reach of the faster Dovecot
IMAP_STEPS = [
    ("login", ["login"], 10, 1),
    ("SELECT", ["EXAMINE Other", "SELECT INBOX"], 25, 1),      # a tenth of a millisecond: five do not tell two servers apart
    ("FETCH FLAGS", ["FETCH 1:* (FLAGS)"], 5, 1),
    ("FETCH ENVELOPE BODYSTRUCTURE", [ENVELOPES], 5, 5),
    ("header fields, Thunderbird", [fields(THUNDERBIRD)], 5, 5),
    ("header fields, Apple Mail", [fields(APPLE_MAIL)], 5, 5),
    ("header fields, K-9", [fields(K9)], 5, 5),
    ("1,000 bodies", ["FETCH 1:1000 BODY.PEEK[]"], 5, 1),
    ("SEARCH SUBJECT", ['SEARCH SUBJECT "message 77"'], 5, 1),
    ("SEARCH UNSEEN", ["SEARCH UNSEEN"], 5, 1),
    ("SEARCH BODY, in none", ['SEARCH BODY "quokkafish"'], 3, 20),
    ("SEARCH BODY, in one of a thousand", ['SEARCH BODY "serial7x7"'], 3, 20),
    ("SEARCH BODY, in all", ['SEARCH BODY "ordinary"'], 3, 1),
    ("STORE +FLAGS on all", ["STORE 1:* -FLAGS.SILENT (\\Answered)", "STORE 1:* +FLAGS.SILENT (\\Answered)"], 3, 1),
    ("APPEND of 1,000", ["append 1000 Other"], 3, 2),
    ("MULTIAPPEND of 1,000", ["multiappend 1000 Other"], 3, 5),
    ("COPY of all", ["COPY 1:* Copies"], 1, 10),
    ("EXPUNGE of all", ["SELECT Copies", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE"], 1, 4),
]
IMAP_COLD = [("SELECT, cold", 1), ("FETCH ENVELOPE BODYSTRUCTURE, cold", 20)]
STORE_MS = {1000: 12, 10000: 12, 100000: 100}


def imap_text(i):
    """A message of about 4 KiB: words of which one is in all, one in one of a thousand."""
    seed, words = i * 7919 + 1, []
    while len(words) < 560:
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        words.append("abcdefghijklmnopqrstuvwxyz"[seed >> 8 & 15] + f"{seed >> 12 & 0xfffff:x}")
    words[100] = "ordinary"
    words[200] = "serial7x7" if i % 1000 == 7 else "series"
    body = "\r\n".join(" ".join(words[k:k + 10]) for k in range(0, len(words), 10))
    return (f"From: Somebody <somebody{i % 50}@sender.example>\r\nTo: <u0@{DOMAIN}>\r\nSubject: message {i}\r\nMessage-ID: <{i}@load.example>\r\n"
            f"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{body}\r\n").encode()


def imap_time(port, user, lines):
    out = subprocess.run([IMAP, "time", "127.0.0.1", str(port), f"user={user}", "password=password"], input="\n".join(lines) + "\n",
                         capture_output=True, text=True, timeout=1200)
    if out.returncode != 0:
        sys.exit(f"imap {lines[:3]}: {out.stderr[-500:]}{out.stdout[-500:]}")
    return [json.loads(line)["ms"] for line in out.stdout.splitlines()]


def imap_steps(port, user, total):
    """Milliseconds of each step, by label. Where a look through all bodies takes Dovecot seven seconds it is taken once."""
    imap_time(port, user, ["CREATE Other", "CREATE Copies", "SELECT INBOX", ENVELOPES, fields(THUNDERBIRD), "FETCH 1:* BODY.PEEK[]"])
    result = {}
    for label, lines, times, _ in IMAP_STEPS:
        times = 1 if total > 10000 and label.startswith("SEARCH BODY") else times
        taken = imap_time(port, user, ["SELECT INBOX"] + lines * times)[1:]
        result[label] = statistics.median(taken[len(lines) - 1::len(lines)])
    return result


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def imap_cold(server, user):
    """The first look at a mailbox that was filled and never read, by a server just started, on a disk nobody has read from."""
    server.stop()
    drop_caches()
    server.start_again()
    result = imap_time(server.imap(), user, ["SELECT INBOX", ENVELOPES])
    return {IMAP_COLD[0][0]: result[0], IMAP_COLD[1][0]: result[1]}


def imap_mix(port, user, pid, total):
    cpu = cpu_seconds(pid)
    out = subprocess.run([IMAP, "mix", "127.0.0.1", str(port), f"user={user}", "password=password", f"commands={20000 if total <= 10000 else 4000}"],
                         capture_output=True, text=True, timeout=600)
    if out.returncode != 0:
        sys.exit(f"imap mix: {out.stderr[-500:]}")
    result = json.loads(out.stdout)
    return result["rate"], (cpu_seconds(pid) - cpu) * 1000 / result["commands"]


class ImapDovecot(Dovecot):
    def __init__(self, mail):
        super().__init__({"u0": "password"}, mail=mail, settings="protocol imap {\n mail_max_userip_connections = 100\n}\n")

    def fill(self, total):
        if self.mail == "maildir":
            self.deliver("u0", (imap_text(i) for i in range(total)))

    def after_start(self, total):
        if self.mail != "maildir":
            fill_by_many(append_some, (self.imap_port, "u0", 1 if total <= 10000 else 100), total)

    def imap(self):
        return self.imap_port

    def stop(self):
        self.__exit__(None, None, None)

    def start_again(self):
        self.__enter__()


class ImapRestante(Restante):
    def __init__(self):
        super().__init__([f"u{i}" for i in range(101)])

    def fill(self, total):
        pass

    def after_start(self, total):
        """By SMTP, so that the mailbox fills among a hundred others."""
        fill_by_many(send_some, (self.port("smtp"), 10 if total <= 10000 else 1), total)

    def imap(self):
        return self.port("imap")

    def start_again(self):
        self.start()

    def packs_indexed(self):
        """(in the search index, all)"""
        lines = [re.search(r"search index: holds (\d+) of (\d+)", r["text"]) for r in self.json("check")]
        return next(((int(m[1]), int(m[2])) for m in lines if m), (0, 1))

    def index_seconds(self):
        """CPU of the thread that makes the search index, once it has done everything; and the messages in it, 128 a pack."""
        before = None
        while (now := self.packs_indexed()) != before or now[0] < now[1]:
            before = now
            time.sleep(2)
        return thread_seconds(self.server_pid(), "indexing"), now[0] * 128

    def index_octets(self):
        return sum(f.stat().st_size for f in (self.path / "data").glob("search.db*"))


def append_some(port, user, at_once, numbers):
    with imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(user, "password")
        for first in range(0, len(numbers), at_once):
            texts = [imap_text(i) for i in numbers[first:first + at_once]]
            client.send(b"x APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(text), text) for text in texts) + b"\r\n")
            while not (line := client.readline()).startswith(b"x "):
                pass
            if not line.startswith(b"x OK"):
                sys.exit(f"imap: APPEND: {line}")


def send_some(port, n_others, numbers):
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo("load.example")
        for i in numbers:
            others = [f"u{1 + (i * n_others + k) % 100}@{DOMAIN}" for k in range(n_others)]
            client.sendmail("load@sender.example", [f"u0@{DOMAIN}"] + others, imap_text(i))


def fill_by_many(work, arguments, total, processes=4):
    """Python is slower than the servers: several of it fill a mailbox."""
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        for done in [pool.submit(work, *arguments, range(k, total, processes)) for k in range(processes)]:
            done.result()


def imap_run(server, user, total):
    server.fill(total)
    with server:
        server.after_start(total)
        seconds, indexed = server.index_seconds() if isinstance(server, ImapRestante) else (0, 0)
        result = imap_cold(server, user)
        if indexed > 0:
            result["index us"], result["index octets"] = seconds * 1e6 / indexed, server.index_octets() / indexed
        result.update(imap_steps(server.imap(), user, total))
        result["mix"], result["mix cpu"] = imap_mix(server.imap(), user, server.process.pid, total)
    shutil.rmtree(server.directory, ignore_errors=True)
    print(type(server).__name__, json.dumps(result), file=sys.stderr, flush=True)  # a run takes minutes: its own figures as they come
    return result


def median_of(results):
    return {label: statistics.median(r[label] for r in results) for label in results[0]}


def bench_imap(runs, quick, total=10000):
    total = total // 10 if quick else total
    ours, sdbox, maildir = [], [], []
    for _ in range(runs):
        ours.append(imap_run(ImapRestante(), f"u0@{DOMAIN}", total))
        sdbox.append(imap_run(ImapDovecot("sdbox"), "u0", total))
        maildir.append(imap_run(ImapDovecot("maildir"), "u0", total))
    a, b, c = median_of(ours), median_of(sdbox), median_of(maildir)
    for label, goal in [(s[0], s[3]) for s in IMAP_STEPS] + IMAP_COLD:
        best = min(b[label], c[label])
        met = a[label] * goal <= best
        text = f"at least {goal} x" if goal > 1 else "no slower"
        if label.startswith("STORE"):
            text, met = f"at most {STORE_MS.get(total, 12)} ms", a[label] <= STORE_MS.get(total, 12)
        row(f"IMAP, {total} messages, {label}", a[label], best, "ms", text, met, is_time=True)
    best = max(b["mix"], c["mix"])
    row(f"IMAP, {total} messages, 20 connections mixing commands", a["mix"], best, "commands/s", "at least 3 x", a["mix"] >= 3 * best)
    if "index us" in a:
        row("search index, CPU to make it", a["index us"], None, "us/message", "", True)
        row("search index, size", a["index octets"], None, "octets/msg", "", True)
    row("IMAP, the same, CPU", a["mix cpu"] * 1000, min(b["mix cpu"], c["mix cpu"]) * 1000, "us/command", "", True, is_time=True)


def bench_imap100k(runs, quick):
    bench_imap(runs, quick, 100000)


BENCHES = {"smtp": bench_smtp, "pop3": bench_pop3, "fetch": bench_fetch, "memory": bench_memory, "imap": bench_imap, "imap100k": bench_imap100k}
DEFAULT = ["smtp", "pop3", "fetch", "memory", "imap"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="smtp, pop3, fetch, memory, imap; these without; imap100k: the same with 100,000 messages")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see that it runs")
    args = parser.parse_args()
    for what in args.what:
        if what not in BENCHES:
            parser.error(f"unknown: {what}")
    print(f"{'figure':54} {'Restante':>10} {'peer':>10} {'ratio':>10}  {'unit':10} goal")
    for what in args.what or DEFAULT:
        BENCHES[what](args.runs, args.quick)
    missed = [r for r in table if not r[5]]
    print(f"{len(table) - len(missed)} figures met, {len(missed)} not")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
