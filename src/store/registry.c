/* registry.c -- views that are kept, what has changed since they were read, and watches.
 *
 *      writer   touches_add() ........ COMMIT ... touches_end()
 *      reader          seq = commits so far; snapshot; marks; read what is marked; publish
 *
 * 1. A touch is announced before the COMMIT of its transaction and becomes a mark, with the number of that commit,
 * after it, while its thread still has the write connection.
 * 2. A reader takes the commits' number first, then its snapshot, then the marks. What the snapshot has and the last
 * state had not was announced before the snapshot, so it is among the marks or the announcements: all of that is read
 * anew, and what is published is the state of the snapshot, whole.
 * 3. Published, it ends the marks up to the number taken first: their commits are in the snapshot. Later ones stay, and
 * at worst something is read twice.
 * 4. A mailbox that begins to be shown takes over the announcements of the transactions that are open, and one with
 * announcements is not forgotten: so 2 holds from its first state on.
 * 5. One thread at a time refreshes a mailbox; others wait for it. A view without marks is current: what is only
 * announced is not on disk.
 * 6. One watch's function runs at a time, on the thread that has the write connection, without the lock.
 */
#include "store/registry.h"

#define VIEW_OCTETS_MAX ((gsize) 64 << 20)
#define SHOWN_MAX 16384
#define MARKS_MAX 20000 /* of a mailbox that nobody reads meanwhile: it is forgotten then */

struct Registry {
        Mutex lock; /* guards all */
        Cond refreshed, called;
        GHashTable *shown;                   /* gint64 -> Shown */
        GQueue recent;                       /* of Shown, the last one used first */
        gsize octets;                        /* of their cores */
        guint64 seq;                         /* commits that touched anything */
        GQueue open;                         /* Touches of transactions that are not over */
        GHashTable *by_mailbox, *by_account; /* gint64 -> GPtrArray of Watch */
        GPtrArray *pending;                  /* watches to be called */
        Watch *called_now;
};

typedef struct MarkEntry {
        Mark mark; /* the key */
        guint n_announced;
        guint64 seq; /* of the last commit; 0: none since it was read */
} MarkEntry;

struct Shown {
        gint64 mailbox, owner; /* owner: 0 until it was read */
        Registry *registry;
        gboolean is_refreshing;
        Core *core;
        GPtrArray *views;  /* of `core`, one a reader */
        GHashTable *marks; /* MarkEntry, its own key */
        guint n_dirty;     /* marks with seq */
        guint n_announced;
        gsize octets;
        GList link;
};

typedef struct Touch {
        gint64 mailbox; /* or account, for MARK_TREE */
        Mark mark;
} Touch;

struct Touches {
        Registry *registry;
        GArray *list; /* of Touch */
        GList link;
};

struct Watch {
        Registry *registry;
        gint64 mailbox, account;
        void (*fn)(gpointer data);
        gpointer data;
        gboolean is_pending;
};

static guint
mark_hash(gconstpointer key)
{
        const Mark *mark = key;

        return (guint) mark->number * 2654435761u ^ (guint) mark->kind;
}

static gboolean
mark_equal(gconstpointer a, gconstpointer b)
{
        const Mark *x = a, *y = b;

        return x->kind == y->kind && x->number == y->number;
}

static void
views_unref(gpointer data)
{
        view_unref(data);
}

static void
shown_free(gpointer data)
{
        Shown *shown = data;

        g_ptr_array_unref(shown->views);
        g_hash_table_unref(shown->marks);
        core_unref(shown->core);
        g_free(shown);
}

static void
watches_free(gpointer data)
{
        g_ptr_array_unref(data);
}

Registry *
registry_new(void)
{
        Registry *registry = g_new0(Registry, 1);

        mutex_init(&registry->lock, "store.registry");
        cond_init(&registry->refreshed);
        cond_init(&registry->called);
        registry->shown = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, shown_free);
        registry->by_mailbox = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, watches_free);
        registry->by_account = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, watches_free);
        registry->pending = g_ptr_array_new();
        g_queue_init(&registry->recent);
        g_queue_init(&registry->open);
        return registry;
}

/* No transaction, view or watch is open any more. */
void
registry_free(Registry *registry)
{
        if (registry == NULL)
                return;
        g_assert(registry->open.length == 0);
        g_hash_table_unref(registry->shown);
        g_hash_table_unref(registry->by_mailbox);
        g_hash_table_unref(registry->by_account);
        g_ptr_array_unref(registry->pending);
        cond_done(&registry->called);
        cond_done(&registry->refreshed);
        mutex_done(&registry->lock);
        g_free(registry);
}

/* Marks ------------------------------------------------------------------------------------------------------------ */

static void
shown_drop(Shown *shown)
{
        Registry *registry = shown->registry;

        registry->octets -= shown->octets;
        g_queue_unlink(&registry->recent, &shown->link);
        g_hash_table_remove(registry->shown, &shown->mailbox);
}

static MarkEntry *
mark_of(Shown *shown, Mark mark)
{
        MarkEntry *entry = g_hash_table_lookup(shown->marks, &mark);

        if (entry == NULL) {
                entry = g_new0(MarkEntry, 1);
                entry->mark = mark;
                g_hash_table_add(shown->marks, entry);
        }
        return entry;
}

static void
mark_announce(Shown *shown, Mark mark)
{
        mark_of(shown, mark)->n_announced++;
        shown->n_announced++;
}

static void
mark_set(Shown *shown, Mark mark, guint64 seq)
{
        MarkEntry *entry = mark_of(shown, mark);

        shown->n_dirty += entry->seq == 0;
        entry->seq = seq;
}

/* The announcement is over; seq: of its commit, 0: there was none. */
static void
mark_end(Shown *shown, Mark mark, guint64 seq)
{
        MarkEntry *entry = mark_of(shown, mark);

        if (entry->n_announced > 0) {
                entry->n_announced--;
                shown->n_announced--;
        }
        if (seq != 0)
                mark_set(shown, mark, seq);
        else if (entry->n_announced == 0 && entry->seq == 0)
                g_hash_table_remove(shown->marks, &mark);
}

/* Of a mailbox that changes all the time and is not read, no more is kept than it is worth. */
static void
shown_bound(Shown *shown)
{
        if (g_hash_table_size(shown->marks) > MARKS_MAX && shown->n_announced == 0 && !shown->is_refreshing)
                shown_drop(shown);
}

/* Touches ---------------------------------------------------------------------------------------------------------- */

Touches *
touches_new(Registry *registry)
{
        Touches *touches = g_new0(Touches, 1);

        touches->registry = registry;
        touches->list = g_array_new(FALSE, FALSE, sizeof(Touch));
        touches->link.data = touches;
        MUTEX_SCOPE(&registry->lock);
        g_queue_push_tail_link(&registry->open, &touches->link);
        return touches;
}

void
touches_add(Touches *touches, gint64 mailbox, Mark mark)
{
        const Touch touch = {mailbox, mark};
        guint n = touches->list->len;
        const Touch *last = n > 0 ? &g_array_index(touches->list, Touch, n - 1) : NULL;

        if (last != NULL && last->mailbox == mailbox && mark_equal(&last->mark, &mark))
                return;
        MUTEX_SCOPE(&touches->registry->lock);
        g_array_append_val(touches->list, touch);
        Shown *shown = mark.kind != MARK_TREE ? g_hash_table_lookup(touches->registry->shown, &mailbox) : NULL;
        if (shown != NULL)
                mark_announce(shown, mark);
}

static void
watches_gather(Registry *registry, const Touch *touch)
{
        GHashTable *table = touch->mark.kind == MARK_TREE ? registry->by_account : registry->by_mailbox;
        const GPtrArray *watches = g_hash_table_lookup(table, &touch->mailbox);

        for (guint i = 0; watches != NULL && i < watches->len; i++) {
                Watch *watch = watches->pdata[i];
                if (!watch->is_pending)
                        g_ptr_array_add(registry->pending, watch);
                watch->is_pending = TRUE;
        }
}

/* Any mailbox of the account may be gone. Its row is read at every refresh, so that a mark is enough. */
static void
tree_end(Registry *registry, gint64 account, guint64 seq)
{
        for (GList *at = registry->recent.head; seq != 0 && at != NULL; at = at->next) {
                Shown *shown = at->data;
                if (shown->owner == account)
                        mark_set(shown, (Mark){MARK_ROW, 0}, seq);
        }
}

static void
touch_end(Registry *registry, const Touch *touch, guint64 seq)
{
        if (touch->mark.kind == MARK_TREE) {
                tree_end(registry, touch->mailbox, seq);
        } else {
                Shown *shown = g_hash_table_lookup(registry->shown, &touch->mailbox);
                if (shown != NULL) {
                        mark_end(shown, touch->mark, seq);
                        shown_bound(shown);
                }
        }
        if (seq != 0 && touch->mark.kind != MARK_PACKED)
                watches_gather(registry, touch);
}

/* With the lock, which is put down around each call. */
static void
watches_call(Registry *registry)
{
        while (registry->pending->len > 0) {
                Watch *watch = g_ptr_array_steal_index_fast(registry->pending, registry->pending->len - 1);
                watch->is_pending = FALSE;
                registry->called_now = watch;
                mutex_unlock(&registry->lock);
                watch->fn(watch->data);
                mutex_lock(&registry->lock);
                registry->called_now = NULL;
                cond_broadcast(&registry->called);
        }
}

void
touches_end(Touches *touches, gboolean is_committed)
{
        Registry *registry = touches->registry;

        mutex_lock(&registry->lock);
        g_queue_unlink(&registry->open, &touches->link);
        guint64 seq = is_committed ? ++registry->seq : 0;
        for (guint i = 0; i < touches->list->len; i++)
                touch_end(registry, &g_array_index(touches->list, Touch, i), seq);
        watches_call(registry);
        mutex_unlock(&registry->lock);
        g_array_unref(touches->list);
        g_free(touches);
}

/* Shown mailboxes -------------------------------------------------------------------------------------------------- */

static Shown *
shown_new(Registry *registry, gint64 mailbox)
{
        Shown *shown = g_new0(Shown, 1);

        shown->mailbox = mailbox;
        shown->registry = registry;
        shown->views = g_ptr_array_new_with_free_func(views_unref);
        shown->marks = g_hash_table_new_full(mark_hash, mark_equal, NULL, g_free);
        shown->link.data = shown;
        g_hash_table_insert(registry->shown, &shown->mailbox, shown);
        g_queue_push_head_link(&registry->recent, &shown->link);
        for (const GList *at = registry->open.head; at != NULL; at = at->next) {
                const GArray *list = ((const Touches *) at->data)->list;
                for (guint i = 0; i < list->len; i++) {
                        const Touch *touch = &g_array_index(list, Touch, i);
                        if (touch->mailbox == mailbox && touch->mark.kind != MARK_TREE)
                                mark_announce(shown, touch->mark);
                }
        }
        return shown;
}

static Shown *
shown_use(Registry *registry, gint64 mailbox)
{
        Shown *shown = g_hash_table_lookup(registry->shown, &mailbox);

        if (shown == NULL)
                return shown_new(registry, mailbox);
        g_queue_unlink(&registry->recent, &shown->link);
        g_queue_push_head_link(&registry->recent, &shown->link);
        return shown;
}

static View *
shown_view(const Shown *shown, gint64 reader)
{
        for (guint i = 0; shown->n_dirty == 0 && i < shown->views->len; i++)
                if (view_reader(shown->views->pdata[i]) == reader)
                        return shown->views->pdata[i];
        return NULL;
}

gboolean
registry_find(Registry *registry, gint64 mailbox, gint64 reader, View **ret_view, Shown **ret_shown, guint64 *ret_seq)
{
        MUTEX_SCOPE(&registry->lock);
        for (;;) {
                Shown *shown = shown_use(registry, mailbox);
                View *view = shown_view(shown, reader);
                if (view != NULL) {
                        *ret_view = view_ref(view);
                        return TRUE;
                }
                if (!shown->is_refreshing) {
                        shown->is_refreshing = TRUE;
                        *ret_shown = shown;
                        *ret_seq = registry->seq;
                        return FALSE;
                }
                cond_wait(&registry->refreshed, &registry->lock);
        }
}

View *
registry_peek(Registry *registry, gint64 mailbox, gint64 reader)
{
        MUTEX_SCOPE(&registry->lock);
        const Shown *shown = g_hash_table_lookup(registry->shown, &mailbox);
        View *view = shown != NULL ? shown_view(shown, reader) : NULL;

        return view != NULL ? view_ref(view) : NULL;
}

GArray *
shown_marks(Shown *shown, Core **ret_core)
{
        GArray *marks = g_array_new(FALSE, FALSE, sizeof(Mark));
        GHashTableIter iter;
        gpointer entry;

        MUTEX_SCOPE(&shown->registry->lock);
        g_hash_table_iter_init(&iter, shown->marks);
        while (g_hash_table_iter_next(&iter, &entry, NULL))
                g_array_append_val(marks, ((const MarkEntry *) entry)->mark);
        *ret_core = shown->core != NULL ? core_ref(shown->core) : NULL;
        return marks;
}

static void
marks_consume(Shown *shown, guint64 seq)
{
        GHashTableIter iter;
        gpointer key;

        g_hash_table_iter_init(&iter, shown->marks);
        while (g_hash_table_iter_next(&iter, &key, NULL)) {
                MarkEntry *entry = key;
                if (entry->seq == 0 || entry->seq > seq)
                        continue;
                entry->seq = 0;
                shown->n_dirty--;
                if (entry->n_announced == 0)
                        g_hash_table_iter_remove(&iter);
        }
}

static gboolean
shown_is_idle(const Shown *shown)
{
        if (shown->is_refreshing || shown->n_announced > 0)
                return FALSE;
        for (guint i = 0; i < shown->views->len; i++)
                if (view_is_shared(shown->views->pdata[i]))
                        return FALSE;
        return TRUE;
}

/* Views in use stay; they are looked over once a call at most. */
static void
registry_trim(Registry *registry)
{
        for (GList *at = registry->recent.tail, *before; at != NULL; at = before) {
                before = at->prev;
                if (registry->octets <= VIEW_OCTETS_MAX && registry->recent.length <= SHOWN_MAX)
                        return;
                if (shown_is_idle(at->data))
                        shown_drop(at->data);
        }
}

void
shown_take_publish(Shown *shown, guint64 seq, Core *core, View *view)
{
        Registry *registry = shown->registry;

        mutex_lock(&registry->lock);
        if (core == shown->core) {
                core_unref(core);
        } else {
                core_unref(shown->core);
                shown->core = core;
                g_ptr_array_set_size(shown->views, 0);
        }
        for (guint i = 0; i < shown->views->len; i++)
                if (view_reader(shown->views->pdata[i]) == view_reader(view))
                        g_ptr_array_remove_index_fast(shown->views, i--);
        g_ptr_array_add(shown->views, view);
        marks_consume(shown, seq);
        shown->owner = view_owner(view);
        registry->octets -= shown->octets;
        shown->octets = core_octets(core);
        registry->octets += shown->octets;
        shown->is_refreshing = FALSE;
        cond_broadcast(&registry->refreshed);
        registry_trim(registry);
        mutex_unlock(&registry->lock);
}

void
shown_give_up(Shown *shown, gboolean is_missing)
{
        Registry *registry = shown->registry;

        MUTEX_SCOPE(&registry->lock);
        shown->is_refreshing = FALSE;
        if ((is_missing || shown->core == NULL) && shown->n_announced == 0)
                shown_drop(shown);
        cond_broadcast(&registry->refreshed);
}

/* Watches ---------------------------------------------------------------------------------------------------------- */

Watch *
watch_new(Registry *registry, gint64 mailbox, gint64 account, void (*fn)(gpointer data), gpointer data)
{
        Watch *watch = g_new0(Watch, 1);
        GHashTable *table = mailbox != 0 ? registry->by_mailbox : registry->by_account;

        *watch = (Watch){.registry = registry, .mailbox = mailbox, .account = account, .fn = fn, .data = data};
        const gint64 *key = mailbox != 0 ? &watch->mailbox : &watch->account;
        MUTEX_SCOPE(&registry->lock);
        GPtrArray *watches = g_hash_table_lookup(table, key);
        if (watches == NULL) {
                watches = g_ptr_array_new();
                g_hash_table_insert(table, g_memdup2(key, sizeof(*key)), watches);
        }
        g_ptr_array_add(watches, watch);
        return watch;
}

void
watch_free(Watch *watch)
{
        if (watch == NULL)
                return;
        Registry *registry = watch->registry;
        GHashTable *table = watch->mailbox != 0 ? registry->by_mailbox : registry->by_account;
        const gint64 *key = watch->mailbox != 0 ? &watch->mailbox : &watch->account;

        mutex_lock(&registry->lock);
        GPtrArray *watches = g_hash_table_lookup(table, key);
        g_ptr_array_remove_fast(watches, watch);
        if (watches->len == 0)
                g_hash_table_remove(table, key);
        if (watch->is_pending)
                g_ptr_array_remove_fast(registry->pending, watch);
        while (registry->called_now == watch)
                cond_wait(&registry->called, &registry->lock);
        mutex_unlock(&registry->lock);
        g_free(watch);
}
