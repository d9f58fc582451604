"""SEARCH BODY and TEXT against a second implementation: what FETCH gives, decoded by Python's email package and folded here
(RFC 9051 §6.4.4; mail/text.h has the rules)."""
import email
import email.header
import email.message
import html.parser
import random
import re
import smtplib
import time
import unicodedata

import pytest
from imap import Imap
from site_under_test import Site

USER = "joe@ex.org"
MESSAGES = 260
NEEDLES = 160

WORDS = {
    "us-ascii": "invoice quarterly REPORT of so-and-so o'clock e-mail 50% x@y.example foo_bar C++ (see below) 2026-11-22 <tag> &amp; zebra".split(" "),
    "iso-8859-1": ["Grüße", "Straße", "CAFÉ", "naïve", "ÿ", "Ñandú", "no\u00a0break", "zebra", "¿qué?"],
    "windows-1252": ["“quoted”", "€5", "naïve", "…", "zebra"],
    "koi8-r": "Привет мир письмо СЧЁТ zebra".split(" "),
    "shift_jis": "日本語 東京 請求書 カタカナ zebra".split(" "),
    "iso-2022-jp": "日本語 東京 メール zebra".split(" "),
    "euc-kr": "한국어 보고서 zebra".split(" "),
    "gb18030": "发票 报告 北京 zebra".split(" "),
    "utf-8": ["Grüße", "Ωmega", "日本語の請求書", "ﬁnance", "İstanbul", "ǅ", "Zu\u0308rich", "ｆｕｌｌ", "soft\u00adhyphen", "zero\u200bwidth", "é\u0323", "Привет",
              "🦓", "a" * 40 + "b" * 10, "x7Qp" * 30, "no\u00a0break", "of", "zebra"],
}

# Messages ------------------------------------------------------------------------------------------------------------


def words(rnd, charset, n):
    return [rnd.choice(WORDS[charset]) for _ in range(n)]


def text_part(rnd):
    charset = rnd.choice(list(WORDS))
    text = "".join(w + rnd.choice([" ", " ", " ", "\r\n", "  "]) for w in words(rnd, charset, rnd.randint(1, 80)))
    part = email.message.Message()
    if rnd.random() < 0.3:
        subtype = "html"
        tags = {" ": [" ", " ", " ", "&nbsp;", "<br>", "</p><p>", " <!-- quagga --> "], "&": ["&amp;"], "<": ["&lt;"], ">": ["&gt;"]}
        marked = "".join(rnd.choice(tags[c]) if c in tags else c + rnd.choice([""] * 20 + ["<b>", "</i>", "<span class=x>"]) * c.isalnum() for c in text)
        text = f"<html><head><style>p {{ color: quagga }}</style></head><body><p>{marked}</p></body></html>"
    else:
        subtype = rnd.choice(["plain", "plain", "plain", "csv"])
    part["Content-Type"] = f'text/{subtype}; charset="{charset}"'
    octets = text.encode(charset)
    encoding = rnd.choice(["base64", "quoted-printable", "8bit"])
    if encoding == "8bit" and charset == "us-ascii":
        encoding = "7bit"
    part["Content-Transfer-Encoding"] = encoding
    if encoding == "base64":
        part.set_payload(email.base64mime.body_encode(octets, eol="\r\n"))
    elif encoding == "quoted-printable":
        part.set_payload(email.quoprimime.body_encode(octets.decode("latin-1").replace("\r\n", "\n"), eol="\r\n"))
    else:
        part.set_payload(octets.decode("ascii", "surrogateescape"))
    return part


def attachment(rnd):
    part = email.message.Message()
    name = " ".join(words(rnd, rnd.choice(["us-ascii", "utf-8"]), 2)).replace('"', "")
    part["Content-Type"] = "application/octet-stream"
    if name.isascii():
        part.add_header("Content-Disposition", "attachment", filename=name)
    else:
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", name))
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(email.base64mime.body_encode(rnd.randbytes(200), eol="\r\n"))
    return part


def entity(rnd, depth):
    kind = rnd.random()
    if depth < 3 and kind < 0.3:
        part = email.message.Message()
        part["Content-Type"] = f'multipart/mixed; boundary="b{depth}-{rnd.randrange(10**9)}"'
        part.set_payload([entity(rnd, depth + 1) for _ in range(rnd.randint(1, 3))])
        return part
    if depth < 3 and kind < 0.38:
        part = email.message.Message()
        part["Content-Type"] = "message/rfc822"
        part.set_payload([headed(rnd, depth + 1)])
        return part
    return attachment(rnd) if kind < 0.5 else text_part(rnd)


def headed(rnd, depth):
    part = entity(rnd, depth)
    charset = rnd.choice(["us-ascii", "utf-8"])
    subject = " ".join(words(rnd, charset, rnd.randint(1, 9)))
    part["Subject"] = email.header.Header(subject, charset, header_name="Subject")
    part["From"] = f"{rnd.choice(['Anna', 'Bert', 'Zoe'])} <{rnd.choice(['anna', 'bert'])}@far.example>"
    return part


def messages(seed):
    rnd = random.Random(seed)
    for _ in range(MESSAGES):
        yield re.sub(rb"\r?\n", b"\r\n", headed(rnd, 0).as_bytes())


# The second implementation -------------------------------------------------------------------------------------------

GONE = {0xad, 0x34f, 0x61c, 0x180e, 0xfeff} | set(range(0x200b, 0x2010)) | set(range(0x202a, 0x202f)) | set(range(0x2060, 0x2070)) | set(range(0xfe00, 0xfe10))


def fold(text):
    while True:
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        if folded == text:
            break
        text = folded
    kept = "".join(c for c in text if c.isspace() or (ord(c) not in GONE and unicodedata.category(c) != "Cc"))
    return re.sub(r"\s+", " ", kept)


class Shown(html.parser.HTMLParser):
    """The text between the tags; those that break a line part it."""
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.hidden = "", 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag == "style"
        self.text += " " if tag in ("p", "br", "html", "body", "head") else ""

    def handle_endtag(self, tag):
        self.hidden -= tag == "style"
        self.text += " " if tag in ("p", "html", "body", "head") else ""

    def handle_data(self, data):
        self.text += "" if self.hidden else data


def field_texts(message):
    for name, value in message.raw_items():
        value = re.sub(r"\r?\n", "", str(value)).encode("ascii", "surrogateescape").decode("utf-8")
        yield f"{name}: {email.header.make_header(email.header.decode_header(value)) if '=?' in value else value.strip()}"


def body_texts(message, is_outermost=True):
    if not is_outermost:
        yield from field_texts(message)
    parts = [message]
    while parts:
        part = parts.pop(0)
        if part.get_filename():
            yield part.get_filename()
        if part.get_content_type() == "message/rfc822":
            yield from body_texts(part.get_payload(0), is_outermost=False)
        elif part.is_multipart():
            parts = part.get_payload() + parts
        elif part.get_content_maintype() == "text":
            text = part.get_payload(decode=True).decode(part.get_content_charset())
            if part.get_content_subtype() == "html":
                shown = Shown()
                shown.feed(text)
                shown.close()
                text = shown.text
            yield text


class Known:
    """One message as a person sees it."""
    def __init__(self, octets):
        message = email.message_from_bytes(octets)
        self.body = [fold(t) for t in body_texts(message)]
        self.text = self.body + [fold(t) for t in field_texts(message)]


def needle_of(rnd, known):
    text = rnd.choice(rnd.choice(known).text)
    start = rnd.randrange(len(text) + 1)
    needle = text[start:start + rnd.randint(1, 24)].strip()
    while needle and unicodedata.combining(needle[0]):
        needle = needle[1:]
    return rnd.choice([needle, needle, needle.upper(), needle.title()]) or "zebra"


# The server ----------------------------------------------------------------------------------------------------------


def fetch_all(imap):
    """{UID: octets}"""
    found = {}
    imap.counter += 1
    tag = b"t%d" % imap.counter
    imap.socket.sendall(tag + b" UID FETCH 1:* BODY.PEEK[]\r\n")
    while not (line := imap.file.readline()).startswith(tag):
        literal = re.search(rb"UID (\d+).*\{(\d+)\}\r\n$", line)
        if literal:
            found[int(literal[1])] = imap.file.read(int(literal[2]))
    return found


def search(imap, key, needle):
    octets = needle.encode()
    lines = imap.must(b"UID SEARCH CHARSET UTF-8 %s {%d+}\r\n%s" % (key.encode(), len(octets), octets))
    return {int(n) for line in lines if line.startswith(b"* SEARCH") for n in line.split()[2:]}


def check(imap, known, needles):
    for needle in needles:
        folded = fold(needle)
        for key, texts in ("BODY", "body"), ("TEXT", "text"):
            wanted = {uid for uid, k in known.items() if any(folded in t for t in getattr(k, texts))}
            assert search(imap, key, needle) == wanted, (key, needle)


def deliver(site, octets):
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=30) as s:
        s.ehlo("client.example")
        for one in octets:
            assert s.sendmail("anna@far.example", [USER], one, ["BODY=8BITMIME"]) == {}


@pytest.fixture()
def site():
    with Site("mx.site.example") as s:
        s.command("domain", "add", "ex.org")
        s.account(USER)
        yield s


FIXED = ["zebra", "quagga", "z", "no break", "zürich", "日本", "の請", "return-path", "delivered-to: joe", "<joe@ex.org>", "o'clock", "50%",
         "so-and-so", "nowhere at all", "x7qp" * 30, "ebra zeb", "softhyphen", "zerowidth", "finance", "full", "🦓", "istanbul", "strasse"]


def wait_until_indexed(site, packs):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for row in site.json("check"):
            state = re.search(r"search index: holds (\d+) of (\d+)", row["text"])
            if state and int(state[1]) == int(state[2]) >= packs:
                return
        time.sleep(0.1)
    raise AssertionError("the search index was not filled: " + site.log()[-1000:])


def test_search_is_what_a_second_implementation_finds(site):
    """Whatever is in the index just then, and once it has two packs of the mailbox and the rest is read."""
    deliver(site, messages(9051))
    with Imap(site.port("imap"), USER) as imap:
        imap.must("SELECT INBOX")
        known = {uid: Known(octets) for uid, octets in fetch_all(imap).items()}
        assert len(known) == MESSAGES
        rnd = random.Random(364)
        check(imap, known, FIXED)
        wait_until_indexed(site, MESSAGES // 128)
        check(imap, known, FIXED)
        check(imap, known, [needle_of(rnd, list(known.values())) for _ in range(NEEDLES)])
