"""What forged mail makes us send to others: at most the limits of bounces (RFC 3834 §2, RFC 5321 §6.1, ROUTING §6)."""
from site_under_test import Site
from wire import Wire, drain


def forge(w, senders, recipient, headers=b""):
    for sender in senders:
        w.say(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (sender, recipient))
        assert [w.reply()[0] for _ in range(3)] == [250, 250, 354]
        w.say(headers + b"Subject: forged\r\n\r\nx\r\n.\r\n")
        assert w.reply()[0] == 250


def test_five_hundred_forged_mails_make_twenty_bounces_at_most():
    with Site("mx.back.example") as site:
        site.command("domain", "add", "b.example", "unknown=bounce")
        site.command("account", "password", "postmaster@mx.back.example", stdin="secret\n")
        with Wire(site.port("smtp")) as w:
            w.code(b"EHLO c.example")
            forge(w, [b"one@v.example"] * 50, b"nobody@b.example")
            assert len(site.json("queue", "list")) == 1         # one a day for a sender
            forge(w, [b"", b"mailer-daemon@v.example"], b"nobody@b.example")
            for header in (b"Precedence: bulk\r\n", b"Precedence: list\r\n", b"Auto-Submitted: auto-replied\r\n", b"List-Id: <l.v.example>\r\n"):
                forge(w, [b"h%d@v.example" % len(header)], b"nobody@b.example", header)
            assert len(site.json("queue", "list")) <= 2
            forge(w, [b"s%d@v%d.example" % (i, i % 7) for i in range(444)], b"n@b.example")
        rows = site.json("queue", "list")
        assert 1 < len(rows) <= 20
        assert all(row["sender"] in ("", "<>") for row in rows)
        assert len({row["recipient"] for row in rows}) == len(rows)
        assert len(drain(site, b"postmaster@mx.back.example")) == 500 - len(rows)       # nothing is lost


def test_a_refused_recipient_makes_no_bounce_rfc5321_6_1(site, stranger):
    with Wire(site.port("smtp"), stranger) as w:
        assert w.envelope(b"forged@v.example", [b"nobody@r.example", b"burnt@r.example", b"joe@r.example"]) == [250, 250, 550, 550, 250]
        assert w.code(b"DATA") == 354
        w.say(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert w.reply()[0] == 250
    assert site.json("queue", "list") == []
    drain(site, b"joe@r.example")
