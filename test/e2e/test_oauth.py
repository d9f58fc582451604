"""OAUTHBEARER with real keys: a client written from the RFC at all doors, curl, other keys with a reload, and what a bad file does."""
import base64
import imaplib
import poplib
import signal
import smtplib
import ssl
import subprocess
import time

import pytest
from mail import message as mail_message, send
from site_under_test import RESTANTE, Site
from tokens import KEY_OF, Issuer, message, settings

USER = "joe@ex.org"


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture(scope="module")
def site(issuer):
    with Site("mx.site.example", settings=settings("scope = mail"), files={"keys.json": issuer.jwks()}) as s:
        s.command("domain", "add", "ex.org")
        s.account(USER)
        yield s
        assert "eyJ" not in s.log() and "AUTH=" not in s.log()  # no token, nor a part of one


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Client:
    """The token, and %x01 to whatever is said about it."""

    def __init__(self, token, authzid=""):
        self.first, self.heard = message(token, authzid), []

    def answer(self, challenge):
        if challenge == b"":
            return self.first
        self.heard.append(challenge)
        return b"\x01"


def by_imap(site, client, source="127.0.0.1", tls=False):
    c = imaplib.IMAP4_SSL("127.0.0.1", site.port("imaps"), ssl_context=anybody()) if tls else imaplib.IMAP4(source, site.port("imap"), timeout=30)
    try:
        c.authenticate("OAUTHBEARER", client.answer)
        c.select("INBOX")
        return "OK"
    except imaplib.IMAP4.error as e:
        return str(e)
    finally:
        c.logout()


def by_smtp(site, client, source="127.0.0.1", tls=False):
    kind, port = (smtplib.SMTP_SSL, "submissions") if tls else (smtplib.SMTP, "submission")
    with kind("127.0.0.1", site.port(port), timeout=60, source_address=(source, 0), **({"context": anybody()} if tls else {})) as c:
        c.ehlo("client.example")
        code, text = c.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(client.answer(b"")).decode())
        while code == 334:
            code, text = c.docmd(base64.b64encode(client.answer(base64.b64decode(text))).decode())
        return "OK" if code == 235 else f"{code} {text.decode()}"


def by_pop3(site, client, source="127.0.0.1", tls=False):
    c = poplib.POP3_SSL("127.0.0.1", site.port("pop3s"), context=anybody()) if tls else poplib.POP3("127.0.0.1", site.port("pop3"), timeout=30)
    try:
        answer = c._shortcmd("AUTH OAUTHBEARER")
        while answer.startswith(b"+ "):
            answer = c._shortcmd(base64.b64encode(client.answer(base64.b64decode(answer[2:]))).decode())
        return "OK"
    except poplib.error_proto as e:
        return str(e)
    finally:
        c.quit()


DOORS = (by_imap, by_smtp, by_pop3)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("algorithm", KEY_OF)
def test_every_algorithm_logs_in_at_every_door(site, issuer, door, algorithm):
    assert door(site, Client(issuer.token(algorithm, email=USER))) == "OK"


@pytest.mark.parametrize("door", DOORS)
def test_over_tls_and_with_a_long_token(site, issuer, door):
    assert door(site, Client(issuer.token("PS256", email=USER, groups=["a" * 100] * 40), USER), tls=True) == "OK"


@pytest.mark.parametrize("door", DOORS)
def test_signed_by_somebody_else_or_by_nobody(site, door):
    stranger = Issuer()
    unsigned = stranger.token("ES256", header={"alg": "none"}, email=USER).rpartition(".")[0] + "."
    confused = stranger.token("HS256", header={"kid": "rsa"}, email=USER)
    for token in (stranger.token("ES256", email=USER), stranger.token("RS256", email=USER), unsigned, confused, "x" * 9000):
        client = Client(token, USER)
        assert "token is not taken" in door(site, client)
        assert client.heard == [b'{"status":"invalid_token","scope":"mail"}']


@pytest.mark.parametrize("door", DOORS)
def test_a_message_that_is_too_long_ends_the_exchange_only(site, issuer, door):
    assert door(site, Client("x" * 20000)) != "OK"
    assert door(site, Client(issuer.token(email=USER))) == "OK"


def test_failures_cost_what_wrong_passwords_cost(site, issuer):
    """From another address than 127.0.0.1: one second, then two, before anything is said."""
    waits = []
    for least in (1, 2):
        client = Client(issuer.token(email=USER, exp=-100))
        begin = time.monotonic()
        with smtplib.SMTP("127.0.0.1", site.port("submission"), timeout=60, source_address=("127.0.0.77", 0)) as c:
            c.ehlo("client.example")
            code, _ = c.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(client.answer(b"")).decode())
            waits.append(time.monotonic() - begin)
            assert code == 334
            begin = time.monotonic()
            assert c.docmd("AQ==")[0] == 535
            assert least == 1 or time.monotonic() - begin < least  # it has been waited for
    begin = time.monotonic()
    with smtplib.SMTP("127.0.0.1", site.port("submission"), timeout=60, source_address=("127.0.0.77", 0)) as c:
        c.ehlo("client.example")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            c.login(USER, "wrong")
    waits.append(time.monotonic() - begin)
    assert waits[0] >= 1 and waits[1] >= 2 and waits[2] >= 4


# curl -------------------------------------------------------------------------------------------------------------------


def curl(*args, token, octets=b""):
    return subprocess.run(["curl", "-s", "-S", "-v", "--max-time", "30", "-u", USER + ":", "--oauth2-bearer", token, *args], input=octets,
                          capture_output=True, timeout=60, check=False)


def test_curl_reads_and_sends(site, issuer, tmp_path):
    assert send(site.port("smtp"), "a@stranger.example", [USER], mail_message("for-curl"))[0] == 250
    token = issuer.token("ES256", email=USER)
    read = curl(f"imap://127.0.0.1:{site.port('imap')}/INBOX;MAILINDEX=1", token=token)
    assert read.returncode == 0 and b"for-curl" in read.stdout, read.stderr
    assert b"AUTHENTICATE OAUTHBEARER" in read.stderr
    read = curl("-k", f"imaps://127.0.0.1:{site.port('imaps')}/INBOX;MAILINDEX=1", token=token)
    assert read.returncode == 0 and b"for-curl" in read.stdout, read.stderr
    read = curl(f"pop3://127.0.0.1:{site.port('pop3')}/1", token=token)
    assert read.returncode == 0 and b"for-curl" in read.stdout, read.stderr
    assert b"AUTH OAUTHBEARER" in read.stderr
    (tmp_path / "mail").write_text("From: joe@ex.org\r\nTo: joe@ex.org\r\nSubject: by-curl\r\n\r\nx\r\n")
    sent = curl("--mail-from", USER, "--mail-rcpt", USER, "-T", str(tmp_path / "mail"), f"smtp://127.0.0.1:{site.port('submission')}", token=token)
    assert sent.returncode == 0 and b"AUTH OAUTHBEARER" in sent.stderr, sent.stderr


@pytest.mark.parametrize("url", ("imap://127.0.0.1:{imap}/INBOX", "pop3://127.0.0.1:{pop3}/", "smtp://127.0.0.1:{submission}"))
def test_curl_is_refused_with_an_expired_token(site, issuer, url):
    out = curl(url.format(**{name: site.port(name) for name in ("imap", "pop3", "submission")}), token=issuer.token(email=USER, exp=-100))
    assert out.returncode == 67, out.stderr  # login denied
    assert b"AQ==" in out.stderr


# The file of keys -------------------------------------------------------------------------------------------------------


def wait_for_log(site, text, times=1):
    end = time.monotonic() + 30
    while site.log().count(text) < times and time.monotonic() < end:
        time.sleep(0.05)
    assert site.log().count(text) >= times, site.log()


def test_other_keys_come_with_a_reload_and_a_bad_file_changes_nothing():
    old, new = Issuer("old-"), Issuer("new-")
    with Site("mx.site.example", settings=settings(), files={"keys.json": old.jwks("p256")}) as s:
        s.command("domain", "add", "ex.org")
        s.account(USER)
        session = imaplib.IMAP4("127.0.0.1", s.port("imap"))
        good_until = time.monotonic() + 6
        session.authenticate("OAUTHBEARER", Client(old.token(email=USER, exp=-55)).answer)  # good for five seconds
        keys = s.path / "keys.json"

        keys.write_text(old.jwks("p256").replace('"y": "', '"y": "A'))
        s.process.send_signal(signal.SIGHUP)
        wait_for_log(s, "settings.refused")
        assert "restante.conf:" in s.log() and f"[oauth] keys: {keys}: key 1, kid old-p256: " in s.log()
        assert by_imap(s, Client(old.token(email=USER))) == "OK"
        assert s.try_command("check").returncode != 0

        keys.write_text(new.jwks("p256"))
        s.process.send_signal(signal.SIGHUP)
        wait_for_log(s, "settings.changed")
        assert by_imap(s, Client(old.token(email=USER))) != "OK"
        assert by_imap(s, Client(new.token(email=USER))) == "OK"
        s.command("check")
        time.sleep(max(0, good_until - time.monotonic()))
        assert session.noop()[0] == "OK" and session.select("INBOX")[0] == "OK"  # a session outlives its token
        session.logout()

        conf = s.conf.read_text()
        s.conf.write_text(conf.replace("[oauth]", "[smtp]").replace("issuer =", "#").replace("audience =", "#").replace("keys =", "#"))
        s.process.send_signal(signal.SIGHUP)
        wait_for_log(s, "settings.changed", 2)
        with imaplib.IMAP4("127.0.0.1", s.port("imap")) as c:
            assert "AUTH=OAUTHBEARER" not in c.capabilities


def serve(site):
    return [RESTANTE, "serve", "-c", str(site.conf)]


def test_a_bad_file_stops_the_start_and_no_command():
    s = Site("mx.site.example", settings=settings(), files={"keys.json": "{}"})
    s.init()
    out = subprocess.run(serve(s), capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1
    lines = [line for line in out.stderr.splitlines() if "keys.json" in line]
    assert len(lines) == 1 and '[oauth] keys: ' in lines[0] and 'should be {"keys": [...]}' in lines[0], out.stderr
    s.command("domain", "add", "ex.org")
    (s.path / "keys.json").unlink()
    out = subprocess.run(serve(s), capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1 and "keys.json: No such file or directory" in out.stderr


def test_a_secret_key_that_others_can_read_is_a_warning():
    issuer = Issuer()
    with Site("mx.site.example", settings=settings(), files={"keys.json": issuer.jwks("oct")}) as s:
        (s.path / "keys.json").chmod(0o644)
        assert "keys.json: other users have rights on it" in s.try_command("check").stdout
        (s.path / "keys.json").chmod(0o600)
        assert "keys.json" not in s.try_command("check").stdout
