"""restante export: what it writes is whole, others read it, and import brings it back as it was."""
import imaplib
import os
import re
import signal
import subprocess

import pytest
from peers.dovecot import Dovecot
from site_under_test import RESTANTE, Site
from test_import import DOMAIN, JOE, connect, content, crlf, make_maildir, put, text, validity

ANN = f"ann@{DOMAIN}"

# Octets that no line-based format holds without care.
ODD = [b"\r\n", b"Subject: no end", b"Subject: x\r\n", b"Subject: x\r\n\r\n", b"Subject: x\r\n\r\n\r\n\r\n", b"Subject: x\r\n\r\nFrom here at 12:30\r\n>From\r\n>>From\r\n",
       b"Subject: x\n\nbare\n", b"Subject: x\r\n\r\nmixed\nlines\r\n\rand\r\r\nmore\n", b"Subject: x\n\nb\r\n", b"no header\r\nat all\r\n\r\nFrom a Sat Jan 31 12:34:56 2026\r\n",
       b"Status: R\r\nX-UID: 9\r\nContent-Length: 3\r\nX-Keywords: a\r\nX-IMAPbase: 1 2\r\nSubject: its own\r\n\r\nabc\r\n", b"Subject: 8bit \xff\xfe\r\n\r\n\x80\x81\r\n",
       b"X-Restante-Export: octets=3 lines=crlf\r\nSubject: exported before\r\n\r\nx\r\n", b"X: " + b"y" * 300000 + b"\r\n\r\n" + b"z" * 300000 + b"\r\n",
       b"".join(b"X-%d: %s\r\n" % (n, b"h" * 900) for n in range(1300)) + b"\r\nFrom the body\r\n", b"\r\nFrom nothing\r\n"]


@pytest.fixture
def site():
    with Site("mail.uk.example.com") as s:
        s.command("domain", "add", DOMAIN)
        s.account(JOE)
        s.account(ANN)
        yield s


def fill(site):
    """Mailboxes of Joe's with everything that can be said of a message."""
    c = connect(site)
    for name in ("Work/v1.2", "Entw&APw-rfe", "Odd", ".hidden", "notes.log", "a&-b\\c"):
        assert c.create('"' + name.replace("\\", "\\\\") + '"')[0] == "OK", name
    c.subscribe('"Work/v1.2"')
    for n, octets in enumerate(ODD):
        date = f'"{1 + n:02}-Feb-2020 10:00:{n:02} +0000"'
        c.literal = octets  # append() would make line ends of its own
        assert c._simple_command("APPEND", "Odd", "(\\Seen $Forwarded)" if n % 2 else "(\\Flagged)", date)[0] == "OK", octets
    for n in range(5):
        c.append('"Work/v1.2"', "(\\Answered \\Deleted \\Draft Foo NotJunk)" if n else None, None, crlf(text(n)))
    c.append("INBOX", None, None, crlf(text(99)))
    c.select("INBOX")
    c.uid("STORE", "1", "+FLAGS", "(" + " ".join(f"k{i}" for i in range(40)) + ")")
    c.logout()


def mailboxes(site, user):
    return {m["name"]: (m["messages"], m["subscribed"], m["special_use"]) for m in site.json("mailbox", "list", user)}


def everything(site, user):
    return {name: (validity(site, utf7(name), user), content(site, utf7(name), user)) for name in mailboxes(site, user)}


def utf7(name):
    return name.replace("&", "&-").replace("ü", "&APw-").replace("\\", "\\\\")


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_a_round_trip_loses_nothing(site, tmp_path, kind):
    fill(site)
    target = tmp_path / "export"
    rows = site.json("export", kind, JOE, str(target))
    assert sum(r["messages"] for r in rows) == len(ODD) + 6
    rows = site.json("import", kind, ANN, str(target))
    assert all(r["skipped"] == 0 and r["uids_kept"] for r in rows), rows
    assert mailboxes(site, ANN) == mailboxes(site, JOE)
    joes, anns = everything(site, JOE), everything(site, ANN)
    for name, (number, messages) in joes.items():
        assert anns[name][0] == number, name
        assert sorted(anns[name][1]) == sorted(messages), name
        for uid, message in messages.items():
            assert anns[name][1][uid] == message, (name, uid)
    site.command("export", kind, ANN, str(tmp_path / "again"))
    assert site.json("verify")["complaints"] == 0


def test_dovecot_reads_an_exported_maildir(site, tmp_path):
    fill(site)
    target = tmp_path / "export"
    site.command("export", "maildir", JOE, str(target))
    with Dovecot({"joe": "secret"}) as d:
        subprocess.run(["cp", "-a", str(target), str(d.maildir("joe"))], check=True)
        if os.getuid() == 0:
            subprocess.run(["chown", "-R", "mail:mail", str(d.maildir("joe"))], check=True)
        c = imaplib.IMAP4("127.0.0.1", d.imap_port)
        c.login("joe", "secret")
        subscribed = {re.search(rb'"\." (.*)$', line)[1].strip(b'"') for line in c.lsub()[1]}
        assert {b"INBOX", b"Work.v1\\\\2e2"} <= subscribed or {b"INBOX", b"Work.v1\\2e2"} <= subscribed, subscribed
        for ours, theirs in (("INBOX", "INBOX"), ("Entw&APw-rfe", "Entw&APw-rfe"), ("Work/v1.2", "Work.v1\\\\2e2")):
            assert c.select(f'"{theirs}"', readonly=True)[0] == "OK", theirs
            assert int(c.response("UIDVALIDITY")[1][0]) == validity(site, ours)
            mine = content(site, ours)
            found = c.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1] if mine else []
            seen = 0
            for item in found:
                if not isinstance(item, tuple):
                    continue
                head = item[0].decode()
                octets, flags, _ = mine[int(re.search(r"UID (\d+)", head)[1])]
                theirs_flags = {f.lower() for f in re.search(r"FLAGS \(([^)]*)\)", head)[1].split()} - {"\\recent"}
                assert item[1] == octets and theirs_flags <= flags
                assert len(flags) > 26 or theirs_flags == flags
                seen += 1
            assert seen == len(mine)
        c.logout()
        assert "Error" not in (d.directory / "log").read_text()


def test_what_dovecot_keeps_comes_in_as_it_is_there(site, tmp_path):
    with Dovecot({"joe": "secret"}) as d:
        c = imaplib.IMAP4("127.0.0.1", d.imap_port)
        c.login("joe", "secret")
        c.create("Work.Old")
        c.create("Entw&APw-rfe")
        c.subscribe("Work.Old")
        for n in range(30):
            c.append("Work.Old", "(\\Seen Foo $Label1)" if n % 3 else "(\\Flagged)", f'"{1 + n % 28:02}-Mar-2021 11:12:13 +0100"', crlf(text(n)))
        c.select("Work.Old")
        c.uid("STORE", "7", "+FLAGS", "\\Deleted")
        c.expunge()
        theirs = {}
        for item in c.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")[1]:
            if isinstance(item, tuple):
                head = item[0].decode()
                theirs[int(re.search(r"UID (\d+)", head)[1])] = (item[1], {f.lower() for f in re.search(r"FLAGS \(([^)]*)\)", head)[1].split()} - {"\\recent"})
        number = int(c.response("UIDVALIDITY")[1][0])
        c.logout()
        site.command("import", "maildir", JOE, str(d.maildir("joe")))
    mine = content(site, "Work/Old")
    assert {uid: (octets, set(flags)) for uid, (octets, flags, _) in mine.items()} == theirs
    assert validity(site, "Work/Old") == number and 7 not in mine
    assert mine[2][2] == "02-Mar-2021 10:12:13 +0000"
    assert mailboxes(site, JOE)["Work/Old"][1] and "Entwürfe" in mailboxes(site, JOE)


def test_an_export_that_is_killed_goes_on(site, tmp_path):
    root, n, target = make_maildir(tmp_path / "Maildir"), 3000, tmp_path / "export"
    for i in range(n):
        put(root, f"cur/17000{i:05}.M{i}.host:2,S", text(i), 1700000000 + i)
    site.command("import", "maildir", JOE, str(root))
    client = subprocess.Popen([RESTANTE, "-c", str(site.conf), "export", "maildir", JOE, str(target)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while client.poll() is None and not (target / "cur").is_dir():
        pass
    while client.poll() is None and not os.listdir(target / "cur"):
        pass
    client.send_signal(signal.SIGKILL)
    client.wait()
    before = len(os.listdir(target / "cur"))
    rows = {r["folder"]: r for r in site.json("export", "maildir", JOE, str(target))}
    assert (rows["INBOX"]["messages"], rows["INBOX"]["known"]) == (n - before, before)
    assert len(os.listdir(target / "cur")) == n and os.listdir(target / "tmp") == []
    assert site.json("import", "maildir", ANN, str(target))[0]["messages"] == n
    assert content(site, "INBOX", ANN) == content(site, "INBOX")


def test_only_an_empty_directory_or_an_export_is_written_to(site, tmp_path):
    (tmp_path / "mine").write_text("precious")
    out = site.try_command("export", "maildir", JOE, str(tmp_path))
    assert out.returncode == 1 and "neither empty nor an earlier export" in out.stderr
    assert os.listdir(tmp_path) == ["mine"]
    assert site.try_command("export", "mbox", JOE, "/proc/nowhere").returncode == 1


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_nothing_is_made_for_an_account_that_is_not_there(site, tmp_path, kind):
    out = site.try_command("export", kind, "nobody@uk.example.com", str(tmp_path / "x"))
    assert (out.returncode, out.stderr) == (1, "restante: there is no account nobody@uk.example.com\n")
    assert os.listdir(tmp_path) == []
