#!/usr/bin/python3
"""The figures of Restante beside Postfix and Dovecot, in one run on one machine; everything durable before its answer.

usage: ./dev bench [smtp] [pop3] [fetch] [memory] [--runs N] [--quick]

Rates are medians of N runs (three unless told), peers measured between ours so that a noisy machine disturbs both. CPU is user and
system time of all the server's processes. Postfix and Dovecot come from ./.dev/peers and listen on loopback only.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import poplib
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


def row(figure, ours, peer, unit, goal, is_met):
    table.append((figure, ours, peer, unit, goal, is_met))
    ratio = f"{ours / peer:8.1f} x" if peer else " " * 10
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


def bench_pop3(runs, quick):
    total = 1000 if quick else 10000
    cases = [("pipelined, 1 connection", 1, "pipelined", 3), ("pipelined, 8 connections", 8, "pipelined", 3), ("lock-step, 1 connection", 1, "lockstep", 2)]
    users = [f"u{i}" for i in range(8)]
    with Restante(users) as site:
        for name, connections, mode, goal in cases:
            ours, peers = [], []
            for _ in range(runs):
                fill_restante(site, connections, total // connections)
                ours.append(load("pop3", "127.0.0.1", site.port("pop3"), f"connections={connections}", f"user=u%u@{DOMAIN}", "password=password",
                                 f"mode={mode}")["rate"])
                dovecot = Dovecot({u: "password" for u in users})
                for u in users[:connections]:
                    dovecot.deliver(u, [sample_message(i) for i in range(total // connections)])
                with dovecot:
                    for warm in (0, 1):     # the first look writes Dovecot's indexes
                        if warm:
                            peers.append(load("pop3", "127.0.0.1", dovecot.pop3_port, f"connections={connections}", "user=u%u",
                                              "password=password", f"mode={mode}")["rate"])
                        else:
                            for u in users[:connections]:
                                p = poplib.POP3("127.0.0.1", dovecot.pop3_port, timeout=120)
                                p.user(u)
                                p.pass_("password")
                                p.stat()
                                p.quit()
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


def bench_memory(runs, quick):
    n = 1000 if quick else 5000
    for name, port, tls, goal in (("SMTP, plaintext", "smtp", False, 8), ("POP3, plaintext", "pop3", False, 8), ("POP3, TLS", "pop3s", True, 24)):
        values = []
        for _ in range(runs):
            with Restante(["u0"]) as site:
                hold(site, site.port(port), 10, tls)        # code and tables that any first connection brings in
                values.append(hold(site, site.port(port), n, tls))
        kib = statistics.median(values)
        row(f"memory of a parked connection, {name}, {n} of them", kib, None, "KiB", f"at most {goal}", kib <= goal)


BENCHES = {"smtp": bench_smtp, "pop3": bench_pop3, "fetch": bench_fetch, "memory": bench_memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="smtp, pop3, fetch, memory; all of them without")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see that it runs")
    args = parser.parse_args()
    for what in args.what:
        if what not in BENCHES:
            parser.error(f"unknown: {what}")
    print(f"{'figure':54} {'Restante':>10} {'peer':>10} {'ratio':>10}  {'unit':10} goal")
    for what in args.what or BENCHES:
        BENCHES[what](args.runs, args.quick)
    missed = [r for r in table if not r[5]]
    print(f"{len(table) - len(missed)} figures met, {len(missed)} not")
    return 1 if missed else 0


sys.exit(main())
