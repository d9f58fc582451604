/* metadata.c -- GETMETADATA and SETMETADATA (RFC 5464). The empty mailbox is the server. */
#include "imap/names.h"

#define ANSWER_ARENA_MAX ((gsize) 32 * 1024 * 1024)

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
drop_long_ones(Arena *arena, const MetadataAsked *asked, const MetadataEntry *found, gsize *n, gsize *ret_longest)
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
put_found(ImapSession *s, Arena *arena, const MetadataAsked *asked, const MetadataEntry *found, gsize n)
{
        gsize longest = 0;
        char code[48] = "";

        found = drop_long_ones(arena, asked, found, &n, &longest);
        gboolean tells_missing = asked->depth == 0 && longest == 0; /* too long is not missing */
        if (n > 0 || tells_missing) {
                imap_put(s, "* METADATA ");
                imap_put_mailbox(s, asked->mailbox);
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
        MetadataAsked asked;
        gboolean is_bad;
        gsize n;

        if (!imap_getmetadata_parse(args, &asked, &is_bad)) {
                imap_bad_arguments(s, is_bad);
                return;
        }
        arena = arena_new(ANSWER_ARENA_MAX);
        MailboxAnswer answer = store_metadata(imap_store(s), arena, &s->who, asked.mailbox, asked.entries, asked.n,
                                              asked.depth, &found, &n, &error);
        if (answer == MAILBOX_DONE)
                put_found(s, arena, &asked, found, n);
        else
                imap_no_mailbox(s, answer, error, "look at metadata");
}

/* Setting --------------------------------------------------------------------------------------------------------- */

void
imap_setmetadata(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        MetadataSettings r;
        gboolean is_bad;

        if (!imap_setmetadata_parse(args, &r, &is_bad)) {
                imap_bad_arguments(s, is_bad);
                return;
        }
        MailboxAnswer answer = store_metadata_set(imap_store(s), &s->who, r.mailbox, r.entries, r.n, &error);
        if (answer == MAILBOX_DONE)
                imap_ok(s, "", "kept");
        else if (answer == MAILBOX_LIMIT)
                imap_no(s, "METADATA TOOMANY", "too many entries");
        else
                imap_no_mailbox(s, answer, error, "set metadata");
}
