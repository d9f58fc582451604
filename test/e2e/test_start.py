"""What goes wrong at the start gives one clear line and exit status 1."""
import os
import re
import socket
import subprocess

import pytest
from site_under_test import PORTS, RESTANTE, Site


@pytest.fixture
def site(tmp_path):
    s = Site("start.example", directory=tmp_path)
    s.init()
    return s


def serve(site):
    return subprocess.run([RESTANTE, "serve", "-c", str(site.conf)], capture_output=True, text=True, timeout=60)


def test_a_port_in_use_names_address_and_port(site):
    with socket.socket() as s:
        s.bind(("127.0.0.1", site.port("smtp")))
        s.listen()
        out = serve(site)
    assert out.returncode == 1 and out.stdout == ""
    assert str(site.port("smtp")) in out.stderr and "in use" in out.stderr and out.stderr.count("\n") == 1


def test_a_missing_certificate_is_named(site):
    certificate = next(p for p in site.path.rglob("*.pem") if "key" not in p.name)
    certificate.unlink()
    out = serve(site)
    assert out.returncode == 1 and certificate.name in out.stderr and out.stderr.count("\n") == 1


@pytest.mark.parametrize("line, want", [("nonsense = 1", "nonsense"), ("[limits]\nmessage-size = many", "message-size"), ("no equals sign", "=")])
def test_wrong_configuration_names_file_line_and_what_is_wrong(site, line, want):
    text = site.conf.read_text()
    site.conf.write_text(text + "\n" + line + "\n")
    n = len((text + "\n" + line).split("\n"))
    out = serve(site)
    assert out.returncode == 1 and out.stderr.count("\n") == 1
    assert re.search(rf"restante\.conf:{n}\b", out.stderr) and want in out.stderr


def test_a_missing_configuration_is_named(tmp_path):
    out = subprocess.run([RESTANTE, "serve", "-c", str(tmp_path / "none.conf")], capture_output=True, text=True, timeout=60)
    assert out.returncode == 1 and "none.conf" in out.stderr and out.stderr.count("\n") == 1


def test_init_refuses_to_touch_an_existing_site(site):
    out = subprocess.run([RESTANTE, "init", str(site.path), "--hostname", "b.example", "--loopback"], capture_output=True, text=True)
    assert out.returncode == 1 and out.stderr.count("\n") == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_an_unwritable_directory_is_named(tmp_path):
    tmp_path.chmod(0o500)
    out = subprocess.run([RESTANTE, "init", str(tmp_path / "x"), "--hostname", "b.example", "--loopback"], capture_output=True, text=True)
    assert out.returncode == 1 and str(tmp_path) in out.stderr and out.stderr.count("\n") == 1


def test_a_second_server_on_the_same_site_is_refused(site):
    site.start()
    try:
        out = serve(site)
        assert out.returncode == 1 and out.stderr.count("\n") == 1
    finally:
        site.stop()


def test_a_killed_server_is_back_and_says_so_in_the_log(site):
    site.start()
    try:
        site.kill_server()
        site.wait_until_serving()
        assert "restarted" in site.log()
    finally:
        site.stop()


def test_sigterm_drains_and_ends_with_status_0(site):
    site.start()
    with socket.create_connection(("127.0.0.1", site.port("smtp")), timeout=10) as s:
        s.recv(100)
        site.stop()
        rest = b""
        while chunk := s.recv(1000):
            rest += chunk
        assert rest.startswith(b"421")


def test_a_bad_file_at_reload_changes_nothing(site):
    import signal
    site.start()
    try:
        site.conf.write_text(site.conf.read_text() + "\nnonsense = 1\n")
        site.process.send_signal(signal.SIGHUP)
        site.wait_until_serving()
        for name in PORTS:
            socket.create_connection(("127.0.0.1", site.port(name)), timeout=10).close()
    finally:
        site.stop()


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_lost_database_is_named_and_no_other_is_made_in_its_place(site, how):
    database = site.path / "data" / "restante.db"
    before = database.read_bytes()
    for name in ("restante.db", "restante.db-wal", "restante.db-shm"):
        (site.path / "data" / name).unlink(missing_ok=True)
    if how == "empty":
        database.touch()
    for out in (serve(site), site.try_command("account", "list")):
        assert out.returncode == 1 and out.stdout == "" and out.stderr.count("\n") == 1
        assert str(database) in out.stderr and "restore" in out.stderr and "init" in out.stderr
    assert not database.exists() or database.stat().st_size == 0
    database.write_bytes(before)
    site.start()
    site.stop()


def test_sigterm_lets_a_message_that_is_coming_end(site):
    import signal
    import time
    site.start()
    site.command("domain", "add", "t.example")
    site.account("joe@t.example")
    with socket.create_connection(("127.0.0.1", site.port("smtp")), timeout=30) as s:
        f = s.makefile("rb")
        f.readline()
        for line, want in ((b"HELO c.example", b"250"), (b"MAIL FROM:<a@b.example>", b"250"), (b"RCPT TO:<joe@t.example>", b"250"), (b"DATA", b"354")):
            s.sendall(line + b"\r\n")
            assert f.readline().startswith(want)
        s.sendall(b"Subject: x\r\n\r\nhal")
        time.sleep(0.2)
        site.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        s.sendall(b"f\r\n.\r\n")
        assert f.readline().startswith(b"250 2.0.0")
        assert f.readline().startswith(b"421")
        assert f.readline() == b""
    assert site.process.wait(timeout=30) == 0
