"""A reload puts all of restante.conf in force or nothing; whatever was refused before leaves no trace."""
import os
import pathlib
import re
import signal
import socket
import time

import pytest
from site_under_test import PORTS, Site


@pytest.fixture
def site():
    with Site("reload.example") as s:
        yield s


def set_line(site, old, new):
    text = site.conf.read_text()
    assert old in text
    site.conf.write_text(text.replace(old, new))


def reload(site, event):
    """HUP, and wait until the log tells of it: event is settings.changed or settings.refused. The lines that are new."""
    before = len(site.log())
    site.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        new = site.log()[before:]
        if new.endswith("\n") and re.search(r"settings\.(changed|refused)", new):
            assert event in new, new
            return new
        time.sleep(0.02)
    raise AssertionError("nothing was said about the reload: " + site.log()[before:])


def key_elsewhere(site, tmp_path):
    """A key that the keeper can read and the server's sandbox can't; where the kernel has no Landlock, one that nobody can."""
    key = tmp_path / "key.pem"
    if "landlock=0" not in site.log():
        key.write_bytes((site.path / "key.pem").read_bytes())
    return key


def listening(pid):
    """Ports and paths at which a process holds listening sockets, with how often."""
    inodes = {}
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes[target[8:-1]] = inodes.get(target[8:-1], 0) + 1
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and words[9] in inodes:
            found[int(words[1].split(":")[1], 16)] = inodes[words[9]]
    return found


def settled(site, want):
    """Keeper and server hold each of these ports once, and nothing else."""
    end = time.monotonic() + 10
    want = dict.fromkeys(want, 1)
    while time.monotonic() < end:
        have = listening(site.process.pid), listening(site.server_pid())
        if have == (want, want):
            return
        time.sleep(0.02)
    raise AssertionError(f"keeper and server listen at {have}, not at {sorted(want)}")


def greeting(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        return s.recv(100)


def test_refused_reloads_leave_no_descriptor_and_accepted_ones_move_ports(site, tmp_path):
    """Refused by the keeper for its text, because a port is taken, and by the server, whose sandbox keeps it from a key that the keeper can
    read; after each of them the ports are moved, there and back again."""
    elsewhere = key_elsewhere(site, tmp_path)
    ports = {name: site.port(name) for name in PORTS}
    free = site.port("smtp") + 1
    settled(site, ports.values())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        good_imap = f"imap = 127.0.0.1:{site.port('imap')}"
        for old_line, wrong in (("#server = ", "server = foo\n#"), ("[tls]", "[nothing]\nx = y\n[tls]"), ("\nkey = ", f"\nkey = {elsewhere}\n#"),
                                (good_imap, f"imap = 127.0.0.1:{free + 1}, 127.0.0.1:{taken.getsockname()[1]}")):
            good = site.conf.read_text()
            for _ in range(2):
                set_line(site, old_line, wrong)
                assert "restante.conf:" in reload(site, "settings.refused")
                site.conf.write_text(good)
                settled(site, ports.values())
            old, ports["smtp"] = ports["smtp"], free if ports["smtp"] != free else site.port("smtp")
            set_line(site, f"127.0.0.1:{old}\n", f"127.0.0.1:{ports['smtp']}\n")
            assert f"127.0.0.1:{old} -> 127.0.0.1:{ports['smtp']}" in reload(site, "settings.changed")
            settled(site, ports.values())
            assert greeting(ports["smtp"]).startswith(b"220")
            with pytest.raises(ConnectionRefusedError):
                greeting(old)


def test_a_server_that_dies_comes_back_with_the_settings_in_force(site):
    ports = {name: site.port(name) for name in PORTS}
    good = site.conf.read_text()
    set_line(site, "#server = ", "server = foo\n#")
    reload(site, "settings.refused")
    site.conf.write_text(good)
    set_line(site, f"127.0.0.1:{ports['pop3']}\n", f"127.0.0.1:{ports['pop3'] + 1}\n")
    reload(site, "settings.changed")
    ports["pop3"] += 1
    site.kill_server()
    site.wait_until_serving()
    settled(site, ports.values())
    assert greeting(ports["pop3"]).startswith(b"+OK")


def kill_and_see_the_next(site):
    """Killed, and the next one begins to start."""
    old = site.server_pid()
    site.kill_server()
    while site.server_pid() in (None, old):
        time.sleep(0.005)


def test_a_reload_while_the_server_starts_waits_for_it(site, tmp_path):
    """The keeper hears that the server is ready, and does not take it for an answer to the settings."""
    for i in range(4):
        kill_and_see_the_next(site)
        level = ("debug", "info")[i % 2]
        text = re.sub(r"(?m)^#?level = .*$", f"level = {level}", site.conf.read_text())
        site.conf.write_text(text)
        assert f"-> {level}" in reload(site, "settings.changed")
        site.wait_until_serving()
    elsewhere = key_elsewhere(site, tmp_path)
    kill_and_see_the_next(site)
    set_line(site, "\nkey = ", f"\nkey = {elsewhere}\n#")
    assert "settings.changed" not in reload(site, "settings.refused")
    settled(site, [site.port(name) for name in PORTS])


def test_a_socket_in_the_file_system_goes_with_its_setting(site):
    path = site.path / "data" / "lmtp"
    before = site.conf.read_text()
    set_line(site, f"lmtp = 127.0.0.1:{site.port('lmtp')}", "lmtp = unix:lmtp")
    reload(site, "settings.changed")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        assert s.recv(100).startswith(b"220")
    site.conf.write_text(before)
    reload(site, "settings.changed")
    assert not path.exists()
