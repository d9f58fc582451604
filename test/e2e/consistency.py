"""A model of shared mailboxes and of what IMAP clients of several accounts know of them, from RFC 9051, RFC 7162 and RFC 4314: what a
command changes, what a client may be told when, and what it must know afterwards. \\Seen is each account's own, other flags are everybody's.

Two ways to work. In turns: one client at a time sends a row of commands at once; what is true is known after each of them, and
everything the client hears is compared with it. At once: all clients send a row at the same time; the order is the server's, so what
they hear is compared between them (one UID and MODSEQ has one set of flags, UIDs and MODSEQs rise), and at the end all must know the same.
"""
import bisect
import collections
import re
import socket

SYSTEM = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
KEYWORDS = ("$Work", "$Later")
FLAGS = SYSTEM + KEYWORDS

FETCH = re.compile(r"\* (\d+) FETCH \((.*)\)$")
UID = re.compile(r"\bUID (\d+)")
MODSEQ = re.compile(r"\bMODSEQ \((\d+)\)")
FLAG_LIST = re.compile(r"\bFLAGS \(([^)]*)\)")
NUMBERED = re.compile(r"\* (\d+) (EXISTS|EXPUNGE|RECENT)$")
VANISHED = re.compile(r"\* VANISHED (\(EARLIER\) )?([\d:,]+)$")
CODE = re.compile(r"\[(HIGHESTMODSEQ|MODIFIED|UIDVALIDITY|UIDNEXT|COPYUID|APPENDUID) ([^\]]*)\]")


class Deviation(AssertionError):
    """The server did what the RFCs do not allow, or the model is wrong."""


def check(is_right, *what):
    if not is_right:
        raise Deviation(" ".join(str(w) for w in what))


def numbers(text):
    """The numbers of a sequence set without a star, in its order."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        a, b = int(first), int(last or first)
        found.extend(range(min(a, b), max(a, b) + 1))
    return found


def set_of(uids):
    """A sequence set of these numbers, rising."""
    parts, first, last = [], None, None
    for uid in sorted(uids):
        if last is not None and uid == last + 1:
            last = uid
            continue
        if first is not None:
            parts.append(f"{first}:{last}" if first != last else str(first))
        first = last = uid
    parts.append(f"{first}:{last}" if first != last else str(first))
    return ",".join(parts)


def kept_flags(text):
    """\\Recent is a session's own and has no MODSEQ (RFC 3501 §2.3.2)."""
    return frozenset(text.split()) - {"\\Recent"}


class Person:
    """An account: its place among the accounts, and the flags it may change by mailbox (RFC 4314)."""

    def __init__(self, number, address, prefix, rights):
        self.number, self.address, self.prefix = number, address, prefix
        self.flags = {box: frozenset(flag for flag in FLAGS if {"\\Seen": "s", "\\Deleted": "t"}.get(flag, "w") in mine)
                      for box, mine in rights.items()}


class Message:
    """flags: as each of the accounts sees them. changed: number of the operation that gave it those; None: unknown."""
    __slots__ = ("flags", "changed")

    def __init__(self, flags, changed):
        self.flags, self.changed = flags, changed


def given_by(people, who, flags):
    """What all see of a message that one of them brings with these flags: \\Seen is his own."""
    shared = flags - {"\\Seen"}
    return tuple(flags if person is who else shared for person in people)


class Mailbox:
    """What is true of a mailbox: messages by UID, rising; those that have gone with the operation that took them."""

    def __init__(self, name, people):
        self.name, self.people = name, people
        self.messages = {}
        self.gone = {}
        self.last_uid = 0
        self.validity = None
        self.modseqs = {}    # (UID, operation) -> MODSEQ
        self.flags_at = {}   # (UID, MODSEQ) -> flags
        self.by_operation = {}  # operation -> lowest and highest MODSEQ
        self.operations = []    # those, rising
        self.highest = 0

    def add(self, uid, flags, operation):
        check(uid > self.last_uid, self.name, "UID", uid, "after", self.last_uid, "(RFC 9051 2.3.1.1)")
        self.messages[uid] = Message(flags, operation)
        self.last_uid = uid

    def remove(self, uid, operation):
        del self.messages[uid]
        self.gone[uid] = operation

    def change(self, uid, who, after, operation):
        """This account gave it these flags. What is not changed keeps its MODSEQ."""
        message = self.messages[uid]
        if message.flags[who.number] == after:
            return
        shared = after - {"\\Seen"}
        self.messages[uid] = Message(tuple(after if person is who else shared | (flags & {"\\Seen"})
                                           for person, flags in zip(self.people, message.flags)), operation)

    def note(self, uid, who, flags, modseq, changed=None):
        """A client was told so. changed: the operation that the MODSEQ is of, where that is known."""
        before = self.flags_at.setdefault((uid, modseq, who), flags)
        check(before == flags, self.name, "UID", uid, "MODSEQ", modseq, "has flags", set(flags), "and had", set(before), "(RFC 7162 3.1)")
        if changed is None:
            return
        known = self.modseqs.setdefault((uid, changed), modseq)
        check(known == modseq, self.name, "UID", uid, "has MODSEQ", modseq, "and had", known, "though nothing changed")
        self.order(changed, modseq)

    def order(self, operation, modseq):
        """Each change has a higher MODSEQ than all changes before it (RFC 7162 §3.1)."""
        if operation not in self.by_operation:
            bisect.insort(self.operations, operation)
        low, high = self.by_operation.get(operation, (modseq, modseq))
        low, high = self.by_operation[operation] = min(low, modseq), max(high, modseq)
        at = bisect.bisect_left(self.operations, operation)
        for i, is_before in ((at - 1, True), (at + 1, False)):
            if 0 <= i < len(self.operations):
                other = self.by_operation[self.operations[i]]
                check(other[1] < low if is_before else high < other[0], self.name, "operation", operation, "gave MODSEQ", (low, high),
                      "and operation", self.operations[i], other)


class Entry:
    """What a client knows of a message; None: not told yet."""
    __slots__ = ("uid", "flags", "modseq", "changed")

    def __init__(self, uid=None):
        self.uid, self.flags, self.modseq, self.changed = uid, None, None, None


Told = collections.namedtuple("Told", "fetched vanished earlier codes")
Command = collections.namedtuple("Command", "text numbers verify")  # numbers: FETCH, STORE or SEARCH by sequence number


class Client:
    """kind: plain, condstore or qresync. entries: the mailbox as this client knows it, by sequence number."""

    def __init__(self, name, kind, person, port):
        self.name, self.kind, self.person, self.port = name, kind, person, port
        self.count = 0
        self.recent = collections.deque(maxlen=400)
        self.box = None
        self.caches = {}  # name -> (UIDVALIDITY, MODSEQ, entries)
        self.is_idle = False
        self.connect()

    # The connection -------------------------------------------------------------------------------------------------

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(60)
        self.lines, self.rest = collections.deque(), b""
        self.box, self.entries, self.highest = None, [], 0
        self.read_line()

    def log_in(self, password):
        self.simple(f"LOGIN {self.person.address} {password}")
        if self.kind != "plain":
            self.simple("ENABLE " + ("QRESYNC" if self.kind == "qresync" else "CONDSTORE"))

    def disconnect(self):
        self.leave()
        self.sock.close()

    def take_line(self):
        while not self.lines:
            got = self.sock.recv(65536)
            check(got, self.name, "connection closed")
            *whole, self.rest = (self.rest + got).split(b"\r\n")
            self.lines.extend(whole)
        return self.lines.popleft()

    def read_line(self):
        line = self.take_line().decode()
        if line.endswith("{4}"):  # a message, which is one line
            self.lines.appendleft((line + " ").encode() + self.take_line())
            return self.read_line()
        self.recent.append("S: " + line)
        return line

    def send(self, texts):
        """Pipelined; the tags."""
        tags, out = [], []
        for text in texts:
            self.count += 1
            tag = f"{self.name}{self.count}"
            tags.append(tag)
            out.append(f"{tag} {text}\r\n")
            self.recent.append(f"C: {tag} {text}")
        self.sock.sendall("".join(out).encode())
        return tags

    def read_until(self, tag):
        """(untagged lines, "OK ..." behind the tag)"""
        untagged = []
        while True:
            line = self.read_line()
            if line.startswith(tag + " "):
                return untagged, line[len(tag) + 1:]
            check(line.startswith("*"), self.name, "unexpected:", line)
            untagged.append(line)

    def simple(self, text):
        untagged, status = self.read_until(self.send([text])[0])
        check(status.startswith("OK"), self.name, text, "->", status)
        return untagged, status

    # What it is told ------------------------------------------------------------------------------------------------

    def hear(self, lines, status="", forbids_expunge=False):
        """Take in what a command told, as RFC 9051 §7 and RFC 7162 §3.2.10 have it."""
        told = Told([], [], [], {})
        for line in lines:
            if " FETCH (" in line:
                self.hear_fetch(line, told)
            elif (match := NUMBERED.match(line)) is not None:
                if match[2] == "EXPUNGE":
                    check(not forbids_expunge, self.name, "EXPUNGE during a command with sequence numbers (RFC 9051 7.5.1)")
                    check(self.kind != "qresync", self.name, "EXPUNGE with QRESYNC (RFC 7162 3.2.10)")
                self.hear_number(int(match[1]), match[2], told)
            elif (match := VANISHED.match(line)) is not None:
                check(self.kind == "qresync", self.name, "VANISHED without QRESYNC")
                check(match[1] or not forbids_expunge, self.name, "VANISHED during a command with sequence numbers")
                self.hear_vanished(numbers(match[2]), bool(match[1]), told)
            self.hear_code(line, told)
        self.hear_code(status, told)
        return told

    def hear_code(self, line, told):
        match = CODE.search(line)
        if match is None:
            return
        told.codes[match[1]] = match[2]
        if match[1] == "HIGHESTMODSEQ" and self.box is not None:
            value = int(match[2])
            check(value >= self.highest, self.name, "HIGHESTMODSEQ fell from", self.highest, "to", value)
            self.highest = value

    def hear_number(self, number, word, told):
        if word == "EXISTS":
            check(number >= len(self.entries), self.name, "EXISTS", number, "with", len(self.entries), "(RFC 9051 7.4.1)")
            self.entries.extend(Entry() for _ in range(number - len(self.entries)))
        elif word == "EXPUNGE":
            check(1 <= number <= len(self.entries), self.name, "EXPUNGE", number, "of", len(self.entries))
            told.vanished.append(self.entries.pop(number - 1).uid)

    def hear_vanished(self, uids, is_earlier, told):
        known = {entry.uid for entry in self.entries}
        (told.earlier if is_earlier else told.vanished).extend(uids)
        if is_earlier:
            return
        going = set(uids) & known
        self.entries = [entry for entry in self.entries if entry.uid not in going]
        for uid in uids:
            if uid not in known:
                at = self.place_of(uid)
                check(at is not None, self.name, "VANISHED", uid, "which was never there")
                del self.entries[at]

    def place_of(self, uid):
        """Of a message that was counted, and whose UID was not told yet: UIDs rise."""
        found = None
        for i, entry in enumerate(self.entries):
            if entry.uid is None:
                found = i
            elif entry.uid > uid:
                break
            else:
                found = None
        return found

    def hear_fetch(self, line, told):
        match = FETCH.match(line)
        check(match is not None, self.name, "what is this?", line)
        number, items = int(match[1]), match[2]
        uid, flags, modseq = UID.search(items), FLAG_LIST.search(items), MODSEQ.search(items)
        check(1 <= number <= len(self.entries), self.name, "FETCH", number, "of", len(self.entries))
        entry = self.entries[number - 1]
        check(uid is not None or self.kind != "qresync", self.name, "no UID with QRESYNC (RFC 7162 3.2.4):", line)
        check((modseq is not None) == (self.kind != "plain"), self.name, "MODSEQ (RFC 7162 3.1):", line)
        if uid is not None:
            check(entry.uid in (None, int(uid[1])), self.name, "message", number, "has UID", uid[1], "and had", entry.uid)
            entry.uid = int(uid[1])
        if modseq is not None:
            value = int(modseq[1])
            check(entry.modseq is None or value >= entry.modseq, self.name, "MODSEQ of", entry.uid, "fell from", entry.modseq, "to", value)
            if flags is None and value != entry.modseq:
                entry.changed = None
            entry.modseq = value
        if flags is not None:
            entry.flags = kept_flags(flags[1])
        told.fetched.append((entry, flags is not None))

    # The mailbox ----------------------------------------------------------------------------------------------------

    def leave(self):
        """Keep what is known for later (RFC 7162 §3.2.5)."""
        if self.box is not None and self.kind == "qresync" and all(e.uid and e.flags is not None for e in self.entries):
            self.caches[self.box.name] = (self.box.validity, self.highest, self.entries)
        elif self.box is not None:
            self.caches.pop(self.box.name, None)
        self.box, self.entries, self.highest = None, [], 0

    def select(self, box, is_resync, known=None):
        """is_resync: with what it knew. known: the range of UIDs it asks about."""
        self.leave()
        cache = self.caches.get(box.name) if is_resync else None
        text = f"SELECT {self.person.prefix}{box.name}"
        if cache is not None:
            text += f" (QRESYNC ({cache[0]} {cache[1]}{' ' + known if known else ''}))"
        untagged, status = self.read_until(self.send([text])[0])
        check(status.startswith("OK"), self.name, text, "->", status)
        self.box = box
        exists = [int(m[1]) for m in map(NUMBERED.match, untagged) if m and m[2] == "EXISTS"]
        check(len(exists) == 1, self.name, "SELECT tells EXISTS once (RFC 9051 6.3.2):", exists)
        codes = dict(m.groups() for m in map(CODE.search, untagged) if m)
        box.validity = box.validity or codes["UIDVALIDITY"]
        check(codes["UIDVALIDITY"] == box.validity, "UIDVALIDITY of", box.name, "changed")
        check(int(codes["UIDNEXT"]) > box.last_uid, "UIDNEXT", codes["UIDNEXT"], "after", box.last_uid)
        if cache is not None:
            self.resync(cache, exists[0], untagged)
        else:
            self.entries = []
        return self.hear(untagged) if cache is None else None

    def resync(self, cache, exists, untagged):
        """What the cache had, less what vanished, with what is told now (RFC 7162 §3.2.5.1)."""
        by_uid = {entry.uid: entry for entry in cache[2]}
        for line in untagged:
            if (match := VANISHED.match(line)) is not None:
                check(match[1], self.name, "VANISHED without EARLIER in SELECT")
                for uid in numbers(match[2]):
                    by_uid.pop(uid, None)
        told = {}
        for line in untagged:
            if (match := FETCH.match(line)) is not None:
                uid = int(UID.search(match[2])[1])
                entry = by_uid.setdefault(uid, Entry(uid))
                entry.flags = kept_flags(FLAG_LIST.search(match[2])[1])
                entry.modseq, entry.changed = int(MODSEQ.search(match[2])[1]), None
                told[int(match[1])] = uid
            self.hear_code(line, Told([], [], [], {}))
        self.entries = [by_uid[uid] for uid in sorted(by_uid)]
        check(len(self.entries) == exists, self.name, exists, "EXISTS, and", len(self.entries), "known after QRESYNC")
        for number, uid in told.items():
            check(self.entries[number - 1].uid == uid, self.name, "FETCH", number, "in QRESYNC is UID", self.entries[number - 1].uid, "not", uid)

    def unknown(self):
        """The first sequence number that nothing is known of, or None."""
        for i, entry in enumerate(self.entries):
            if entry.uid is None or entry.flags is None or (entry.modseq is None and self.kind != "plain"):
                return i + 1
        return None

    def fetch_text(self, which):
        return f"FETCH {which} (UID FLAGS{' MODSEQ' if self.kind != 'plain' else ''})"

    def learn(self):
        """Ask for all that is not known."""
        first = self.unknown()
        if first is not None:
            untagged, status = self.simple(self.fetch_text(f"{first}:*"))
            return self.hear(untagged, status, True)
        return Told([], [], [], {})


class World:
    """Mailboxes, clients, and the dice."""

    def __init__(self, names, people, clients, random):
        self.boxes = {name: Mailbox(name, people) for name in names}
        self.people, self.clients, self.random = people, clients, random
        self.operation = 0
        self.commands = 0

    # What a command does, once it was answered -----------------------------------------------------------------------

    def next_operation(self):
        self.operation += 1
        return self.operation

    def compare(self, client, told):
        """All that was told of messages that are there is true."""
        box, me = client.box, client.person.number
        for entry, has_flags in told.fetched:
            message = box.messages.get(entry.uid)
            if message is None:
                check(entry.uid is None or entry.uid in box.gone, client.name, "told of UID", entry.uid, "which was never there")
                continue
            if has_flags:
                check(entry.flags == message.flags[me], client.name, box.name, "UID", entry.uid, "told", set(entry.flags), "is",
                      set(message.flags[me]))
            entry.changed = message.changed
            if entry.modseq is not None:
                box.note(entry.uid, me, message.flags[me], entry.modseq, message.changed)
        for uid in told.vanished + told.earlier:
            check(uid not in box.messages, client.name, box.name, "UID", uid, "is there and was told to be gone")

    def compare_all(self, client):
        """After NOOP a client knows of every message, and what it knows is true."""
        box, me = client.box, client.person.number
        uids = list(box.messages)
        check(len(uids) == len(client.entries), client.name, box.name, "has", len(uids), "messages,", len(client.entries), "are known")
        for uid, entry in zip(uids, client.entries):
            if entry.uid is None:
                continue
            message = box.messages[uid]
            check(entry.uid == uid, client.name, box.name, "UID", entry.uid, "where", uid, "is")
            if entry.flags is not None:
                check(entry.flags == message.flags[me], client.name, box.name, "UID", uid, "known", set(entry.flags), "is",
                      set(message.flags[me]))
            if entry.modseq is not None and entry.changed == message.changed:
                box.note(uid, me, message.flags[me], entry.modseq, message.changed)
        if client.unknown() is None and client.entries and client.kind == "qresync":
            client.highest = max(client.highest, max(entry.modseq for entry in client.entries))

    def of_dead(self, client, uids, status):
        """A command whose numbers name what has gone, which the client was not told of, may be refused."""
        return status.startswith("NO") and any(uid not in client.box.messages for uid in uids)

    # Commands -------------------------------------------------------------------------------------------------------

    def flags(self, most=3):
        return self.random.sample(FLAGS, self.random.randint(0, most))

    def some(self, client, most=4):
        """Entries with UIDs: now and then all of them."""
        known = [i for i, entry in enumerate(client.entries) if entry.uid is not None]
        if not known:
            return []
        if self.random.random() < 0.03:
            return known
        start = self.random.randrange(len(known))
        n = self.random.randint(1, most)
        return known[start:start + n] if self.random.random() < 0.5 else sorted(self.random.sample(known, min(n, len(known))))

    def address(self, client, by_number, most=4):
        """(prefix, set, UIDs), or None when nothing is known."""
        places = self.some(client, most)
        if not places:
            return None
        uids = [client.entries[i].uid for i in places]
        if by_number:
            return "", set_of(i + 1 for i in places), uids
        if client.box.gone and self.random.random() < 0.1:  # missing ones are passed over (RFC 9051 §6.4.9)
            uids = sorted({*uids, self.random.choice(list(client.box.gone)[-20:])})
        return "UID ", set_of(uids), uids

    def store(self, client, by_number):
        where = self.address(client, by_number)
        if where is None:
            return self.noop(client)
        prefix, which, uids = where
        sign, silent, flags = self.random.choice(("+", "-", "")), self.random.random() < 0.4, frozenset(self.flags())
        since = None
        if client.kind != "plain" and self.random.random() < 0.35:
            modseqs = [entry.modseq for entry in client.entries if entry.uid in uids and entry.modseq is not None]
            if modseqs:
                since = max(0, self.random.choice(modseqs) + self.random.choice((0, 0, 0, -1, 5)))
        condition = f" (UNCHANGEDSINCE {since})" if since is not None else ""
        numbers_of = {str(i + 1): entry.uid for i, entry in enumerate(client.entries)} if by_number else None
        text = f"{prefix}STORE {which}{condition} {sign}FLAGS{'.SILENT' if silent else ''} ({' '.join(flags)})"

        permitted = client.person.flags[client.box.name]

        def verify(told, status):
            if flags and not flags & permitted and sign != "":  # RFC 4314 4: NO only when none of them may be changed
                check(status.startswith("NO [NOPERM]"), client.name, text, "->", status)
                return
            if by_number and self.of_dead(client, uids, status):
                return
            check(status.startswith("OK"), client.name, text, "->", status)
            modified = numbers(told.codes["MODIFIED"]) if "MODIFIED" in told.codes else []
            if by_number:
                modified = [numbers_of[str(n)] for n in modified]
            self.stored(client, text, uids, sign, flags, silent, since, set(modified), told)
        return Command(text, by_number, verify)

    def flags_after(self, client, sign, before, flags):
        """Those that this account may change are changed (RFC 4314 §4)."""
        permitted = client.person.flags[client.box.name]
        flags = flags & permitted
        return before | flags if sign == "+" else before - flags if sign == "-" else (before - permitted) | flags

    def stored(self, client, text, uids, sign, flags, silent, since, modified, told):
        operation, box, me = self.next_operation(), client.box, client.person
        heard = {entry.uid: has_flags for entry, has_flags in told.fetched}
        entries = {entry.uid: entry for entry in client.entries}
        check(modified <= set(uids), client.name, text, "MODIFIED", modified)
        for uid in uids:
            message = box.messages.get(uid)
            if message is None:
                continue
            if since is not None:
                modseq = box.modseqs.get((uid, message.changed))
                if modseq is not None:
                    check((uid in modified) == (modseq > since), client.name, text, "UID", uid, "has MODSEQ", modseq, "MODIFIED", modified)
            else:
                check(uid not in modified, client.name, text, "MODIFIED without UNCHANGEDSINCE")
            if uid in modified:
                continue
            box.change(uid, me, self.flags_after(client, sign, message.flags[me.number], flags), operation)
            if not silent:
                check(heard.get(uid), client.name, text, "UID", uid, "is not told (RFC 9051 6.4.6)")
            elif since is not None:
                check(uid in heard, client.name, text, "UID", uid, "is not told (RFC 7162 3.1.3)")
            entry = entries.get(uid)
            if silent and entry is not None and entry.flags is not None and not heard.get(uid):
                entry.flags = self.flags_after(client, sign, entry.flags, flags)

    def append(self, client):
        box = self.random.choice(list(self.boxes.values())) if self.random.random() < 0.3 else client.box
        given = [self.flags() for _ in range(1 if self.random.random() < 0.7 else self.random.randint(2, 4))]
        me, permitted = client.person, client.person.flags[box.name]
        text = f"APPEND {me.prefix}{box.name}" + "".join(f" ({' '.join(flags)}) {{4+}}\r\nX: y" for flags in given)

        def verify(told, status):
            check(status.startswith("OK") and "APPENDUID" in told.codes, client.name, text, "->", status)
            validity, uids = told.codes["APPENDUID"].split()
            operation = self.next_operation()
            box.validity = box.validity or validity
            check(validity == box.validity and len(numbers(uids)) == len(given), client.name, text, "->", status)
            for uid, flags in zip(numbers(uids), given):
                box.add(uid, given_by(self.people, me, permitted & frozenset(flags)), operation)
        return Command(text, False, verify)

    def copy(self, client, by_number, is_move):
        where = self.address(client, by_number, 2 if not is_move and len(client.entries) > 40 else 4)
        if where is None:
            return self.noop(client)
        prefix, which, uids = where
        source, target = client.box, self.random.choice(list(self.boxes.values()))
        me = client.person
        text = f"{prefix}{'MOVE' if is_move else 'COPY'} {which} {me.prefix}{target.name}"
        permitted = me.flags[target.name]

        def verify(told, status):
            alive = [uid for uid in uids if uid in source.messages]
            if by_number and self.of_dead(client, uids, status):
                check("COPYUID" not in told.codes, client.name, text, "refused and done")
                return
            check(status.startswith("OK"), client.name, text, "->", status)
            if not alive:
                check("COPYUID" not in told.codes, client.name, text, "->", told.codes)
                return
            validity, sources, targets = told.codes["COPYUID"].split()
            sources, targets = numbers(sources), numbers(targets)
            check(validity == (target.validity or validity), client.name, text, "UIDVALIDITY", validity)
            check(sources == alive and len(targets) == len(alive), client.name, text, "COPYUID", sources, "of", alive, "to", targets)
            operation = self.next_operation()
            for uid, copy in zip(sources, targets):
                target.add(copy, given_by(self.people, me, source.messages[uid].flags[me.number] & permitted), operation)
            if is_move:
                self.removed(client, alive, operation, text)
        return Command(text, False, verify)

    def removed(self, client, uids, operation, text):
        """By this client's own command, so it was told by now."""
        for uid in uids:
            client.box.remove(uid, operation)
        known = {entry.uid for entry in client.entries}
        check(known.isdisjoint(uids), client.name, text, "did not tell that it took", known & set(uids))

    def expunge(self, client):
        where = self.address(client, False, 10) if self.random.random() < 0.5 else None
        text = f"UID EXPUNGE {where[1]}" if where is not None else "EXPUNGE"

        def verify(told, status):
            check(status.startswith("OK"), client.name, text, "->", status)
            going = [uid for uid, message in client.box.messages.items() if "\\Deleted" in message.flags[0] and
                     (where is None or uid in where[2])]
            self.removed(client, going, self.next_operation(), text)
        return Command(text, False, verify)

    def noop(self, client):
        def verify(told, status):
            check(status.startswith("OK"), client.name, "NOOP ->", status)
            self.compare_all(client)
        return Command("NOOP", False, verify)

    def search(self, client):
        flag, is_not = self.random.choice(FLAGS), self.random.random() < 0.5
        key = f"KEYWORD {flag}" if flag.startswith("$") else flag[1:].upper()
        text = f"UID SEARCH {'NOT ' if is_not else ''}{key}"

        def verify(lines, status):
            check(status.startswith("OK"), client.name, text, "->", status)
            found = [line for line in lines if line.startswith("* SEARCH")]
            check(len(found) == 1, client.name, text, "->", lines)
            got = sorted(int(n) for n in found[0].split("(")[0].split()[2:])
            me = client.person.number
            wanted = [uid for uid, message in client.box.messages.items() if (flag in message.flags[me]) != is_not]
            check(got == wanted, client.name, text, "found", got, "not", wanted)
        return Command(text, False, verify)

    def fetch(self, client, by_number):
        where = self.address(client, by_number)
        if where is None:
            return self.noop(client)
        prefix, which, uids = where
        reads = not by_number and self.random.random() < 0.5
        text = f"{prefix}FETCH {which} (UID FLAGS{' MODSEQ' if client.kind != 'plain' else ''}{' BODY[]' if reads else ''})"

        def verify(told, status):
            if by_number and self.of_dead(client, uids, status):
                return
            check(status.startswith("OK") or (reads and self.of_dead(client, uids, status)), client.name, text, "->", status)
            if reads:
                self.have_read(client, uids)
            heard = {entry.uid for entry, has_flags in told.fetched if has_flags}
            missing = [uid for uid in uids if uid in client.box.messages and uid not in heard]
            check(not missing, client.name, text, "left out", missing)
        return Command(text, by_number, verify)

    def have_read(self, client, uids):
        """Reading makes \\Seen for the one who reads, if he may have it (RFC 4314 §4)."""
        me, operation = client.person, self.next_operation()
        for uid in uids:
            if uid in client.box.messages:
                flags = client.box.messages[uid].flags[me.number]
                client.box.change(uid, me, flags | ({"\\Seen"} & me.flags[client.box.name]), operation)

    def changed_since(self, client):
        """UID FETCH (CHANGEDSINCE VANISHED) (RFC 7162 §3.2.6)."""
        known = [entry for entry in client.entries if entry.modseq is not None and entry.changed is not None]
        if not known or client.kind != "qresync":
            return self.noop(client)
        base = self.random.choice(known)
        since, operation = base.modseq, base.changed
        text = f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since} VANISHED)"

        def verify(told, status):
            check(status.startswith("OK"), client.name, text, "->", status)
            box, heard = client.box, {entry.uid for entry, _ in told.fetched}
            for uid, message in box.messages.items():
                modseq = box.modseqs.get((uid, message.changed))
                if modseq is not None and modseq > since and uid in {entry.uid for entry in client.entries}:
                    check(uid in heard, client.name, text, "left out UID", uid, "of MODSEQ", modseq)
            gone = {uid for uid, when in box.gone.items() if when > operation}
            check(gone <= set(told.earlier) | set(told.vanished), client.name, text, "does not tell of", gone - set(told.earlier))
        return Command(text, False, verify)

    # In turns -------------------------------------------------------------------------------------------------------

    def compose(self, client):
        """A row of commands to be sent at once. Sequence numbers come first: after a command that may tell EXPUNGE nobody knows
        them (RFC 9051 §5.5)."""
        row, kinds = [], self.random
        for _ in range(kinds.randint(0, 3)):
            row.append(kinds.choice((self.store, self.store, self.fetch))(client, True))
        if kinds.random() < 0.2:
            row.append(self.copy(client, True, kinds.random() < 0.5))
        size = len(client.entries)
        for _ in range(kinds.randint(1, 12)):
            roll = kinds.random()
            if roll < (0.30 if size < 12 else 0.10 if size < 45 else 0.02):
                row.append(self.append(client))
            elif roll < 0.55:
                row.append(self.store(client, False))
            elif roll < 0.65:
                row.append(self.copy(client, False, size > 30 or kinds.random() < 0.6))
            elif roll < (0.72 if size < 45 else 0.82):
                row.append(self.expunge(client))
            elif roll < 0.86:
                row.append(self.fetch(client, False))
            elif roll < 0.90:
                row.append(self.changed_since(client))
            else:
                row.extend((self.noop(client), self.search(client)))
        return row

    def run(self, client, row):
        self.commands += len(row)
        for tag, command in zip(client.send([command.text for command in row]), row):
            lines, status = client.read_until(tag)
            told = client.hear(lines, status, command.numbers)
            command.verify(lines if command.text.startswith("UID SEARCH") else told, status)
            self.compare(client, told)

    def learn(self, client):
        told = client.learn()
        self.commands += 1
        self.compare(client, told)

    def turn(self):
        client = self.random.choice([c for c in self.clients if not c.is_idle])
        if self.random.random() < 0.7:
            self.learn(client)
        self.run(client, self.compose(client))
        roll = self.random.random()
        if roll < 0.04:
            self.change_mailbox(client, self.random.random() < 0.3)
        elif roll < 0.08 and sum(not c.is_idle for c in self.clients) > 1:
            self.idle(client)
        if self.random.random() < 0.15:
            for other in [c for c in self.clients if c.is_idle]:
                self.done(other)

    def change_mailbox(self, client, is_broken):
        """Close this one and open one again, over a new connection when it broke."""
        self.run(client, [self.noop(client)])
        if is_broken:
            client.disconnect()
            client.connect()
            client.log_in(self.password)
        box = self.random.choice(list(self.boxes.values()))
        self.open(client, box)

    def open(self, client, box):
        told = client.select(box, self.random.random() < 0.9, self.random.choice((None, "1:4294967295")))
        self.commands += 1
        if told is not None:
            self.compare(client, told)
        self.learn(client)
        self.run(client, [self.noop(client)])
        if client.kind != "plain":
            me = client.person.number
            for entry in client.entries:
                message = box.messages[entry.uid]
                entry.changed = message.changed
                box.note(entry.uid, me, message.flags[me], entry.modseq, message.changed)

    def idle(self, client):
        tag = client.send(["IDLE"])[0]
        line = client.read_line()
        early = []
        while not line.startswith("+"):
            early.append(line)
            line = client.read_line()
        client.is_idle = tag
        self.compare(client, client.hear(early))

    def done(self, client):
        client.sock.sendall(b"DONE\r\n")
        lines, status = client.read_until(client.is_idle)
        client.is_idle = False
        check(status.startswith("OK"), client.name, "DONE ->", status)
        self.commands += 1
        self.compare_past(client, client.hear(lines, status))
        self.run(client, [self.noop(client)])

    def compare_past(self, client, told):
        """What was told while others worked was true at some time."""
        for entry, has_flags in told.fetched:
            entry.changed = None
            if has_flags and entry.modseq is not None and entry.uid is not None:
                client.box.note(entry.uid, client.person.number, entry.flags, entry.modseq)
        for uid in told.vanished:
            check(uid not in client.box.messages, client.name, "UID", uid, "is there and was told to be gone")

    # At once --------------------------------------------------------------------------------------------------------

    def at_once(self):
        """Every client a row at the same time; then all are asked what they know."""
        for client in [c for c in self.clients if c.is_idle]:
            self.done(client)
        for client in self.clients:
            self.learn(client)
        rows = [(client, [c for c in self.compose(client) if c.text != "NOOP" and "SEARCH" not in c.text]) for client in self.clients]
        tags = [client.send([command.text for command in row]) for client, row in rows]
        for (client, row), row_tags in zip(rows, tags):
            self.commands += len(row)
            for tag, command in zip(row_tags, row):
                lines, status = client.read_until(tag)
                check(not status.startswith("BAD"), client.name, command.text, "->", status)
                self.hear_past(client, command, client.hear(lines, status, command.numbers), status)
        operation = self.next_operation()
        for box in self.boxes.values():
            self.look(box, operation)
        for client in self.clients:
            self.settle(client)

    def hear_past(self, client, command, told, status):
        for entry, has_flags in told.fetched:
            entry.changed = None
            if has_flags and entry.modseq is not None and entry.uid is not None:
                client.box.note(entry.uid, client.person.number, entry.flags, entry.modseq)
        if ".SILENT" in command.text and status.startswith("OK"):
            for entry in client.entries:  # what it gave to which of them depends on what others did: ask
                entry.flags = None

    def look(self, box, operation):
        """What is there now, as a look of its own finds it, by each account."""
        looks = []
        for watcher in self.watchers:
            watcher.caches.clear()
            watcher.select(box, False)
            watcher.learn()
            self.commands += 2
            looks.append({entry.uid: entry for entry in watcher.entries})
        now = looks[0]
        check(list(now) == sorted(now), box.name, "UIDs do not rise:", list(now))
        check(all(list(look) == list(now) for look in looks), box.name, "is not the same to all:", *map(list, looks))
        for uid in [uid for uid in box.messages if uid not in now]:
            box.remove(uid, operation)
        for uid, entry in now.items():
            message, flags = box.messages.get(uid), tuple(look[uid].flags for look in looks)
            check(all(look[uid].modseq == entry.modseq for look in looks), box.name, "UID", uid, "has several MODSEQs")
            if message is None:
                check(uid > box.last_uid or uid not in box.gone, box.name, "UID", uid, "is there again")
                box.add(uid, flags, operation)
            elif message.flags != flags or box.modseqs.get((uid, message.changed), entry.modseq) != entry.modseq:
                box.messages[uid] = Message(flags, operation)
            elif (uid, message.changed) not in box.modseqs:
                box.messages[uid] = Message(flags, None)  # it may have changed to and fro
            for who, mine in enumerate(flags):
                box.note(uid, who, mine, entry.modseq, box.messages[uid].changed)

    def settle(self, client):
        self.commands += 2
        lines, status = client.simple("NOOP")
        self.compare(client, client.hear(lines, status))
        self.learn(client)
        self.compare_all(client)
