/* notify_tree.c -- which mailboxes a NOTIFY means, and what has become of their names, subscriptions and annotations
 * (RFC 5465 §5.4 to §5.7, §6).
 *
 * What was meant is compared with what is meant now whenever one of the trees has changed: a filter is no list that was
 * made once (§6.4).
 */
#include "imap/notify.h"

#define LOOK_ARENA_MAX ((gsize) 64 * 1024 * 1024)
#define CHANGES_MAX 1000 /* of one look that are told: more is an overflow (§5.8) */

/* Watching -------------------------------------------------------------------------------------------------------- */

static void
wake(Notify *n)
{
        g_atomic_int_set(&n->fired, 1);
        session_wake(&n->s->session);
}

static void
mailbox_fired(gpointer data)
{
        Watched *w = data;

        g_atomic_int_set(&w->fired, 1);
        wake(w->notify);
}

static void
free_watch(gpointer data)
{
        watch_free(data);
}

static void
tree_fired(gpointer data)
{
        Notify *n = data;

        g_atomic_int_set(&n->tree_fired, 1);
        wake(n);
}

static void
watched_free(gpointer data)
{
        Watched *w = data;

        if (w == NULL)
                return;
        watch_free(w->watch);
        g_free(w);
}

/* Message events are for who may read (§3.1). */
static void
set_watch(Watched *w)
{
        gboolean wants = w->id != 0 && (w->events & NOTIFY_MESSAGE_EVENTS) != 0 && (w->rights & RIGHT_READ) != 0;

        if (wants && w->watch == NULL)
                w->watch = store_watch(imap_store(w->notify->s), w->id, 0, mailbox_fired, w);
        else if (!wants)
                g_clear_pointer(&w->watch, watch_free);
}

static Watched *
watched_new(Notify *n, const Mailbox *m, guint events)
{
        gsize len = strlen(m->name) + 1;
        Watched *w = g_malloc0(sizeof(Watched) + len);

        w->notify = n;
        w->id = m->id;
        w->is_alias = m->is_alias;
        w->events = events;
        w->rights = m->rights;
        w->is_subscribed = m->is_subscribed;
        w->has_children = m->has_children;
        memcpy(w->name, m->name, len);
        return w;
}

static void
watch_tree(Notify *n, gint64 owner)
{
        if (owner == 0 || !g_hash_table_add(n->owners, g_memdup2(&owner, sizeof(owner))))
                return;
        g_ptr_array_add(n->trees, store_watch(imap_store(n->s), 0, owner, tree_fired, n));
}

static gboolean
is_any_but_selected(const NotifySpec *spec)
{
        for (gsize i = 0; i < spec->n_groups; i++)
                if (spec->groups[i].filter > NOTIFY_SELECTED_DELAYED)
                        return TRUE;
        return FALSE;
}

Notify *
notify_new(ImapSession *s, Arena *take_arena, const NotifySpec *spec)
{
        Notify *n = g_new0(Notify, 1);

        n->s = s;
        n->arena = take_arena;
        n->spec = *spec;
        n->rights_stamp = store_rights_stamp(imap_store(s));
        n->watched = g_ptr_array_new_with_free_func(watched_free);
        n->trees = g_ptr_array_new_with_free_func(free_watch);
        n->owners = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        if (is_any_but_selected(spec))
                watch_tree(n, s->who.account);
        return n;
}

void
notify_free(Notify *n)
{
        if (n == NULL)
                return;
        g_ptr_array_unref(n->trees);
        g_ptr_array_unref(n->watched);
        g_hash_table_unref(n->owners);
        if (n->annotations != NULL)
                g_hash_table_unref(n->annotations);
        if (n->fetch != NULL)
                n->fetch->free(n->fetch);
        arena_free(n->arena);
        g_free(n);
}

/* Looking --------------------------------------------------------------------------------------------------------- */

static gint
compare_watched(gconstpointer a, gconstpointer b)
{
        const Watched *x = *(const Watched *const *) a, *y = *(const Watched *const *) b;

        return strcmp(x->name, y->name);
}

/* Subscribed names of mailboxes that are gone are in the second list only. */
static gboolean
add_listed(Notify *n, Arena *arena, GPtrArray *to, gboolean subscribed_only, GError **error)
{
        const MailboxQuery query = {.include_others = TRUE, .subscribed_only = subscribed_only};
        const Mailbox *list;
        gsize count;

        if (!store_mailboxes(imap_store(n->s), arena, &n->s->who, &query, &list, &count, error))
                return FALSE;
        for (gsize i = 0; i < count; i++) {
                guint events = notify_events_of(&n->spec, &list[i]);
                if (subscribed_only ? list[i].id != 0 : list[i].id == 0)
                        continue;
                if (list[i].id != 0)
                        watch_tree(n, events != 0 ? list[i].owner : 0);
                if (events != 0)
                        g_ptr_array_add(to, watched_new(n, &list[i], events));
        }
        return TRUE;
}

static guint
all_events(const NotifySpec *spec)
{
        guint events = 0;

        for (gsize i = 0; i < spec->n_groups; i++)
                events |= spec->groups[i].events;
        return events;
}

static GPtrArray *
list_meant(Notify *n, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_ARENA_MAX);
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(watched_free);

        if (is_any_but_selected(&n->spec) && !add_listed(n, arena, list, FALSE, error))
                return NULL;
        if ((all_events(&n->spec) & NOTIFY_SUBSCRIPTION_CHANGE) != 0 && !add_listed(n, arena, list, TRUE, error))
                return NULL;
        g_ptr_array_sort(list, compare_watched);
        return g_steal_pointer(&list);
}

/* Telling names --------------------------------------------------------------------------------------------------- */

/* One look, of the list before and the list now. */
typedef struct Changes {
        Notify *n;
        GPtrArray *before, *now;
        GHashTable *by_id; /* of `before`: mailboxes, aliases apart */
        GHashTable *moved; /* Watched of `before` that have another name now */
        guint told;
} Changes;

static void
put_list(Changes *c, const Watched *w, gboolean is_gone, const char *old_name)
{
        ImapSession *s = c->n->s;
        const Mailbox mailbox = {.id = is_gone ? 0 : w->id,
                                 .name = w->name,
                                 .rights = w->rights,
                                 .is_subscribed = w->is_subscribed,
                                 .has_children = w->has_children};
        Span old = old_name != NULL ? span_of(old_name) : SPAN_EMPTY;

        if (++c->told <= CHANGES_MAX)
                imap_list_put(s, &mailbox, old_name != NULL ? &old : NULL);
}

static void
compare_same(Changes *c, const Watched *before, const Watched *now)
{
        if (before->id != now->id && now->id != 0 && (now->events & NOTIFY_MAILBOX_NAME) != 0)
                put_list(c, now, FALSE, NULL); /* another one in its place */
        else if (before->id != 0 && now->id == 0 && (before->events & NOTIFY_MAILBOX_NAME) != 0)
                put_list(c, before, TRUE, NULL);
        else if (before->is_subscribed != now->is_subscribed && (now->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0)
                put_list(c, now, now->id == 0, NULL);
}

static void
tell_new(Changes *c, const Watched *now)
{
        const Watched *before = now->id != 0 && !now->is_alias ? g_hash_table_lookup(c->by_id, &now->id) : NULL;

        if (before != NULL)
                g_hash_table_add(c->moved, (gpointer) before);
        if ((now->events & NOTIFY_MAILBOX_NAME) != 0 && now->id != 0)
                put_list(c, now, FALSE, before != NULL ? before->name : NULL);
        else if ((now->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0 && now->is_subscribed)
                put_list(c, now, now->id == 0, NULL);
}

/* Is it there, and no longer meant? A subscription may have ended (§6.4). */
static gboolean
still_stands(Changes *c, Watched *before)
{
        g_autoptr(Arena) arena = arena_new(LOOK_ARENA_MAX);
        const MailboxQuery query = {.prefix = span_of(before->name)};
        const Mailbox *list = NULL;
        gsize n = 0;

        if (!store_mailboxes(imap_store(c->n->s), arena, &c->n->s->who, &query, &list, &n, NULL))
                return FALSE;
        for (gsize i = 0; i < n; i++) {
                if (list[i].id != before->id || strcmp(list[i].name, before->name) != 0)
                        continue;
                gboolean has_changed = before->is_subscribed != list[i].is_subscribed;
                before->is_subscribed = list[i].is_subscribed;
                if (has_changed && (before->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0)
                        put_list(c, before, FALSE, NULL);
                return TRUE;
        }
        return FALSE;
}

static void
tell_gone(Changes *c, Watched *before)
{
        if (g_hash_table_contains(c->moved, before) || (before->id != 0 && still_stands(c, before)))
                return;
        if ((before->events & NOTIFY_MAILBOX_NAME) != 0 && before->id != 0) {
                before->is_subscribed = FALSE; /* a subscription that stays is told as such */
                put_list(c, before, TRUE, NULL);
        } else if ((before->events & NOTIFY_SUBSCRIPTION_CHANGE) != 0 && before->is_subscribed) {
                before->is_subscribed = FALSE;
                put_list(c, before, before->id == 0, NULL);
        }
}

/* Names that are in one of the lists, or in both. */
static void
walk(Changes *c, gboolean wants_gone)
{
        guint i = 0, k = 0;

        while (i < c->before->len || k < c->now->len) {
                Watched *before = i < c->before->len ? c->before->pdata[i] : NULL;
                Watched *now = k < c->now->len ? c->now->pdata[k] : NULL;
                int order = before == NULL ? 1 : now == NULL ? -1 : strcmp(before->name, now->name);

                if (order < 0 && wants_gone)
                        tell_gone(c, before);
                else if (order > 0 && !wants_gone)
                        tell_new(c, now);
                else if (order == 0 && !wants_gone)
                        compare_same(c, before, now);
                i += order <= 0;
                k += order >= 0;
        }
}

/* Renamed mailboxes are found among the new names, so what has gone comes last. */
static gboolean
tell_names(Notify *n, GPtrArray *now)
{
        g_autoptr(GHashTable) by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
        g_autoptr(GHashTable) moved = g_hash_table_new(NULL, NULL);
        Changes c = {.n = n, .before = n->watched, .now = now, .by_id = by_id, .moved = moved};

        for (guint i = 0; i < n->watched->len; i++) {
                Watched *w = n->watched->pdata[i];
                if (w->id != 0 && !w->is_alias)
                        g_hash_table_insert(by_id, &w->id, w);
        }
        walk(&c, FALSE);
        walk(&c, TRUE);
        return c.told <= CHANGES_MAX;
}

/* What is known of mailboxes that were watched already; all of them are looked at once more. */
static void
take_known(Notify *n, GPtrArray *now)
{
        g_autoptr(GHashTable) by_id = g_hash_table_new(g_int64_hash, g_int64_equal);

        for (guint i = 0; i < n->watched->len; i++) {
                Watched *w = n->watched->pdata[i];
                if (w->watch != NULL)
                        g_hash_table_insert(by_id, &w->id, w);
        }
        for (guint i = 0; i < now->len; i++) {
                Watched *w = now->pdata[i], *before = g_hash_table_lookup(by_id, &w->id);
                set_watch(w);
                if (w->watch != NULL && before != NULL) {
                        w->known = before->known;
                        w->fired = 1; /* something may have come while both were there */
                }
        }
        g_ptr_array_unref(n->watched);
        n->watched = g_ptr_array_ref(now);
}

/* Annotations ----------------------------------------------------------------------------------------------------- */

static guint
hash_of(Span value)
{
        guint hash = 5381;

        for (gsize i = 0; i < value.len; i++)
                hash = hash * 33 + value.data[i];
        return hash | 1; /* 0 is none */
}

static MailboxAnswer
add_annotations(Notify *n, const char *name, GHashTable *to, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LOOK_ARENA_MAX);
        const Span all[] = {span_of("/private"), span_of("/shared")};
        const MetadataEntry *found;
        gsize count;
        MailboxAnswer answer = store_metadata(imap_store(n->s), arena, &n->s->who, span_of(name), all,
                                              G_N_ELEMENTS(all), G_MAXUINT, &found, &count, error);

        for (gsize i = 0; answer == MAILBOX_DONE && i < count; i++)
                g_hash_table_insert(to, g_strconcat(name, "\n", found[i].entry, NULL),
                                    GUINT_TO_POINTER(hash_of(found[i].value)));
        return answer;
}

/* FALSE: could not look. */
static gboolean
list_annotations(Notify *n, GHashTable *to, GError **error)
{
        if ((all_events(&n->spec) & NOTIFY_SERVER_METADATA) != 0 && add_annotations(n, "", to, error) == MAILBOX_FAILED)
                return FALSE;
        for (guint i = 0; i < n->watched->len && g_hash_table_size(to) <= NOTIFY_ANNOTATIONS_MAX; i++) {
                const Watched *w = n->watched->pdata[i];
                if (w->id != 0 && (w->events & NOTIFY_MAILBOX_METADATA) != 0 &&
                    add_annotations(n, w->name, to, error) == MAILBOX_FAILED)
                        return FALSE;
        }
        return TRUE;
}

/* "* METADATA name entry": the client asks for the value if it wants it (RFC 5464 §4.4.2). */
static void
put_annotation(ImapSession *s, const char *key)
{
        const char *entry = strchr(key, '\n');

        imap_put(s, "* METADATA ");
        imap_put_mailbox(s, span_make(key, (gsize) (entry - key)));
        imap_put(s, " ");
        imap_put_astring(s, span_of(entry + 1));
        imap_put(s, "\r\n");
}

/* Of a mailbox that is gone, or may not be seen any more, LIST tells enough. */
static gboolean
is_of_somewhere(const Notify *n, const char *key)
{
        gsize len = (gsize) (strchr(key, '\n') - key);

        for (guint i = 0; len > 0 && i < n->watched->len; i++) {
                const Watched *w = n->watched->pdata[i];
                if (w->id != 0 && strncmp(w->name, key, len) == 0 && w->name[len] == '\0')
                        return TRUE;
        }
        return len == 0; /* the server */
}

/* Those of `a` that are otherwise in b; is_gone: that are not there. */
static void
tell_annotations(const Notify *n, GHashTable *a, GHashTable *b, gboolean is_gone)
{
        GHashTableIter iter;
        gpointer key, hash;

        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, &key, &hash)) {
                gpointer other = g_hash_table_lookup(b, key);
                if (is_gone ? other == NULL && is_of_somewhere(n, key) : other != hash)
                        put_annotation(n->s, key);
        }
}

static NotifyLook
look_at_annotations(Notify *n, gboolean tells, GError **error)
{
        if ((all_events(&n->spec) & (NOTIFY_MAILBOX_METADATA | NOTIFY_SERVER_METADATA)) == 0)
                return NOTIFY_LOOK_DONE;
        g_autoptr(GHashTable) now = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        if (!list_annotations(n, now, error))
                return NOTIFY_LOOK_FAILED;
        if (g_hash_table_size(now) > NOTIFY_ANNOTATIONS_MAX)
                return NOTIFY_LOOK_OVERFLOW;
        if (tells && n->annotations != NULL) {
                tell_annotations(n, now, n->annotations, FALSE);
                tell_annotations(n, n->annotations, now, TRUE);
        }
        if (n->annotations != NULL)
                g_hash_table_unref(n->annotations);
        n->annotations = g_steal_pointer(&now);
        return NOTIFY_LOOK_DONE;
}

/* Together -------------------------------------------------------------------------------------------------------- */

NotifyLook
notify_look(Notify *n, gboolean tells, GError **error)
{
        g_autoptr(GPtrArray) now = list_meant(n, error);

        if (now == NULL)
                return NOTIFY_LOOK_FAILED;
        if (now->len > NOTIFY_MAILBOXES_MAX)
                return NOTIFY_LOOK_OVERFLOW;
        if (tells && !tell_names(n, now))
                return NOTIFY_LOOK_OVERFLOW;
        take_known(n, now);
        return look_at_annotations(n, tells, error);
}
