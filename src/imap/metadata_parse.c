/* metadata_parse.c -- the arguments of GETMETADATA and SETMETADATA (RFC 5464 §4.2, §4.3, §5).
 *
 *      GETMETADATA [(MAXSIZE n DEPTH 0|1|infinity)] mailbox entry|(entry...)
 *      SETMETADATA mailbox (entry value...)
 *
 * The RFC's examples have the options behind the mailbox, its grammar before it: both are read.
 */
#include "imap/names.h"

#define ENTRIES_MAX ((gsize) 100)
#define ENTRY_OCTETS_MAX 255

/* GETMETADATA ----------------------------------------------------------------------------------------------------- */

/* §3.2.1, §4.1: others are BAD. */
static gboolean
is_entry(Span text)
{
        if (text.len > ENTRY_OCTETS_MAX || text.len == 0 || text.data[text.len - 1] == '/' ||
            (!span_starts_nocase(text, span_of("/private/")) && !span_starts_nocase(text, span_of("/shared/"))))
                return FALSE;
        for (gsize i = 0; i < text.len; i++) {
                guint8 c = text.data[i];
                if (c < ' ' || c > '~' || c == '*' || c == '%' || (c == '/' && i > 0 && text.data[i - 1] == '/'))
                        return FALSE;
        }
        return TRUE;
}

static gboolean
read_entry(ImapArgs *a, Span *ret)
{
        return args_astring(a, ret) && is_entry(*ret);
}

static gboolean
read_entries(ImapArgs *a, MetadataAsked *asked)
{
        gboolean is_list = args_open(a);

        asked->entries = arena_new_array(a->arena, Span, ENTRIES_MAX);
        if (asked->entries == NULL)
                return FALSE;
        do {
                if (asked->n == ENTRIES_MAX || !read_entry(a, &asked->entries[asked->n]))
                        return FALSE;
                asked->n++;
        } while (is_list && args_space(a));
        return !is_list || args_close(a);
}

static gboolean
read_depth(ImapArgs *a, guint *ret)
{
        guint64 depth;

        if (args_word(a, "infinity"))
                *ret = G_MAXUINT;
        else if (args_number(a, 1, &depth))
                *ret = (guint) depth;
        else
                return FALSE;
        return TRUE;
}

static gboolean
read_option(ImapArgs *a, MetadataAsked *asked)
{
        if (args_word(a, "DEPTH"))
                return args_space(a) && read_depth(a, &asked->depth);
        asked->has_max = TRUE;
        return args_word(a, "MAXSIZE") && args_space(a) && args_number(a, G_MAXUINT32, &asked->max);
}

/* "(" options ")" SP, if that is what comes: entries begin with a slash. FALSE: neither. */
static gboolean
read_options(ImapArgs *a, MetadataAsked *asked)
{
        const guint8 *mark = scan_mark(&a->scan);

        if (!args_open(a))
                return TRUE;
        if (scan_peek(&a->scan) == '/' || scan_peek(&a->scan) == '"' || scan_peek(&a->scan) == '{') {
                scan_rewind(&a->scan, mark);
                return TRUE;
        }
        do {
                if (!read_option(a, asked))
                        return FALSE;
        } while (args_space(a));
        return args_close(a) && args_space(a);
}

gboolean
imap_getmetadata_parse(ImapArgs *a, MetadataAsked *ret, gboolean *ret_is_bad)
{
        MetadataAsked r = {0};

        *ret_is_bad = FALSE;
        if (!args_space(a) || !read_options(a, &r) || !args_mailbox(a, &r.mailbox, ret_is_bad) || !args_space(a) ||
            !read_options(a, &r) || !read_entries(a, &r) || !args_end(a))
                return FALSE;
        *ret = r;
        return TRUE;
}

/* SETMETADATA ----------------------------------------------------------------------------------------------------- */

/* nstring or literal8. Data NULL: NIL. */
static gboolean
read_value(ImapArgs *a, Span *ret)
{
        gboolean is_nil, is_binary;

        if (args_nstring(a, ret, &is_nil)) {
                if (!is_nil && ret->data == NULL)
                        *ret = span_of("");
                return TRUE;
        }
        return args_literal8(a, ret, &is_binary) && is_binary;
}

static gboolean
read_settings(ImapArgs *a, MetadataSettings *r)
{
        MetadataEntry *entries = arena_new_array(a->arena, MetadataEntry, ENTRIES_MAX);
        gsize n = 0;

        if (entries == NULL || !args_space(a) || !args_open(a))
                return FALSE;
        do {
                Span entry;
                if (n == ENTRIES_MAX || !read_entry(a, &entry) || !args_space(a) || !read_value(a, &entries[n].value))
                        return FALSE;
                entries[n].entry = arena_strndup(a->arena, entry);
                if (entries[n++].entry == NULL)
                        return FALSE;
        } while (args_space(a));
        r->entries = entries;
        r->n = n;
        return args_close(a) && args_end(a);
}

gboolean
imap_setmetadata_parse(ImapArgs *a, MetadataSettings *ret, gboolean *ret_is_bad)
{
        MetadataSettings r = {0};

        *ret_is_bad = FALSE;
        if (!args_space(a) || !args_mailbox(a, &r.mailbox, ret_is_bad) || !read_settings(a, &r))
                return FALSE;
        *ret = r;
        return TRUE;
}
