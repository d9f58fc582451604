/* context.c -- searches that stay live: RETURN (UPDATE), CANCELUPDATE (RFC 5267 §4.3).
 *
 * A context keeps what its client has been told: the UIDs, in the order of the search. When the session hears of
 * changes, the messages that changed go through the program again, and what differs is told by ADDTO and REMOVEFROM;
 * those that vanish before their EXPUNGE, so that message numbers still hold, all others behind EXISTS and FETCH
 * (§4.3.3, §4.3.4).
 *
 * Of SEARCH positions are 0. Of SORT a message is put in its place: keys never change, so only those of the new ones
 * are looked for among the others.
 *
 * Memory: 4 octets a message and context, UIDS_MAX of them in all; more is refused, as §4.3.1 allows.
 */
#include "imap/context.h"

#define CONTEXTS_MAX 8
#define UIDS_MAX (256 * 1024)
#define TREE_MAX ((gsize) 256 * 1024)
#define PIECE_OCTETS ((gsize) 16 * 1024)

typedef struct Contexts {
        GPtrArray *live;
        ContextUpdate *update; /* of one of them, under way; NULL: none */
        GString *pending;      /* text on its way to the client */
        gsize written;
} Contexts;

static void
context_free(gpointer data)
{
        Context *c = data;

        if (c == NULL)
                return;
        g_free(c->tag);
        arena_free(c->arena);
        g_array_unref(c->uids);
        view_unref(c->of);
        g_free(c);
}

static void
contexts_free(gpointer data)
{
        Contexts *all = data;

        if (all == NULL)
                return;
        context_update_free(all->update);
        g_ptr_array_unref(all->live);
        g_string_free(all->pending, TRUE);
        g_free(all);
}

static Contexts *
contexts_of(const ImapSession *s)
{
        return s->selected != NULL ? s->selected->contexts : NULL;
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static gboolean
is_not_in(guint32 uid, gconstpointer data)
{
        const View *view = data;
        guint32 index = view_index_of(view, uid);

        return index == view_count(view) || view_entry(view, index)->uid != uid;
}

/* See ImapSelected. What has vanished can't come back: it goes also from one that is not up to date. */
static void
leave(ImapSession *s, const View *older)
{
        Contexts *all = s->selected->contexts;

        for (guint i = 0; i < all->live->len; i++)
                context_remove(all->live->pdata[i], all->pending, older, is_not_in, s->selected->view);
}

static Context *
find_behind(const ImapSession *s, const Contexts *all)
{
        for (guint i = 0; i < all->live->len; i++) {
                Context *c = all->live->pdata[i];
                if (c->of != s->selected->view)
                        return c;
        }
        return NULL;
}

static void
drop(Contexts *all, const Context *c)
{
        if (all->update != NULL && context_update_context(all->update) == c)
                g_clear_pointer(&all->update, context_update_free);
        g_ptr_array_remove(all->live, (gpointer) c);
}

/* One that can't be kept up goes: what it says would be wrong from then on. */
static void
give_up(ImapSession *s, Contexts *all, const Context *c, const GError *error)
{
        imap_log_fault(s, "update a live search", error);
        g_string_append_printf(all->pending, "* NO [NOUPDATE \"%s\"] changes will not be told any more\r\n", c->tag);
        drop(all, c);
}

/* The next piece of work for `c`. What was done for a view that is no longer the session's begins anew. FIND_AGAIN: the
 * time is over. */
static FindStep
update_one(ImapSession *s, Contexts *all, Context *c, Usec until)
{
        g_autoptr(GError) error = NULL;
        FindStep step = FIND_FAILED;

        if (all->update != NULL &&
            (context_update_context(all->update) != c || context_update_view(all->update) != s->selected->view))
                g_clear_pointer(&all->update, context_update_free);
        if (all->update == NULL)
                all->update = context_update_new(imap_store(s), c, s->selected->view);
        if (all->update != NULL)
                step = context_update_step(all->update, all->pending, until, &error);
        if (step == FIND_AGAIN)
                return FIND_AGAIN;
        g_clear_pointer(&all->update, context_update_free);
        if (step == FIND_FAILED)
                give_up(s, all, c, error);
        return step;
}

static gboolean
update(ImapSession *s, Usec until)
{
        Contexts *all = s->selected->contexts;
        Context *c;

        while ((c = find_behind(s, all)) != NULL)
                if (update_one(s, all, c, until) == FIND_AGAIN)
                        return FALSE;
        return TRUE;
}

static gboolean
is_behind(const ImapSession *s)
{
        const Contexts *all = s->selected->contexts;

        return all->written < all->pending->len || find_behind(s, all) != NULL;
}

static gboolean
write_pending(ImapSession *s)
{
        Contexts *all = s->selected->contexts;

        while (all->written < all->pending->len) {
                if (imap_is_full(s))
                        return FALSE;
                gsize n = MIN(all->pending->len - all->written, PIECE_OCTETS);
                imap_put_span(s, span_make(all->pending->str + all->written, n));
                all->written += n;
        }
        g_string_free(all->pending, TRUE);
        all->pending = g_string_new(NULL);
        all->written = 0;
        return TRUE;
}

/* Beginning and ending --------------------------------------------------------------------------------------------- */

static guint
index_of(const Contexts *all, Span tag)
{
        guint i = 0;

        while (all != NULL && i < all->live->len && !span_equal(span_of(((Context *) all->live->pdata[i])->tag), tag))
                i++;
        return i;
}

gboolean
find_context_has(const ImapSession *s, const char *tag)
{
        const Contexts *all = contexts_of(s);

        return all != NULL && index_of(all, span_of(tag)) < all->live->len;
}

/* Message numbers are those of the moment of the command (RFC 5267 §4.3). */
static gboolean
keep_numbers(Arena *arena, FindTree *tree, const View *view, const GArray *saved)
{
        FindNode *nodes = (FindNode *) tree->nodes;

        for (guint i = 0; i < tree->n; i++)
                if (!find_node_keep(arena, &nodes[i], view, saved))
                        return FALSE;
        return TRUE;
}

static gboolean
has_room(const Contexts *all, guint32 n)
{
        gsize uids = n;

        for (guint i = 0; all != NULL && i < all->live->len; i++)
                uids += ((Context *) all->live->pdata[i])->uids->len;
        return uids <= UIDS_MAX && (all == NULL || all->live->len < CONTEXTS_MAX);
}

static Context *
context_new(const ImapSession *s, const FindContextRequest *request)
{
        Context *c = g_new0(Context, 1);

        c->tag = g_strdup(s->tag);
        c->arena = arena_new(TREE_MAX);
        c->is_uid = request->is_uid;
        c->of = view_ref(request->view);
        c->n_criteria = request->criteria != NULL ? request->n_criteria : 0;
        if (c->n_criteria > 0)
                memcpy(c->criteria, request->criteria, c->n_criteria * sizeof(SortCriterion));
        c->uids = g_array_sized_new(FALSE, FALSE, sizeof(guint32), request->n);
        for (guint32 i = 0; i < request->n; i++)
                g_array_append_val(c->uids, view_entry(request->view, request->found[i])->uid);
        if (find_tree_copy(c->arena, request->tree, &c->tree) &&
            keep_numbers(c->arena, &c->tree, request->view, request->saved))
                return c;
        context_free(c);
        return NULL;
}

gboolean
find_context_add(ImapSession *s, const FindContextRequest *request)
{
        Contexts *all = contexts_of(s);

        /* Relevancy is of the moment; nothing keeps its order. */
        if (!has_room(all, request->n) || sort_has(request->criteria, request->n_criteria, SORT_RELEVANCY))
                return FALSE;
        Context *c = context_new(s, request);
        if (c == NULL)
                return FALSE;
        if (all == NULL) {
                all = g_new0(Contexts, 1);
                all->live = g_ptr_array_new_with_free_func(context_free);
                all->pending = g_string_new(NULL);
                s->selected->contexts = all;
                s->selected->contexts_free = contexts_free;
                s->selected->contexts_leave = leave;
                s->selected->contexts_update = update;
                s->selected->contexts_is_behind = is_behind;
                s->selected->contexts_write = write_pending;
        }
        g_ptr_array_add(all->live, c);
        return TRUE;
}

/* CANCELUPDATE (RFC 5267 §4.3.5). A tag of which nothing is live is no error: its mailbox may have gone. */
void
imap_cancelupdate(ImapSession *s, ImapArgs *args)
{
        Contexts *all = contexts_of(s);
        Span tag;

        do {
                if (!args_space(args) || !args_string(args, &tag)) {
                        imap_bad(s, "syntax: CANCELUPDATE \"tag\"...");
                        return;
                }
                guint i = index_of(all, tag);
                if (all != NULL && i < all->live->len)
                        drop(all, all->live->pdata[i]);
        } while (!args_end(args));
        imap_ok(s, "", "no further updates of these");
}
