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
#include "imap/find.h"

#define CONTEXTS_MAX 8
#define UIDS_MAX (256 * 1024)
#define TREE_MAX ((gsize) 256 * 1024)
#define PIECE_OCTETS ((gsize) 16 * 1024)
#define FEW 50 /* messages that are put in their place one by one */
#define SETTLE_FOREVER (3600 * USEC_PER_SEC)

typedef struct Context {
        char *tag;
        Arena *arena; /* of the tree */
        FindTree tree;
        SortCriterion criteria[SORTER_CRITERIA_MAX];
        gsize n_criteria; /* 0: SEARCH */
        gboolean is_uid;
        GArray *uids; /* guint32, as told; of SEARCH rising */
} Context;

typedef struct Contexts {
        GPtrArray *live;
        GString *pending; /* text on its way to the client */
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
        g_free(c);
}

static void
contexts_free(gpointer data)
{
        Contexts *all = data;

        if (all == NULL)
                return;
        g_ptr_array_unref(all->live);
        g_string_free(all->pending, TRUE);
        g_free(all);
}

static Contexts *
contexts_of(const ImapSession *s)
{
        return s->selected != NULL ? s->selected->contexts : NULL;
}

static guint32
uid_at(const Context *c, guint i)
{
        return g_array_index(c->uids, guint32, i);
}

/* Text ------------------------------------------------------------------------------------------------------------- */

/* One response under way: "* ESEARCH (TAG "x") UID REMOVEFROM (0 1:3,7)". */
typedef struct Response {
        GString *to;
        const Context *c;
        const View *view; /* whose numbers the client knows */
        const char *item;
        gboolean is_begun;
        gboolean is_in_set;  /* behind "(position " something is already */
        guint32 position;    /* of the pair                              */
        guint32 first, last; /* range that is being made; 0: none        */
} Response;

static guint32
number_of(const Response *r, guint32 uid)
{
        return r->c->is_uid ? uid : view_index_of(r->view, uid) + 1;
}

static void
end_range(Response *r)
{
        if (r->first == 0)
                return;
        g_string_append_printf(r->to, "%s%u", r->is_in_set ? "," : "", r->first);
        if (r->last != r->first)
                g_string_append_printf(r->to, ":%u", r->last);
        r->is_in_set = TRUE;
        r->first = 0;
}

/* The next pair of position and set. */
static void
begin_pair(Response *r, guint32 position)
{
        end_range(r);
        if (!r->is_begun)
                g_string_append_printf(r->to, "* ESEARCH (TAG \"%s\")%s %s (", r->c->tag, r->c->is_uid ? " UID" : "",
                                       r->item);
        g_string_append_printf(r->to, "%s%u ", r->is_begun ? " " : "", position);
        r->is_begun = TRUE;
        r->is_in_set = FALSE;
        r->position = position;
}

static void
add_uid(Response *r, guint32 uid)
{
        guint32 number = number_of(r, uid);

        if (r->first != 0 && number == r->last + 1) {
                r->last = number;
                return;
        }
        end_range(r);
        r->first = r->last = number;
}

static void
end_response(Response *r)
{
        end_range(r);
        if (r->is_begun)
                g_string_append(r->to, ")\r\n");
}

/* Taking away ------------------------------------------------------------------------------------------------------ */

/* Those that `leaves` says; told, and dropped. Of SORT from the last position to the first, so that the others hold. */
static void
remove_uids(const Context *c, GString *to, const View *view, gboolean (*leaves)(guint32 uid, gconstpointer data),
            gconstpointer data)
{
        Response r = {.to = to, .c = c, .view = view, .item = "REMOVEFROM"};
        guint kept = 0, end = c->uids->len;

        if (c->n_criteria == 0) {
                for (guint i = 0; i < c->uids->len; i++)
                        if (leaves(uid_at(c, i), data)) {
                                if (!r.is_begun)
                                        begin_pair(&r, 0);
                                add_uid(&r, uid_at(c, i));
                        }
        } else {
                while (end > 0) {
                        guint from = end;
                        while (from > 0 && leaves(uid_at(c, from - 1), data))
                                from--;
                        if (from < end)
                                begin_pair(&r, from + 1);
                        for (guint i = from; i < end; i++)
                                add_uid(&r, uid_at(c, i));
                        end = from > 0 ? from - 1 : 0;
                }
        }
        end_response(&r);
        for (guint i = 0; i < c->uids->len; i++)
                if (!leaves(uid_at(c, i), data))
                        g_array_index(c->uids, guint32, kept++) = uid_at(c, i);
        g_array_set_size(c->uids, kept);
}

static gboolean
is_not_in(guint32 uid, gconstpointer data)
{
        const View *view = data;
        guint32 index = view_index_of(view, uid);

        return index == view_count(view) || view_entry(view, index)->uid != uid;
}

/* What has changed ------------------------------------------------------------------------------------------------- */

/* The messages that changed, by index in the newer view, and whether they match now. */
typedef struct Changes {
        View *newer;
        guint8 *is_changed, *matches;
        guint32 n_changed;
} Changes;

static void
note_changed(guint32 index, gpointer data)
{
        Changes *x = data;

        x->is_changed[index] = 1;
        x->n_changed++;
}

static gboolean
changes_init(Changes *x, const View *older, View *newer)
{
        gsize entries = (gsize) view_count(newer) + 1;
        guint32 first_new;

        *x = (Changes){.newer = newer, .is_changed = g_try_malloc0(entries), .matches = g_try_malloc0(entries)};
        if (x->is_changed == NULL || x->matches == NULL)
                return FALSE;
        view_compare(older, newer, NULL, note_changed, x, &first_new);
        for (guint32 i = first_new; i < view_count(newer); i++)
                note_changed(i, x);
        return TRUE;
}

static void
changes_done(Changes *x)
{
        g_free(x->is_changed);
        g_free(x->matches);
}

/* A message that has not changed stays what it was. */
static gboolean
has_ceased(guint32 uid, gconstpointer data)
{
        const Changes *x = data;
        guint32 index = view_index_of(x->newer, uid);

        return index < view_count(x->newer) && x->is_changed[index] && !x->matches[index];
}

static gboolean
run_again(ImapSession *s, const Context *c, Changes *x, GError **error)
{
        g_autoptr(FindRun) run = find_run_new(imap_store(s), x->newer, &c->tree, NULL, x->is_changed);
        g_autofree guint32 *found = NULL;
        FindStep step = FIND_AGAIN;
        guint32 n = 0;

        while (run != NULL && step == FIND_AGAIN)
                step = find_run_step(run, clock_in(SETTLE_FOREVER), error);
        if (step != FIND_DONE)
                return step == FIND_FAILED ? FALSE : fault(error, FAULT_BUSY, "no memory for a live search");
        found = find_run_found(run, &n);
        if (found == NULL)
                return fault(error, FAULT_BUSY, "no memory for a live search");
        memset(x->matches, 0, view_count(x->newer));
        for (guint32 i = 0; i < n; i++)
                x->matches[found[i]] = 1;
        return TRUE;
}

/* Where a UID stands or would stand among rising ones. */
static guint
find_uid(const GArray *uids, guint32 uid)
{
        guint from = 0, to = uids->len;

        while (from < to) {
                guint middle = from + (to - from) / 2;
                if (g_array_index(uids, guint32, middle) < uid)
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static int
compare_uid(gconstpointer a, gconstpointer b)
{
        guint32 x = *(const guint32 *) a, y = *(const guint32 *) b;

        return x < y ? -1 : x > y;
}

/* UIDs that match and are not told of yet, rising. */
static GArray *
find_new(const Context *c, const Changes *x)
{
        g_autoptr(GArray) known = g_array_copy(c->uids);
        GArray *added = g_array_new(FALSE, FALSE, sizeof(guint32));

        if (c->n_criteria > 0)
                g_array_sort(known, compare_uid);
        for (guint32 i = 0; i < view_count(x->newer); i++) {
                guint32 uid = view_entry(x->newer, i)->uid;
                if (!x->is_changed[i] || !x->matches[i])
                        continue;
                guint at = find_uid(known, uid);
                if (at == known->len || g_array_index(known, guint32, at) != uid)
                        g_array_append_val(added, uid);
        }
        return added;
}

/* Adding ----------------------------------------------------------------------------------------------------------- */

static void
add_in_mailbox_order(Context *c, GString *to, const View *view, const GArray *added)
{
        Response r = {.to = to, .c = c, .view = view, .item = "ADDTO"};

        for (guint i = 0; i < added->len; i++) {
                if (i == 0)
                        begin_pair(&r, 0);
                add_uid(&r, g_array_index(added, guint32, i));
        }
        end_response(&r);
        g_array_append_vals(c->uids, added->data, added->len);
        g_array_sort(c->uids, compare_uid);
}

static gboolean
values_of(const Context *c, FindMessage *m, guint32 uid, SortValue *ret, GError **error)
{
        find_message_at(m, view_index_of(m->view, uid));
        return sort_values(m, c->criteria, c->n_criteria, 0, ret, error);
}

/* The UIDs given in the order of the search; equal ones in mailbox order. */
static GArray *
sorted(const Context *c, FindMessage *m, const GArray *given, GError **error)
{
        g_autoptr(GArray) uids = g_array_copy((GArray *) given);
        GArray *order = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(Sorter) sorter = sorter_new(c->criteria, c->n_criteria, uids->len);
        SortValue values[SORTER_CRITERIA_MAX];
        gboolean is_good = sorter != NULL;
        guint32 n;

        g_array_sort(uids, compare_uid);
        for (guint i = 0; i < uids->len && is_good; i++) {
                guint32 uid = g_array_index(uids, guint32, i);
                is_good = values_of(c, m, uid, values, error) && sorter_add(sorter, uid, values);
        }
        if (!is_good) {
                if (error != NULL && *error == NULL)
                        (void) fault(error, FAULT_BUSY, "no memory for a live search");
                g_array_unref(order);
                return NULL;
        }
        while (!sorter_step(sorter, clock_in(SETTLE_FOREVER)))
                ;
        const guint32 *sorted_uids = sorter_order(sorter, &n);
        g_array_append_vals(order, sorted_uids, n);
        return order;
}

/* The first place from `from` on whose message stands behind this one. */
static gboolean
find_place(const Context *c, FindMessage *m, FindMessage *other, guint32 uid, guint from, guint *ret, GError **error)
{
        SortValue values[SORTER_CRITERIA_MAX], theirs[SORTER_CRITERIA_MAX];
        guint to = c->uids->len;

        if (!values_of(c, m, uid, values, error))
                return FALSE;
        while (from < to) {
                guint middle = from + (to - from) / 2;
                if (!values_of(c, other, uid_at(c, middle), theirs, error))
                        return FALSE;
                int order = sorter_compare(c->criteria, c->n_criteria, theirs, values);
                if (order < 0 || (order == 0 && uid_at(c, middle) < uid))
                        from = middle + 1;
                else
                        to = middle;
        }
        *ret = from;
        return TRUE;
}

/* All UIDs, the new ones in their places: looked for one by one. NULL: a fault. */
static GArray *
merge_few(const Context *c, FindMessage *m, FindMessage *other, const GArray *added, GError **error)
{
        g_autoptr(GArray) order = sorted(c, m, added, error);
        g_autoptr(GArray) merged = g_array_new(FALSE, FALSE, sizeof(guint32));
        guint done = 0;

        for (guint i = 0; order != NULL && i < order->len; i++) {
                guint32 uid = g_array_index(order, guint32, i);
                guint place;
                if (!find_place(c, m, other, uid, done, &place, error))
                        return NULL;
                g_array_append_vals(merged, &g_array_index(c->uids, guint32, done), place - done);
                g_array_append_val(merged, uid);
                done = place;
        }
        if (order == NULL)
                return NULL;
        if (done < c->uids->len)
                g_array_append_vals(merged, &g_array_index(c->uids, guint32, done), c->uids->len - done);
        return g_steal_pointer(&merged);
}

/* The same by sorting everything. */
static GArray *
merge_many(const Context *c, FindMessage *m, const GArray *added, GError **error)
{
        g_autoptr(GArray) all = g_array_copy(c->uids);

        g_array_append_vals(all, added->data, added->len);
        return sorted(c, m, all, error);
}

/* Pairs of the position where new ones begin and as many as stand there. Positions count what was put in before. */
static void
tell_places(const Context *c, GString *to, const View *view, const GArray *merged, const GArray *added)
{
        Response r = {.to = to, .c = c, .view = view, .item = "ADDTO"};
        gboolean was_new = FALSE;

        for (guint i = 0; i < merged->len; i++) {
                guint32 uid = g_array_index(merged, guint32, i);
                guint at = find_uid(added, uid);
                gboolean is_new = at < added->len && g_array_index(added, guint32, at) == uid;
                if (is_new && !was_new)
                        begin_pair(&r, i + 1);
                if (is_new)
                        add_uid(&r, uid);
                was_new = is_new;
        }
        end_response(&r);
}

static gboolean
add_in_order(ImapSession *s, Context *c, GString *to, View *view, const GArray *added, GError **error)
{
        guint sections = sort_sections(c->criteria, c->n_criteria);
        FindMessage m, other;
        GArray *merged;

        find_message_init(&m, imap_store(s), view, sections);
        find_message_init(&other, imap_store(s), view, sections);
        merged = added->len <= FEW + c->uids->len / 1000 ? merge_few(c, &m, &other, added, error)
                                                         : merge_many(c, &m, added, error);
        find_message_done(&m);
        find_message_done(&other);
        if (merged == NULL)
                return FALSE;
        tell_places(c, to, view, merged, added);
        g_array_unref(c->uids);
        c->uids = merged;
        return TRUE;
}

static gboolean
update(ImapSession *s, Context *c, GString *to, Changes *x, GError **error)
{
        if (!run_again(s, c, x, error))
                return FALSE;
        remove_uids(c, to, x->newer, has_ceased, x);
        g_autoptr(GArray) added = find_new(c, x);
        if (added->len == 0)
                return TRUE;
        if (c->n_criteria > 0)
                return add_in_order(s, c, to, x->newer, added, error);
        add_in_mailbox_order(c, to, x->newer, added);
        return TRUE;
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static void
make_vanished(ImapSession *s, Contexts *all, const View *older)
{
        for (guint i = 0; i < all->live->len; i++)
                remove_uids(all->live->pdata[i], all->pending, older, is_not_in, s->selected->view);
}

/* A context that can't be kept up goes: what it says would be wrong from then on. */
static void
make_changed(ImapSession *s, Contexts *all, const View *older)
{
        Changes x;
        gboolean is_good = changes_init(&x, older, s->selected->view);

        for (guint i = 0; i < all->live->len && (!is_good || x.n_changed > 0);) {
                g_autoptr(GError) error = NULL;
                Context *c = all->live->pdata[i];
                if (is_good && update(s, c, all->pending, &x, &error)) {
                        i++;
                        continue;
                }
                imap_log_fault(s, "update a live search", error);
                g_string_append_printf(all->pending, "* NO [NOUPDATE \"%s\"] changes will not be told any more\r\n",
                                       c->tag);
                g_ptr_array_remove_index(all->live, i);
        }
        changes_done(&x);
}

/* See ImapSelected. */
static void
make(ImapSession *s, const View *older, gboolean is_before)
{
        if (is_before)
                make_vanished(s, s->selected->contexts, older);
        else
                make_changed(s, s->selected->contexts, older);
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
                s->selected->contexts_make = make;
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
                        g_ptr_array_remove_index(all->live, i);
        } while (!args_end(args));
        imap_ok(s, "", "no further updates of these");
}
