/* message_url.c -- URLs of RFC 5092 §7, without a server. */
#include "imap/message_url.h"

#include "base/text.h"

#define URL_OCTETS_MAX 8192

/* "%2F" back to "/". FALSE: a percent sign without two digits, or an octet 0. */
static gboolean
decode(Arena *arena, Span s, Span *ret)
{
        guint8 *out = arena_alloc(arena, MAX(s.len, 1));
        Scan in = scan_from(s);
        gsize n = 0;

        if (out == NULL)
                return FALSE;
        for (guint8 octet; scan_any(&in, &octet);) {
                guint64 value = octet;
                if ((octet == '%' && !scan_hex(&in, 2, &value)) || value == 0)
                        return FALSE;
                out[n++] = (guint8) value;
        }
        *ret = span_make(out, n);
        return TRUE;
}

/* Up to ";", or the end. */
static Span
up_to_semicolon(Scan *in)
{
        Span s;

        if (!scan_until(in, ';', &s))
                (void) scan_take(in, scan_left(in), &s);
        return s;
}

static gboolean
scan_uint32(Scan *in, guint32 *ret)
{
        guint64 number;

        if (!scan_number(in, G_MAXUINT32, &number) || number == 0)
                return FALSE;
        *ret = (guint32) number;
        return TRUE;
}

static gboolean
without_slash(Span *s)
{
        if (s->len == 0 || s->data[s->len - 1] != '/')
                return FALSE;
        s->len--;
        return TRUE;
}

static gboolean
parse_mailbox(Arena *arena, Scan *in, MessageUrl *url)
{
        Span name;

        if (!scan_octet(in, '/'))
                return FALSE;
        name = up_to_semicolon(in);
        if (!scan_word(in, ";UIDVALIDITY=")) {
                if (!without_slash(&name))
                        return FALSE;
        } else if (!scan_uint32(in, &url->uid_validity) || !scan_octet(in, '/')) {
                return FALSE;
        }
        return decode(arena, name, &url->mailbox) && url->mailbox.len > 0 && text_is_utf8(url->mailbox);
}

static gboolean
parse_section(Arena *arena, Scan *in, MessageUrl *url)
{
        Span text = up_to_semicolon(in), decoded;

        if (!scan_at_end(in))
                (void) without_slash(&text);
        if (!decode(arena, text, &decoded))
                return FALSE;
        ImapArgs args = {.scan = scan_from(decoded), .arena = arena};
        return section_parse(&args, &url->section) && args_end(&args);
}

/* PARTIAL=offset[.octets] */
static gboolean
parse_partial(Scan *in, MessageUrl *url)
{
        if (!scan_number(in, G_MAXINT64, &url->from))
                return FALSE;
        return !scan_octet(in, '.') || (scan_number(in, G_MAXINT64, &url->count) && url->count > 0);
}

gboolean
message_url_parse(Arena *arena, Span url, MessageUrl *ret)
{
        MessageUrl parsed = {.count = G_MAXUINT64};
        Scan in = scan_from(url);

        if (url.len > URL_OCTETS_MAX || !parse_mailbox(arena, &in, &parsed) || !scan_word(&in, ";UID=") ||
            !scan_uint32(&in, &parsed.uid))
                return FALSE;
        /* RFC 4469's own examples leave out the slash in front of the section. */
        if ((scan_word(&in, "/;SECTION=") || scan_word(&in, ";SECTION=")) && !parse_section(arena, &in, &parsed))
                return FALSE;
        if ((scan_word(&in, "/;PARTIAL=") || scan_word(&in, ";PARTIAL=")) && !parse_partial(&in, &parsed))
                return FALSE;
        if (!scan_at_end(&in))
                return FALSE;
        *ret = parsed;
        return TRUE;
}
