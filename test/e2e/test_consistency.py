"""Several IMAP clients on the same mailboxes, at random: what each is told, and what all know in the end (RFC 9051, RFC 7162)."""
import os
import random
import time

import consistency
from site_under_test import Site

OPERATIONS = int(os.environ.get("CONSISTENCY_OPERATIONS", "100000"))
SEED = int(os.environ.get("CONSISTENCY_SEED", "20480"))
LOGIN = ("joe@ex.org", "secret")


def run(site, operations, seed):
    port = site.port("imap")
    clients = [consistency.Client("q", "qresync", port), consistency.Client("c", "condstore", port),
               consistency.Client("p", "plain", port), consistency.Client("r", "qresync", port)]
    world = consistency.World(("INBOX", "Archive"), clients, random.Random(seed))
    world.login = LOGIN
    world.watcher = consistency.Client("w", "condstore", port)
    for client in [*clients, world.watcher]:
        client.log_in(*LOGIN)
    try:
        for client in clients:
            world.open(client, world.boxes["INBOX"])
        while world.commands < operations:
            if world.random.random() < 0.1:
                world.at_once()
            else:
                world.turn()
    except (consistency.Deviation, OSError):
        for client in clients:
            print(f"--- {client.name} ({client.kind}, {client.box.name if client.box else 'nothing'} open)", *client.recent, sep="\n")
        print(f"--- seed {seed}, after {world.commands} commands")
        raise
    finally:
        for client in [*clients, world.watcher]:
            client.sock.close()
    return world


def test_clients_of_one_mailbox_agree(monkeypatch):
    if os.access("/dev/shm", os.W_OK):  # what is told is tested here, not the disk
        monkeypatch.setenv("SITE_DIR", "/dev/shm")
    with Site("consistency.example") as site:
        site.command("domain", "add", "ex.org")
        site.account("joe@ex.org")
        began = time.process_time()
        world = run(site, OPERATIONS, SEED)
        print(f"{world.commands} commands, {world.operation} changes, {time.process_time() - began:.1f} s of this process")
        assert site.try_command("verify").returncode == 0
