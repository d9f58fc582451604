/* address_list.c -- address lists of header fields (RFC 5322 §3.4, §4.4), read as the world writes them.
 *
 * In two steps: a list is cut into elements at the commas, semicolons and group colons that stand outside quotes,
 * comments, angle brackets and literals; each element is then read alone, so that one nobody can read spoils no other.
 */
#include "mail/address.h"

#include "base/text.h"
#include "mail/internal.h"

#define WORD_MAX 4096 /* octets of a local part, a domain or a name: more is no address */

/* dtext of a literal: no brackets, and no separators, so that a lone '[' swallows nothing. */
static const OctetClass LITERAL_OCTETS = {{0xa7ffefff00000000, 0x7fffffffc7ffffff, 0, 0}};
static const OctetClass DOT = {{(guint64) 1 << '.', 0, 0, 0}};

typedef struct ListReader {
        Arena *arena;
        AddressElements elements;
        Octets words; /* the word or phrase being put together */
        ListedAddress *list;
        gsize n, max;
        Span group;
        gboolean in_group, group_has_member;
} ListReader;

static void
list_reader_done(ListReader *r)
{
        octets_clear(&r->words);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ListReader, list_reader_done)

/* Elements ------------------------------------------------------------------------------------------------------- */

static gboolean
take_quoted(AddressElements *r, Scan *s, Span *ret_inside)
{
        if (r->has_unclosed_quote || scan_peek(s) != '"')
                return FALSE;
        r->has_unclosed_quote = !scan_quoted(s, ret_inside);
        return !r->has_unclosed_quote;
}

static gboolean
take_comment(AddressElements *r, Scan *s, Span *ret_inside)
{
        const guint8 *mark = scan_mark(s);

        if (r->has_unclosed_comment || scan_peek(s) != '(')
                return FALSE;
        r->has_unclosed_comment = !scan_comment(s);
        if (r->has_unclosed_comment)
                return FALSE;
        *ret_inside = span_make(mark + 1, (gsize) (s->at - mark - 2));
        return TRUE;
}

/* Behind '<': up to '>'. Where another '<' or the end comes first, the bracket was forgotten and the comma ends it. */
static Span
take_angle(AddressElements *r)
{
        const guint8 *from = scan_mark(&r->s);
        const guint8 *comma = NULL;
        Span inside;
        int c;

        while ((c = scan_peek(&r->s)) >= 0 && c != '<') {
                if (c == '>') {
                        inside = scan_since(&r->s, from);
                        scan_skip(&r->s, 1);
                        return inside;
                }
                if (take_quoted(r, &r->s, &inside) || take_comment(r, &r->s, &inside))
                        continue;
                if ((c == ',' || c == ';') && comma == NULL)
                        comma = r->s.at;
                scan_skip(&r->s, 1);
                scan_skip_run(&r->s, &CLASS_ATEXT8);
        }
        if (comma != NULL)
                scan_rewind(&r->s, comma);
        return scan_since(&r->s, from);
}

gboolean
scan_literal(Scan *s)
{
        Scan look = *s;

        if (!scan_octet(&look, '['))
                return FALSE;
        scan_skip_run(&look, &LITERAL_OCTETS);
        if (!scan_octet(&look, ']'))
                return FALSE;
        *s = look;
        return TRUE;
}

/* TRUE: the octet at the cursor ends the element. */
static gboolean
element_step(AddressElements *r, AddressElement *e, int c)
{
        Span inside;

        if (c == ',' || c == ';' || (c == ':' && !r->in_group && !e->has_at && !e->has_angle))
                return TRUE;
        if (octet_in(&CLASS_FOLD, (guint8) c)) {
                scan_skip(&r->s, 1);
                return FALSE;
        }
        if (take_comment(r, &r->s, &e->comment))
                return FALSE;
        e->comment = SPAN_EMPTY;
        if (take_quoted(r, &r->s, &inside) || scan_literal(&r->s))
                return FALSE;
        if (c == '<' && !e->has_angle) {
                e->phrase = scan_since(&r->s, e->text.data);
                e->has_angle = scan_skip(&r->s, 1);
                e->angle = take_angle(r);
                return FALSE;
        }
        e->has_at = e->has_at || c == '@';
        scan_skip(&r->s, 1);
        scan_skip_run(&r->s, &CLASS_ATEXT8); /* nothing of what is looked for above */
        return FALSE;
}

gboolean
address_elements_next(AddressElements *r, AddressElement *ret)
{
        AddressElement e = {.text = span_make(scan_mark(&r->s), 0)};
        int c;

        if (scan_at_end(&r->s))
                return FALSE;
        while ((c = scan_peek(&r->s)) >= 0 && !element_step(r, &e, c))
                ;
        e.text = scan_since(&r->s, e.text.data);
        e.delimiter = c;
        scan_skip(&r->s, 1);
        if (c == ':' || c == ';')
                r->in_group = c == ':';
        *ret = e;
        return TRUE;
}

/* Names ---------------------------------------------------------------------------------------------------------- */

void
octets_add_phrase(Octets *o, Span phrase)
{
        Scan s = scan_from(phrase);
        AddressElements unclosed = {.in_group = FALSE};
        gboolean wants_space = FALSE;
        gsize from = o->len;
        Span inside;
        guint8 octet;

        while (!scan_at_end(&s) && !o->is_over) {
                if (scan_run(&s, &CLASS_FOLD, G_MAXSIZE, &inside) || take_comment(&unclosed, &s, &inside)) {
                        wants_space = o->len > from;
                        continue;
                }
                if (wants_space)
                        octets_add_octet(o, ' ');
                wants_space = FALSE;
                if (take_quoted(&unclosed, &s, &inside))
                        octets_add_unescaped(o, inside);
                else if (scan_any(&s, &octet))
                        octets_add_octet(o, octet);
        }
}

/* What was put together, decoded and kept. */
static Span
keep_name(ListReader *r)
{
        Span line = octets_span(&r->words);
        Span name = decode_line(r->arena, line);

        return name.data == line.data ? arena_copy(r->arena, name) : name;
}

static Span
read_phrase(ListReader *r, Span phrase)
{
        r->words.len = 0;
        r->words.is_over = FALSE;
        octets_add_phrase(&r->words, phrase);
        return keep_name(r);
}

/* The oldest way to write a name: `joe@ex.org (Joe Doe)`. */
static Span
read_comment(ListReader *r, Span comment)
{
        r->words.len = 0;
        r->words.is_over = FALSE;
        octets_add_unescaped(&r->words, comment);
        return span_trim(keep_name(r));
}

/* Addresses ------------------------------------------------------------------------------------------------------ */

gboolean
octets_add_dotted(Octets *o, Scan *s, gboolean allow_quoted)
{
        gboolean wants_dot = FALSE;
        gsize from = o->len;
        Span word;

        for (scan_skip_cfws(s); !scan_at_end(s); scan_skip_cfws(s)) {
                gboolean is_dot = scan_run(s, &DOT, WORD_MAX, &word);

                if (is_dot || (!wants_dot && scan_run(s, &CLASS_ATEXT8, WORD_MAX, &word)))
                        octets_add(o, word);
                else if (!wants_dot && allow_quoted && scan_quoted(s, &word))
                        octets_add_unescaped(o, word);
                else
                        break;
                wants_dot = !is_dot;
        }
        return o->len > from && !o->is_over;
}

static gboolean
read_dotted(ListReader *r, Scan *s, gboolean allow_quoted)
{
        r->words.len = 0;
        r->words.is_over = FALSE;
        return octets_add_dotted(&r->words, s, allow_quoted);
}

static gboolean
read_local(ListReader *r, Scan *s, Span *ret)
{
        if (!read_dotted(r, s, TRUE))
                return FALSE;
        Span local = octets_span(&r->words);
        if (!text_is_utf8(local) || text_has_control(local))
                return FALSE;
        *ret = arena_copy(r->arena, local);
        return ret->len > 0;
}

static gboolean
read_domain(ListReader *r, Scan *s, Span *ret)
{
        const guint8 *mark;

        scan_skip_cfws(s);
        mark = scan_mark(s);
        if (scan_literal(s))
                return address_parse_domain(r->arena, scan_since(s, mark), ret) == ADDRESS_OK;
        if (!read_dotted(r, s, FALSE))
                return FALSE;
        return address_parse_domain(r->arena, arena_copy(r->arena, octets_span(&r->words)), ret) == ADDRESS_OK;
}

/* [obsolete route] local-part "@" domain, and nothing behind (RFC 5322 §3.4.1, §4.4). */
static gboolean
read_addr_spec(ListReader *r, Span text, Address *ret)
{
        Scan s = scan_from(text);
        Address found;
        Span route;

        scan_skip_cfws(&s);
        if (scan_peek(&s) == '@' && (!scan_until(&s, ':', &route) || !scan_octet(&s, ':')))
                return FALSE;
        if (!read_local(r, &s, &found.local) || !scan_octet(&s, '@') || !read_domain(r, &s, &found.domain))
                return FALSE;
        scan_skip_cfws(&s);
        if (!scan_at_end(&s))
                return FALSE;
        *ret = found;
        return TRUE;
}

/* The list ------------------------------------------------------------------------------------------------------- */

static gboolean
list_add(ListReader *r, ListedAddress mailbox)
{
        if (r->n == r->max)
                return FALSE;
        mailbox.group = r->in_group ? r->group : SPAN_EMPTY;
        r->group_has_member = TRUE;
        r->list[r->n++] = mailbox;
        return TRUE;
}

gboolean
address_element_is_blank(const AddressElement *e)
{
        Scan s = scan_from(e->text);

        scan_skip_cfws(&s);
        return !e->has_angle && scan_at_end(&s);
}

/* One element of a list or group; an empty one is none (RFC 5322 §4.4). */
static gboolean
list_add_element(ListReader *r, const AddressElement *e)
{
        ListedAddress m = {.is_valid = TRUE};

        if (address_element_is_blank(e))
                return TRUE;
        if (!read_addr_spec(r, e->has_angle ? e->angle : e->text, &m.address))
                return list_add(r, (ListedAddress){.display_name = header_decode(r->arena, e->text)});
        if (e->has_angle)
                m.display_name = read_phrase(r, e->phrase);
        if (m.display_name.len == 0)
                m.display_name = read_comment(r, e->comment);
        return list_add(r, m);
}

static gboolean
end_group(ListReader *r)
{
        gboolean fits = r->group_has_member || r->group.len == 0 || list_add(r, (ListedAddress){.is_valid = FALSE});

        r->in_group = FALSE;
        return fits;
}

static gboolean
read_list(ListReader *r)
{
        AddressElement e;

        while (address_elements_next(&r->elements, &e)) {
                if (e.delimiter == ':') {
                        r->group = read_phrase(r, e.text);
                        r->in_group = TRUE;
                        r->group_has_member = FALSE;
                        continue;
                }
                if (!list_add_element(r, &e))
                        return FALSE;
                if (e.delimiter == ';' && r->in_group && !end_group(r))
                        return FALSE;
        }
        return !r->in_group || end_group(r);
}

/* At most so many mailboxes can come of it: each ends at a comma, a semicolon or the end. */
static gsize
count_separators(Span body)
{
        gsize n = 1;

        for (gsize i = 0; i < body.len; i++)
                n += body.data[i] == ',' || body.data[i] == ';';
        return n;
}

gboolean
address_list_parse(Arena *arena, Span body, ListedAddress **ret, gsize *ret_n)
{
        g_auto(ListReader) r = {.arena = arena, .elements = {.s = scan_from(body)}, .words = OCTETS_INIT(WORD_MAX)};

        r.max = MIN(count_separators(body), ADDRESS_LIST_MAX);
        r.list = arena_new_array(arena, ListedAddress, r.max);
        *ret = r.list;
        *ret_n = 0;
        if (r.list == NULL)
                return FALSE;
        gboolean is_whole = read_list(&r);
        *ret_n = r.n;
        return is_whole && !arena_is_over(arena);
}
