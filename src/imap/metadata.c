/* metadata.c -- GETMETADATA and SETMETADATA (RFC 5464).
 *
 *      GETMETADATA [(MAXSIZE n DEPTH 0|1|infinity)] mailbox entry|(entry...)
 *      SETMETADATA mailbox (entry value...)
 *
 * The empty mailbox is the server. The RFC's examples have the options behind the mailbox, its grammar before it: both
 * are read.
 */
#include "imap/names.h"

#define ENTRIES_MAX ((gsize) 100)
#define ENTRY_OCTETS_MAX 255
#define ANSWER_ARENA_MAX ((gsize) 32 * 1024 * 1024)

typedef struct Asked {
        Span name;
        gboolean has_max;
        guint64 max;
        guint depth;
        Span *entries;
        gsize n;
} Asked;

/* Reading --------------------------------------------------------------------------------------------------------- */

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
read_entries(ImapArgs *a, Asked *asked)
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
read_option(ImapArgs *a, Asked *asked)
{
        if (args_word(a, "DEPTH"))
                return args_space(a) && read_depth(a, &asked->depth);
        asked->has_max = TRUE;
        return args_word(a, "MAXSIZE") && args_space(a) && args_number(a, G_MAXUINT32, &asked->max);
}

/* "(" options ")" SP, if that is what comes: entries begin with a slash. FALSE: neither. */
static gboolean
read_options(ImapArgs *a, Asked *asked)
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

static gboolean
read_asked(ImapArgs *a, Asked *ret, gboolean *ret_is_bad)
{
        return args_space(a) && read_options(a, ret) && args_mailbox(a, &ret->name, ret_is_bad) && args_space(a) &&
               read_options(a, ret) && read_entries(a, ret) && args_end(a);
}

/* Answering ------------------------------------------------------------------------------------------------------- */

static void
put_value(ImapSession *s, const char **before, Span entry, Span value)
{
        imap_put(s, *before);
        imap_put_astring(s, entry);
        imap_put(s, " ");
        if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)
                imap_put_literal(s, value, TRUE);
        else
                imap_put_nstring(s, value, value.data == NULL);
        *before = " ";
}

static gboolean
was_found(const MetadataEntry *found, gsize n, Span entry)
{
        for (gsize i = 0; i < n; i++)
                if (span_is(entry, found[i].entry))
                        return TRUE;
        return FALSE;
}

void
imap_metadata_put_values(ImapSession *s, const MetadataEntry *found, gsize n_found, const Span *asked, gsize n_asked)
{
        const char *before = "(";

        for (gsize i = 0; i < n_found; i++)
                put_value(s, &before, span_of(found[i].entry), found[i].value);
        for (gsize i = 0; i < n_asked; i++)
                if (!was_found(found, n_found, asked[i]))
                        put_value(s, &before, asked[i], SPAN_EMPTY);
        imap_put(s, ")");
}

/* Those that are small enough, in a copy; *ret_longest: of the others, 0: there is none. */
static const MetadataEntry *
drop_long_ones(Arena *arena, const Asked *asked, const MetadataEntry *found, gsize *n, gsize *ret_longest)
{
        MetadataEntry *kept = arena_new_array(arena, MetadataEntry, *n);
        gsize n_kept = 0;

        for (gsize i = 0; kept != NULL && i < *n; i++)
                if (!asked->has_max || found[i].value.len <= asked->max)
                        kept[n_kept++] = found[i];
                else
                        *ret_longest = MAX(*ret_longest, found[i].value.len);
        *n = n_kept;
        return kept;
}

static void
put_found(ImapSession *s, Arena *arena, const Asked *asked, const MetadataEntry *found, gsize n)
{
        gsize longest = 0;
        char code[48] = "";

        found = drop_long_ones(arena, asked, found, &n, &longest);
        gboolean tells_missing = asked->depth == 0 && longest == 0; /* too long is not missing */
        if (n > 0 || tells_missing) {
                imap_put(s, "* METADATA ");
                imap_put_mailbox(s, asked->name);
                imap_put(s, " ");
                imap_metadata_put_values(s, found, n, asked->entries, tells_missing ? asked->n : 0);
                imap_put(s, "\r\n");
        }
        if (longest > 0)
                g_snprintf(code, sizeof(code), "METADATA LONGENTRIES %zu", longest);
        imap_ok(s, code, "that is all");
}

void
imap_getmetadata(ImapSession *s, ImapArgs *args)
{
        g_autoptr(Arena) arena = NULL;
        g_autoptr(GError) error = NULL;
        const MetadataEntry *found;
        gboolean is_bad = FALSE;
        Asked asked = {0};
        gsize n;

        if (!read_asked(args, &asked, &is_bad)) {
                if (is_bad)
                        imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "read a name");
                else
                        imap_bad(s, "syntax: GETMETADATA [(options)] mailbox (entries)");
                return;
        }
        arena = arena_new(ANSWER_ARENA_MAX);
        MailboxAnswer answer = store_metadata(imap_store(s), arena, &s->who, asked.name, asked.entries, asked.n,
                                              asked.depth, &found, &n, &error);
        if (answer == MAILBOX_DONE)
                put_found(s, arena, &asked, found, n);
        else
                imap_no_mailbox(s, answer, error, "look at metadata");
}

/* Setting --------------------------------------------------------------------------------------------------------- */

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
read_settings(ImapArgs *a, MetadataEntry *entries, gsize *ret_n)
{
        gsize n = 0;

        if (!args_space(a) || !args_open(a))
                return FALSE;
        do {
                Span entry;
                if (n == ENTRIES_MAX || !read_entry(a, &entry) || !args_space(a) || !read_value(a, &entries[n].value))
                        return FALSE;
                entries[n].entry = arena_strndup(a->arena, entry);
                if (entries[n++].entry == NULL)
                        return FALSE;
        } while (args_space(a));
        *ret_n = n;
        return args_close(a) && args_end(a);
}

void
imap_setmetadata(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        MetadataEntry *entries = arena_new_array(args->arena, MetadataEntry, ENTRIES_MAX);
        gboolean is_bad = FALSE;
        Span name;
        gsize n;

        gboolean has_name = args_space(args) && args_mailbox(args, &name, &is_bad);
        if (!is_bad && (!has_name || entries == NULL || !read_settings(args, entries, &n))) {
                imap_bad(s, "syntax: SETMETADATA mailbox (entry value...)");
                return;
        }
        MailboxAnswer answer =
                is_bad ? MAILBOX_BAD_NAME : store_metadata_set(imap_store(s), &s->who, name, entries, n, &error);
        if (answer == MAILBOX_DONE)
                imap_ok(s, "", "kept");
        else if (answer == MAILBOX_LIMIT)
                imap_no(s, "METADATA TOOMANY", "too many entries");
        else
                imap_no_mailbox(s, answer, error, "set metadata");
}
