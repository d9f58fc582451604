/* list_parse.c -- the arguments of LIST and LSUB (RFC 9051 §6.3.9, 3501 §6.3.8, §6.3.9; 5258, 5819, 6154, 8440, 9590).
 *
 *      LIST [(selection)] reference pattern|(pattern...) [RETURN (options)]
 */
#include "imap/names.h"

#include "base/text.h"

typedef struct Option {
        const char *word;
        guint bit;
        const char *capability; /* known only while this one is on (imap_has) */
} Option;

static const Option SELECTS[] = {
        {"SUBSCRIBED", LIST_SELECT_SUBSCRIBED, "LIST-EXTENDED"},
        {"REMOTE", LIST_SELECT_REMOTE, "LIST-EXTENDED"},
        {"RECURSIVEMATCH", LIST_SELECT_RECURSIVE, "LIST-EXTENDED"},
        {"SPECIAL-USE", LIST_SELECT_SPECIAL_USE, "SPECIAL-USE"},
        {NULL, 0, NULL},
};

static const Option RETURNS[] = {
        {"SUBSCRIBED", LIST_RETURN_SUBSCRIBED, "LIST-EXTENDED"},
        {"CHILDREN", LIST_RETURN_CHILDREN, "CHILDREN"},
        {"SPECIAL-USE", LIST_RETURN_SPECIAL_USE, "SPECIAL-USE"},
        {"STATUS", LIST_RETURN_STATUS, "LIST-STATUS"},
        {"MYRIGHTS", LIST_RETURN_MYRIGHTS, "LIST-MYRIGHTS"},
        {"METADATA", LIST_RETURN_METADATA, "LIST-METADATA"},
        {NULL, 0, NULL},
};

/* 0: none of them. */
static guint
read_option(const ImapSession *s, ImapArgs *a, const Option *options)
{
        Span word;

        if (!args_atom(a, &word))
                return 0;
        for (; options->word != NULL; options++)
                if (span_is(word, options->word))
                        return imap_has(s, options->capability) ? options->bit : 0;
        return 0;
}

static gboolean
read_selection(const ImapSession *s, ImapArgs *a, ListRequest *r)
{
        const guint bases = LIST_SELECT_SUBSCRIBED | LIST_SELECT_SPECIAL_USE;

        r->is_extended = TRUE;
        if (args_close(a))
                return TRUE;
        do {
                guint bit = read_option(s, a, SELECTS);
                if (bit == 0)
                        return FALSE;
                r->select |= bit;
        } while (args_space(a));
        /* RFC 5258 §3.1: RECURSIVEMATCH wants something that matches */
        return args_close(a) && ((r->select & LIST_SELECT_RECURSIVE) == 0 || (r->select & bases) != 0);
}

static gboolean
read_patterns(ImapArgs *a, ListRequest *r, gboolean *ret_is_bad)
{
        Span *patterns = arena_new_array(a->arena, Span, LIST_PATTERNS_MAX);
        gboolean is_list = !r->is_lsub && args_has(a, "LIST-EXTENDED") && args_open(a);

        if (patterns == NULL)
                return FALSE;
        do {
                if (r->n_patterns == LIST_PATTERNS_MAX || !args_list_mailbox(a, &patterns[r->n_patterns], ret_is_bad))
                        return FALSE;
                r->n_patterns++;
        } while (is_list && args_space(a));
        r->patterns = patterns;
        r->is_extended |= is_list;
        return !is_list || args_close(a);
}

/* RFC 9590 §3: "(" entry SP entry... ")" */
static gboolean
read_entries(ImapArgs *a, ListRequest *r)
{
        Span *entries = arena_new_array(a->arena, Span, LIST_ENTRIES_MAX);

        r->n_entries = 0;
        if (entries == NULL || !args_open(a))
                return FALSE;
        do {
                if (r->n_entries == LIST_ENTRIES_MAX || !args_astring(a, &entries[r->n_entries]))
                        return FALSE;
                r->n_entries++;
        } while (args_space(a));
        r->entries = entries;
        return args_close(a);
}

static gboolean
read_return(const ImapSession *s, ImapArgs *a, ListRequest *r)
{
        guint bit = read_option(s, a, RETURNS);

        r->returns |= bit;
        if (bit == LIST_RETURN_STATUS)
                return args_space(a) && imap_status_parse(s, a, &r->status);
        if (bit == LIST_RETURN_METADATA)
                return args_space(a) && read_entries(a, r);
        return bit != 0;
}

static gboolean
read_returns(const ImapSession *s, ImapArgs *a, ListRequest *r)
{
        if (r->is_lsub || !args_has(a, "LIST-EXTENDED") || !args_space(a) || !args_word(a, "RETURN") ||
            !args_space(a) || !args_open(a))
                return FALSE;
        r->is_extended = TRUE;
        if (args_close(a))
                return TRUE;
        do {
                if (!read_return(s, a, r))
                        return FALSE;
        } while (args_space(a));
        return args_close(a);
}

gboolean
imap_list_parse(const ImapSession *s, ImapArgs *a, gboolean is_lsub, ListRequest *ret, gboolean *ret_is_bad)
{
        ListRequest r = {.is_lsub = is_lsub};

        *ret_is_bad = FALSE;
        if (!args_space(a))
                return FALSE;
        if (!is_lsub && args_has(a, "LIST-EXTENDED") && args_open(a) && (!read_selection(s, a, &r) || !args_space(a)))
                return FALSE;
        if (!args_mailbox(a, &r.reference, ret_is_bad) || !args_space(a) || !read_patterns(a, &r, ret_is_bad))
                return FALSE;
        if (!args_end(a) && (!read_returns(s, a, &r) || !args_end(a)))
                return FALSE;
        if ((r.select & LIST_SELECT_SUBSCRIBED) != 0)
                r.returns |= LIST_RETURN_SUBSCRIBED; /* RFC 5258 §3.1 */
        *ret = r;
        return TRUE;
}

/* Names are kept in NFC, so patterns are brought into it. */
static Span
in_nfc(Arena *arena, Span text)
{
        g_autofree char *nfc = text_is_ascii(text)
                                       ? NULL
                                       : g_utf8_normalize((const char *) text.data, (gssize) text.len, G_NORMALIZE_NFC);

        return nfc != NULL ? arena_copy(arena, span_of(nfc)) : text;
}

/* A pattern of somebody's tree stands for itself. */
Span
imap_list_canonical(Arena *arena, Span reference, Span pattern)
{
        gboolean is_rooted = pattern.len > 0 && pattern.data[0] == '~';
        gsize before = is_rooted ? 0 : reference.len;
        guint8 *text = arena_alloc(arena, before + pattern.len + 1);

        if (text == NULL)
                return SPAN_EMPTY;
        if (before > 0)
                memcpy(text, reference.data, before);
        if (pattern.len > 0)
                memcpy(text + before, pattern.data, pattern.len);
        return in_nfc(arena, span_make(text, before + pattern.len));
}
