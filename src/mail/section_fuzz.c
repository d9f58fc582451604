/* Stored sections that somebody, or a disk, has changed. The first octet says which. */
#include "mail/summary.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
count(gpointer to, Span piece)
{
        *(gsize *) to += piece.len;
}

static void
read_structure(Span section)
{
        static const guint32 path[] = {1, 2, 1};
        guint64 start, end;
        PartReader reader;
        PartPlace p;
        gsize n = 0;

        if (!summary_write_bodystructure(section, FALSE, count, &n))
                g_assert(n == 0);
        g_assert(n <= section.len);
        summary_read_parts(section, &reader);
        while (summary_next_part(&reader, &p) == PART_FOUND)
                g_assert(p.header_start <= p.body_start && p.body_start <= p.end);
        for (gsize i = 0; i <= G_N_ELEMENTS(path); i++)
                for (guint what = SECTION_WHOLE; what <= SECTION_MIME; what++)
                        if (summary_find_section(section, path, i, (PartSection) what, &start, &end) == PART_FOUND)
                                g_assert(start <= end);
}

static void
read_fields(Span section)
{
        const Span names[] = {span_of("From"), span_of("To"), span_of("Subject"), span_of("X-Other")};
        const SummaryCut cuts[] = {{0, 10}, {100, 50}};
        g_autoptr(Arena) arena = arena_new(4096);
        FoundFields found = {.n = 0};
        FieldNames wanted;

        g_assert(field_names_make(arena, names, G_N_ELEMENTS(names), &wanted));
        if (summary_find_fields(section, &wanted, cuts, G_N_ELEMENTS(cuts), &found) != FIELDS_KNOWN)
                g_assert(found.n == 0);
        g_assert(found.octets <= section.len);
        (void) lines_find_fields(section, &wanted, &found);
        g_assert(found.n <= FOUND_FIELDS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        SummaryKeys keys;

        if (size == 0)
                return 0;
        Span section = span_make(data + 1, size - 1);
        if (data[0] % 3 == 0)
                read_structure(section);
        else if (data[0] % 3 == 1)
                read_fields(section);
        else if (summary_keys_get(section, &keys))
                g_assert(keys.n_references <= SUMMARY_REFERENCES_MAX);
        return 0;
}
