/* fields.c -- the section of header fields.
 *
 *     octet   SUMMARY_FORMAT
 *     octet   1 when there may be fields that the section does not know of, else 0
 *     varint  number of hashes; for each: 32 bits, little endian, of a name that is not in the table of field_id.c
 *     for each field of the table, in the order of the message:
 *             octet   its FieldId; 128 more when it was not kept
 *             varint  octets of the message since the end of the last one, varint octets of the field
 *             the field as received, when it was kept
 */
#include "mail/summary_internal.h"

#include <xxhash.h>

#define HASHES_MAX 256  /* different names of one message: more are not known of */
#define NAME_HASHED 128 /* octets of a name that count                           */
#define NOT_KEPT 0x80
#define OFFSET_MAX ((guint64) 1 << 31)

/* Of the name in lower case. Two names with one hash cost a reading of the header, no more. */
static guint32
hash_name(Span name)
{
        guint8 lower[NAME_HASHED];
        gsize n = MIN(name.len, sizeof(lower));

        for (gsize i = 0; i < n; i++)
                lower[i] = octet_lower(name.data[i]);
        return (guint32) XXH3_64bits(lower, n);
}

/* Making --------------------------------------------------------------------------------------------------------- */

typedef struct Maker {
        Octets *fields;
        guint32 hashes[HASHES_MAX];
        guint n_hashes;
        gboolean is_partial;
        gsize kept, last_end;
} Maker;

static void
add_hash(Maker *m, guint32 hash)
{
        for (guint i = 0; i < m->n_hashes; i++)
                if (m->hashes[i] == hash)
                        return;
        if (m->n_hashes < HASHES_MAX)
                m->hashes[m->n_hashes++] = hash;
        else
                m->is_partial = TRUE;
}

/* A field that ends with the header and has no line end of its own is not kept: its octets would not end a line. */
static void
add_field(Maker *m, FieldId id, const Field *f, Span octets)
{
        gboolean fits = octets.len <= SUMMARY_FIELDS_MAX - m->kept && octets.data[octets.len - 1] == '\n';

        octets_add_octet(m->fields, (guint8) (id | (fits ? 0 : NOT_KEPT)));
        octets_add_varint(m->fields, f->start - m->last_end);
        octets_add_varint(m->fields, octets.len);
        if (fits) {
                octets_add(m->fields, octets);
                m->kept += octets.len;
        }
        m->last_end = f->end;
}

static gboolean
keep_fields(Arena *arena, Maker *m, Span *ret)
{
        guint8 start[2 + VARINT_MAX] = {SUMMARY_FORMAT, (guint8) m->is_partial};
        const Span pieces[] = {span_make(start, 2 + varint_put(m->n_hashes, start + 2)),
                               span_make(m->hashes, m->n_hashes * sizeof(m->hashes[0])), octets_span(m->fields)};

        for (guint i = 0; i < m->n_hashes; i++)
                m->hashes[i] = GUINT32_TO_LE(m->hashes[i]);
        *ret = arena_join_spans(arena, pieces, G_N_ELEMENTS(pieces));
        return ret->len > 0;
}

gboolean
fields_make(Workspace *ws, const FieldIndex *index, Span *ret)
{
        const Header *h = index->header;
        Maker m = {.fields = &ws->first, .is_partial = h->is_truncated};

        workspace_reset(ws);
        for (gsize i = 0; i < h->n_fields; i++) {
                const Field *f = &h->fields[i];
                Span name = header_field_name(h, f);
                FieldId id = field_index_id(index, i);

                if (id == FIELD_OTHER || id >= N_KEPT_FIELDS)
                        add_hash(&m, hash_name(name));
                else
                        add_field(&m, id, f, span_slice(h->text, f->start, f->end));
        }
        return keep_fields(ws->arena, &m, ret);
}

/* Reading -------------------------------------------------------------------------------------------------------- */

typedef struct KeptField {
        FieldId id;
        gboolean is_kept;
        guint64 start, end; /* in the message, when the header begins it */
        Span octets;
} KeptField;

typedef struct Wanted {
        guint64 ids; /* bit FieldId */
        const SummaryCut *cuts;
        gsize n_cuts;
} Wanted;

/* Most have one octet. */
static inline gboolean
read_length(Scan *s, guint64 *ret)
{
        if (s->at == s->end || *s->at >= 0x80)
                return scan_varint(s, OFFSET_MAX, ret);
        *ret = *s->at++;
        return TRUE;
}

static gboolean
read_field(Scan *s, guint64 last_end, KeptField *ret)
{
        guint64 gap = 0, len = 0;
        guint8 id;

        if (!scan_any(s, &id) || !read_length(s, &gap) || !read_length(s, &len))
                return FALSE;
        ret->is_kept = (id & NOT_KEPT) == 0;
        ret->id = (FieldId) (id & ~NOT_KEPT);
        ret->start = last_end + gap;
        ret->end = ret->start + len;
        return ret->id != FIELD_OTHER && ret->id < N_KEPT_FIELDS && ret->end <= OFFSET_MAX &&
               (!ret->is_kept || scan_take(s, len, &ret->octets));
}

static gboolean
is_wanted(const Wanted *w, const KeptField *f)
{
        if ((w->ids >> f->id & 1) == 0)
                return FALSE;
        for (gsize i = 0; i < w->n_cuts; i++) {
                guint64 from = w->cuts[i].offset, to = from + w->cuts[i].len;

                if (from < f->end && f->start < to)
                        return FALSE;
        }
        return TRUE;
}

static gboolean
has_hash(Span hashes, guint32 hash)
{
        Scan s = scan_from(hashes);

        for (guint32 known; scan_u32(&s, &known);)
                if (known == hash)
                        return TRUE;
        return FALSE;
}

/* May one of the other names be among those that are only known as a hash? */
static gboolean
has_others(const FieldNames *names, Span hashes)
{
        for (gsize i = 0; i < names->n_others; i++)
                if (has_hash(hashes, names->hashes[i]))
                        return TRUE;
        return FALSE;
}

static gboolean
found_add(FoundFields *found, Span octets)
{
        if (found->n == FOUND_FIELDS_MAX)
                return FALSE;
        found->fields[found->n++] = octets;
        found->octets += octets.len;
        return TRUE;
}

/* All fields are read, also when one that is wanted was not kept: a damaged section is told as such. */
static FieldsAnswer
find_kept(Scan s, const Wanted *w, FoundFields *found)
{
        FieldsAnswer answer = FIELDS_KNOWN;
        KeptField f = {.end = 0};

        while (!scan_at_end(&s)) {
                if (!read_field(&s, f.end, &f))
                        return FIELDS_DAMAGED;
                if (is_wanted(w, &f) && (!f.is_kept || !found_add(found, f.octets)))
                        answer = FIELDS_UNKNOWN;
        }
        return answer;
}

FieldsAnswer
summary_find_fields(Span fields, const FieldNames *names, const SummaryCut *cuts, gsize n_cuts, FoundFields *found)
{
        Wanted w = {.ids = names->ids, .cuts = cuts, .n_cuts = n_cuts};
        guint n_before = found->n;
        gsize octets_before = found->octets;
        Scan s = scan_from(fields);
        FieldsAnswer answer;
        guint64 n_hashes;
        guint8 is_partial;
        Span hashes;

        if (!scan_octet(&s, SUMMARY_FORMAT) || !scan_any(&s, &is_partial) || is_partial > 1 ||
            !scan_varint(&s, HASHES_MAX, &n_hashes) || !scan_take(&s, n_hashes * sizeof(guint32), &hashes))
                return FIELDS_DAMAGED;
        if (is_partial || has_others(names, hashes))
                return FIELDS_UNKNOWN;
        answer = find_kept(s, &w, found);
        if (answer != FIELDS_KNOWN) {
                found->n = n_before;
                found->octets = octets_before;
        }
        return answer;
}

/* Names ---------------------------------------------------------------------------------------------------------- */

static FieldId
kept_id(Span name)
{
        FieldId id = field_id(name);

        return id < N_KEPT_FIELDS ? id : FIELD_OTHER;
}

/* Most names differ from those that are asked for by their first letter or their length: a bit of 64. */
static guint64
shape_of(Span name)
{
        return (guint64) 1 << ((octet_lower(name.data[0]) * 8 + name.len) & 63);
}

gboolean
field_names_make(Arena *arena, const Span *names, gsize n, FieldNames *ret)
{
        Span *others = arena_new_array(arena, Span, MAX(n, 1));
        guint32 *hashes = arena_new_array(arena, guint32, MAX(n, 1));

        if (others == NULL || hashes == NULL)
                return FALSE;
        *ret = (FieldNames){.others = others, .hashes = hashes};
        for (gsize i = 0; i < n; i++) {
                FieldId id = kept_id(names[i]);

                if (names[i].len > 0)
                        ret->shapes |= shape_of(names[i]);
                if (id != FIELD_OTHER) {
                        ret->ids |= (guint64) 1 << id;
                } else if (names[i].len > 0) {
                        others[ret->n_others] = names[i];
                        hashes[ret->n_others++] = hash_name(names[i]);
                }
        }
        return TRUE;
}

static gboolean
names_have(const FieldNames *names, Span name)
{
        if ((names->shapes & shape_of(name)) == 0)
                return FALSE;
        FieldId id = kept_id(name);
        if (id != FIELD_OTHER)
                return names->ids >> id & 1;
        for (gsize i = 0; i < names->n_others; i++)
                if (span_equal_nocase(name, names->others[i]))
                        return TRUE;
        return FALSE;
}

static gboolean
is_blank(guint8 octet)
{
        return octet == ' ' || octet == '\t';
}

/* RFC 5322 §4.5: white space may stand before the colon. Empty: the line has no name. */
static Span
name_of_line(Span line)
{
        const guint8 *colon = memchr(line.data, ':', line.len);
        Span name = colon != NULL ? span_slice(line, 0, (gsize) (colon - line.data)) : SPAN_EMPTY;

        while (name.len > 0 && is_blank(name.data[name.len - 1]))
                name.len--;
        return name;
}

gboolean
lines_find_fields(Span lines, const FieldNames *names, FoundFields *found)
{
        gsize end;

        for (gsize at = 0; at < lines.len; at = end) {
                const guint8 *lf;
                end = at;
                do { /* the line, and those that continue it */
                        lf = memchr(lines.data + end, '\n', lines.len - end);
                        end = lf != NULL ? (gsize) (lf - lines.data) + 1 : lines.len;
                } while (end < lines.len && is_blank(lines.data[end]));
                Span field = span_slice(lines, at, end), name = name_of_line(field);
                if (name.len > 0 && names_have(names, name) && !found_add(found, field))
                        return FALSE;
        }
        return TRUE;
}
