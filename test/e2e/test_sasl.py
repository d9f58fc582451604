"""SCRAM at all doors: a client written from the RFC, GNU SASL's own, and mbsync with Cyrus SASL."""
import base64
import hashlib
import imaplib
import poplib
import smtplib
import ssl
import subprocess

import pytest
from mail import message, send
from scram import ScramClient
from site_under_test import Site

USER = "joe@ex.org"
MECHANISM = "SCRAM-SHA-256"


@pytest.fixture(scope="module")
def site():
    with Site("mx.site.example") as s:
        s.command("domain", "add", "ex.org", "scram=yes")
        s.account(USER)
        s.account("ann@ex.org", "p\u00e4ss w\u00f6rd")
        yield s


def anybody(version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version:
        context.maximum_version = version
    return context


def by_imap(site, mechanism, client, tls=None):
    c = imaplib.IMAP4("127.0.0.1", site.port("imap"), timeout=30)
    if tls:
        c.starttls(tls)
    client = client(c.sock) if callable(client) else client
    try:
        c.authenticate(mechanism, client.answer)
        c.select("INBOX")
        return "OK"
    except imaplib.IMAP4.error as e:
        return str(e)
    finally:
        c.logout()


def by_smtp(site, mechanism, client, tls=None):
    with smtplib.SMTP("127.0.0.1", site.port("submission"), timeout=30) as c:
        c.ehlo("client.example")
        if tls:
            c.starttls(context=tls)
            c.ehlo("client.example")
        client = client(c.sock) if callable(client) else client
        code, text = c.docmd("AUTH", f"{mechanism} {base64.b64encode(client.answer(b'')).decode()}")
        while code == 334:
            code, text = c.docmd(base64.b64encode(client.answer(base64.b64decode(text))).decode())
        return "OK" if code == 235 else f"{code} {text.decode()}"


def by_pop3(site, mechanism, client, tls=None):
    c = poplib.POP3("127.0.0.1", site.port("pop3"), timeout=30)
    try:
        if tls:
            c.stls(tls)
        client = client(c.sock) if callable(client) else client
        answer = c._shortcmd(f"AUTH {mechanism}")
        while answer.startswith(b"+ "):
            answer = c._shortcmd(base64.b64encode(client.answer(base64.b64decode(answer[2:]))).decode())
        return "OK"
    except poplib.error_proto as e:
        return str(e)
    finally:
        c.quit()


DOORS = (by_imap, by_smtp, by_pop3)


@pytest.mark.parametrize("door", DOORS)
def test_scram_logs_in_without_showing_the_password(site, door):
    client = ScramClient(USER, "secret")
    assert door(site, MECHANISM, client) == "OK"
    assert client.is_done
    assert door(site, MECHANISM, ScramClient("ann@ex.org", "p\u00e4ss w\u00f6rd")) == "OK"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("user", (USER, "nobody@ex.org", "nobody@else.example"))
def test_a_wrong_password_and_an_unknown_name_are_refused_alike(site, door, user):
    refused = door(site, MECHANISM, ScramClient(user, "wrong"))
    assert "wrong name or password" in refused


def unique_of(sock):
    return ScramClient(USER, "secret", b"p=tls-unique,,", sock.get_channel_binding("tls-unique"))


def end_point_of(sock):
    return ScramClient(USER, "secret", b"p=tls-server-end-point,,", hashlib.sha256(sock.getpeercert(True)).digest())


def other_end_point(sock):
    return ScramClient(USER, "secret", b"p=tls-server-end-point,,", hashlib.sha256(b"of somebody between").digest())


@pytest.mark.parametrize("door", DOORS)
def test_scram_plus_is_bound_to_the_tls_connection(site, door):
    assert door(site, MECHANISM + "-PLUS", unique_of, anybody(ssl.TLSVersion.TLSv1_2)) == "OK"
    assert door(site, MECHANISM + "-PLUS", end_point_of, anybody(ssl.TLSVersion.TLSv1_2)) == "OK"
    assert door(site, MECHANISM + "-PLUS", end_point_of, anybody()) == "OK"
    assert "wrong name or password" in door(site, MECHANISM + "-PLUS", other_end_point, anybody())


@pytest.mark.parametrize("door", DOORS)
def test_a_client_that_was_told_of_no_binding_is_refused_where_there_is_one(site, door):
    assert door(site, MECHANISM, ScramClient(USER, "secret", b"y,,")) == "OK"
    assert door(site, MECHANISM, ScramClient(USER, "secret", b"n,,"), anybody()) == "OK"
    assert "wrong name or password" in door(site, MECHANISM, ScramClient(USER, "secret", b"y,,"), anybody())


def test_keys_are_made_by_a_new_password_or_by_the_next_login_with_the_old_one():
    with Site("mx.site.example") as s:
        s.command("domain", "add", "ex.org")
        s.account(USER)
        with imaplib.IMAP4("127.0.0.1", s.port("imap")) as c:
            assert "AUTH=SCRAM-SHA-256" not in c.capabilities
        s.command("domain", "set", "ex.org", "scram=yes")
        with imaplib.IMAP4("127.0.0.1", s.port("imap")) as c:
            assert "AUTH=SCRAM-SHA-256" in c.capabilities and "AUTH=SCRAM-SHA-256-PLUS" not in c.capabilities
        assert by_imap(s, MECHANISM, ScramClient(USER, "secret")) != "OK"
        with imaplib.IMAP4("127.0.0.1", s.port("imap")) as c:
            c.login(USER, "secret")
        assert by_imap(s, MECHANISM, ScramClient(USER, "secret")) == "OK"
        s.command("account", "password", USER, stdin="another\n")
        assert by_imap(s, MECHANISM, ScramClient(USER, "secret")) != "OK"
        assert by_imap(s, MECHANISM, ScramClient(USER, "another")) == "OK"
        s.command("domain", "set", "ex.org", "scram=no")
        with imaplib.IMAP4("127.0.0.1", s.port("imap")) as c:
            assert "AUTH=SCRAM-SHA-256" not in c.capabilities


def gsasl(*args):
    out = subprocess.run(["gsasl", "-a", USER, "-p", "secret", *args], input="", capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 0 and "server trusted" in out.stderr, out.stdout + out.stderr
    return out.stdout


def test_gnu_sasl_logs_in_and_binds_to_tls(site):
    imap, submission = (f"127.0.0.1:{site.port(name)}" for name in ("imap", "submission"))
    gsasl("--imap", "--connect", imap, "--no-starttls", "-m", MECHANISM)
    gsasl("--smtp", "--connect", submission, "--no-starttls", "-m", MECHANISM)
    for priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"):
        said = gsasl("--imap", "--connect", imap, "--starttls", "--x509-ca-file", "", "--priority", priority, "-m", MECHANISM + "-PLUS")
        assert "AUTHENTICATE SCRAM-SHA-256-PLUS" in said


def test_mbsync_logs_in_by_cyrus_sasl(site, tmp_path):
    assert send(site.port("smtp"), "a@stranger.example", [USER], message("for-mbsync"))[0] == 250
    (tmp_path / "mail").mkdir()
    (tmp_path / "rc").write_text(f"""
IMAPAccount site
Host 127.0.0.1
Port {site.port("imap")}
User {USER}
Pass secret
SSLType None
AuthMechs {MECHANISM}

IMAPStore far
Account site

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
SyncState *
""")
    out = subprocess.run(["mbsync", "-V", "-c", str(tmp_path / "rc"), "-a"], capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 0 and MECHANISM in out.stdout, out.stdout + out.stderr
    assert len(list((tmp_path / "mail" / "INBOX").glob("*/*"))) == 1
