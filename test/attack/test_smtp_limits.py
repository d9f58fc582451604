"""Lines, parameters, sizes and chunks at their limits and beyond (RFC 5321 §4.5.3, RFC 1870, 3030, 6531)."""
import pytest

from wire import Wire, drain

MESSAGE = b"Subject: s\r\n\r\nx\r\n"


@pytest.fixture
def wire(site):
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        yield w


# Lines --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [2049, 4096, 65536, 1_000_000])
def test_a_line_too_long_is_one_error_and_the_next_command_counts_rfc5321_4_5_3_1_4(wire, octets):
    wire.say(b"MAIL FROM:<a@b.example> " + b"x" * octets + b"\r\nNOOP\r\n")
    assert wire.reply()[0] == 500
    assert wire.reply()[0] == 250


@pytest.mark.parametrize("octets", [512, 1000, 2000])
def test_lines_longer_than_asked_for_are_understood_rfc5321_4_5_3_1_4(wire, octets):
    assert wire.code(b"NOOP " + b"x" * (octets - 7)) == 250


@pytest.mark.parametrize("line", [b"\x00", b"NOOP\x00", b"MAIL FROM:<a\x00@b.example>", b"MAIL FROM:<a@b.example>\x00", b"\x1b[2J", b"NO\rOP",
                                  b"RSET\rRSET", b"MAIL FROM:<a@b.example>\rRCPT TO:<joe@r.example>"], ids=repr)
def test_control_characters_in_a_command_are_an_error_rfc5321_4_1_2(wire, line):
    assert wire.code(line) in (500, 501)
    assert wire.code(b"NOOP") == 250


def test_a_bare_line_feed_ends_no_command_rfc5321_2_3_8(wire):
    wire.say(b"NOOP\nNOOP\r\nRSET\r\n")
    assert wire.reply()[0] in (250, 500, 501)
    assert wire.reply() == (250, ["2.0.0 forgotten"])


def test_errors_end_in_421_rfc5321_4_3_2(wire):
    codes = []
    wire.say(b"WHAT\r\n" * 100)
    while (code := wire.reply()[0]) != 0:
        codes.append(code)
    assert codes[-1] == 421 and set(codes[:-1]) == {500} and len(codes) <= 25


@pytest.mark.parametrize("line", [b"", b" ", b"\t", b"EHLO", b"HELO", b"EHLO " + b"x" * 256, b"EHLO \xff", b"MAIL", b"MAIL FROM", b"MAIL FROM:",
                                  b"MAIL FROM:<", b"MAIL FROM:>", b"MAIL TO:<a@b.example>", b"MAIL FROM:a@b.example", b"RCPT TO:<>", b"VRFY",
                                  b"MAIL FROM:<a@b.example>x", b"MAIL FROM:<a@b.example><c@d.example>", b"RSET x", b"DATA x", b"QUIT x"], ids=repr)
def test_a_malformed_command_changes_nothing_rfc5321_4_3_2(wire, line):
    assert 500 <= wire.code(line) <= 555
    assert wire.code(b"MAIL FROM:<a@b.example>") == 250


@pytest.mark.parametrize("path", [b"x" * 65 + b"@r.example", b"joe@" + b"x" * 64 + b".example", b"joe@" + b"x." * 130 + b"e", b"j@r..example", b".j@r.example",
                                  b"j..j@r.example", b"j.@r.example", b'"j@r.example', b"j@[r.example", b"j@r.example>", b"j@", b"@r.example", b"j j@r.example",
                                  b"j@r_\xff.example", b'"j\x07"@r.example', b"(c)j@r.example", b"j@[1.2.3.4.5]", b"j@[IPv6:z]"], ids=lambda p: repr(p[:30]))
def test_a_malformed_recipient_is_refused_for_good_rfc5321_4_5_3_1_1(wire, path):
    wire.code(b"MAIL FROM:<a@b.example>")
    assert wire.code(b"RCPT TO:<" + path + b">") in (501, 550, 553)
    assert wire.code(b"RCPT TO:<joe@r.example>") == 250


@pytest.mark.parametrize("parameters", [b"FOO=1", b"FOO", b"BODY=9BIT", b"BODY=", b"BODY", b"SIZE=x", b"SIZE=-1", b"SIZE= 1", b"SIZE=1 SIZE=1",
                                        b"SIZE=999999999999999999999999", b"=", b"=1", b"SMTPUTF8=1", b"SMTPUTF8 SMTPUTF8", b"BODY=7BIT BODY=8BITMIME", b"FOO=\xff",
                                        b"BODY=BINARYMIME", b"SIZE=1\x00", b" ".join(b"A%d" % i for i in range(200))], ids=lambda p: repr(p[:24]))
def test_a_wrong_parameter_refuses_mail_and_begins_nothing_rfc5321_4_1_1_11(wire, parameters):
    assert wire.code(b"MAIL FROM:<a@b.example> " + parameters) in (500, 501, 504, 552, 555)
    assert wire.code(b"RCPT TO:<joe@r.example>") == 503
    assert wire.code(b"MAIL FROM:<a@b.example> SIZE=1 BODY=8BITMIME SMTPUTF8") == 250


# SIZE ---------------------------------------------------------------------------------------------------------------


def test_size_is_announced_and_held_before_and_after_the_message_rfc1870_6(strict, stranger):
    with Wire(strict.port("smtp"), stranger) as w:
        w.say(b"EHLO c.example\r\n")
        assert "SIZE 102400" in w.reply()[1]
        assert w.answer(b"MAIL FROM:<a@b.example> SIZE=102401") == "552 5.3.4"
        assert w.code(b"MAIL FROM:<a@b.example> SIZE=102400") == 250
        assert w.code(b"RCPT TO:<joe@r.example>") == 250
        assert w.code(b"DATA") == 354
        w.say(b"Subject: s\r\n\r\n" + b"x" * 102400 + b"\r\n.\r\nNOOP\r\n")
        code, lines = w.reply()
        assert code == 552 and lines[0].startswith("5.3.4")
        assert w.reply()[0] == 250
        w.envelope()
        assert w.code(b"DATA") == 354
        w.say(b"Subject: s\r\n\r\n" + (b"x" * 98 + b"\r\n") * 1020 + b".\r\n")
        assert w.reply()[0] == 250


def test_a_chunk_over_the_size_is_refused_when_it_comes_and_all_behind_it_rfc3030_2(strict, stranger):
    with Wire(strict.port("smtp"), stranger) as w:
        w.envelope()
        w.say(b"BDAT 60000\r\n" + b"x" * 60000 + b"BDAT 60000\r\n" + b"x" * 60000 + b"BDAT 3\r\nabcBDAT 0 LAST\r\nNOOP\r\n")
        codes = [w.reply()[0] for _ in range(5)]
        assert codes[0] == 250 and codes[1] == 552 and codes[4] == 250
        assert all(code in (503, 552) for code in codes[2:4])
        assert w.code(b"RSET") == 250
        assert w.code(b"MAIL FROM:<a@b.example>") == 250


def test_recipients_over_the_limit_are_for_the_next_transaction_rfc5321_4_5_3_1_10(strict, stranger):
    with Wire(strict.port("smtp"), stranger) as w:
        w.envelope(recipients=[])
        w.say(b"".join(b"RCPT TO:<joe+%d@r.example>\r\n" % i for i in range(102)))
        assert [w.reply()[0] for _ in range(102)] == [250] * 100 + [452] * 2
        assert w.code(b"DATA") == 354
        w.say(MESSAGE + b".\r\n")
        assert w.reply()[0] == 250
    with Wire(strict.port("pop3s"), stranger, greet=False) as w:
        w.start_tls()
        w.line()
        assert w.login(b"joe@r.example")
        for i in range(1, 10):
            if not w.ok(b"DELE %d" % i):
                break
        assert w.ok(b"QUIT")


# BDAT ---------------------------------------------------------------------------------------------------------------


def test_data_after_bdat_is_503_and_rset_clears_it_rfc3030_2(wire):
    wire.envelope()
    wire.say(b"BDAT 2\r\nx:")
    assert wire.reply()[0] == 250
    assert wire.code(b"DATA") == 503
    assert wire.code(b"RCPT TO:<ann@r.example>") == 503
    assert wire.code(b"MAIL FROM:<a@b.example>") == 503
    assert wire.code(b"RSET") == 250
    assert wire.code(b"MAIL FROM:<a@b.example>") == 250


def test_an_empty_last_chunk_ends_the_message_rfc3030_2(site, empty, wire):
    wire.envelope()
    wire.say(b"BDAT %d\r\n" % len(MESSAGE) + MESSAGE + b"BDAT 0\r\nBDAT 0 LAST\r\nBDAT 0 LAST\r\n")
    assert [wire.reply()[0] for _ in range(4)] == [250, 250, 250, 503]
    assert drain(site, b"joe@r.example")[0].endswith(MESSAGE)


def test_a_message_cut_into_chunks_anywhere_is_the_same_message_rfc3030_2(site, empty, wire):
    body = b"Subject: s\r\n\r\n.\r\n..\r\n.a\r\nlast\r\n"
    for cut in range(len(body) + 1):
        wire.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@r.example>\r\nBDAT %d\r\n" % cut + body[:cut])
        wire.say(b"BDAT %d LAST\r\n" % (len(body) - cut) + body[cut:])
        assert [wire.reply()[0] for _ in range(4)] == [250] * 4
    found = drain(site, b"joe@r.example")
    assert len(found) == len(body) + 1 and all(m.endswith(b"\r\n" + body) for m in found)


@pytest.mark.parametrize("before", [b"", b"MAIL FROM:<a@b.example>\r\n", b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@r.example>\r\n"], ids=repr)
def test_the_octets_of_a_refused_chunk_are_no_commands_rfc3030_4_2(wire, before):
    n = before.count(b"\r\n")
    wire.say(before + b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nRSET\r\n")
    codes = [wire.reply()[0] for _ in range(n + 3)][n:]
    assert codes[0] in (503, 554) and codes[1] in (503, 554) and codes[2] == 250


@pytest.mark.parametrize("args", [b"", b" x", b" -1", b" +1", b" 0x5", b" 3 LAS", b" 1 LAST x", b" 99999999999999999999999 LAST", b" 18446744073709551616", b" 1.5", b" 1LAST"],
                         ids=repr)
def test_a_chunk_of_unknown_length_closes_for_its_octets_can_not_be_told_from_commands_rfc3030_2(wire, args):
    wire.envelope()
    wire.say(b"BDAT" + args + b"\r\nQUIT\r\nRSET\r\n")
    assert wire.reply()[0] == 501
    assert wire.is_closed()


def test_a_connection_lost_inside_a_chunk_or_data_keeps_nothing_rfc5321_4_1_1_4(site, empty):
    for octets in (b"BDAT 1000 LAST\r\n" + MESSAGE, b"BDAT 17\r\n" + MESSAGE, b"DATA\r\n" + MESSAGE, b"DATA\r\n" + MESSAGE + b"."):
        with Wire(site.port("smtp")) as w:
            w.envelope()
            w.say(octets)
            if octets.startswith(b"DATA"):
                assert w.reply()[0] == 354
    assert drain(site, b"joe@r.example") == []


# SMTPUTF8, 8BITMIME -------------------------------------------------------------------------------------------------


def test_addresses_beyond_ascii_need_smtputf8_rfc6531_3_4(site):
    site.command("account", "add", "jörg@r.example", stdin="secret\n")
    address = "jörg@r.example".encode()
    with Wire(site.port("smtp")) as w:
        w.say(b"EHLO c.example\r\n")
        assert {"SMTPUTF8", "8BITMIME"} <= set(w.reply()[1])
        assert w.code(b"MAIL FROM:<" + address + b">") in (550, 553)
        assert w.code(b"MAIL FROM:<a@b.example>") == 250
        assert w.code(b"RCPT TO:<" + address + b">") in (550, 553)
        assert w.code(b"RSET") == 250
        assert w.code(b"MAIL FROM:<" + address + b"> SMTPUTF8") == 250
        assert w.code(b"RCPT TO:<" + address + b">") == 250
        assert w.code(b"RCPT TO:<j\xc3@r.example>") in (501, 550, 553)          # half a character
        assert w.code(b"RCPT TO:<j\xc0\xaf@r.example>") in (501, 550, 553)      # overlong
        assert w.code(b"RCPT TO:<j\xed\xa0\x80@r.example>") in (501, 550, 553)  # surrogate
        assert w.code(b"DATA") == 354
        w.say("Subject: grüße\r\n\r\nx\r\n.\r\n".encode())
        assert w.reply()[0] == 250
    found = drain(site, address)
    assert len(found) == 1 and b"with UTF8SMTP " in found[0] and b"Subject: gr\xc3\xbc\xc3\x9fe\r\n" in found[0]


def test_a_domain_is_the_same_in_its_two_spellings_rfc6531_3_2(site):
    site.command("domain", "add", "bücher.example")
    site.command("account", "add", "joe@bücher.example", stdin="secret\n")
    with Wire(site.port("smtp")) as w:
        w.code(b"EHLO c.example")
        assert w.code(b"MAIL FROM:<> SMTPUTF8") == 250
        assert w.code("RCPT TO:<joe@BÜCHER.example>".encode()) == 250
        assert w.code(b"RCPT TO:<joe@xn--bcher-kva.example>") == 250


def test_eight_bit_octets_arrive_as_they_were_sent_rfc6152_3(site, empty, wire):
    body = bytes(range(1, 10)) + bytes(range(14, 256)) + b"\r\n"
    assert wire.code(b"MAIL FROM:<a@b.example> BODY=8BITMIME") == 250
    assert wire.code(b"RCPT TO:<joe@r.example>") == 250
    assert wire.code(b"DATA") == 354
    wire.say(b"Subject: s\r\n\r\n" + body + b".\r\n")
    assert wire.reply()[0] == 250
    assert drain(site, b"joe@r.example")[0].endswith(b"\r\n\r\n" + body)
