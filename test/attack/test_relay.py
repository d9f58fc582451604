"""Nobody relays without login (RFC 5321 §3.6.2, §7.8): 60 forms of address, at each door, with a catch-all and without."""
import base64

import pytest

from wire import Wire

FORMS = [
    "victim@other.example", "<victim@other.example>", "victim%other.example@{d}", "victim%other.example%x@{d}", "victim%other.example@mx.r.example",
    "other.example!victim@{d}", "other.example!victim", "x!other.example!victim@{d}", "victim@other.example@{d}", "victim@{d}@other.example",
    '"victim@other.example"@{d}', '"victim%other.example"@{d}', '"victim@other.example"', '"other.example!victim"@{d}', '"victim"@other.example',
    "@{d}:victim@other.example", "@{d},@mx.r.example:victim@other.example", "@other.example:joe@{d}", "@other.example:victim@{d}", "@{d}:victim%other.example@{d}",
    "victim@[127.0.0.2]", "victim@[192.0.2.1]", "victim@[IPv6:2001:db8::1]", "victim%other.example@[127.0.0.1]", "victim@[other.example]",
    "victim@[IPv6:::1]", "victim@127.0.0.2", "victim@0x7f.1", "victim@2130706434", "victim@[127.0.0.1]",
    "victim%other.org@evil.example.via", "victim@other.example.via", "victim%other.example@{d}.via", "victim@other.example._via", "victim@{d}.via",
    "victim@other.example.", "victim@other.example..", "victim@.other.example", "victim@OTHER.EXAMPLE", "victim@{d}.other.example",
    "victim@other.example%{d}", "victim%{d}@other.example", "victim@{d}\\@other.example", "victim\\@other.example@{d}", "victim%40other.example@{d}",
    "SRS0=aaaa=bb=other.example=victim@{d}", "SRS1=aaaa=other.example==bb=cc=x=victim@{d}", "SRS0+aaaa=bb=other.example=victim@{d}", "victim=other.example@{d}", "victim+other.example@{d}",
    "joe+victim@other.example", "victim@other.example,joe@{d}", "victim@other.example joe@{d}", "victim@other.example;joe@{d}", "victim@xn--nxasmq6b",
    "victim", "victim@", "@other.example", "postmaster@other.example", "victim@other.example\t",
]
assert len(FORMS) == 60

LOGINS = {"stranger": ("smtp", None), "without the right to send": ("submission", "mute@r.example"), "lmtp": ("lmtp", None), "ours": ("submission", "joe@r.example")}


def plain(user, password="secret"):
    return base64.b64encode(f"\0{user}\0{password}".encode())


def try_all(site, source, who, domain):
    """Offer every form, with a message when one is taken."""
    door, account = LOGINS[who]
    taken = []
    w = None
    for i, form in enumerate(FORMS):
        if i % 8 == 0:      # before the errors or unknown names of a session are too many
            w = Wire(site.port(door), source(i))
            w.code(b"LHLO c.example" if door == "lmtp" else b"EHLO c.example")
            if account:
                assert w.code(b"AUTH PLAIN " + plain(account)) == 235
        assert w.code(b"MAIL FROM:<" + (account or "a@b.example").encode() + b">") == 250
        code = w.code(b"RCPT TO:<" + form.format(d=domain).encode() + b">")
        assert code != 0, form
        if code == 250:
            taken.append(form)
            assert w.code(b"DATA") == 354
            w.say(b"Subject: relay\r\n\r\nx\r\n.\r\n")
            assert w.reply()[0] in (250, 550, 554), form
        w.code(b"RSET")
        if i % 8 == 7:
            w.socket.close()
    return taken


@pytest.mark.parametrize("domain", ["r.example", "catch.example"])
@pytest.mark.parametrize("who", ["stranger", "without the right to send", "lmtp"])
def test_no_form_of_address_leaves_without_login_rfc5321_3_6_2(site, who, domain):
    try_all(site, lambda i: f"127.2.{len(who)}.{len(domain) * 10 + i // 8}", who, domain)
    assert site.json("queue", "list") == []


# Local parts are opaque (RFC 5321 §2.3.11): what hides another domain in one is a name of ours even when an own user writes it.
HIDING = ["victim%other.example@{d}", "other.example!victim@{d}", '"victim@other.example"@{d}', '"victim%other.example"@{d}',
          "victim=other.example@{d}", "SRS0=aaaa=bb=other.example=victim@{d}", "victim%40other.example@{d}"]


@pytest.mark.parametrize("domain", ["r.example", "catch.example"])
def test_a_local_part_never_becomes_another_domain_for_our_own_users_rfc5321_2_3_11(site, domain):
    with Wire(site.port("submission"), "127.2.99.1") as w:
        w.code(b"EHLO c.example")
        assert w.code(b"AUTH PLAIN " + plain("joe@r.example")) == 235
        for form in HIDING:
            assert w.code(b"MAIL FROM:<joe@r.example>") == 250
            code = w.code(b"RCPT TO:<" + form.format(d=domain).encode() + b">")
            assert code == (250 if domain == "catch.example" else 550), form
            if code == 250:
                assert w.code(b"DATA") == 354
                w.say(b"Subject: relay\r\n\r\nx\r\n.\r\n")
                assert w.reply()[0] == 250
            w.code(b"RSET")
    assert site.json("queue", "list") == []


def test_an_own_user_writes_only_as_himself_rfc6409_6_1(site):
    with Wire(site.port("submission"), "127.2.99.2") as w:
        w.code(b"EHLO c.example")
        assert w.code(b"AUTH PLAIN " + plain("joe@r.example")) == 235
        assert w.code(b"MAIL FROM:<ann@r.example>") in (550, 553)
        assert w.code(b"MAIL FROM:<x@other.example>") in (550, 553)
        assert w.code(b"MAIL FROM:<joe+news@r.example>") == 250


def test_submission_wants_a_login_before_mail_rfc6409_4_3(site):
    with Wire(site.port("submission")) as w:
        w.code(b"EHLO c.example")
        assert w.answer(b"MAIL FROM:<joe@r.example>") == "530 5.7.0"
        assert w.code(b"RCPT TO:<victim@other.example>") in (503, 530)
        w.say(b"BDAT 6 LAST\r\nx: y\r\nNOOP\r\n")
        assert w.reply()[0] in (503, 530)
        assert w.reply()[0] == 250


def test_bounces_of_strangers_with_a_null_sender_do_not_relay_either_rfc5321_4_5_5(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        assert w.envelope(b"", [b"victim@other.example", b"victim%other.example@r.example"]) == [250, 250, 550, 550]
