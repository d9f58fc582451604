/* fetch_item.c -- the items, sections and modifiers of FETCH. */
#include "imap/fetch_item.h"

static const OctetClass CLASS_ITEM = {{0x03ff400000000000, 0x07fffffe07fffffe, 0, 0}}; /* letters, digits, "." */

/* Sections -------------------------------------------------------------------------------------------------------- */

/* Field names are printable ASCII (RFC 5322 §2.2); whatever else is asked for can't be there, and could not be quoted
 * in the answer. */
static gboolean
is_field_name(Span name)
{
        if (name.len == 0 || name.len > SECTION_NAME_OCTETS_MAX)
                return FALSE;
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] < 0x20 || name.data[i] > 0x7e)
                        return FALSE;
        return TRUE;
}

static gboolean
parse_names(ImapArgs *a, Section *section)
{
        g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(Span));
        Span name;

        if (!args_space(a) || !args_open(a))
                return FALSE;
        do {
                if (names->len >= SECTION_NAMES_MAX || !args_astring(a, &name) || !is_field_name(name))
                        return FALSE;
                g_array_append_val(names, name);
        } while (args_space(a));
        if (!args_close(a))
                return FALSE;
        Span *kept = arena_new_array(a->arena, Span, names->len);
        if (kept == NULL)
                return FALSE;
        memcpy(kept, names->data, names->len * sizeof(Span));
        section->names = kept;
        section->n_names = names->len;
        section->has_names = TRUE;
        return field_names_make(a->arena, kept, names->len, &section->fields);
}

static gboolean
parse_section_text(ImapArgs *a, Section *section)
{
        Span word;

        if (!scan_run(&a->scan, &CLASS_ITEM, 32, &word))
                return FALSE;
        if (span_is(word, "TEXT")) {
                section->part = SECTION_TEXT;
                return TRUE;
        }
        if (span_is(word, "MIME")) {
                section->part = SECTION_MIME;
                return section->n_path > 0;
        }
        section->part = SECTION_HEADER;
        section->is_not = span_is(word, "HEADER.FIELDS.NOT");
        if (section->is_not || span_is(word, "HEADER.FIELDS"))
                return parse_names(a, section);
        return span_is(word, "HEADER");
}

/* Numbers with dots between them; *ret_more: a dot was the last, so that a word follows. */
static gboolean
parse_path(ImapArgs *a, Section *section, gboolean *ret_more)
{
        guint32 path[SECTION_PATH_MAX];
        gsize n = 0;

        *ret_more = TRUE;
        while (*ret_more && scan_peek_in(&a->scan, &CLASS_DIGIT)) {
                guint64 number;
                if (n == SECTION_PATH_MAX || !scan_number(&a->scan, G_MAXUINT32, &number) || number == 0)
                        return FALSE;
                path[n++] = (guint32) number;
                *ret_more = scan_octet(&a->scan, '.');
        }
        guint32 *kept = n > 0 ? arena_new_array(a->arena, guint32, n) : NULL;
        if (n > 0 && kept == NULL)
                return FALSE;
        if (n > 0)
                memcpy(kept, path, n * sizeof(*path));
        section->path = kept;
        section->n_path = n;
        return TRUE;
}

gboolean
section_parse(ImapArgs *a, Section *ret)
{
        const guint8 *mark = scan_mark(&a->scan);
        Section section = {.part = SECTION_WHOLE};
        gboolean more;

        if (parse_path(a, &section, &more) && (!more || (section.n_path == 0 && !scan_peek_in(&a->scan, &CLASS_ITEM)) ||
                                               parse_section_text(a, &section))) {
                *ret = section;
                return TRUE;
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

/* Labels ---------------------------------------------------------------------------------------------------------- */

static void
put_name(GString *to, Span name)
{
        static const OctetClass USUAL = {
                {0x03ff600000000000, 0x07fffffe87fffffe, 0, 0}}; /* letters, digits, "-", ".", "_" */
        Scan scan = scan_from(name);

        if (scan_skip_run(&scan, &USUAL) && scan_at_end(&scan)) {
                g_string_append_len(to, (const char *) name.data, (gssize) name.len);
                return;
        }
        g_string_append_c(to, '"');
        for (gsize i = 0; i < name.len; i++) {
                if (name.data[i] == '"' || name.data[i] == '\\')
                        g_string_append_c(to, '\\');
                g_string_append_c(to, (char) name.data[i]);
        }
        g_string_append_c(to, '"');
}

static void
put_section(GString *to, const Section *section)
{
        static const char *const words[] = {
                [SECTION_HEADER] = "HEADER", [SECTION_TEXT] = "TEXT", [SECTION_MIME] = "MIME"};

        for (gsize i = 0; i < section->n_path; i++)
                g_string_append_printf(to, "%s%u", i > 0 ? "." : "", section->path[i]);
        if (section->part == SECTION_WHOLE)
                return;
        if (section->n_path > 0)
                g_string_append_c(to, '.');
        g_string_append(to, words[section->part]);
        if (!section->has_names)
                return;
        g_string_append(to, section->is_not ? ".FIELDS.NOT (" : ".FIELDS (");
        for (gsize i = 0; i < section->n_names; i++) {
                if (i > 0)
                        g_string_append_c(to, ' ');
                put_name(to, section->names[i]);
        }
        g_string_append_c(to, ')');
}

/* "BODY[1.2]<0>": partial answers name where they begin (RFC 9051 §7.5.2). */
static gboolean
make_label(Arena *arena, const char *word, FetchItem *item)
{
        g_autoptr(GString) label = g_string_new(word);

        g_string_append_c(label, '[');
        put_section(label, &item->section);
        g_string_append_c(label, ']');
        if (item->has_partial)
                g_string_append_printf(label, "<%" G_GUINT64_FORMAT ">", item->from);
        item->label = arena_copy(arena, span_make(label->str, label->len));
        return item->label.data != NULL;
}

/* Items ----------------------------------------------------------------------------------------------------------- */

typedef enum ItemForm {
        ITEM_PLAIN = 0,
        ITEM_SECTION, /* [section]<partial>      */
        ITEM_PREVIEW, /* may have " (LAZY)"      */
} ItemForm;

typedef struct ItemRow {
        const char *word;
        const char *label;
        FetchKind kind;
        ItemForm form;
        guint summary;
        gboolean sets_seen;
        PartSection part;       /* of the old words for sections               */
        const char *capability; /* known only while this one is on (args_has) */
} ItemRow;

static const ItemRow ITEMS[] = {
        {"UID", "UID", FETCH_UID},
        {"FLAGS", "FLAGS", FETCH_FLAGS},
        {"INTERNALDATE", "INTERNALDATE", FETCH_INTERNALDATE},
        {"RFC822.SIZE", "RFC822.SIZE", FETCH_SIZE},
        {"ENVELOPE", "ENVELOPE", FETCH_ENVELOPE, ITEM_PLAIN, SUMMARY_ENVELOPE},
        {"BODYSTRUCTURE", "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, ITEM_PLAIN, SUMMARY_STRUCTURE},
        {"MODSEQ", "MODSEQ", FETCH_MODSEQ, .capability = "CONDSTORE"},
        {"EMAILID", "EMAILID", FETCH_EMAILID, .capability = "OBJECTID"},
        {"THREADID", "THREADID", FETCH_THREADID, .capability = "OBJECTID"},
        {"SAVEDATE", "SAVEDATE", FETCH_SAVEDATE, .capability = "SAVEDATE"},
        {"PREVIEW", "PREVIEW", FETCH_PREVIEW, ITEM_PREVIEW, SUMMARY_PREVIEW, .capability = "PREVIEW"},
        {"RFC822", "RFC822", FETCH_SECTION, ITEM_PLAIN, 0, TRUE, SECTION_WHOLE, .capability = "IMAP4rev1"},
        {"RFC822.HEADER", "RFC822.HEADER", FETCH_SECTION, ITEM_PLAIN, 0, FALSE, SECTION_HEADER,
         .capability = "IMAP4rev1"},
        {"RFC822.TEXT", "RFC822.TEXT", FETCH_SECTION, ITEM_PLAIN, 0, TRUE, SECTION_TEXT, .capability = "IMAP4rev1"},
        {"BODY", "BODY", FETCH_SECTION, ITEM_SECTION, 0, TRUE},
        {"BODY.PEEK", "BODY", FETCH_SECTION, ITEM_SECTION},
        {"BINARY", "BINARY", FETCH_BINARY, ITEM_SECTION, 0, TRUE, .capability = "BINARY"},
        {"BINARY.PEEK", "BINARY", FETCH_BINARY, ITEM_SECTION, .capability = "BINARY"},
        {"BINARY.SIZE", "BINARY.SIZE", FETCH_BINARY_SIZE, ITEM_SECTION, .capability = "BINARY"},
};

/* BODY without a section. */
static const ItemRow ITEM_BODY = {"BODY", "BODY", FETCH_BODY, ITEM_PLAIN, SUMMARY_STRUCTURE};

static const ItemRow *
find_row(const ImapArgs *a, Span word, int next)
{
        if (next != '[' && span_is(word, "BODY"))
                return &ITEM_BODY;
        for (gsize i = 0; i < G_N_ELEMENTS(ITEMS); i++)
                if (span_is(word, ITEMS[i].word))
                        return args_has(a, ITEMS[i].capability) ? &ITEMS[i] : NULL;
        return NULL;
}

/* "<0.2048>" (RFC 9051 §6.4.5) */
static gboolean
parse_partial(ImapArgs *a, FetchItem *item)
{
        if (!scan_octet(&a->scan, '<'))
                return TRUE;
        item->has_partial = TRUE;
        return scan_number(&a->scan, G_MAXINT64, &item->from) && scan_octet(&a->scan, '.') &&
               scan_number(&a->scan, G_MAXINT64, &item->count) && item->count > 0 && scan_octet(&a->scan, '>');
}

static guint
summary_of_section(const Section *section)
{
        if (section->n_path > 0)
                return SUMMARY_STRUCTURE;
        return section->has_names && !section->is_not ? SUMMARY_FIELDS | SUMMARY_COPY : 0;
}

static gboolean
parse_item_section(ImapArgs *a, const ItemRow *row, FetchItem *item, guint *summary)
{
        if (!scan_octet(&a->scan, '[') || !section_parse(a, &item->section) || !scan_octet(&a->scan, ']'))
                return FALSE;
        if (row->kind != FETCH_SECTION && item->section.part != SECTION_WHOLE)
                return FALSE; /* BINARY knows numbers only (RFC 3516 §4.2) */
        if (row->kind != FETCH_BINARY_SIZE && !parse_partial(a, item))
                return FALSE;
        *summary |= summary_of_section(&item->section);
        return make_label(a->arena, row->label, item);
}

/* RFC 8970 §3: LAZY allows us to give NIL. We always know. */
static void
skip_lazy(ImapArgs *a)
{
        const guint8 *mark = scan_mark(&a->scan);

        if (!args_space(a) || !args_open(a) || !args_word(a, "LAZY") || !args_close(a))
                scan_rewind(&a->scan, mark);
}

/* Items under construction: while they are read their number is not known. */
typedef struct Gathered {
        GArray *items;
        FetchItems sum;
} Gathered;

static gboolean
gather(Gathered *g, const FetchItem *item)
{
        if (item->kind <= FETCH_BODYSTRUCTURE && (g->sum.kinds & 1U << item->kind) != 0)
                return TRUE;
        if (g->items->len >= FETCH_ITEMS_MAX)
                return FALSE;
        g->sum.kinds |= 1U << item->kind;
        g_array_append_val(g->items, *item);
        return TRUE;
}

static gboolean
gather_row(ImapArgs *a, const ItemRow *row, Gathered *g)
{
        FetchItem item = {.kind = row->kind, .label = span_of(row->label), .section = {.part = row->part}};

        if (row->form == ITEM_SECTION && !parse_item_section(a, row, &item, &g->sum.summary))
                return FALSE;
        if (row->form == ITEM_PREVIEW)
                skip_lazy(a);
        g->sum.summary |= row->summary;
        g->sum.sets_seen = g->sum.sets_seen || row->sets_seen;
        return gather(g, &item);
}

static gboolean
parse_item(ImapArgs *a, Gathered *g)
{
        const ItemRow *row;
        Span word;

        if (!scan_run(&a->scan, &CLASS_ITEM, 32, &word))
                return FALSE;
        row = find_row(a, word, scan_peek(&a->scan));
        return row != NULL && gather_row(a, row, g);
}

/* RFC 9051 §6.4.5: macros stand alone. */
static gboolean
parse_macro(ImapArgs *a, Gathered *g)
{
        static const struct {
                const char *word;
                const char *items[5];
        } macros[] = {
                {"ALL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"}},
                {"FAST", {"FLAGS", "INTERNALDATE", "RFC822.SIZE"}},
                {"FULL", {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"}},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(macros); i++) {
                if (!args_word(a, macros[i].word))
                        continue;
                for (gsize j = 0; j < G_N_ELEMENTS(macros[i].items) && macros[i].items[j] != NULL; j++)
                        (void) gather_row(a, find_row(a, span_of(macros[i].items[j]), -1), g);
                return TRUE;
        }
        return FALSE;
}

static gboolean
parse_list(ImapArgs *a, Gathered *g)
{
        do {
                if (!parse_item(a, g))
                        return FALSE;
        } while (args_space(a));
        return args_close(a);
}

static gboolean
keep(Arena *arena, GArray *items, FetchItems *ret)
{
        FetchItem *kept = arena_new_array(arena, FetchItem, items->len);

        if (kept == NULL)
                return FALSE;
        memcpy(kept, items->data, items->len * sizeof(*kept));
        ret->items = kept;
        ret->n = items->len;
        return TRUE;
}

gboolean
imap_fetch_items_parse(ImapArgs *a, FetchItems *ret)
{
        g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(FetchItem));
        const guint8 *mark = scan_mark(&a->scan);
        Gathered g = {.items = items};

        if ((args_open(a) ? parse_list(a, &g) : parse_macro(a, &g) || parse_item(a, &g)) &&
            keep(a->arena, items, &g.sum)) {
                *ret = g.sum;
                return TRUE;
        }
        scan_rewind(&a->scan, mark);
        return FALSE;
}

gboolean
imap_fetch_items_need(ImapArgs *a, FetchItems *items, FetchKind kind)
{
        FetchItem *more;

        if ((items->kinds & 1U << kind) != 0)
                return TRUE;
        more = arena_new_array(a->arena, FetchItem, items->n + 1);
        if (more == NULL)
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(ITEMS); i++)
                if (ITEMS[i].kind == kind)
                        more[0] = (FetchItem){.kind = kind, .label = span_of(ITEMS[i].label)};
        memcpy(more + 1, items->items, items->n * sizeof(*more));
        items->items = more;
        items->n++;
        items->kinds |= 1U << kind;
        return TRUE;
}

/* Modifiers ------------------------------------------------------------------------------------------------------- */

static gboolean
parse_position(ImapArgs *a, gboolean from_end, guint32 *ret)
{
        guint64 number;

        if ((from_end && !scan_octet(&a->scan, '-')) || !scan_number(&a->scan, G_MAXUINT32, &number) || number == 0)
                return FALSE;
        *ret = (guint32) number;
        return TRUE;
}

/* RFC 9394 §4: "1:10" or "-1:-10", in either order. */
static gboolean
parse_positions(ImapArgs *a, FetchModifiers *m)
{
        guint32 one, other;

        m->from_end = scan_peek(&a->scan) == '-';
        if (!parse_position(a, m->from_end, &one) || !scan_octet(&a->scan, ':') ||
            !parse_position(a, m->from_end, &other))
                return FALSE;
        m->first = MIN(one, other);
        m->last = MAX(one, other);
        return TRUE;
}

static gboolean
parse_modifier(ImapArgs *a, FetchModifiers *m)
{
        if (!m->has_changed_since && args_has(a, "CONDSTORE") && args_word(a, "CHANGEDSINCE")) {
                m->has_changed_since = TRUE;
                return args_space(a) && args_number(a, G_MAXINT64, &m->changed_since);
        }
        if (!m->has_partial && args_has(a, "PARTIAL") && args_word(a, "PARTIAL")) {
                m->has_partial = TRUE;
                return args_space(a) && parse_positions(a, m);
        }
        if (m->has_vanished || !args_has(a, "QRESYNC") || !args_word(a, "VANISHED"))
                return FALSE;
        m->has_vanished = TRUE;
        return TRUE;
}

gboolean
imap_fetch_modifiers_parse(ImapArgs *a, FetchModifiers *ret)
{
        FetchModifiers m = {0};

        if (!args_end(a)) {
                if (!args_space(a) || !args_open(a))
                        return FALSE;
                do {
                        if (!parse_modifier(a, &m))
                                return FALSE;
                } while (args_space(a));
                if (!args_close(a) || !args_end(a))
                        return FALSE;
        }
        *ret = m;
        return TRUE;
}
