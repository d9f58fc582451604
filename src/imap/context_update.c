/* context_update.c -- a live search made to be of a newer view: only what has changed goes through its program again.
 *
 *      run the program over what changed -> REMOVEFROM -> of SEARCH ADDTO
 *                                                      -> of SORT a few are put in their places, for many all keys are
 *                                                         read and sorted -> ADDTO
 */
#include "imap/context.h"

#define FEW 50 /* messages that are put in their place one by one */
#define KEYS_A_LOOK 64
#define SETTLE_FOREVER (3600 * USEC_PER_SEC) /* of a few */

typedef enum Stage {
        STAGE_RUN = 0,
        STAGE_KEYS,
        STAGE_ORDER,
        STAGE_DONE,
} Stage;

struct ContextUpdate {
        Store *store;
        Context *c;
        View *now;
        guint8 *is_changed, *matches; /* one octet an index of `now` */
        guint32 n_changed;
        Stage stage;
        FindRun *run;
        GArray *added; /* guint32, rising */
        GArray *all;   /* those and the ones that were told, rising; while they are sorted */
        guint at;
        FindMessage message; /* whose key is read */
        Sorter *sorter;
};

static void
note_changed(guint32 index, gpointer data)
{
        ContextUpdate *u = data;

        u->is_changed[index] = 1;
        u->n_changed++;
}

ContextUpdate *
context_update_new(Store *store, Context *c, View *now)
{
        g_autoptr(ContextUpdate) u = g_new0(ContextUpdate, 1);
        gsize entries = (gsize) view_count(now) + 1;
        guint32 first_new;

        u->store = store;
        u->c = c;
        u->now = view_ref(now);
        u->is_changed = g_try_malloc0(entries);
        u->matches = g_try_malloc0(entries);
        if (u->is_changed == NULL || u->matches == NULL)
                return NULL;
        view_compare(c->of, now, NULL, note_changed, u, &first_new);
        for (guint32 i = first_new; i < view_count(now); i++)
                note_changed(i, u);
        u->run = find_run_new(store, now, &c->tree, NULL, u->is_changed);
        return u->run != NULL ? g_steal_pointer(&u) : NULL;
}

void
context_update_free(ContextUpdate *u)
{
        if (u == NULL)
                return;
        find_run_free(u->run);
        find_message_done(&u->message);
        sorter_free(u->sorter);
        g_clear_pointer(&u->added, g_array_unref);
        g_clear_pointer(&u->all, g_array_unref);
        g_free(u->is_changed);
        g_free(u->matches);
        view_unref(u->now);
        g_free(u);
}

const Context *
context_update_context(const ContextUpdate *u)
{
        return u->c;
}

const View *
context_update_view(const ContextUpdate *u)
{
        return u->now;
}

static guint32
uid_at(const Context *c, guint i)
{
        return g_array_index(c->uids, guint32, i);
}

static FindStep
no_memory(GError **error)
{
        (void) fault(error, FAULT_BUSY, "no memory for a live search");
        return FIND_FAILED;
}

/* A message that has not changed stays what it was. */
static gboolean
has_ceased(guint32 uid, gconstpointer data)
{
        const ContextUpdate *u = data;
        guint32 index = view_index_of(u->now, uid);

        return index < view_count(u->now) && u->is_changed[index] && !u->matches[index];
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
find_new(const ContextUpdate *u)
{
        g_autoptr(GArray) known = g_array_copy(u->c->uids);
        GArray *added = g_array_new(FALSE, FALSE, sizeof(guint32));

        if (u->c->n_criteria > 0)
                g_array_sort(known, compare_uid);
        for (guint32 i = 0; i < view_count(u->now); i++) {
                guint32 uid = view_entry(u->now, i)->uid;
                if (!u->is_changed[i] || !u->matches[i])
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
        ContextResponse r = {.to = to, .c = c, .view = view, .item = "ADDTO"};

        for (guint i = 0; i < added->len; i++) {
                if (i == 0)
                        context_begin_pair(&r, 0);
                context_add_uid(&r, g_array_index(added, guint32, i));
        }
        context_end_response(&r);
        g_array_append_vals(c->uids, added->data, added->len);
        g_array_sort(c->uids, compare_uid);
}

static gboolean
values_of(const Context *c, FindMessage *m, guint32 uid, SortValue *ret, GError **error)
{
        find_message_at(m, view_index_of(m->view, uid));
        return sort_values(m, c->criteria, c->n_criteria, 0, ret, error);
}

/* A few UIDs in the order of the search; equal ones in mailbox order. */
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

/* Pairs of the position where new ones begin and as many as stand there. Positions count what was put in before. */
static void
tell_places(const Context *c, GString *to, const View *view, const GArray *merged, const GArray *added)
{
        ContextResponse r = {.to = to, .c = c, .view = view, .item = "ADDTO"};
        gboolean was_new = FALSE;

        for (guint i = 0; i < merged->len; i++) {
                guint32 uid = g_array_index(merged, guint32, i);
                guint at = find_uid(added, uid);
                gboolean is_new = at < added->len && g_array_index(added, guint32, at) == uid;
                if (is_new && !was_new)
                        context_begin_pair(&r, i + 1);
                if (is_new)
                        context_add_uid(&r, uid);
                was_new = is_new;
        }
        context_end_response(&r);
}

/* A few. FALSE: a fault. */
static gboolean
add_few(ContextUpdate *u, GString *to, GError **error)
{
        guint sections = sort_sections(u->c->criteria, u->c->n_criteria);
        FindMessage m, other;

        find_message_init(&m, u->store, u->now, sections);
        find_message_init(&other, u->store, u->now, sections);
        GArray *merged = merge_few(u->c, &m, &other, u->added, error);
        find_message_done(&m);
        find_message_done(&other);
        if (merged == NULL)
                return FALSE;
        tell_places(u->c, to, u->now, merged, u->added);
        g_array_unref(u->c->uids);
        u->c->uids = merged;
        return TRUE;
}

/* Stages ----------------------------------------------------------------------------------------------------------- */

static FindStep
begin_sorting(ContextUpdate *u, GError **error)
{
        u->all = g_array_copy(u->c->uids);
        g_array_append_vals(u->all, u->added->data, u->added->len);
        g_array_sort(u->all, compare_uid);
        u->sorter = sorter_new(u->c->criteria, u->c->n_criteria, u->all->len);
        if (u->sorter == NULL)
                return no_memory(error);
        find_message_init(&u->message, u->store, u->now, sort_sections(u->c->criteria, u->c->n_criteria));
        u->stage = STAGE_KEYS;
        return FIND_DONE;
}

static FindStep
add_found(ContextUpdate *u, GString *to, GError **error)
{
        u->stage = STAGE_DONE;
        u->added = find_new(u);
        if (u->added->len == 0)
                return FIND_DONE;
        if (u->c->n_criteria == 0) {
                add_in_mailbox_order(u->c, to, u->now, u->added);
                return FIND_DONE;
        }
        if (u->added->len > FEW)
                return begin_sorting(u, error);
        return add_few(u, to, error) ? FIND_DONE : FIND_FAILED;
}

static FindStep
step_run(ContextUpdate *u, GString *to, Usec until, GError **error)
{
        guint32 n = 0;

        if (u->n_changed == 0) {
                u->stage = STAGE_DONE;
                return FIND_DONE;
        }
        FindStep step = find_run_step(u->run, until, error);
        if (step != FIND_DONE)
                return step;
        g_autofree guint32 *found = find_run_found(u->run, &n);
        if (found == NULL)
                return no_memory(error);
        for (guint32 i = 0; i < n; i++)
                u->matches[found[i]] = 1;
        g_clear_pointer(&u->run, find_run_free);
        context_remove(u->c, to, u->now, has_ceased, u);
        return add_found(u, to, error);
}

static FindStep
step_keys(ContextUpdate *u, Usec until, GError **error)
{
        SortValue values[SORTER_CRITERIA_MAX];

        while (u->at < u->all->len) {
                guint32 uid = g_array_index(u->all, guint32, u->at);
                if (!values_of(u->c, &u->message, uid, values, error))
                        return FIND_FAILED;
                if (!sorter_add(u->sorter, uid, values))
                        return no_memory(error);
                if (++u->at % KEYS_A_LOOK == 0 && clock_monotonic() >= until)
                        return FIND_AGAIN;
        }
        u->stage = STAGE_ORDER;
        return FIND_DONE;
}

static FindStep
step_order(ContextUpdate *u, GString *to, Usec until)
{
        guint32 n;

        if (!sorter_step(u->sorter, until))
                return FIND_AGAIN;
        const guint32 *order = sorter_order(u->sorter, &n);
        GArray *merged = g_array_sized_new(FALSE, FALSE, sizeof(guint32), n);
        g_array_append_vals(merged, order, n);
        tell_places(u->c, to, u->now, merged, u->added);
        g_array_unref(u->c->uids);
        u->c->uids = merged;
        u->stage = STAGE_DONE;
        return FIND_DONE;
}

static FindStep
step(ContextUpdate *u, GString *to, Usec until, GError **error)
{
        switch (u->stage) {
        case STAGE_RUN:
                return step_run(u, to, until, error);
        case STAGE_KEYS:
                return step_keys(u, until, error);
        case STAGE_ORDER:
                return step_order(u, to, until);
        case STAGE_DONE:
                break;
        }
        return FIND_DONE;
}

/* What can be read again does not wait in memory. */
static FindStep
rest(ContextUpdate *u)
{
        if (u->run != NULL)
                find_run_rest(u->run);
        if (u->message.view != NULL)
                find_message_rest(&u->message);
        return FIND_AGAIN;
}

FindStep
context_update_step(ContextUpdate *u, GString *to, Usec until, GError **error)
{
        while (u->stage != STAGE_DONE) {
                FindStep answer = step(u, to, until, error);
                if (answer == FIND_FAILED)
                        return FIND_FAILED;
                if (answer == FIND_AGAIN || (u->stage != STAGE_DONE && clock_monotonic() >= until))
                        return rest(u);
        }
        view_unref(u->c->of);
        u->c->of = view_ref(u->now);
        return FIND_DONE;
}
