"""Several IMAP clients on the same mailboxes, at random, of their owner and of readers with fewer rights: what each is told, and what all
know in the end (RFC 9051, RFC 7162, RFC 4314)."""
import os
import random
import time

import consistency
from imap import Imap
from site_under_test import Site

OPERATIONS = int(os.environ.get("CONSISTENCY_OPERATIONS", "100000"))
SEED = int(os.environ.get("CONSISTENCY_SEED", "20480"))
ALL = "lrswipkxtea"
# The owner; a reader who may change what he likes; one who may not change flags here (w), and not his \\Seen there (s).
RIGHTS = {"joe": {"INBOX": ALL, "Archive": ALL}, "ann": {"INBOX": "lrswite", "Archive": "lrswite"}, "bob": {"INBOX": "lrsite", "Archive": "lrwite"}}


def run(site, operations, seed):
    port = site.port("imap")
    people = [consistency.Person(i, f"{name}@ex.org", "" if name == "joe" else "~joe/", rights)
              for i, (name, rights) in enumerate(RIGHTS.items())]
    joe, ann, bob = people
    clients = [consistency.Client("q", "qresync", joe, port), consistency.Client("c", "condstore", ann, port),
               consistency.Client("p", "plain", joe, port), consistency.Client("r", "qresync", ann, port),
               consistency.Client("b", "qresync", bob, port)]
    world = consistency.World(("INBOX", "Archive"), people, clients, random.Random(seed))
    world.password = "secret"
    world.watchers = [consistency.Client(f"w{person.number}.", "condstore", person, port) for person in people]
    for client in [*clients, *world.watchers]:
        client.log_in(world.password)
    try:
        for client in clients:
            world.open(client, world.boxes["INBOX"])
        while world.commands < operations:
            if world.random.random() < 0.07:
                world.at_once()
            else:
                world.turn()
    except (consistency.Deviation, OSError):
        for client in clients:
            print(f"--- {client.name} ({client.kind}, {client.box.name if client.box else 'nothing'} open)", *client.recent, sep="\n")
        print(f"--- seed {seed}, after {world.commands} commands")
        raise
    finally:
        for client in [*clients, *world.watchers]:
            client.sock.close()
    return world


def share(site):
    """What joe grants to the others."""
    with Imap(site.port("imap"), "joe@ex.org") as joe:
        for name in RIGHTS:
            for box, rights in RIGHTS[name].items():
                if name != "joe":
                    joe.must(f"SETACL {box} {name} {rights}")


def test_clients_of_one_mailbox_agree(monkeypatch):
    if os.access("/dev/shm", os.W_OK):  # what is told is tested here, not the disk
        monkeypatch.setenv("SITE_DIR", "/dev/shm")
    with Site("consistency.example") as site:
        site.command("domain", "add", "ex.org")
        for name in RIGHTS:
            site.account(f"{name}@ex.org")
        share(site)
        began = time.process_time()
        world = run(site, OPERATIONS, SEED)
        print(f"{world.commands} commands, {world.operation} changes, {time.process_time() - began:.1f} s of this process")
        assert site.try_command("verify").returncode == 0
