/* keys.c -- the section of what SORT, THREAD and the dates of SEARCH compare.
 *
 *     octet   SUMMARY_FORMAT
 *     octet   flags: 1 has a date, 2 is a reply or forward, 4 has a message id
 *     64 bits microseconds since 1970 UTC, varint 1440 + minutes east of UTC         when it has a date
 *     varint  octets, and text, of each of subject, from, to, cc, display-from, display-to
 *     64 bits hash of the message id                                                 when it has one
 *     varint  number of references; 64 bits each
 *     numbers of 64 bits are little endian
 */
#include "mail/summary_internal.h"

#include "mail/date.h"
#include "mail/text.h"

#include <xxhash.h>

#define ZONE_MAX 1440       /* minutes */
#define MESSAGE_ID_MAX 998  /* octets: more is none that anybody refers to */
#define DISPLAY_IN_MAX 4096 /* octets of a name that are decoded           */

enum {
        KEYS_HAS_DATE = 1,
        KEYS_IS_REPLY = 2,
        KEYS_HAS_MESSAGE_ID = 4,
};

/* Message ids ---------------------------------------------------------------------------------------------------- */

/* An id without anything to leave out. */
static const OctetClass ID_OCTETS = {{0xaffffffa00000000, 0x7fffffffffffffff, ~(guint64) 0, ~(guint64) 0}};

static guint64
hash_id(const void *id, gsize n)
{
        guint64 hash = XXH3_64bits(id, n);

        return hash != 0 ? hash : 1;
}

/* Behind '<': up to '>' without quotes and white space, 0 when no id ends there or it is too long. Stops at another
 * '<'. */
static guint64
hash_odd_id(Scan *s)
{
        guint8 id[MESSAGE_ID_MAX];
        gsize n = 0;
        guint8 octet;

        while (scan_peek(s) != '<' && scan_any(s, &octet)) {
                if (octet == '>')
                        return n > 0 && n <= sizeof(id) ? hash_id(id, n) : 0;
                if (octet == '"' || octet_in(&CLASS_FOLD, octet))
                        continue;
                if (n < sizeof(id))
                        id[n] = octet;
                n++;
        }
        return 0;
}

/* The next "<id>" and its hash, never 0. Quotes and white space in it don't count: <"a b"@c> is <ab@c>, as programs
 * that fold long ids have it (RFC 5256 §3, RFC 5322 §3.6.4). */
static gboolean
scan_message_id(Scan *s, guint64 *ret)
{
        Span run;

        while (scan_until(s, '<', &run) && scan_skip(s, 1)) {
                Scan look = *s;
                gboolean is_plain = scan_run(&look, &ID_OCTETS, MESSAGE_ID_MAX, &run) && scan_octet(&look, '>');
                guint64 hash = is_plain ? hash_id(run.data, run.len) : hash_odd_id(s);

                if (is_plain)
                        *s = look;
                if (hash != 0) {
                        *ret = hash;
                        return TRUE;
                }
        }
        return FALSE;
}

guint64
summary_hash_message_id(Span text)
{
        Scan s = scan_from(text);
        guint64 hash;

        return scan_message_id(&s, &hash) ? hash : 0;
}

/* The last ids of References, or the first of In-Reply-To. */
static void
read_references(const FieldIndex *index, SummaryKeys *keys)
{
        Scan s = scan_from(field_body(index, FIELD_REFERENCES));
        guint64 hash;
        guint n = 0;

        for (; scan_message_id(&s, &hash); n++)
                keys->references[n % SUMMARY_REFERENCES_MAX] = hash;
        if (n == 0 && (hash = summary_hash_message_id(field_body(index, FIELD_IN_REPLY_TO))) != 0)
                keys->references[n++] = hash;
        keys->n_references = MIN(n, SUMMARY_REFERENCES_MAX);
        if (n > SUMMARY_REFERENCES_MAX) { /* the oldest one that was kept stands at n % MAX */
                guint64 ring[SUMMARY_REFERENCES_MAX];

                memcpy(ring, keys->references, sizeof(ring));
                for (guint i = 0; i < SUMMARY_REFERENCES_MAX; i++)
                        keys->references[i] = ring[(n + i) % SUMMARY_REFERENCES_MAX];
        }
}

/* Making --------------------------------------------------------------------------------------------------------- */

static Span
casemap(Arena *arena, Span text)
{
        return text_casemap(arena, text, SUMMARY_KEY_MAX);
}

/* RFC 5957 §3: the name as it is shown, or else the address. */
static Span
display_of(Arena *arena, const WireAddress *a)
{
        Span name = a->name.len > 0 ? header_decode(arena, span_slice(a->name, 0, DISPLAY_IN_MAX)) : SPAN_EMPTY;
        const Span address[] = {a->mailbox, span_of("@"), a->host};

        return casemap(arena, name.len > 0 ? name : arena_join_spans(arena, address, a->host.len > 0 ? 3 : 1));
}

static void
read_keys(Arena *arena, const FieldIndex *index, const FirstAddresses *first, SummaryKeys *keys)
{
        Span base = text_base_subject(arena, field_body(index, FIELD_SUBJECT), &keys->is_reply);

        keys->has_date = date_parse(field_body(index, FIELD_DATE), &keys->date, &keys->zone);
        keys->subject = casemap(arena, base);
        keys->from = casemap(arena, first->from.mailbox);
        keys->to = casemap(arena, first->to.mailbox);
        keys->cc = casemap(arena, first->cc.mailbox);
        keys->display_from = display_of(arena, &first->from);
        keys->display_to = display_of(arena, &first->to);
        keys->message_id = summary_hash_message_id(field_body(index, FIELD_MESSAGE_ID));
        read_references(index, keys);
}

static void
add_u64(Octets *o, guint64 value)
{
        guint64 le = GUINT64_TO_LE(value);

        octets_add(o, span_make(&le, sizeof(le)));
}

static void
write_keys(Octets *o, const SummaryKeys *k)
{
        const Span texts[] = {k->subject, k->from, k->to, k->cc, k->display_from, k->display_to};

        octets_add_octet(o, SUMMARY_FORMAT);
        octets_add_octet(o, (guint8) ((k->has_date ? KEYS_HAS_DATE : 0) | (k->is_reply ? KEYS_IS_REPLY : 0) |
                                      (k->message_id != 0 ? KEYS_HAS_MESSAGE_ID : 0)));
        if (k->has_date) {
                add_u64(o, (guint64) k->date);
                octets_add_varint(o, (guint64) (ZONE_MAX + k->zone));
        }
        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
                octets_add_varint(o, texts[i].len);
                octets_add(o, texts[i]);
        }
        if (k->message_id != 0)
                add_u64(o, k->message_id);
        octets_add_varint(o, k->n_references);
        for (guint i = 0; i < k->n_references; i++)
                add_u64(o, k->references[i]);
}

gboolean
keys_make(Workspace *ws, const FieldIndex *index, const FirstAddresses *first, Span *ret)
{
        SummaryKeys keys = {.has_date = FALSE};

        workspace_reset(ws);
        read_keys(ws->arena, index, first, &keys);
        write_keys(&ws->first, &keys);
        *ret = arena_copy(ws->arena, octets_span(&ws->first));
        return ret->len > 0 && !arena_is_over(ws->arena);
}

/* Reading -------------------------------------------------------------------------------------------------------- */

static gboolean
scan_text(Scan *s, Span *ret)
{
        guint64 octets;

        return scan_varint(s, SUMMARY_KEY_MAX, &octets) && scan_take(s, octets, ret);
}

static gboolean
scan_date(Scan *s, SummaryKeys *k)
{
        guint64 date, zone;

        if (!scan_u64(s, &date) || !scan_varint(s, 2 * ZONE_MAX, &zone))
                return FALSE;
        k->date = (Usec) date;
        k->zone = (int) zone - ZONE_MAX;
        return TRUE;
}

static gboolean
scan_references(Scan *s, SummaryKeys *k)
{
        guint64 n;

        if (!scan_varint(s, SUMMARY_REFERENCES_MAX, &n))
                return FALSE;
        k->n_references = (guint) n;
        for (guint i = 0; i < k->n_references; i++)
                if (!scan_u64(s, &k->references[i]))
                        return FALSE;
        return scan_at_end(s);
}

gboolean
summary_keys_get(Span keys, SummaryKeys *ret)
{
        Scan s = scan_from(keys);
        SummaryKeys k = {.has_date = FALSE};
        guint8 flags;

        if (!scan_octet(&s, SUMMARY_FORMAT) || !scan_u8(&s, &flags))
                return FALSE;
        k.has_date = (flags & KEYS_HAS_DATE) != 0;
        k.is_reply = (flags & KEYS_IS_REPLY) != 0;
        if ((k.has_date && !scan_date(&s, &k)) || !scan_text(&s, &k.subject) || !scan_text(&s, &k.from) ||
            !scan_text(&s, &k.to) || !scan_text(&s, &k.cc) || !scan_text(&s, &k.display_from) ||
            !scan_text(&s, &k.display_to) || ((flags & KEYS_HAS_MESSAGE_ID) != 0 && !scan_u64(&s, &k.message_id)) ||
            !scan_references(&s, &k))
                return FALSE;
        *ret = k;
        return TRUE;
}
