"""Slow and silent peers, and many of them (RFC 5321 §4.5.3.2, RELIABILITY §2)."""
import socket
import threading
import time

import pytest

from site_under_test import Site
from wire import Wire, drain


def connect(port, source):
    s = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    assert s.recv(4096).startswith((b"220", b"+OK"))
    return s


@pytest.fixture
def crowd(site):
    """300 connections from six addresses, each in another place of a conversation."""
    places = [
        ("smtp", b"", b"NOOP "),
        ("smtp", b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@r.example>\r\nDATA\r\n", b"Subject: slow"),
        ("smtp", b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@r.example>\r\nBDAT 100000 LAST\r\n", b"Subject: slow"),
        ("submission", b"EHLO c.example\r\nAUTH LOGIN\r\n", b"am9lQHIuZXhh"),
        ("pop3", b"USER joe@r.example\r\n", b"PASS xxxxxxxx"),
        ("smtp", b"EHLO c.example\r\nSTARTTLS\r\n", b""),
    ]
    found = []
    for i in range(300):
        door, begin, drip = places[i % len(places)]
        s = connect(site.port(door), f"127.5.0.{i % len(places) + 1}")
        if i >= 150 and i % 6 == 0:
            time.sleep(0.02)            # 50 new connections of one address in a second are allowed
        s.sendall(begin)
        found.append((s, drip))
    yield found
    for s, _ in found:
        s.close()


def test_three_hundred_slow_peers_keep_no_good_client_waiting(site, empty, crowd):
    stop = threading.Event()

    def drip():
        at = 0
        while not stop.is_set():
            for s, octets in crowd:
                if octets:
                    s.sendall(octets[at % len(octets):][:1])
            at += 1
            stop.wait(1)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        begin = time.monotonic()
        with Wire(site.port("smtp"), "127.5.1.1") as w:
            w.code(b"EHLO c.example")
            for _ in range(50):
                assert w.code(b"MAIL FROM:<a@b.example>") == 250
                assert w.code(b"RCPT TO:<joe@r.example>") == 250
                assert w.code(b"DATA") == 354
                w.say(b"Subject: good\r\n\r\nx\r\n.\r\n")
                assert w.reply()[0] == 250
        assert len(drain(site, b"joe@r.example")) == 50
        assert time.monotonic() - begin < 15        # a thread held for each would make it wait for a minute's deadline
    finally:
        stop.set()
        thread.join()
    with open(f"/proc/{site.server_pid()}/status") as f:
        threads = int(next(x for x in f if x.startswith("Threads:")).split()[1])
    assert threads < 100


def test_a_connection_over_the_limit_of_its_address_hears_why_rfc5321_3_8(strict):
    held = [connect(strict.port("smtp"), "127.6.0.1") for _ in range(5)]
    with Wire(strict.port("smtp"), "127.6.0.1") as w:
        assert w.greeting.startswith(b"421 4.7.0 ")
        assert w.is_closed()
    with Wire(strict.port("smtp"), "127.6.0.2") as w:
        assert w.greeting.startswith(b"220")
    with Wire(strict.port("pop3"), "127.6.0.1") as w:
        assert w.greeting.startswith(b"-ERR")
        assert w.is_closed()
    held.pop().close()
    for _ in range(100):
        with Wire(strict.port("smtp"), "127.6.0.1") as w:
            if w.greeting.startswith(b"220"):
                break
        time.sleep(0.02)
    else:
        raise AssertionError("a closed connection still counts")
    for s in held:
        s.close()


def test_connections_that_come_and_go_leave_nothing_behind(site):
    pid = site.server_pid()

    def wave():
        for _ in range(400):
            s = socket.create_connection(("127.0.0.1", site.port("smtp")))
            s.sendall(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@r.example>\r\nDATA\r\nx")
            s.close()

    def descriptors():
        import os
        return len(os.listdir(f"/proc/{pid}/fd"))

    wave()
    before = descriptors()
    wave()
    for _ in range(100):
        if descriptors() <= before:
            break
        time.sleep(0.02)
    assert descriptors() <= before + 5


def test_half_closed_connections_get_their_answers_and_end_rfc5321_3_8(site):
    with socket.create_connection(("127.0.0.1", site.port("smtp")), timeout=20) as s:
        s.sendall(b"EHLO c.example\r\nNOOP\r\nQUIT\r\n")
        s.shutdown(socket.SHUT_WR)
        got = b""
        while more := s.recv(65536):
            got += more
        assert b"\r\n221 " in got


def test_the_server_ends_while_slow_peers_are_connected():
    with Site("mx.end.example") as site:
        held = [Wire(site.port("smtp"), f"127.7.0.{i % 3 + 1}") for i in range(30)]
        for w in held:
            assert w.code(b"EHLO c.example") == 250
            w.say(b"MA")
        begin = time.monotonic()
        site.stop()
        assert time.monotonic() - begin < 20
        for w in held:
            assert w.code() == 421          # RFC 5321 §3.8
            assert w.is_closed()
