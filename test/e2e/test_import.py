"""restante import: what comes is what was there, once, also when it was stopped in the middle."""
import imaplib
import mailbox
import os
import re
import signal
import subprocess
import time

import pytest
from peers.dovecot import Dovecot, free_port
from site_under_test import RESTANTE, Site

DOMAIN = "uk.example.com"
JOE = f"joe@{DOMAIN}"


@pytest.fixture
def site():
    with Site("mail.uk.example.com") as s:
        s.command("domain", "add", DOMAIN)
        s.account(JOE)
        yield s


def connect(site, user=JOE):
    c = imaplib.IMAP4("127.0.0.1", site.port("imap"))
    c.login(user, "secret")
    return c


def content(site, folder, user=JOE):
    """{uid: (octets, flags, date)} of a mailbox."""
    c = connect(site, user)
    assert c.select(f'"{folder}"', readonly=True)[0] == "OK"
    found = {}
    for item in c.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1] or []:
        if not isinstance(item, tuple):
            continue
        head = item[0].decode()
        flags = frozenset(f.lower() for f in re.search(r"FLAGS \(([^)]*)\)", head)[1].split()) - {"\\recent"}
        found[int(re.search(r"UID (\d+)", head)[1])] = (item[1], flags, re.search(r'INTERNALDATE "([^"]*)"', head)[1].strip().rjust(26, "0"))
    c.logout()
    return found


def validity(site, folder, user=JOE):
    c = connect(site, user)
    c.select(f'"{folder}"', readonly=True)
    answer = int(c.response("UIDVALIDITY")[1][0])
    c.logout()
    return answer


def text(n, size=200):
    return f"From: a@b.example\nSubject: message {n}\n\nbody {n}\n{'x' * 70}\n".encode() + b"y" * (size % 70) + b"\n"


def crlf(octets):
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def make_maildir(path):
    for sub in ("cur", "new", "tmp"):
        (path / sub).mkdir(parents=True)
    return path


def put(path, name, octets, when):
    (path / name).write_bytes(octets)
    os.utime(path / name, (when, when))


@pytest.fixture
def maildir(tmp_path):
    """INBOX with UIDs of Dovecot, a folder with a name that is not ASCII, keywords, and what is no message."""
    root = make_maildir(tmp_path / "Maildir")
    put(root, "cur/1700000000.M1.host,S=90:2,FS", text(1), 1700000000)
    put(root, "cur/1700000001.M2.host:2,RTDPab", text(2), 1600000001)
    put(root, "new/1700000002.M3.host", text(3).replace(b"\n", b"\r\n"), 1700000002)
    (root / "dovecot-keywords").write_text("0 $Label1\n1 Foo\n")
    (root / "dovecot-uidlist").write_text("3 V1500000000 N90 Gabc\n12 :1700000001.M2.host:2,\n7 :1700000000.M1.host,S=90:2,S\n")
    (root / "subscriptions").write_text("INBOX\nEntw&APw-rfe.Alt\n")
    sub = make_maildir(root / ".Entw&APw-rfe.Alt")
    put(sub, "cur/5.M5.host:2,", b"", 1700000005)
    os.symlink("/etc/hostname", root / "cur" / "9.M9.host:2,")
    os.mkfifo(root / "cur" / "8.M8.host:2,")
    return root


def test_a_maildir_comes_with_octets_flags_dates_folders_and_uids(site, maildir):
    rows = {r["folder"]: r for r in site.json("import", "maildir", JOE, str(maildir))}
    assert rows["INBOX"]["messages"] == 3 and rows["INBOX"]["skipped"] == 2 and rows["INBOX"]["uids_kept"]
    inbox = content(site, "INBOX")
    assert validity(site, "INBOX") == 1500000000
    assert inbox[7] == (crlf(text(1)), {"\\seen", "\\flagged"}, "14-Nov-2023 22:13:20 +0000")
    assert inbox[12] == (crlf(text(2)), {"\\answered", "\\deleted", "\\draft", "$forwarded", "$label1", "foo"}, "13-Sep-2020 12:26:41 +0000")
    assert inbox[90] == (crlf(text(3)), frozenset(), "14-Nov-2023 22:13:22 +0000")
    assert len(inbox) == 3
    listed = {m["name"]: m for m in site.json("mailbox", "list", JOE)}
    assert listed["Entwürfe/Alt"]["messages"] == 1 and listed["Entwürfe/Alt"]["subscribed"]
    assert not listed["Entwürfe"]["subscribed"]


def test_a_second_import_brings_only_what_is_new(site, maildir):
    site.command("import", "maildir", JOE, str(maildir))
    c = connect(site)
    c.select("INBOX")
    c.uid("STORE", "7", "+FLAGS", "\\Deleted")
    c.expunge()
    c.logout()
    os.rename(maildir / "new/1700000002.M3.host", maildir / "cur/1700000002.M3.host:2,S")  # read meanwhile
    put(maildir, "new/1700000009.M4.host", text(4), 1700000009)
    rows = {r["folder"]: r for r in site.json("import", "maildir", JOE, str(maildir))}
    assert (rows["INBOX"]["messages"], rows["INBOX"]["known"]) == (1, 3)
    assert 7 not in content(site, "INBOX")  # what was deleted here does not come back
    site.command("import", "maildir", JOE, str(maildir), "--forget")
    assert {r["folder"]: r["messages"] for r in site.json("import", "maildir", JOE, str(maildir))}["INBOX"] == 4


def test_uidvalidity_is_another_one_when_a_uid_was_given_meanwhile(site, maildir):
    site.command("import", "maildir", JOE, str(maildir))
    c = connect(site)
    c.append("INBOX", None, None, crlf(text(50)))
    c.logout()
    (maildir / "dovecot-uidlist").write_text("3 V1500000000 N99 Gabc\n91 :late\n")
    put(maildir, "cur/late:2,", text(5), 1700000009)
    rows = {r["folder"]: r for r in site.json("import", "maildir", JOE, str(maildir))}
    assert rows["INBOX"]["messages"] == 1 and not rows["INBOX"]["uids_kept"]
    assert validity(site, "INBOX") != 1500000000


def test_without_a_server_the_site_is_opened_and_left_whole(site, maildir):
    site.stop()
    site.command("import", "maildir", JOE, str(maildir))
    assert site.json("verify")["complaints"] == 0
    site.start()
    assert len(content(site, "INBOX")) == 3


def test_below_a_folder_and_by_pattern_and_dry(site, maildir):
    assert {r["folder"]: r["messages"] for r in site.json("import", "maildir", JOE, str(maildir), "--into", "Old", "--dry-run")} == {
        "Old": 5, "Old/Entwürfe/Alt": 1}
    assert [m["name"] for m in site.json("mailbox", "list", JOE) if m["name"].startswith("Old")] == []
    site.command("import", "maildir", JOE, str(maildir), "--into", "Old", "--folders", "*/alt")
    assert {m["name"]: m["messages"] for m in site.json("mailbox", "list", JOE) if m["name"].startswith("Old")} == {
        "Old": 0, "Old/Entwürfe": 0, "Old/Entwürfe/Alt": 1}


def test_the_quota_stops_an_import_unless_told_otherwise(site, maildir):
    site.command("account", "set", JOE, "quota-messages=2")
    out = site.try_command("import", "maildir", JOE, str(maildir))
    assert out.returncode == 1 and "--over-quota" in out.stderr
    assert content(site, "INBOX") == {}
    site.command("import", "maildir", JOE, str(maildir), "--over-quota")
    assert len(content(site, "INBOX")) == 3


def test_a_message_over_the_sites_size_is_named_and_skipped(maildir):
    with Site("mail.uk.example.com", settings="\n[limits]\nmessage-size = 65536\n") as s:
        s.command("domain", "add", DOMAIN)
        s.account(JOE)
        put(maildir, "cur/big:2,", b"Subject: big\n\n" + b"x" * 70000, 1700000000)
        out = s.try_command("import", "maildir", JOE, str(maildir), "--json")
        assert out.returncode == 0 and "big: it is larger than" in out.stderr
        assert len(content(s, "INBOX")) == 3


@pytest.mark.parametrize("words, why", [(["import", "maildir", JOE, "/nowhere"], "No such file"), (["import", "maildir", "x@uk.example.com", "."], "no account"),
                                        (["import", "mbox", JOE, "/dev/null"], "neither a file nor a directory"),
                                        (["import", "mbox", JOE, "/etc/passwd"], "no mbox file")])
def test_what_can_not_be_imported_is_said(site, words, why, maildir):
    if words[3] == ".":
        words[3] = str(maildir)
    out = site.try_command(*words)
    assert out.returncode == 1 and why in out.stderr and out.stderr.count("\n") <= 4


def test_mbox_files_with_quoting_flags_and_a_tree(site, tmp_path):
    tree = tmp_path / "mail"
    (tree / "Work.sbd").mkdir(parents=True)
    box = mailbox.mbox(tree / "inbox")
    for n in range(3):
        m = mailbox.mboxMessage(text(n) + b"\nFrom the beginning\n>From here\n")
        m.set_from("a@b.example", time.gmtime(1700000000 + n))
        m.set_flags("ROF" if n else "")
        box.add(m)
    box.close()
    (tree / "Work").write_bytes(b"")
    (tree / "Work.msf").write_bytes(b"x")
    (tree / "notes.txt").write_bytes(b"no mail")
    (tree / "Work.sbd" / "2026").write_bytes(b"From - Sat Jan 31 12:34:56 2026\nX-Mozilla-Status: 0005\nX-Mozilla-Keys: Foo\nSubject: x\n\ny\n\n")
    out = site.try_command("import", "mbox", JOE, str(tree))
    assert out.returncode == 0 and "notes.txt: no mbox file" in out.stderr
    inbox = content(site, "INBOX")
    # Python quotes only what is no quote yet (mboxo), so one of the two comes back as it was
    assert [inbox[n][1] for n in (1, 2, 3)] == [frozenset(), {"\\seen", "\\flagged"}, {"\\seen", "\\flagged"}]
    assert inbox[1][0].startswith(crlf(text(0))) and b"\r\nFrom the beginning\r\n" in inbox[1][0]
    assert [inbox[n][2] for n in (1, 2)] == ["14-Nov-2023 22:13:20 +0000", "14-Nov-2023 22:13:21 +0000"]
    assert content(site, "Work/2026")[1] == (b"Subject: x\r\n\r\ny\r\n", {"\\seen", "\\flagged", "foo"}, "31-Jan-2026 12:34:56 +0000")
    assert [r["messages"] for r in site.json("import", "mbox", JOE, str(tree))] == [0, 0, 0]


@pytest.mark.parametrize("victim", ["client", "server"])
def test_an_import_that_is_killed_goes_on_without_doubles(site, tmp_path, victim):
    root, n = make_maildir(tmp_path / "Maildir"), 4000
    for i in range(n):
        put(root, f"cur/17000{i:05}.M{i}.host:2,S", text(i), 1700000000 + i)
    client = subprocess.Popen([RESTANTE, "-c", str(site.conf), "import", "maildir", JOE, str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while client.poll() is None:
        inbox = [m for m in site.json("mailbox", "list", JOE) if m["name"] == "INBOX"]
        if inbox and inbox[0]["messages"]:
            break
    if victim == "client":
        client.send_signal(signal.SIGKILL)
    else:
        site.kill_server()
        site.wait_until_serving()
    client.wait()
    before = len(content(site, "INBOX"))
    rows = site.json("import", "maildir", JOE, str(root))
    assert rows[0]["messages"] == n - before and rows[0]["known"] == before
    bodies = [octets for octets, _, _ in content(site, "INBOX").values()]
    assert sorted(bodies) == sorted(crlf(text(i)) for i in range(n))


def test_two_imports_at_once_bring_everything_once(site, tmp_path):
    root, n = make_maildir(tmp_path / "Maildir"), 1500
    for i in range(n):
        put(root, f"cur/17000{i:05}.M{i}.host:2,S", text(i), 1700000000 + i)
    both = [subprocess.Popen([RESTANTE, "-c", str(site.conf), "import", "maildir", JOE, str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)]
    for p in both:
        p.communicate(timeout=120)
    site.try_command("import", "maildir", JOE, str(root))
    assert len(content(site, "INBOX")) == n


def test_ctrl_c_ends_behind_the_batch_and_says_how_to_go_on(site, tmp_path):
    root, n = make_maildir(tmp_path / "Maildir"), 6000
    for i in range(n):
        put(root, f"cur/17000{i:05}.M{i}.host:2,S", text(i), 1700000000 + i)
    client = subprocess.Popen([RESTANTE, "-c", str(site.conf), "import", "maildir", JOE, str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while client.poll() is None:
        inbox = [m for m in site.json("mailbox", "list", JOE) if m["name"] == "INBOX"]
        if inbox and inbox[0]["messages"]:
            client.send_signal(signal.SIGINT)
            break
    err = client.communicate(timeout=60)[1]
    if client.returncode != 0:  # it was not over yet
        done = int(re.search(r"stopped: (\d+) messages are in, and the same command goes on", err)[1])
        assert len(content(site, "INBOX")) == done
    site.command("import", "maildir", JOE, str(root))
    assert len(content(site, "INBOX")) == n


# From another IMAP server ---------------------------------------------------------------------------------------------


def fill(port, separator, n=30):
    """Mailboxes of a user of Dovecot's or of ours."""
    c = imaplib.IMAP4("127.0.0.1", port)
    c.login(JOE if separator == "/" else "joe", "secret")
    for name in (f"Work{separator}Old", "Entw&APw-rfe"):
        assert c.create(name)[0] == "OK"
    c.subscribe(f"Work{separator}Old")
    for i in range(n):
        c.append(f"Work{separator}Old", "(\\Seen Foo $Label1)" if i % 3 else "(\\Flagged)", f'"{1 + i % 28:02}-Mar-2021 11:12:13 +0100"', crlf(text(i)))
        c.append("INBOX", None, None, crlf(text(1000 + i)))
    c.select(f"Work{separator}Old")
    c.uid("STORE", "7", "+FLAGS", "\\Deleted")
    c.expunge()
    c.logout()


@pytest.mark.parametrize("kind", ["dovecot", "restante"])
def test_mailboxes_of_another_imap_server_come_as_they_are_there(site, kind):
    with Dovecot({"joe": "secret"}) if kind == "dovecot" else Site("old.example") as other:
        if kind == "restante":
            other.command("domain", "add", DOMAIN)
            other.account(JOE)
            port, separator, user = other.port("imap"), "/", JOE
        else:
            port, separator, user = other.imap_port, ".", "joe"
        fill(port, separator)
        words = ["import", "imap", JOE, "127.0.0.1", f"port={port}", "tls=none", f"user={user}"]
        rows = {r["folder"]: r for r in site.json(*words, stdin="secret\n")}
        assert (rows["Work/Old"]["messages"], rows["INBOX"]["messages"]) == (29, 30) and rows["Work/Old"]["uids_kept"]
        theirs = content_at(port, user, f"Work{separator}Old")
        assert content(site, "Work/Old") == theirs and 7 not in theirs
        inbox = content_at(port, user, "INBOX")
        assert content(site, "INBOX") == inbox and not any("\\seen" in flags for _, flags, _ in inbox.values())
        listed = {m["name"]: m for m in site.json("mailbox", "list", JOE)}
        assert listed["Work/Old"]["subscribed"] and "Entwürfe" in listed
        again = site.json(*words, stdin="secret\n")
        assert {r["messages"] for r in again} == {0} and {r["folder"]: r["known"] for r in again}["INBOX"] == 30


def content_at(port, user, folder):
    class Elsewhere:
        @staticmethod
        def port(name):
            return port
    return content(Elsewhere, folder, user)


def test_an_imap_import_that_is_killed_goes_on(site):
    with Dovecot({"joe": "secret"}) as d:
        d.deliver("joe", [text(i) for i in range(3000)])
        words = ["import", "imap", JOE, "127.0.0.1", f"port={d.imap_port}", "tls=none", "user=joe"]
        client = subprocess.Popen([RESTANTE, "-c", str(site.conf), *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client.stdin.write(b"secret\n")
        client.stdin.close()
        while client.poll() is None:
            inbox = [m for m in site.json("mailbox", "list", JOE) if m["name"] == "INBOX"]
            if inbox and inbox[0]["messages"]:
                client.send_signal(signal.SIGKILL)
                break
        client.wait()
        before = len(content(site, "INBOX"))
        rows = {r["folder"]: r for r in site.json(*words, stdin="secret\n")}
        assert (rows["INBOX"]["messages"], rows["INBOX"]["known"]) == (3000 - before, before)
        assert sorted(octets for octets, _, _ in content(site, "INBOX").values()) == sorted(crlf(text(i)) for i in range(3000))


@pytest.mark.parametrize("words, password, why", [
    (["imap.provider.example", "tls=none"], "secret", "in the clear"), (["127.0.0.1", "tls=none", "port=1"], "secret", "refused"),
    (["127.0.0.1", "tls=maybe"], "secret", "strict, starttls or none"), (["127.0.0.1", "tls=none", "port=IMAP", f"user={JOE}"], "wrong", "refuses"),
    (["127.0.0.1", "tls=starttls", "port=IMAP"], "secret", "certificate"), (["127.0.0.1", "tls=none", "port=IMAP"], "", "password is missing")])
def test_a_server_that_can_not_be_read_is_said(site, words, password, why):
    words = [w.replace("port=IMAP", f"port={site.port('imap')}") for w in words]
    out = site.try_command("import", "imap", JOE, *words, stdin=password + "\n")
    assert out.returncode == 1 and why in out.stderr, out.stderr


# Over TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Of an authority: for localhost, and for somebody else. FILE.pem, FILE.key."""
    d = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Authority", "-keyout", d / "authority.key", "-out", d / "authority.pem")
    for name, alt in (("right", "DNS:localhost,IP:127.0.0.1"), ("other", "DNS:imap.other.example")):
        (d / "ext").write_text(f"subjectAltName={alt}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", d / f"{name}.key", "-out", d / "csr")
        openssl("x509", "-req", "-in", d / "csr", "-CA", d / "authority.pem", "-CAkey", d / "authority.key", "-CAcreateserial", "-days", "2", "-extfile", d / "ext",
                "-out", d / f"{name}.pem")
    os.chmod(d, 0o755)
    return d


def dovecot_with_tls(certificates, name, port):
    """Dovecot with implicit TLS on this port and STARTTLS on its other one; plaintext logins are refused there."""
    return Dovecot({"joe": "secret"}, settings=f"""
ssl = yes
ssl_cert = <{certificates / name}.pem
ssl_key = <{certificates / name}.key
auth_debug = yes
service imap-login {{
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
""")


@pytest.fixture
def trusting(certificates):
    with Site("mail.uk.example.com", settings=f"\n[tls]\nauthorities = {certificates}/authority.pem\n") as s:
        s.command("domain", "add", DOMAIN)
        s.account(JOE)
        yield s


@pytest.mark.parametrize("tls", ["strict", "starttls"])
def test_an_import_over_tls(trusting, certificates, tls):
    implicit = free_port()
    with dovecot_with_tls(certificates, "right", implicit) as d:
        d.deliver("joe", [text(i) for i in range(20)])
        port = implicit if tls == "strict" else d.imap_port
        rows = trusting.json("import", "imap", JOE, "localhost", f"port={port}", f"tls={tls}", "user=joe", stdin="secret\n")
        assert [r["messages"] for r in rows if r["folder"] == "INBOX"] == [20]
        assert sorted(octets for octets, _, _ in content(trusting, "INBOX").values()) == sorted(crlf(text(i)) for i in range(20))


@pytest.mark.parametrize("tls", ["strict", "starttls"])
@pytest.mark.parametrize("name, host, trusts, why", [
    ("right", "localhost", False, "certificate"), ("other", "localhost", True, "certificate"), ("other", "127.0.0.1", True, "certificate")])
def test_a_wrong_certificate_is_refused_before_the_password(request, certificates, tls, name, host, trusts, why):
    s = request.getfixturevalue("trusting" if trusts else "site")
    implicit = free_port()
    with dovecot_with_tls(certificates, name, implicit) as d:
        d.deliver("joe", [text(1)])
        out = s.try_command("import", "imap", JOE, host, f"port={implicit if tls == 'strict' else d.imap_port}", f"tls={tls}", "user=joe", stdin="secret\n")
        assert out.returncode == 1 and why in out.stderr and host in out.stderr and len(out.stderr.splitlines()) == 1, out.stderr
        assert content(s, "INBOX") == {}
        assert "user=<joe>" not in (d.directory / "log").read_text()


def test_a_server_without_starttls_gets_no_password(trusting):
    with Dovecot({"joe": "secret"}) as d:
        out = trusting.try_command("import", "imap", JOE, "localhost", f"port={d.imap_port}", "tls=starttls", "user=joe", stdin="secret\n")
        assert out.returncode == 1 and "STARTTLS" in out.stderr and len(out.stderr.splitlines()) == 1, out.stderr
        assert "user=<joe>" not in (d.directory / "log").read_text()


@pytest.mark.parametrize("host", ["192.0.2.1", "::ffff:192.0.2.1", "localhost.example", "mail.uk.example.com", "127.0.0.1.example"])
def test_plaintext_is_for_loopback_only(site, host):
    out = site.try_command("import", "imap", JOE, host, "tls=none", "user=joe", stdin="secret\n")
    assert out.returncode == 1 and "in the clear" in out.stderr, out.stderr


# Dovecot's own directories ---------------------------------------------------------------------------------------------


def test_a_maildir_of_dovecots_fs_layout(site):
    """Folders are directories in each other, and a dot is part of a name."""
    with Dovecot({"joe": "secret"}, settings="mail_location = maildir:%h:LAYOUT=fs\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n") as d:
        c = imaplib.IMAP4("127.0.0.1", d.imap_port)
        c.login("joe", "secret")
        for name in ("Work", "Work/Old/v1.2", "Entw&APw-rfe", "a.b"):
            assert c.create(name)[0] == "OK", name
        for name in ("Work/Old/v1.2", "a.b"):
            c.subscribe(name)
        for folder in ("INBOX", "Work/Old/v1.2", "Work", "Entw&APw-rfe", "a.b"):
            for i in range(5):
                assert c.append(folder, "(\\Seen $Label1)" if i % 2 else None, f'"{1 + i:02}-Mar-2021 11:12:13 +0000"', crlf(text(i)))[0] == "OK", folder
        c.select("Work")
        c.uid("STORE", "2", "+FLAGS", "\\Deleted")
        c.expunge()
        c.logout()
        rows = {r["folder"]: r for r in site.json("import", "maildir", JOE, str(d.maildir("joe")))}
        assert {folder: r["messages"] for folder, r in rows.items()} == {"INBOX": 5, "Work": 4, "Work/Old/v1.2": 5, "Entwürfe": 5, "a.b": 5}
        assert all(r["uids_kept"] for r in rows.values())
        for ours, theirs in (("INBOX", "INBOX"), ("Work", "Work"), ("Work/Old/v1.2", "Work/Old/v1.2"), ("a.b", "a.b"), ("Entw&APw-rfe", "Entw&APw-rfe")):
            assert content(site, ours) == content_at(d.imap_port, "joe", theirs), ours
        listed = {m["name"]: m["subscribed"] for m in site.json("mailbox", "list", JOE)}
        assert listed["Work/Old/v1.2"] and listed["a.b"] and not listed["Entwürfe"] and not listed["Work"]


def test_subscriptions_of_an_old_fs_layout(site, tmp_path):
    """Lines without a head, levels divided as the layout does it."""
    root = make_maildir(tmp_path / "Maildir")
    for folder in ("Work", "Work/v1.2", "Other"):
        put(make_maildir(root / folder), "cur/1.M1.host:2,S", text(1), 1700000000)
    (root / "subscriptions").write_text("INBOX\nWork/v1.2\n")
    site.command("import", "maildir", JOE, str(root))
    listed = {m["name"]: m["subscribed"] for m in site.json("mailbox", "list", JOE)}
    assert listed["Work/v1.2"] and not listed["Work"] and not listed["Other"]
