/* list.c -- LIST and LSUB (RFC 9051 §6.3.9, 3501 §6.3.9; 5258, 5819, 6154, 8440, 9590).
 *
 *      everything the viewer may see -> rows that match -> a line each, at the reader's pace
 *
 * Rows of thousands of mailboxes are not kept while a slow client reads: what has been told is known by the name that
 * was last, and the rest is made anew.
 */
#include "imap/names.h"
#include "imap/pattern.h"

#define ARENA_MAX ((gsize) 64 * 1024 * 1024) /* while it is being listed */
#define KEPT_MAX ((gsize) 256 * 1024)        /* while the client reads   */
#define TURN_USEC (50 * USEC_PER_MS)
#define RIGHTS_ANY (RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST) /* RFC 5464 §3.3 */

typedef struct Row {
        Mailbox mailbox;
        gboolean is_matched, is_selected;
        gboolean has_child_info; /* something selected is below it that no pattern matches */
} Row;

typedef struct ListTask {
        ImapTask task;
        ListRequest request; /* in the command's arena, as are the patterns */
        const Pattern **patterns;
        Span prefix;     /* of all patterns */
        Arena *arena;    /* of the rows; NULL: they must be made */
        GPtrArray *rows; /* of Row, in order */
        guint next;
        char *told; /* the last name that was told */
        GError *error;
} ListTask;

/* Choosing -------------------------------------------------------------------------------------------------------- */

typedef struct Choosing {
        ListTask *t;
        GHashTable *by_name;
} Choosing;

static gboolean
is_matched(const ListTask *t, const char *name)
{
        for (gsize i = 0; i < t->request.n_patterns; i++)
                if (pattern_matches(t->patterns[i], span_of(name)))
                        return TRUE;
        return FALSE;
}

static gboolean
is_selected(const ListTask *t, const Mailbox *m)
{
        guint select = t->request.select;

        if ((t->request.is_lsub || (select & LIST_SELECT_SUBSCRIBED) != 0) && !m->is_subscribed)
                return FALSE;
        return (select & LIST_SELECT_SPECIAL_USE) == 0 || m->special_use != 0;
}

static Row *
add_row(Choosing *c, const Mailbox *m)
{
        Row *row = arena_new0(c->t->arena, Row);

        if (row == NULL)
                return NULL;
        row->mailbox = *m;
        row->is_matched = is_matched(c->t, m->name);
        row->is_selected = is_selected(c->t, m);
        g_hash_table_insert(c->by_name, (gpointer) row->mailbox.name, row);
        g_ptr_array_add(c->t->rows, row);
        return row;
}

static gboolean
too_many(GError **error)
{
        return fault(error, FAULT_BUSY, "too many mailboxes for one list");
}

/* What is known already stays as it is. */
static gboolean
add_listed(ImapSession *s, Choosing *c, gboolean subscribed_only, GError **error)
{
        const MailboxQuery query = {
                .prefix = c->t->prefix, .subscribed_only = subscribed_only, .include_others = c->t->prefix.len == 0};
        const Mailbox *list;
        gsize n;

        if (!store_mailboxes(imap_store(s), c->t->arena, &s->who, &query, &list, &n, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (!g_hash_table_contains(c->by_name, list[i].name) && add_row(c, &list[i]) == NULL)
                        return too_many(error);
        return TRUE;
}

static Row *
row_above(Choosing *c, const char *name)
{
        const char *slash = strrchr(name, '/');
        const char *above = slash != NULL ? arena_strndup(c->t->arena, span_make(name, (gsize) (slash - name))) : NULL;

        if (above == NULL)
                return NULL;
        Row *row = g_hash_table_lookup(c->by_name, above);
        return row != NULL ? row : add_row(c, &(const Mailbox){.name = above, .has_children = TRUE});
}

/* RFC 5258 §3.5: what matches is told because of what is below it and does not; LSUB does the same for "%" (RFC 3501
 * §6.3.9). */
static void
mark_parents(Choosing *c)
{
        guint n = c->t->rows->len;

        for (guint i = 0; i < n; i++) {
                const Row *row = c->t->rows->pdata[i];
                if (!row->is_selected || row->is_matched)
                        continue;
                for (Row *up = row_above(c, row->mailbox.name); up != NULL; up = row_above(c, up->mailbox.name))
                        up->has_child_info = TRUE;
        }
}

/* One's own tree comes first. */
static gint
compare_names(const char *a, const char *b)
{
        gint order = (a[0] == '~') - (b[0] == '~');

        return order != 0 ? order : strcmp(a, b);
}

static gint
compare_rows(gconstpointer a, gconstpointer b)
{
        const Row *x = *(const Row *const *) a, *y = *(const Row *const *) b;

        return compare_names(x->mailbox.name, y->mailbox.name);
}

/* What is told, and has not been yet. */
static void
keep_chosen(ListTask *t)
{
        guint n = 0;

        for (guint i = 0; i < t->rows->len; i++) {
                Row *row = t->rows->pdata[i];
                if (row->is_matched && (row->is_selected || row->has_child_info) &&
                    (t->told == NULL || compare_names(row->mailbox.name, t->told) > 0))
                        t->rows->pdata[n++] = row;
        }
        g_ptr_array_set_size(t->rows, (gint) n);
        g_ptr_array_sort(t->rows, compare_rows);
}

static gboolean
make_rows(ImapSession *s, ListTask *t, GError **error)
{
        const ListRequest *r = &t->request;
        gboolean is_recursive = (r->select & LIST_SELECT_RECURSIVE) != 0;
        gboolean by_subscription = r->is_lsub || (r->select & LIST_SELECT_SUBSCRIBED) != 0;
        g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
        Choosing c = {t, by_name};

        t->arena = arena_new(ARENA_MAX);
        t->rows = g_ptr_array_new();
        t->next = 0;
        /* the levels above are wanted too, and which of them are there */
        if ((is_recursive || !by_subscription) && !add_listed(s, &c, FALSE, error))
                return FALSE;
        if (by_subscription && !add_listed(s, &c, TRUE, error))
                return FALSE;
        if (is_recursive || r->is_lsub)
                mark_parents(&c);
        if (arena_is_over(t->arena))
                return too_many(error);
        keep_chosen(t);
        return TRUE;
}

static void
drop_rows(ListTask *t)
{
        g_clear_pointer(&t->arena, arena_free);
        g_clear_pointer(&t->rows, g_ptr_array_unref);
}

/* Telling --------------------------------------------------------------------------------------------------------- */

typedef struct Attributes {
        ImapSession *s;
        gboolean any;
} Attributes;

static void
put_attribute(Attributes *a, gboolean is_it, const char *name)
{
        if (!is_it)
                return;
        imap_put(a->s, a->any ? " " : "");
        imap_put(a->s, name);
        a->any = TRUE;
}

/* \NonExistent says \Noselect too; who knows only IMAP4rev1's LIST is told the latter. What may not be read can't be
 * selected either (RFC 4314 §4). */
static void
put_attributes(ImapSession *s, const Mailbox *m, gboolean knows_more, gboolean tells_subscribed)
{
        Attributes a = {.s = s};
        gboolean is_missing = m->id == 0;
        guint uses = m->special_use != 0 && imap_has(s, "SPECIAL-USE") ? m->special_use : 0;

        put_attribute(&a, is_missing && knows_more, "\\NonExistent");
        put_attribute(&a, (is_missing && !knows_more) || (!is_missing && (m->rights & RIGHT_READ) == 0), "\\Noselect");
        put_attribute(&a, m->is_subscribed && tells_subscribed, "\\Subscribed");
        if (imap_has(s, "CHILDREN"))
                put_attribute(&a, TRUE, m->has_children ? "\\HasChildren" : "\\HasNoChildren");
        for (guint use = USE_ALL; use <= USE_IMPORTANT; use <<= 1)
                if ((uses & use) != 0)
                        put_attribute(&a, TRUE, special_use_name(use));
}

static gboolean
is_rev2(const ImapSession *s)
{
        return (s->enabled & IMAP_ENABLED_REV2) != 0;
}

void
imap_list_put(ImapSession *s, const Mailbox *mailbox, const Span *old_name)
{
        gboolean knows_more = imap_has(s, "LIST-EXTENDED");

        imap_put(s, "* LIST (");
        put_attributes(s, mailbox, knows_more, knows_more);
        imap_put(s, ") \"/\" ");
        imap_put_mailbox(s, span_of(mailbox->name));
        if (old_name != NULL) {
                imap_put(s, " (\"OLDNAME\" (");
                imap_put_mailbox(s, *old_name);
                imap_put(s, "))");
        }
        imap_put(s, "\r\n");
}

static void
put_child_info(ImapSession *s, const ListTask *t)
{
        gboolean subscribed = (t->request.select & LIST_SELECT_SUBSCRIBED) != 0;
        gboolean special = (t->request.select & LIST_SELECT_SPECIAL_USE) != 0;

        imap_put(s, " (\"CHILDINFO\" (");
        imap_put(s, subscribed ? "\"SUBSCRIBED\"" : "");
        imap_put(s, subscribed && special ? " " : "");
        imap_put(s, special ? "\"SPECIAL-USE\"" : "");
        imap_put(s, "))");
}

static void
put_line(ImapSession *s, const ListTask *t, const Row *row)
{
        const ListRequest *r = &t->request;

        if (r->is_lsub) {
                imap_put(s, row->is_selected ? "* LSUB () \"/\" " : "* LSUB (\\Noselect) \"/\" ");
        } else {
                imap_put(s, "* LIST (");
                put_attributes(s, &row->mailbox, r->is_extended || is_rev2(s),
                               (r->returns & LIST_RETURN_SUBSCRIBED) != 0);
                imap_put(s, ") \"/\" ");
        }
        imap_put_mailbox(s, span_of(row->mailbox.name));
        if (!r->is_lsub && row->has_child_info)
                put_child_info(s, t);
        imap_put(s, "\r\n");
}

/* RFC 5819 §2: what can't be selected has none. */
static gboolean
put_status(ImapSession *s, const ListTask *t, const Mailbox *m, GError **error)
{
        if ((t->request.returns & LIST_RETURN_STATUS) == 0 || (m->rights & RIGHT_READ) == 0)
                return TRUE;
        StoreAnswer answer = imap_status_put(s, m, t->request.status, error);
        return answer == STORE_DONE || answer == STORE_NO_MAILBOX;
}

static void
put_my_rights(ImapSession *s, const ListTask *t, const Mailbox *m)
{
        if ((t->request.returns & LIST_RETURN_MYRIGHTS) == 0)
                return;
        imap_put(s, "* MYRIGHTS ");
        imap_put_mailbox(s, span_of(m->name));
        imap_put(s, " ");
        imap_acl_put_rights(s, m->rights);
        imap_put(s, "\r\n");
}

/* RFC 9590 §3 */
static gboolean
put_metadata(ImapSession *s, const ListTask *t, const Mailbox *m, GError **error)
{
        const ListRequest *r = &t->request;
        g_autoptr(Arena) arena = NULL;
        const MetadataEntry *found = NULL;
        gsize n = 0;

        if ((r->returns & LIST_RETURN_METADATA) == 0 || (m->rights & RIGHTS_ANY) == 0)
                return TRUE;
        arena = arena_new(ARENA_MAX);
        MailboxAnswer answer = store_metadata(imap_store(s), arena, &s->who, span_of(m->name), r->entries, r->n_entries,
                                              0, &found, &n, error);
        if (answer != MAILBOX_DONE)
                return answer != MAILBOX_FAILED; /* gone, or the rights, or no such entries */
        imap_put(s, "* METADATA ");
        imap_put_mailbox(s, span_of(m->name));
        imap_put(s, " ");
        imap_metadata_put_values(s, found, n, r->entries, r->n_entries);
        imap_put(s, "\r\n");
        return TRUE;
}

static gboolean
put_row(ImapSession *s, const ListTask *t, const Row *row, GError **error)
{
        const Mailbox *m = &row->mailbox;

        put_line(s, t, row);
        if (m->id == 0)
                return TRUE;
        put_my_rights(s, t, m);
        return put_status(s, t, m, error) && put_metadata(s, t, m, error);
}

/* The task -------------------------------------------------------------------------------------------------------- */

/* Rows of a large tree go while the client reads. */
static ImapTaskStep
rest(ListTask *t)
{
        if (t->next > 0) {
                const Row *last = t->rows->pdata[t->next - 1];
                g_free(t->told);
                t->told = g_strdup(last->mailbox.name);
        }
        if (arena_used_octets(t->arena) > KEPT_MAX)
                drop_rows(t);
        return IMAP_TASK_AGAIN;
}

static ImapTaskStep
run(ImapSession *s, ImapTask *task)
{
        ListTask *t = (ListTask *) task;
        g_autoptr(GError) error = NULL;
        Usec until = clock_monotonic() + TURN_USEC;

        gboolean is_fine = t->arena != NULL || make_rows(s, t, &error);
        for (; is_fine && t->next < t->rows->len; t->next++) {
                if (imap_is_full(s))
                        return rest(t);
                if (clock_monotonic() > until)
                        return IMAP_TASK_AGAIN;
                is_fine = put_row(s, t, t->rows->pdata[t->next], &error);
        }
        if (is_fine)
                imap_ok(s, "", "that is all");
        else
                imap_no_fault(s, "list", error);
        return IMAP_TASK_DONE;
}

static void
free_list(ImapTask *task)
{
        ListTask *t = (ListTask *) task;

        drop_rows(t);
        g_free(t->told);
        g_free(t);
}

/* What all of them begin with. */
static Span
common_prefix(Span a, Span b)
{
        gsize n = 0;

        while (n < a.len && n < b.len && a.data[n] == b.data[n])
                n++;
        return span_slice(a, 0, n);
}

static gboolean
make_patterns(ListTask *t, Arena *arena)
{
        const ListRequest *r = &t->request;

        t->patterns = arena_new_array(arena, const Pattern *, r->n_patterns);
        for (gsize i = 0; t->patterns != NULL && i < r->n_patterns; i++) {
                Span text = imap_list_canonical(arena, r->reference, r->patterns[i]);
                t->patterns[i] = pattern_new(arena, text);
                t->prefix = i == 0 ? pattern_prefix(text) : common_prefix(t->prefix, pattern_prefix(text));
        }
        return !arena_is_over(arena);
}

/* RFC 9051 §6.3.9: the empty pattern asks for the delimiter, and for the root of the reference. */
static void
put_delimiter(ImapSession *s, const ListRequest *r)
{
        Span root = SPAN_EMPTY;

        if (r->reference.len > 0 && r->reference.data[0] == '~') {
                const guint8 *slash = memchr(r->reference.data, '/', r->reference.len);
                root = slash != NULL ? span_slice(r->reference, 0, (gsize) (slash - r->reference.data) + 1)
                                     : r->reference;
        }
        imap_put(s, r->is_lsub ? "* LSUB" : "* LIST");
        imap_put(s, " (\\Noselect) \"/\" ");
        imap_put_mailbox(s, root);
        imap_put(s, "\r\n");
        imap_ok(s, "", "that is the delimiter");
}

static void
start(ImapSession *s, ImapArgs *args, const ListRequest *request)
{
        ListTask *t = g_new0(ListTask, 1);

        t->task = (ImapTask){.run = run, .free = free_list};
        t->request = *request;
        if (make_patterns(t, args->arena)) {
                imap_status_enable(s, request->status);
                imap_start_task(s, &t->task);
        } else {
                free_list(&t->task);
                imap_no(s, "LIMIT", "too complex");
        }
}

static void
list(ImapSession *s, ImapArgs *args, gboolean is_lsub)
{
        ListRequest request;
        gboolean is_bad;

        if (!imap_list_parse(s, args, is_lsub, &request, &is_bad)) {
                if (is_bad)
                        imap_no_mailbox(s, MAILBOX_BAD_NAME, NULL, "list");
                else
                        imap_bad(s, is_lsub ? "syntax: LSUB reference pattern"
                                            : "syntax: LIST [(selection)] reference pattern [RETURN (options)]");
                return;
        }
        if (!request.is_extended && request.patterns[0].len == 0)
                put_delimiter(s, &request);
        else
                start(s, args, &request);
}

void
imap_list(ImapSession *s, ImapArgs *args)
{
        list(s, args, FALSE);
}

void
imap_lsub(ImapSession *s, ImapArgs *args)
{
        list(s, args, TRUE);
}
