/* multisearch.c -- which mailboxes ESEARCH searches (RFC 7377 §2.2, with the names of RFC 5465 §6). */
#include "imap/find.h"

#define LIST_ARENA_MAX ((gsize) 32 * 1024 * 1024) /* everything that somebody sees */
#define SOURCE_ARENA_MAX ((gsize) 8 * 1024 * 1024)
#define SOURCES_MAX 10000
#define NAMED_MAX 1000 /* mailboxes named in one command */

typedef enum Selector {
        SELECT_NONE = 0,
        SELECT_SELECTED,
        SELECT_INBOXES,
        SELECT_PERSONAL,
        SELECT_SUBSCRIBED,
        SELECT_SUBTREE,     /* the mailbox and all below it */
        SELECT_SUBTREE_ONE, /* the mailbox and those one level below */
        SELECT_MAILBOXES,
} Selector;

static const struct {
        const char *word;
        Selector selector;
} SELECTORS[] = {
        {"selected", SELECT_SELECTED},     {"inboxes", SELECT_INBOXES}, {"personal", SELECT_PERSONAL},
        {"subscribed", SELECT_SUBSCRIBED}, {"subtree", SELECT_SUBTREE}, {"subtree-one", SELECT_SUBTREE_ONE},
        {"mailboxes", SELECT_MAILBOXES},
};

typedef struct Sources {
        ImapSession *s;
        ImapArgs *a;
        FindSources *found;
        FindSource *mailboxes; /* SOURCES_MAX of them, in found->arena */
        GHashTable *known;     /* ids */
        guint n_named;
        FindSourcesAnswer answer; /* why it failed */
        GError **error;
} Sources;

static gboolean
fail(Sources *x, FindSourcesAnswer answer)
{
        x->answer = answer;
        return FALSE;
}

/* Each mailbox once, whatever names it has. */
static gboolean
add_source(Sources *x, gint64 mailbox, const char *name)
{
        gint64 *key = arena_new0(x->found->arena, gint64);
        const char *kept = arena_strdup(x->found->arena, name);

        if (key == NULL || kept == NULL)
                return fail(x, SOURCES_LIMIT);
        *key = mailbox;
        if (!g_hash_table_add(x->known, key))
                return TRUE;
        if (x->found->n == SOURCES_MAX)
                return fail(x, SOURCES_LIMIT);
        x->mailboxes[x->found->n++] = (FindSource){mailbox, kept};
        return TRUE;
}

static gboolean
add_selected(Sources *x)
{
        x->found->has_selected = TRUE;
        return x->s->selected == NULL || add_source(x, x->s->selected->mailbox, x->s->selected->name);
}

/* Below `top`, or it; how many levels. -1: neither. */
static int
levels_below(const char *name, Span top)
{
        Span rest = span_of(name);
        int levels = 1;

        if (rest.len < top.len || !span_equal(span_slice(rest, 0, top.len), top))
                return -1;
        if (rest.len == top.len)
                return 0;
        if (rest.data[top.len] != '/')
                return -1;
        for (gsize i = top.len + 1; i < rest.len; i++)
                levels += rest.data[i] == '/';
        return levels;
}

/* What a listing holds that may be read: rights l and r (RFC 7377 §2.2). levels: below top, at most; top NULL:
 * everything. */
static gboolean
add_listed(Sources *x, const MailboxQuery *query, const Span *top, int levels)
{
        g_autoptr(Arena) arena = arena_new(LIST_ARENA_MAX);
        const Mailbox *list;
        gsize n;

        if (!store_mailboxes(imap_store(x->s), arena, &x->s->who, query, &list, &n, x->error))
                return fail(x, SOURCES_FAILED);
        for (gsize i = 0; i < n; i++) {
                int below = top != NULL ? levels_below(list[i].name, *top) : 0;
                if (list[i].id == 0 || below < 0 || below > levels ||
                    (list[i].rights & (RIGHT_LOOKUP | RIGHT_READ)) != (RIGHT_LOOKUP | RIGHT_READ))
                        continue;
                if (!add_source(x, list[i].id, list[i].name))
                        return FALSE;
        }
        return TRUE;
}

/* What is not there or may not be read is as if it had not been named. */
static gboolean
add_one(Sources *x, Span name)
{
        g_autoptr(Arena) arena = arena_new(LIST_ARENA_MAX);
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox;

        switch (store_mailbox(imap_store(x->s), arena, &x->s->who, name, RIGHT_READ, &mailbox, &error)) {
        case MAILBOX_DONE:
                return mailbox->id == 0 || add_source(x, mailbox->id, mailbox->name);
        case MAILBOX_FAILED:
                g_propagate_error(x->error, g_steal_pointer(&error));
                return fail(x, SOURCES_FAILED);
        default:
                return TRUE;
        }
}

/* INBOX is written in any case, also in front of what is below it. */
static Span
with_inbox(Arena *arena, Span name)
{
        Span inbox = span_of("INBOX"), first = span_slice(name, 0, inbox.len);

        if (!span_equal_nocase(first, inbox) || (name.len > inbox.len && name.data[inbox.len] != '/'))
                return name;
        Span copy = arena_copy(arena, name);
        if (copy.len > 0)
                memcpy((guint8 *) copy.data, inbox.data, inbox.len);
        return copy;
}

static gboolean
add_named(Sources *x, Selector selector, Span name)
{
        if (selector == SELECT_MAILBOXES)
                return add_one(x, name);
        name = with_inbox(x->a->arena, name);
        MailboxQuery query = {.prefix = name};
        return add_listed(x, &query, &name, selector == SELECT_SUBTREE ? G_MAXINT : 1);
}

/* A name that can't be one is not there. */
static gboolean
read_name(Sources *x, Selector selector)
{
        gboolean is_bad = FALSE;
        Span name;

        if (++x->n_named > NAMED_MAX)
                return fail(x, SOURCES_LIMIT);
        if (args_mailbox(x->a, &name, &is_bad))
                return add_named(x, selector, name);
        return is_bad && args_astring(x->a, &name);
}

/* One mailbox, or several in parentheses. */
static gboolean
read_names(Sources *x, Selector selector)
{
        if (!args_space(x->a))
                return FALSE;
        if (!args_open(x->a))
                return read_name(x, selector);
        do {
                if (!read_name(x, selector))
                        return FALSE;
        } while (args_space(x->a));
        return args_close(x->a);
}

static gboolean
read_selector(Sources *x)
{
        Selector selector = SELECT_NONE;
        Span word;

        if (!args_atom(x->a, &word))
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(SELECTORS); i++)
                if (span_is(word, SELECTORS[i].word))
                        selector = SELECTORS[i].selector;
        x->found->has_others |= selector != SELECT_SELECTED;
        switch (selector) {
        case SELECT_NONE:
                return FALSE;
        case SELECT_SELECTED:
                return add_selected(x);
        case SELECT_INBOXES:
                return add_one(x, span_of("INBOX"));
        case SELECT_PERSONAL:
                return add_listed(x, &(MailboxQuery){0}, NULL, 0);
        case SELECT_SUBSCRIBED:
                return add_listed(x, &(MailboxQuery){.subscribed_only = TRUE, .include_others = TRUE}, NULL, 0);
        case SELECT_SUBTREE:
        case SELECT_SUBTREE_ONE:
        case SELECT_MAILBOXES:
                break;
        }
        return read_names(x, selector);
}

/* "(" ... ")" behind IN. Scope options are not defined yet, so there are none. */
static gboolean
read_selectors(Sources *x)
{
        if (!args_space(x->a) || !args_open(x->a))
                return FALSE;
        do {
                if (!read_selector(x))
                        return FALSE;
        } while (args_space(x->a));
        return args_close(x->a) && args_space(x->a);
}

FindSourcesAnswer
find_sources(ImapSession *s, ImapArgs *a, FindSources *ret, GError **error)
{
        FindSources found = {.arena = arena_new(SOURCE_ARENA_MAX)};
        g_autoptr(Arena) arena = found.arena;
        g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);
        Sources x = {.s = s, .a = a, .found = &found, .known = known, .answer = SOURCES_BAD, .error = error};

        found.mailboxes = x.mailboxes = arena_new_array(arena, FindSource, SOURCES_MAX);
        if (x.mailboxes == NULL)
                return SOURCES_LIMIT;
        if (!(args_word(a, "IN") ? read_selectors(&x) : add_selected(&x)))
                return x.answer;
        *ret = found;
        g_steal_pointer(&arena);
        return SOURCES_FOUND;
}
