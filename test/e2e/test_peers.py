"""Real peers: fetchmail and getmail6 as the office against our provider, Dovecot as the provider against our fetch."""
import os
import shutil
import subprocess

import pytest
from mail import maildrop, message, send, subjects
from peers.dovecot import Dovecot
from site_under_test import Site

DOMAIN = "uk.example.com"


@pytest.fixture
def provider():
    with Site("mx.provider.example") as p:
        p.command("domain", "add", DOMAIN, f"unknown=deliver:default@{DOMAIN}", "envelope-header=X-Rcpt-To")
        p.account(f"default@{DOMAIN}")
        for user in ("joe", "ann"):
            for i in range(3):
                assert send(p.port("smtp"), "a@stranger.example", [f"{user}@{DOMAIN}"], message(f"{user}-{i}", body=".dot\r\n..\r\n\r\n"))[0] == 250
        yield p


@pytest.fixture
def office():
    with Site("mail.uk.example.com") as o:
        o.command("domain", "add", DOMAIN)
        for user in ("joe", "ann"):
            o.account(f"{user}@{DOMAIN}")
        yield o


def test_fetchmail_collects_from_us_and_sorts_by_the_envelope_header(provider, tmp_path):
    with Site("mail.uk.example.com") as office:
        office.command("domain", "add", DOMAIN)
        office.account(f"joe@{DOMAIN}")
        office.account(f"ann@{DOMAIN}")
        rc = tmp_path / "fetchmailrc"
        rc.write_text(f"""
set no bouncemail
poll 127.0.0.1 service {provider.port('pop3')} protocol pop3 envelope "X-Rcpt-To" localdomains {DOMAIN} no dns:
  user "default@{DOMAIN}" password "secret" is * here
  smtphost "127.0.0.1/{office.port('smtp')}" smtpaddress {DOMAIN} sslproto "" no rewrite
""")
        rc.chmod(0o600)
        out = subprocess.run(["fetchmail", "-f", str(rc), "-v", "--pidfile", str(tmp_path / "pid"), "-i", str(tmp_path / "ids")], capture_output=True,
                             text=True, timeout=120, env=dict(os.environ, FETCHMAILHOME=str(tmp_path), HOME=str(tmp_path)))
        assert out.returncode == 0, out.stdout[-3000:] + out.stderr
        for user in ("joe", "ann"):
            assert subjects(maildrop(office.port("pop3"), f"{user}@{DOMAIN}")) == [f"{user}-{i}" for i in range(3)]
        assert maildrop(provider.port("pop3"), f"default@{DOMAIN}") == []


def test_getmail6_collects_from_us_sorts_by_the_envelope_header_and_hands_over_by_lmtp(provider, office, tmp_path):
    rc = tmp_path / "getmailrc"
    targets = "\n".join(f"[{user}]\ntype = MDA_lmtp\nhost = 127.0.0.1\nport = {office.port('lmtp')}\noverride = {user}@{DOMAIN}"
                        for user in ("joe", "ann"))
    rc.write_text(f"""
[retriever]
type = MultidropPOP3Retriever
server = 127.0.0.1
port = {provider.port('pop3')}
username = default@{DOMAIN}
password = secret
envelope_recipient = x-rcpt-to:1
[destination]
type = MultiSorter
default = [joe]
locals = (('joe@uk', '[joe]'), ('ann@uk', '[ann]'))
{targets}
[options]
delete = true
""")
    # Its maildir destination forks for every message and can miss the child's end for ever, so LMTP it is.
    out = subprocess.run(["/usr/bin/getmail", "--getmaildir", str(tmp_path), "--rcfile", str(rc), "-v"], capture_output=True, text=True, timeout=120,
                         env=dict(os.environ, HOME=str(tmp_path), PATH="/usr/bin:/bin"))
    assert out.returncode == 0, out.stdout[-3000:] + out.stderr[-3000:]
    for user in ("joe", "ann"):
        assert subjects(maildrop(office.port("pop3"), f"{user}@{DOMAIN}")) == [f"{user}-{i}" for i in range(3)], out.stdout + out.stderr
    assert maildrop(provider.port("pop3"), f"default@{DOMAIN}") == []


def collected(user, subject, extra=b"", body=b"Hello.\r\n"):
    return (b"Return-Path: <a@stranger.example>\r\nX-Envelope-To: <" + user.encode() + b"@uk.example.com>\r\n" + extra +
            b"Received: from x by y with SMTP id 1; Sun, 22 Nov 2026 12:00:00 +0000\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body)


def add_source(office, port, *more):
    office.command("fetch", "add", "provider", "type=pop3", "host=127.0.0.1", f"port={port}", "tls=none", "user=all", f"domains={DOMAIN}",
                   "recipe=header X-Envelope-To", "poll=3600", *more, stdin="secret\n")


def test_dovecot_as_the_provider_everything_is_sorted_deleted_there_and_not_fetched_twice(office):
    d = Dovecot({"all": "secret"})
    d.deliver("all", [collected("joe" if i % 2 else "ann", f"m{i:03}", body=b"x" * i * 10 + b"\r\n.dot\r\n") for i in range(200)])
    with d:
        add_source(office, d.pop3_port)
        office.command("fetch", "run", "provider")
        office.command("fetch", "run", "provider")
        for user, odd in (("joe", 1), ("ann", 0)):
            assert subjects(maildrop(office.port("pop3"), f"{user}@{DOMAIN}")) == [f"m{i:03}" for i in range(200) if i % 2 == odd]
        assert maildrop(d.pop3_port, "all") == []
    shutil.rmtree(d.directory)


def test_odd_messages_go_to_postmaster_and_never_stop_the_others(office):
    d = Dovecot({"all": "secret"})
    odd = [b"no header at all\r\n", b"\0\0\0\0\r\n\0\r\n", b"X" * 1000000 + b"\r\n", b"bare\nline\nfeeds\n", b"Subject: no final newline\r\n\r\nend",
           collected("joe", "forged", body=b"").replace(b"X-Envelope-To: <joe@uk.example.com>\r\n", b"").replace(
               b"\r\n\r\n", b"\r\nX-Envelope-To: <ann@uk.example.com>\r\n\r\n"),
           b"".join(b"X-Field-%d: v\r\n" % i for i in range(10000)) + b"\r\nmany fields\r\n"]
    d.deliver("all", [collected("joe", "first"), *odd, collected("joe", "last")])
    with d:
        add_source(office, d.pop3_port)
        office.command("fetch", "run", "provider")
        assert subjects(maildrop(office.port("pop3"), f"joe@{DOMAIN}")) == ["first", "last"]
        assert maildrop(office.port("pop3"), f"ann@{DOMAIN}") == []
        assert maildrop(d.pop3_port, "all") == []
    traced = [r for row in office.json("trace", "--since", "2020-01-01") for r in row["recipients"]]
    assert len(traced) == 2 + len(odd)
    shutil.rmtree(d.directory)


def test_unknown_names_stay_at_the_provider_when_the_source_says_so(office):
    d = Dovecot({"all": "secret"})
    d.deliver("all", [collected("joe", "known"), collected("stranger", "unknown")])
    with d:
        add_source(office, d.pop3_port, "unknown=leave")
        office.command("fetch", "run", "provider")
        assert subjects(maildrop(office.port("pop3"), f"joe@{DOMAIN}")) == ["known"]
        assert subjects(maildrop(d.pop3_port, "all")) == ["unknown"]
    shutil.rmtree(d.directory)


def test_a_wrong_password_stops_the_source_and_says_so(office):
    d = Dovecot({"all": "another"})
    d.deliver("all", [])
    with d:
        add_source(office, d.pop3_port)
        out = office.try_command("fetch", "run", "provider")
        assert out.returncode == 1 and "password" in out.stderr.lower() or "authentication" in out.stderr.lower()
        assert office.json("fetch", "show", "provider")["stopped"]
    shutil.rmtree(d.directory)
