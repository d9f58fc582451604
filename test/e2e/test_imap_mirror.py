"""A client that believes what it is told has the mailbox as it is, whatever others do meanwhile (RFC 9051 §5.2, §7.4.1, §7.5; 7162 §3.2.10; 5267 §4.3).

Three sessions of one account (one with QRESYNC) do the same random commands for the same seed, and keep what they have heard: UIDs by sequence number, flags,
and what a live search has found. Whenever they are compared with the mailbox, they must agree.
"""
import random
import re

import pytest
from imap import Imap
from site_under_test import Site

BY_NUMBER = ("FETCH", "STORE", "SEARCH", "SORT")
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "kw")


def numbers(text):
    for item in text.decode().split(","):
        first, _, last = item.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Mirror:
    def __init__(self, port, has_qresync):
        self.imap = Imap(port, "joe@ex.org")
        self.has_qresync = has_qresync
        self.uids = []   # by sequence number; None: not known yet
        self.flags = {}  # UID -> set, as told
        self.live = set()
        if has_qresync:
            self.do("ENABLE QRESYNC")
        self.do("SELECT INBOX")

    def do(self, command):
        """The answer, a response an item."""
        lines = self.imap.say(command)
        responses = []
        for line in lines:
            if responses and re.search(rb"\{\d+\}$", responses[-1]):
                responses[-1] += b" " + line
            else:
                responses.append(line)
        try:
            for response in responses:
                self.hear(response, command.split()[0] in BY_NUMBER)
        except (AssertionError, ValueError, IndexError) as e:
            raise AssertionError(f"{command} was answered with {responses}; so far {self.uids}") from e
        return responses

    def hear(self, response, is_by_number):
        words = response.split()
        if response.startswith(b"* VANISHED ") and words[2] != b"(EARLIER)":
            assert self.has_qresync and not is_by_number
            for uid in numbers(words[2]):
                self.uids.remove(uid if uid in self.uids else None)
        elif response.startswith(b"* ESEARCH "):
            self.hear_live(response)
        elif response.startswith(b"* ") and words[1].isdigit():
            self.hear_number(int(words[1]), words[2], response, is_by_number)

    def hear_number(self, number, word, response, is_by_number):
        if word == b"EXISTS":
            assert number >= len(self.uids)
            self.uids += [None] * (number - len(self.uids))
        elif word == b"EXPUNGE":
            assert not self.has_qresync and not is_by_number
            self.uids.pop(number - 1)
        elif word == b"FETCH":
            uid = re.search(rb"UID (\d+)", response)
            flags = re.search(rb"FLAGS \(([^)]*)\)", response)
            if uid:
                assert self.uids[number - 1] in (None, int(uid.group(1)))
                self.uids[number - 1] = int(uid.group(1))
            if flags and self.uids[number - 1]:
                self.flags[self.uids[number - 1]] = set(flags.group(1).decode().split()) - {"\\Recent"}

    def hear_live(self, response):
        for what, pairs in re.findall(rb"(ADDTO|REMOVEFROM) \((.*?)\)", response):
            for uid in (uid for uids in pairs.split()[1::2] for uid in numbers(uids)):
                assert (uid in self.live) == (what == b"REMOVEFROM")
                self.live ^= {uid}

    def store_silently(self, first, last, sign, flag):
        """What a client thinks it has made of the flags, where it is not told otherwise."""
        responses = self.do(f"STORE {first}:{last} {sign}FLAGS.SILENT ({flag})")
        told = {int(r.split()[1]) for r in responses if b" FETCH (" in r and b"FLAGS" in r}
        for number in range(first, last + 1):
            uid = self.uids[number - 1]
            if uid in self.flags and number not in told and responses[-1].startswith(b"OK"):
                (self.flags[uid].add if sign == "+" else self.flags[uid].discard)(flag)

    def check(self):
        self.do("NOOP")
        uids, flags = list(self.uids), {uid: set(f) for uid, f in self.flags.items()}
        self.do("UID FETCH 1:* FLAGS")
        now = {uid: self.flags[uid] for uid in self.uids}
        for before, uid in zip(uids, self.uids):
            assert before in (None, uid)
            assert uid not in flags or flags[uid] == now[uid]
        flagged = {uid for uid in now if "\\Flagged" in now[uid]}
        found = self.do("UID SEARCH FLAGGED")[0].split()[2:]
        assert {int(uid) for uid in found if uid.isdigit()} == flagged
        assert self.live == flagged


def step(mirror):
    n = len(mirror.uids)
    flag, sign = random.choice(FLAGS), random.choice("+-")
    if n < 3:
        mirror.do("APPEND INBOX {3+}\r\nabc")
        return
    first = random.randint(1, n)
    last = random.randint(first, n)
    uid = mirror.uids[first - 1] or 1
    if random.random() < 0.2:
        mirror.store_silently(first, last, sign, flag)
        return
    mirror.do(random.choice((
        f"APPEND INBOX ({random.choice(('', FLAGS[0], FLAGS[1]))}) {{3+}}\r\nabc",
        f"STORE {first}:{last} {sign}FLAGS ({flag})",
        f"UID STORE {uid}:* {sign}FLAGS ({flag})",
        f"FETCH {first}:{last} (UID FLAGS)",
        f"FETCH {first} BODY[]",
        "SEARCH UNSEEN",
        "UID SEARCH ALL",
        "SORT (ARRIVAL) UTF-8 FLAGGED",
        "NOOP",
        "EXPUNGE",
        f"UID EXPUNGE 1:{uid}",
        f"COPY {first}:{min(n, first + 1)} INBOX",
        f"MOVE {first} INBOX",
    )))
    if None in mirror.uids and random.random() < 0.5:
        mirror.do("FETCH 1:* (UID FLAGS)")


@pytest.mark.parametrize("seed", range(4))
def test_mirrors_agree_with_the_mailbox(seed):
    random.seed(seed)
    with Site("mx.site.example") as site:
        site.command("domain", "add", "ex.org")
        site.account("joe@ex.org")
        mirrors = [Mirror(site.port("imap"), has_qresync) for has_qresync in (False, True, False)]
        for mirror in mirrors:
            mirror.do("UID SEARCH RETURN (UPDATE COUNT) FLAGGED")
        for _ in range(300):
            step(random.choice(mirrors))
            if random.random() < 0.05:
                for mirror in mirrors:
                    mirror.check()
        for mirror in mirrors:
            mirror.check()
            mirror.imap.close()
