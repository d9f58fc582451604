#include "mail/message.h"
#include "mail/summary.h"

#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
collect(gpointer to, Span piece)
{
        g_string_append_len(to, (const char *) piece.data, (gssize) piece.len);
}

/* Skips one string or atom of the wire, whatever it holds. */
static gboolean
skip_value(Scan *s)
{
        guint64 octets;
        guint8 octet;
        Span atom;

        if (scan_octet(s, '{'))
                return scan_number(s, G_MAXUINT32, &octets) && scan_word(s, "}\r\n") && scan_skip(s, octets);
        if (!scan_octet(s, '"'))
                return scan_run(s, &CLASS_ALNUM, G_MAXSIZE, &atom);
        while (scan_any(s, &octet) && octet != '"')
                if (octet < 0x20 || octet > 0x7e || (octet == '\\' && !scan_octet(s, '"') && !scan_octet(s, '\\')))
                        return FALSE;
        return TRUE;
}

/* One parenthesized list and nothing behind it. */
static void
check_wire(Span wire)
{
        Scan s = scan_from(wire);
        guint depth = 0;

        do {
                if (scan_octet(&s, '('))
                        depth++;
                else if (scan_octet(&s, ')'))
                        depth--;
                else if (!scan_octet(&s, ' '))
                        g_assert(skip_value(&s));
                g_assert(depth < 1000);
        } while (depth > 0 && !scan_at_end(&s));
        g_assert(depth == 0 && scan_at_end(&s));
}

static void
check_structure(Span structure, const Structure *st, size_t size)
{
        g_autoptr(GString) wire = g_string_new(NULL);
        guint64 start, end;
        PartReader reader;
        PartPlace p;
        guint32 one = 1;
        gsize n = 0;

        g_assert(summary_write_bodystructure(structure, TRUE, collect, wire));
        check_wire(span_make(wire->str, wire->len));
        g_string_truncate(wire, 0);
        g_assert(summary_write_bodystructure(structure, FALSE, collect, wire));
        check_wire(span_make(wire->str, wire->len));
        summary_read_parts(structure, &reader);
        for (; summary_next_part(&reader, &p) == PART_FOUND; n++)
                g_assert(p.header_start <= p.body_start && p.body_start <= p.end && p.end <= size);
        g_assert(!reader.is_damaged && n >= st->n_parts);
        g_assert(summary_find_section(structure, NULL, 0, SECTION_WHOLE, &start, &end) == PART_FOUND &&
                 end - start == size);
        g_assert(summary_find_part(structure, &one, 1, &p) == PART_FOUND);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024), own = arena_new(2 * 1024 * 1024);
        FoundFields found = {.n = 0};
        FieldNames wanted;
        const Span names[] = {span_of("From"), span_of("Subject"), span_of("X-Other")};
        Structure st;
        Summary s;
        SummaryKeys keys;

        /* With an arena of the promised size nothing fails. */
        g_assert(message_parse(arena, span_make(data, size), &st));
        g_assert(summary_make(own, span_make(data, size), &st, &s));
        check_wire(s.envelope);
        check_structure(s.structure, &st, size);
        g_assert(summary_keys_get(s.keys, &keys) && text_is_utf8(keys.subject) && text_is_utf8(keys.from) &&
                 text_is_utf8(keys.display_from));
        g_assert(field_names_make(own, names, G_N_ELEMENTS(names), &wanted));
        g_assert(summary_find_fields(s.fields, &wanted, NULL, 0, &found) != FIELDS_DAMAGED);
        g_assert(found.octets <= SUMMARY_FIELDS_MAX);
        g_assert(text_is_utf8(s.preview) && s.preview.len <= PREVIEW_OCTETS_MAX);
        return 0;
}
