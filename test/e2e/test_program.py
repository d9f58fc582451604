"""The program itself: commands with and without a server, reload, restarts, rights, sendmail, what people and machines read."""
import json
import os
import pathlib
import re
import signal
import smtplib
import socket
import struct
import subprocess
import threading
import time

import pytest
from site_under_test import RESTANTE, Site


@pytest.fixture
def site(tmp_path):
    with Site("program.example", directory=tmp_path) as s:
        yield s


def hang_up(site):
    """Have restante.conf read again, and wait for what the log says of it."""
    before = site.log().count("settings.")
    site.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 15
    while site.log().count("settings.") == before:
        assert time.monotonic() < end, site.log()[-2000:]
        time.sleep(0.02)


def set_setting(site, section, key, value):
    """In place of the line that is there; a setting stands once."""
    head, name, rest = site.conf.read_text().partition(f"[{section}]\n")
    own, bracket, others = rest.partition("\n[")
    own = re.sub(rf"(?m)^{key} = .*\n", "", own)
    site.conf.write_text(head + name + f"{key} = {value}\n" + own + bracket + others)


def test_init_prints_the_postmasters_password_once_and_it_works(tmp_path):
    s = Site("init.example", directory=tmp_path)
    s.init()
    out = subprocess.run([RESTANTE, "init", str(tmp_path / "two"), "--hostname", "two.example", "--loopback", "--json"],
                         capture_output=True, text=True, check=True)
    made = json.loads(out.stdout)
    assert made["postmaster"] == "postmaster@two.example" and len(made["password"]) >= 16
    rights = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "two").iterdir()}
    assert rights["data"] == 0o700 and rights["key.pem"] == 0o600 and rights["restante.conf"] == 0o644
    assert (tmp_path / "two/data/secret.key").stat().st_mode & 0o777 == 0o600
    for p in (tmp_path / "two").rglob("*"):
        if p.is_file():
            assert made["password"].encode() not in p.read_bytes()


def test_commands_work_without_a_server_and_then_with_it(tmp_path):
    s = Site("both.example", directory=tmp_path)
    s.init()
    s.command("domain", "add", "before.example")
    s.account("joe@before.example")
    s.start()
    try:
        assert [d["name"] for d in s.json("domain", "list")] == ["before.example", "both.example"]
        s.command("domain", "add", "during.example")
    finally:
        s.stop()
    assert "during.example" in [d["name"] for d in s.json("domain", "list")]
    assert not (s.path / "control").exists()


def test_the_configuration_may_stand_anywhere_and_in_the_environment(site):
    for args, env in [(["-c", str(site.conf), "domain", "list", "--json"], {}), (["domain", "list", "--json", "-c", str(site.conf)], {}),
                      (["--json", "domain", "list"], {"RESTANTE_CONFIG": str(site.conf)})]:
        out = subprocess.run([RESTANTE, *args], env=os.environ | env, capture_output=True, text=True)
        assert out.returncode == 0 and json.loads(out.stdout)[0]["name"] == "program.example"
    out = subprocess.run([RESTANTE, "domain", "list"], env={k: v for k, v in os.environ.items() if k != "RESTANTE_CONFIG"},
                         capture_output=True, text=True)
    assert out.returncode == 2 and "RESTANTE_CONFIG" in out.stderr


def test_status_and_one_line_of_reason(site):
    for args, status in [(["domain", "add"], 2), (["domain", "ad"], 2), (["dom"], 2), (["domain", "show", "none.example"], 1),
                         (["domain", "add", "x.example", "unknwn=reject"], 2), (["domain", "add", "x.example", "unknown=perhaps"], 1),
                         (["account", "add", "joe@none.example"], 1), (["queue", "show", "99"], 1), (["queue", "show", "x"], 2),
                         (["trace"], 2), (["trace", "<none@none.example>"], 1)]:
        for more in ([], ["--json"]):
            out = site.try_command(*args, *more)
            assert (out.returncode, out.stdout, out.stderr.count("\n")) == (status, "", 1), (args, out)
            assert out.stderr.startswith("restante: ")
    assert [d["name"] for d in site.json("domain", "list")] == ["program.example"]


def test_commands_wait_for_a_server_that_is_starting(tmp_path):
    s = Site("wait.example", directory=tmp_path)
    s.init()
    results = []

    def ask():
        results.append(s.try_command("domain", "list", "--json"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    starter = threading.Thread(target=s.start)
    for t in threads[:3]:
        t.start()
    starter.start()
    for t in threads[3:]:
        t.start()
    for t in [starter, *threads]:
        t.join()
    try:
        assert [r.returncode for r in results] == [0] * 6, [r.stderr for r in results]
        # and for one that is being started again
        s.kill_server()
        assert s.try_command("domain", "list").returncode == 0
    finally:
        s.stop()


def test_reload_opens_and_closes_ports_and_keeps_sessions(site):
    extra = socket.socket()
    extra.bind(("127.0.0.1", 0))
    port = extra.getsockname()[1]
    extra.close()
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as old:
        old.ehlo()
        set_setting(site, "listen", "smtp", f"127.0.0.1:{site.port('smtp')}, 127.0.0.1:{port}")
        set_setting(site, "limits", "message-size", "1M")
        hang_up(site)
        assert old.noop()[0] == 250
        for p in (site.port("smtp"), port):
            with smtplib.SMTP("127.0.0.1", p, timeout=20) as new:
                new.ehlo()
                assert new.esmtp_features["size"] == str(1 << 20)
        assert old.noop()[0] == 250
    assert "message-size: 52428800 -> 1048576" in site.log()
    set_setting(site, "listen", "smtp", f"127.0.0.1:{site.port('smtp')}")
    hang_up(site)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    # the server that comes after a crash has the new settings too
    site.kill_server()
    site.wait_until_serving()
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as new:
        new.ehlo()
        assert new.esmtp_features["size"] == str(1 << 20)


def test_a_reload_that_can_not_bind_changes_nothing(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        set_setting(site, "listen", "pop3", f"127.0.0.1:{taken.getsockname()[1]}")
        set_setting(site, "limits", "message-size", "1M")
        hang_up(site)
    assert "settings.refused" in site.log() and "in use" in site.log()
    socket.create_connection(("127.0.0.1", site.port("pop3")), timeout=10).close()
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as s:
        s.ehlo()
        assert s.esmtp_features["size"] == str(50 << 20)


def test_a_new_certificate_is_served_after_a_reload(site):
    def served():
        import ssl
        return ssl.get_server_certificate(("127.0.0.1", site.port("pop3s")))
    before = served()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
                    "/CN=program.example", "-keyout", str(site.path / "key.pem"), "-out", str(site.path / "certificate.pem")],
                   check=True, capture_output=True)
    hang_up(site)
    assert served() != before


def test_the_server_dies_with_its_keeper_and_the_next_start_is_whole(site):
    site.account("joe@program.example")
    pid = site.server_pid()
    site.kill_keeper()
    end = time.monotonic() + 10
    while pathlib.Path(f"/proc/{pid}").exists() and pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)
    site.start()
    assert site.json("account", "show", "joe@program.example")["has_password"]
    assert site.json("verify")["complaints"] == 0


def test_mailboxes_are_made_by_template_shared_and_restored(site):
    def names(address):
        return [row["name"] for row in site.json("mailbox", "list", address)]

    site.command("template", "add", "office", "mailboxes=Sent,Work/2026", "special-use=Sent:sent", "subscribe=Sent",
                 "alias=Team:~boss/Team", "quota=100000")
    site.account("boss@program.example")
    assert {"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"} == set(names("boss@program.example"))
    site.command("mailbox", "create", "boss@program.example", "Team")
    site.command("mailbox", "acl", "boss@program.example", "Team", "anyone", "lrs")
    site.command("domain", "set", "program.example", "template=office")
    site.account("new@program.example")
    assert names("new@program.example") == ["INBOX", "Sent", "Team", "Work", "Work/2026", "~boss", "~boss/Team"]
    assert site.json("account", "show", "new@program.example")["quota"] == 100000
    row = [r for r in site.json("mailbox", "list", "new@program.example") if r["name"] == "Team"][0]
    assert row["alias"] and row["rights"] == "lrs" and row["messages"] == 0

    subprocess.run([RESTANTE, "-c", str(site.conf), "inject", "new+Sent@program.example"], input="a: b\n\nc\n", text=True,
                   check=True, capture_output=True)
    before = {r["name"]: r for r in site.json("mailbox", "list", "new@program.example")}["Sent"]
    assert before["messages"] == 1
    site.command("mailbox", "delete", "new@program.example", "Sent")
    assert [r["name"] for r in site.json("mailbox", "list", "new@program.example", "--deleted")] == ["Sent"]
    assert site.json("account", "show", "new@program.example")["messages"] == 0
    subprocess.run([RESTANTE, "-c", str(site.conf), "inject", "new+Sent@program.example"], input="a: b\n\nc\n", text=True,
                   check=True, capture_output=True)  # where no such folder is, INBOX takes it
    site.command("mailbox", "restore", "new@program.example", "Sent")
    after = {r["name"]: r for r in site.json("mailbox", "list", "new@program.example")}
    assert after["Sent"] == before and after["INBOX"]["messages"] == 1
    assert site.json("account", "show", "new@program.example")["messages"] == 2
    site.stop()
    site.start()
    assert {r["name"]: r for r in site.json("mailbox", "list", "new@program.example")} == after
    assert site.json("verify")["complaints"] == 0

    # deleted twice: the one with mail is reached by its id, beside the new one
    site.command("mailbox", "delete", "new@program.example", "Sent")
    site.command("mailbox", "create", "new@program.example", "Sent")
    site.command("mailbox", "delete", "new@program.example", "Sent")
    site.command("mailbox", "create", "new@program.example", "Sent")
    rows = site.json("mailbox", "list", "new@program.example", "--deleted")
    assert [r["name"] for r in rows] == ["Sent", "Sent"] and rows[1]["id"] == before["mailbox_id"] != rows[0]["id"]
    assert rows[0]["id"] in site.command("mailbox", "list", "new@program.example", "--deleted")
    out = site.try_command("mailbox", "restore", "new@program.example", "Sent", "--id", rows[1]["id"])
    assert out.returncode == 1 and "--as" in out.stderr
    site.command("mailbox", "restore", "new@program.example", "Sent", "--id", rows[1]["id"], "--as", "Sent/Old")
    assert {r["name"]: r["messages"] for r in site.json("mailbox", "list", "new@program.example")}["Sent/Old"] == 1
    assert [r["id"] for r in site.json("mailbox", "list", "new@program.example", "--deleted")] == [rows[0]["id"]]
    assert site.json("verify")["complaints"] == 0


def test_words_that_are_no_text_are_refused(site):
    site.account("joe@program.example")
    out = subprocess.run([RESTANTE, "-c", str(site.conf), "mailbox", "create", "joe@program.example", b"a\xff\xfe"], capture_output=True)
    assert out.returncode == 2 and b"is not UTF-8" in out.stderr and out.stderr.count(b"\n") == 1 and b"\xff" not in out.stderr
    site.command("mailbox", "create", "joe@program.example", "Büro")
    assert "Büro" in [row["name"] for row in site.json("mailbox", "list", "joe@program.example")]


def test_sendmail_takes_recipients_from_the_header_and_hides_bcc(site):
    for user in ("joe", "ann", "eve"):
        site.account(f"{user}@program.example")
    link = site.directory / "sendmail"
    link.symlink_to(RESTANTE)
    message = ("To: Joe <joe@program.example>\nCc: ann@program.example\nBcc: eve@program.example\nSubject: hello\n\n"
               "one\n.\ntwo\n")
    out = subprocess.run([str(link), "-t", "-i", "-f", "postmaster@program.example"], input=message, text=True, capture_output=True,
                         env=os.environ | {"RESTANTE_CONFIG": str(site.conf)})
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
    import poplib
    for user in ("joe", "ann", "eve"):
        p = poplib.POP3("127.0.0.1", site.port("pop3"), timeout=20)
        p.user(f"{user}@program.example")
        p.pass_("secret")
        text = b"\n".join(p.retr(1)[1]).decode()
        p.quit()
        assert text.startswith("Return-Path: <postmaster@program.example>") and "one\n.\ntwo" in text
        assert "Bcc" not in text and "eve" not in text.replace("Delivered-To: eve@program.example", "")
        assert "Date: " in text and "Message-ID: <" in text and "From: <postmaster@program.example>" in text


def test_sendmail_knows_users_of_this_machine_by_their_name_alone(site):
    """cron: sendmail -i -B8BITMIME -oem root. Without more, root is the postmaster."""
    def sendmail(*args, stdin):
        return subprocess.run([RESTANTE, "sendmail", *args], input=stdin, text=True, capture_output=True,
                              env=os.environ | {"RESTANTE_CONFIG": str(site.conf)})
    out = sendmail("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "-f", "root", "root", stdin="Subject: cron\n\nx\n")
    assert (out.returncode, out.stderr) == (0, "")
    out = sendmail("-t", stdin="To: root, Joe Blow\nCc: postmaster\n\nx\n")
    assert (out.returncode, out.stderr) == (0, "")
    rows = site.json("trace", "--to", "root@program.example")
    assert len(rows) == 2 and {r["sender"] for r in rows} >= {"root@program.example"}
    assert site.json("account", "show", "postmaster@program.example")["messages"] >= 2
    out = sendmail("-t", stdin="Subject: to nobody\n\nx\n")
    assert out.returncode == 64 and "no recipient stands in To" in out.stderr


def test_a_postmaster_who_is_nobody_is_told_until_there_is_one(site):
    """RFC 5321 §4.5.1. No refusal: the account may be made later."""
    set_setting(site, "site", "postmaster", "boss@program.example")
    hang_up(site)
    line = next(i for i, t in enumerate(site.conf.read_text().split("\n"), 1) if t.startswith("postmaster = boss"))
    said = f"restante.conf:{line}: [site] postmaster = boss@program.example: nobody is there"
    assert "postmaster.missing" in site.log() and said in site.log()
    assert any(said in row["text"] for row in site.json("check"))
    site.stop()
    before = len(site.log())
    site.start()
    assert said in site.log()[before:]
    site.account("boss@program.example")
    assert not any("postmaster" in row["text"] for row in site.json("check"))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_other_users_may_only_send_as_themselves(tmp_path):
    tmp_path.chmod(0o755)
    for parent in [p for p in tmp_path.parents if p.owner() == "root" and p.name.startswith(("pytest-", "popen-"))]:
        parent.chmod(parent.stat().st_mode | 0o055)
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with Site("rights.example", directory=tmp_path) as s:
        s.account("joe@rights.example")

        def run(*args, stdin=""):
            return subprocess.run([*other, RESTANTE, "-c", str(s.conf), *args], input=stdin, capture_output=True, text=True)
        assert run("account", "list").returncode == 1
        assert run("inject", "-f", "boss@rights.example", "joe@rights.example", stdin="a: b\n\nc\n").returncode == 1
        out = run("inject", "joe@rights.example", stdin="a: b\n\nc\n")
        assert out.returncode == 0, out.stderr
        assert s.json("trace", "--to", "joe@rights.example")[0]["sender"].startswith("nobody@")


def test_secrets_are_in_no_log_and_no_history(site):
    site.account("joe@program.example", "canary-Wert-7731")
    site.command("fetch", "add", "s", "host=127.0.0.1", "port=1", "tls=none", "user=u", "owner=joe@program.example", stdin="canary-Wert-7732\n")
    site.command("fetch", "set", "s", "--password", stdin="canary-Wert-7733\n")
    site.stop()
    assert "canary" not in site.log()
    for p in site.path.rglob("*"):
        if p.is_file() and p.name != "reserve":
            assert b"canary-Wert" not in p.read_bytes(), p


class Dns(threading.Thread):
    """A name server that knows a few MX and A records."""

    def __init__(self, records):
        super().__init__(daemon=True)
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1@{self.socket.getsockname()[1]}"

    @staticmethod
    def encode(name):
        return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"

    def data(self, kind, value):
        return struct.pack(">H", 10) + self.encode(value) if kind == 15 else socket.inet_aton(value)

    def run(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            labels, i = [], 12
            while question[i]:
                labels.append(question[i + 1:i + 1 + question[i]].decode().lower())
                i += question[i] + 1
            name, kind = ".".join(labels), struct.unpack(">H", question[i + 1:i + 3])[0]
            values = [self.data(kind, v) for n, k, v in self.records if (n, k) == (name, kind)]
            known = name in ("", "example") or any(n == name for n, k, v in self.records)
            self.socket.sendto(question[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, len(values), 0, 0) + question[12:i + 5] +
                               b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(v)) + v for v in values), peer)


def test_domain_add_says_when_the_mx_points_elsewhere(tmp_path):
    mx, a = 15, 1
    dns = Dns([("far.example", mx, "mx.far.example"), ("mx.far.example", a, "192.0.2.9"), ("near.example", mx, "mx.program.example"),
               ("other-name.example", mx, "mail.other-name.example"), ("mail.other-name.example", a, "192.0.2.1"),
               ("mx.program.example", a, "192.0.2.1")])
    dns.start()
    with Site("mx.program.example", directory=tmp_path, settings=f"\n[resolver]\nserver = {dns.address}\n") as s:
        for domain, is_warned in [("far.example", True), ("near.example", False), ("other-name.example", False), ("unheard-of.example", False)]:
            out = s.try_command("domain", "add", domain)
            assert out.returncode == 0 and ("mx.far.example" in out.stderr) == is_warned and (is_warned or out.stderr == ""), out
        assert any("mx.far.example" in row["text"] for row in s.json("check"))


def test_every_command_has_help():
    top = subprocess.run([RESTANTE, "--help"], capture_output=True, text=True)
    assert top.returncode == 0
    names = [line[2:22].split() for line in top.stdout.splitlines() if line.startswith("  ")]
    assert len(names) > 35
    for words in names:
        out = subprocess.run([RESTANTE, *words, "--help"], capture_output=True, text=True)
        assert out.returncode == 0 and out.stdout.startswith("usage: restante ") and "\nExample\n" in out.stdout, words
        assert max(map(len, out.stdout.splitlines())) <= 120 and out.stderr == ""
    for page in ("restante.1", "restante.conf.5"):
        roff = subprocess.run([RESTANTE, "man", page], capture_output=True, text=True, check=True).stdout
        assert roff.startswith(".TH ")


def test_manual_pages_go_by_their_names():
    for names, title in ((("restante", "restante.1"), "RESTANTE 1"), (("restante.conf", "restante.conf.5"), "RESTANTE.CONF 5")):
        pages = {subprocess.run([RESTANTE, "man", name], capture_output=True, text=True, check=True).stdout for name in names}
        assert len(pages) == 1 and title.lower() in pages.pop().lower().replace('"', "")
