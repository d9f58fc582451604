"""Every command about a mailbox, under every right, on a mailbox that is there and one that is not (RFC 4314 §4)."""
import pytest
from imap import Imap
from site_under_test import Site

RIGHTS = "lrswipkxtea"
MESSAGE = "{8+}\r\na: b\r\n\r\n"

# command on %s -> what it needs beside l. Those that change the mailbox itself come with what puts it back.
COMMANDS = {
    "SELECT %s": "r",
    "EXAMINE %s": "r",
    "STATUS %s (MESSAGES UIDNEXT)": "r",
    "SUBSCRIBE %s": "",
    "MYRIGHTS %s": "",
    "GETACL %s": "a",
    "LISTRIGHTS %s kim": "a",
    "SETACL %s kim lr": "a",
    "DELETEACL %s kim": "a",
    "APPEND %s " + MESSAGE: "i",
    "UID COPY 1 %s": "i",
    "CREATE %s/Below": "k",
    "RENAME %s/Child %s/Kid": "kx",
    "DELETE %s/Child": "x",
    "DELETE %s": "x",
    "GETQUOTAROOT %s": "r",
    'SETMETADATA %s (/shared/comment "x")': "w",
}
ANY_OF_RSWIP = ["GETMETADATA %s /shared/comment", 'SETMETADATA %s (/private/comment "x")']


def right_sets():
    yield ""
    yield "l"
    for r in RIGHTS[1:]:
        yield r
        yield "l" + r
    for r in RIGHTS:
        yield RIGHTS.replace(r, "")
    yield RIGHTS


@pytest.fixture(scope="module")
def people():
    with Site("mx.site.example") as site:
        site.command("domain", "add", "ex.org")
        for name in ("ann", "joe", "kim"):
            site.account(f"{name}@ex.org")
        with Imap(site.port("imap"), "ann@ex.org") as ann, Imap(site.port("imap"), "joe@ex.org") as joe:
            joe.must("APPEND INBOX " + MESSAGE)
            joe.must("SELECT INBOX")
            yield ann, joe


def stand(ann, rights):
    """Box and Box/Child with these rights for joe, and nothing else below."""
    for name in ("Box/Below", "Box/Kid", "Box/Child", "Box"):
        ann.say(f"DELETE {name}")
    ann.must("CREATE Box")
    ann.must("CREATE Box/Child")
    if rights:
        for name in ("Box", "Box/Child"):
            ann.must(f"SETACL {name} joe {rights}")


def asked(joe, command, name):
    """The answer, with the name that was asked for taken out of it."""
    lines = joe.say(command.replace("%s", name))
    if command.startswith(("SELECT", "EXAMINE")):
        joe.must("SELECT INBOX")
    if command.startswith("SUBSCRIBE"):
        joe.say(command.replace("%s", name).replace("SUB", "UNSUB"))
    return [line.replace(name.encode(), b"%s") for line in lines]


def expected(command, rights):
    if "l" not in rights:
        return None
    if command in ANY_OF_RSWIP:
        is_enough = bool(set("rswip") & set(rights))
    else:
        is_enough = set(COMMANDS[command]) <= set(rights)
    return b"OK" if is_enough else b"NO [NOPERM]"


@pytest.mark.parametrize("command", [*COMMANDS, *ANY_OF_RSWIP])
def test_what_is_hidden_is_answered_as_what_is_not_there_rfc4314_4(people, command):
    ann, joe = people
    for rights in right_sets():
        stand(ann, rights)
        got = asked(joe, command, "~ann/Box")
        want = expected(command, rights)
        if want is None:
            assert got == asked(joe, command, "~ann/Bax"), (command, rights)
            assert got[-1].startswith(b"NO ["), (command, rights)
            if command.startswith(("UID COPY", "APPEND")):
                assert got[-1].startswith(b"NO [TRYCREATE]"), got
        else:
            assert got[-1].startswith(want), (command, rights, got)


def test_lists_show_what_may_be_seen_and_nothing_else_rfc4314_4(people):
    ann, joe = people
    for rights in right_sets():
        stand(ann, rights)
        ann.must("DELETE Box/Child")
        for command in ('LIST "" *', 'LIST "" ~*', 'LIST ~ann/ %', 'LIST "" ~ann/Box'):
            lines = [line for line in joe.must(command) if b"~ann/" in line]
            if "l" not in rights:
                assert lines == []
            else:
                noselect = b"" if "r" in rights else b"\\Noselect "
                assert lines == [b'* LIST (' + noselect + b'\\HasNoChildren) "/" ~ann/Box']


def test_the_owner_is_told_the_truth_and_keeps_his_hands_on_it_rfc4314_3(people):
    ann, joe = people
    stand(ann, "lr")
    assert ann.must("MYRIGHTS Box") == [b"* MYRIGHTS Box lrswipkxteacd"]
    assert ann.must("GETACL Box") == [b"* ACL Box ann@ex.org lrswipkxteacd joe@ex.org lr"]
    ann.must("SETACL Box joe +sd")
    ann.must("SETACL Box -kim w")
    assert ann.must("GETACL Box") == [b"* ACL Box ann@ex.org lrswipkxteacd joe@ex.org lrsted -kim@ex.org w"]
    ann.must("SETACL Box joe -rd")
    ann.must("DELETEACL Box -kim")
    assert ann.must("GETACL Box") == [b"* ACL Box ann@ex.org lrswipkxteacd joe@ex.org ls"]
    ann.must("SETACL Box ann \"\"")
    assert ann.must("MYRIGHTS Box") == [b"* MYRIGHTS Box lra"]
    ann.must("SETACL Box owner lrswipkxtea")
    assert ann.must("LISTRIGHTS Box ann") == [b"* LISTRIGHTS Box ann lra s w i p k x t e c d"]
    assert ann.must("LISTRIGHTS Box joe") == [b'* LISTRIGHTS Box joe "" l r s w i p k x t e a c d']
    assert ann.say("SETACL Box nobody lr")[-1].startswith(b"NO [CANNOT]")
    assert ann.say("SETACL Box joe lrq")[-1].startswith(b"BAD")
    assert ann.say("SETACL Box joe")[-1].startswith(b"BAD")
    assert ann.say("DELETEACL Box nobody")[-1].startswith(b"OK")
    assert joe.must("MYRIGHTS ~ann/Box") == [b"* MYRIGHTS ~ann/Box ls"]


def test_rights_on_messages_are_those_of_the_letters_rfc4314_4(people):
    ann, joe = people
    for rights in ("lr", "lrs", "lrw", "lrt", "lre", "lrte", "lrswte"):
        stand(ann, rights)
        ann.must("APPEND Box " + MESSAGE)
        selected = joe.must("SELECT ~ann/Box")
        permanent = next(line for line in selected if b"PERMANENTFLAGS" in line)
        assert (b"\\Seen" in permanent) == ("s" in rights)
        assert (b"\\Flagged" in permanent) == ("w" in rights)
        assert (b"\\Deleted" in permanent) == ("t" in rights)
        for flag, right in (("\\Seen", "s"), ("\\Flagged", "w"), ("\\Deleted", "t")):
            joe.say(f"STORE 1 +FLAGS ({flag})")
            told = b" ".join(joe.must("FETCH 1 FLAGS"))
            assert (flag.encode() in told) == (right in rights), (rights, flag, told)
        ann.must("SELECT Box")
        ann.must("STORE 1 +FLAGS (\\Deleted)")
        ann.must("UNSELECT")
        joe.say("EXPUNGE")
        assert (b"MESSAGES 0" in ann.must("STATUS Box (MESSAGES)")[0]) == ("e" in rights), rights
        joe.must("SELECT INBOX")
