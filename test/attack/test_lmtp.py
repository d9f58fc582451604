"""LMTP: an answer for each recipient (RFC 2033)."""
from wire import Wire, drain

MESSAGE = b"Subject: s\r\n\r\nx\r\n"


def test_lhlo_and_neither_helo_nor_ehlo_rfc2033_4_1(site):
    with Wire(site.port("lmtp")) as w:
        assert w.code(b"HELO c.example") == 500
        assert w.code(b"EHLO c.example") == 500
        assert w.code(b"MAIL FROM:<>") == 503
        w.say(b"LHLO c.example\r\n")
        code, words = w.reply()
        assert code == 250 and {"PIPELINING", "ENHANCEDSTATUSCODES"} <= set(words)
    with Wire(site.port("smtp")) as w:
        assert w.code(b"LHLO c.example") == 500


def test_one_answer_for_each_accepted_recipient_in_their_order_rfc2033_4_2(site, empty):
    names = [b"joe@r.example", b"nobody@r.example", b"small@r.example", b"ann@r.example", b"burnt@r.example", b"joe@r.example"]
    for begin, end in ((b"DATA\r\n", b".\r\n"), (None, b"")):
        body = MESSAGE + b"y" * 2500 + b"\r\n"
        with Wire(site.port("lmtp")) as w:
            w.code(b"LHLO c.example")
            assert w.code(b"MAIL FROM:<a@b.example>") == 250
            assert [w.code(b"RCPT TO:<" + n + b">") for n in names] == [250, 550, 250, 250, 550, 250]
            w.say((begin or b"BDAT %d LAST\r\n" % len(body)) + body + end + b"NOOP\r\n")
            if begin:
                assert w.reply()[0] == 354
            codes = [w.reply()[0] for _ in range(5)]
            assert codes[0] == codes[2] == codes[3] == codes[4] == 250
            assert codes[1] in (452, 552)           # over its quota
    assert len(drain(site, b"joe@r.example")) == 2
    assert len(drain(site, b"ann@r.example")) == 2
    assert drain(site, b"small@r.example") == []
    assert site.json("queue", "list") == []         # refused in the session: no bounce


def test_data_without_recipients_is_503_rfc2033_4_2(site):
    with Wire(site.port("lmtp")) as w:
        w.code(b"LHLO c.example")
        w.code(b"MAIL FROM:<>")
        assert w.code(b"RCPT TO:<nobody@r.example>") == 550
        assert w.code(b"DATA") == 503
        w.say(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
        assert w.reply()[0] == 503
        assert w.reply()[0] == 250


def test_a_refused_message_is_answered_for_each_recipient_rfc2033_4_2(site):
    with Wire(site.port("lmtp")) as w:
        w.code(b"LHLO c.example")
        w.code(b"MAIL FROM:<>")
        for _ in range(3):
            assert w.code(b"RCPT TO:<joe@r.example>") == 250
        assert w.code(b"DATA") == 354
        w.say(b"Received: x\r\n" * 101 + b"\r\nx\r\n.\r\nNOOP\r\n")
        assert [w.reply()[0] for _ in range(4)] == [554, 554, 554, 250]


def test_unknown_names_of_a_local_server_are_not_counted_as_guesses(site):
    with Wire(site.port("lmtp"), "127.4.0.1") as w:
        w.code(b"LHLO c.example")
        w.code(b"MAIL FROM:<>")
        w.say(b"".join(b"RCPT TO:<lost%d@r.example>\r\n" % i for i in range(60)))
        assert [w.reply()[0] for _ in range(60)] == [550] * 60
        assert w.code(b"RCPT TO:<joe@r.example>") == 250
