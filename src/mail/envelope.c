/* envelope.c -- the ENVELOPE of RFC 9051 §7.5.2 as it goes on the wire.
 *
 * Names and addresses stay as received, encoded words too. Text that is no address is given as a mailbox, with what
 * stands behind its last '@' or "" as host: a host that is NIL would mean a group.
 */
#include "mail/address.h"
#include "mail/summary_internal.h"

#define ADDRESS_MAX 8192    /* octets of one element of a list: more is no address, and passed over           */
#define ADDRESS_OVERHEAD 24 /* octets of the wire that an address takes besides its strings                   */

/* What local parts and domains are made of as a rule: atext (RFC 5322 §3.2.3) and dots. */
static const OctetClass DOTTED = {{0xa3ffecfa00000000, 0x7fffffffc7fffffe, 0, 0}};

/* Addresses ------------------------------------------------------------------------------------------------------ */

/* What was added to the scratch since then; never without data, so that it is "" and not NIL. */
static Span
gathered(const Octets *scratch, gsize from)
{
        return span_make(scratch->data + from, scratch->len - from);
}

/* "@a,@b:" in front of an address, and the colon passed (RFC 5322 §4.4). */
static gboolean
read_route(Scan *s, Span *ret)
{
        Span route;

        scan_skip_cfws(s);
        if (scan_peek(s) != '@')
                return TRUE;
        if (!scan_until(s, ':', &route))
                return FALSE;
        *ret = span_trim(route);
        return scan_skip(s, 1);
}

static gboolean
read_host(Octets *scratch, Scan *s, Span *ret)
{
        const guint8 *mark;
        gsize from = scratch->len;

        scan_skip_cfws(s);
        mark = scan_mark(s);
        if (scan_literal(s)) {
                *ret = scan_since(s, mark);
                return TRUE;
        }
        gboolean found = octets_add_dotted(scratch, s, FALSE);
        *ret = gathered(scratch, from);
        return found;
}

/* [route] mailbox [@ host], and nothing behind. */
static gboolean
read_spec(Octets *scratch, Span text, WireAddress *ret)
{
        Scan s = scan_from(text);
        gsize from = scratch->len;

        if (!read_route(&s, &ret->route) || !octets_add_dotted(scratch, &s, TRUE))
                return FALSE;
        ret->mailbox = gathered(scratch, from);
        ret->host = gathered(scratch, scratch->len);
        if (scan_octet(&s, '@') && !read_host(scratch, &s, &ret->host))
                return FALSE;
        scan_skip_cfws(&s);
        return scan_at_end(&s);
}

/* Text that is no address, on one line, cut at its last '@'. */
static void
split_text(Octets *scratch, Span text, WireAddress *ret)
{
        gsize from = scratch->len;
        Scan s = scan_from(span_trim(text));

        for (Span line; scan_line(&s, &line);)
                octets_add(scratch, line);
        Span whole = gathered(scratch, from);
        const guint8 *at = whole.len > 0 ? memrchr(whole.data, '@', whole.len) : NULL;
        gsize cut = at != NULL ? (gsize) (at - whole.data) : whole.len;
        ret->route = SPAN_EMPTY;
        ret->mailbox = span_slice(whole, 0, cut);
        ret->host = span_slice(whole, cut + 1, whole.len);
}

static void
read_name(Octets *scratch, const AddressElement *e, Span *ret)
{
        gsize from = scratch->len;

        if (e->has_angle)
                octets_add_phrase(scratch, e->phrase);
        if (scratch->len == from)
                octets_add_unescaped(scratch, span_trim(e->comment));
        if (scratch->len > from)
                *ret = gathered(scratch, from);
}

/* "joe@example.org" and nothing else: there is nothing to put together. */
static gboolean
read_plain(Span text, WireAddress *ret)
{
        Scan s = scan_from(text);
        WireAddress a = {.name = SPAN_EMPTY};

        if (!scan_run(&s, &DOTTED, G_MAXSIZE, &a.mailbox) || !scan_octet(&s, '@') ||
            !scan_run(&s, &DOTTED, G_MAXSIZE, &a.host) || !scan_at_end(&s))
                return FALSE;
        *ret = a;
        return TRUE;
}

/* One element that is not blank. All its strings are parts of its text or no longer than they, so that the scratch need
 * not move. FALSE: too long. */
static gboolean
read_address(Octets *scratch, const AddressElement *e, WireAddress *ret)
{
        Span text = e->has_angle ? e->angle : e->text;
        gboolean is_plain = e->delimiter != ':' && read_plain(text, ret);

        scratch->len = 0;
        if (is_plain && (!e->has_angle || span_trim(e->phrase).len == 0) && e->comment.len == 0)
                return TRUE;
        if (e->text.len > ADDRESS_MAX || octets_reserve(scratch, 2 * ADDRESS_MAX) == NULL)
                return FALSE;
        if (!is_plain)
                *ret = (WireAddress){.name = SPAN_EMPTY};
        if (e->delimiter == ':') {
                octets_add_phrase(scratch, e->text);
                ret->mailbox = gathered(scratch, 0);
                return TRUE;
        }
        if (!is_plain && !read_spec(scratch, text, ret))
                split_text(scratch, text, ret);
        read_name(scratch, e, &ret->name);
        return TRUE;
}

static void
add_nstring(Wire *w, Span s)
{
        if (s.data == NULL)
                wire_add(w, "NIL");
        else
                wire_add_string(w, s);
}

static void
add_address(Wire *w, const WireAddress *a)
{
        wire_add(w, "(");
        add_nstring(w, a->name);
        wire_add(w, " ");
        add_nstring(w, a->route);
        wire_add(w, " ");
        add_nstring(w, a->mailbox);
        wire_add(w, " ");
        add_nstring(w, a->host);
        wire_add(w, ")");
        w->left -= ADDRESS_OVERHEAD;
}

typedef struct AddressList {
        Wire *w;
        gsize n;
        gboolean in_group;
        Arena *arena;       /* with `first`: where the first address is copied to */
        WireAddress *first; /* may be NULL                                        */
} AddressList;

/* Whether the wire has room for one more, and an end of a group. */
static gboolean
has_room(const AddressList *l, const AddressElement *e)
{
        return l->n < ADDRESS_LIST_MAX && l->w->left >= e->text.len + 2 * ADDRESS_OVERHEAD;
}

/* What was put together is in the scratch, the rest in the message. */
static void
keep_first(const AddressList *l, const WireAddress *a)
{
        *l->first = *a;
        if (l->w->scratch.len == 0)
                return;
        l->first->name = arena_copy(l->arena, a->name);
        l->first->mailbox = arena_copy(l->arena, a->mailbox);
        l->first->host = arena_copy(l->arena, a->host);
}

static void
end_group(AddressList *l)
{
        static const WireAddress end = {.name = SPAN_EMPTY};

        if (l->in_group)
                add_address(l->w, &end);
        l->in_group = FALSE;
}

static void
add_list(AddressList *l, Span body)
{
        AddressElements elements = {.s = scan_from(body)};
        AddressElement e;
        WireAddress a;

        while (address_elements_next(&elements, &e) && has_room(l, &e)) {
                if (e.delimiter == ':')
                        end_group(l);
                if ((e.delimiter == ':' || !address_element_is_blank(&e)) && read_address(&l->w->scratch, &e, &a)) {
                        add_address(l->w, &a);
                        if (l->n++ == 0 && l->first != NULL)
                                keep_first(l, &a);
                        l->in_group = l->in_group || e.delimiter == ':';
                }
                if (e.delimiter == ';')
                        end_group(l);
        }
        end_group(l);
}

/* All fields of that name as one list, or NIL when there is no address in them. */
static void
add_addresses(Wire *w, const FieldIndex *index, FieldId id, Arena *arena, WireAddress *first)
{
        AddressList l = {.w = w, .arena = arena, .first = first};

        wire_add(w, "(");
        gsize from = w->out.len;
        for (const Field *f = index->first[id]; f != NULL; f = field_again(index, id, f))
                add_list(&l, header_field_body(index->header, f));
        if (l.n > 0) {
                wire_add(w, ")");
                return;
        }
        w->out.len = from - 1;
        wire_add(w, "NIL");
}

/* Envelope ------------------------------------------------------------------------------------------------------- */

/* Sender or Reply-To; without an address it is the same as From, which is [from, to) of what was written. */
static void
add_or_copy(Wire *w, const FieldIndex *index, FieldId id, gsize from, gsize to)
{
        gsize start = w->out.len;

        add_addresses(w, index, id, NULL, NULL);
        if (w->out.len - start != 3 || to - from > w->left)
                return;
        guint8 *at = octets_reserve(&w->out, to - from);
        if (at == NULL)
                return;
        w->out.len = start;
        memcpy(w->out.data + start, w->out.data + from, to - from);
        w->out.len += to - from;
        w->left -= to - from;
}

void
wire_add_envelope(Wire *w, const FieldIndex *index, FirstAddresses *ret)
{
        Arena *arena = ret != NULL ? ret->arena : NULL;

        wire_add(w, "(");
        wire_add_field(w, index, FIELD_DATE);
        wire_add(w, " ");
        wire_add_field(w, index, FIELD_SUBJECT);
        wire_add(w, " ");
        gsize from = w->out.len;
        add_addresses(w, index, FIELD_FROM, arena, ret != NULL ? &ret->from : NULL);
        gsize to = w->out.len;
        wire_add(w, " ");
        add_or_copy(w, index, FIELD_SENDER, from, to);
        wire_add(w, " ");
        add_or_copy(w, index, FIELD_REPLY_TO, from, to);
        wire_add(w, " ");
        add_addresses(w, index, FIELD_TO, arena, ret != NULL ? &ret->to : NULL);
        wire_add(w, " ");
        add_addresses(w, index, FIELD_CC, arena, ret != NULL ? &ret->cc : NULL);
        wire_add(w, " ");
        add_addresses(w, index, FIELD_BCC, NULL, NULL);
        wire_add(w, " ");
        wire_add_field(w, index, FIELD_IN_REPLY_TO);
        wire_add(w, " ");
        wire_add_field(w, index, FIELD_MESSAGE_ID);
        wire_add(w, ")");
}

gboolean
envelope_make(Workspace *ws, const FieldIndex *index, FirstAddresses *ret_first, Span *ret)
{
        workspace_reset(ws);
        wire_add_envelope(&ws->wire, index, ret_first);
        *ret = ws->wire.out.is_over ? SPAN_EMPTY : arena_copy(ws->arena, octets_span(&ws->wire.out));
        return ret->len > 0;
}
