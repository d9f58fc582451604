/* verify_refs.c -- is each body named as often as it says: by rows of `entry`, by rows of the queue, by slots of packs?
 * And as often by the latter alone, on which it depends how long the row of the body keeps its summary?
 *
 * Bodies are taken by the million, in the order of their ids; all that could name them is gone through, snapshot by
 * snapshot, and counted. What others write meanwhile may be counted before or after, so a difference is looked at
 * again: it is complained of when nothing was written during a look. What two looks found the same is counted once more
 * in one snapshot, however long that takes.
 */
#include "store/verify.h"

#define LOOKS 2 /* before the one that is certain */

DB_SQL(BODY_REFS, "SELECT id, refs, packed FROM body WHERE id > ? ORDER BY id LIMIT ?");
DB_SQL(BODY_REFS_OF, "SELECT refs, packed FROM body WHERE id = ?");
DB_SQL(ENTRY_BODIES,
       "SELECT mailbox, uid, body FROM entry WHERE (mailbox, uid) > (?, ?) ORDER BY mailbox, uid LIMIT ?");
DB_SQL(QUEUE_BODIES, "SELECT id, 0, body FROM queue WHERE (id, 0) > (?, ?) ORDER BY id LIMIT ?");
DB_SQL(PACK_BODIES, "SELECT id, 0, bodies, refs FROM pack WHERE (id, 0) > (?, ?) ORDER BY id LIMIT ?");

typedef struct BodyCount {
        gint64 id;
        guint32 refs, found;
        guint32 packed, found_packed;
} BodyCount;

typedef struct Counting {
        const Verify *v;
        GArray *bodies;     /* of BodyCount, rising */
        gint64 after, last; /* all with after < id <= last are in it, but for new ones */
        gboolean is_first_look;
} Counting;

/* Counting --------------------------------------------------------------------------------------------------------- */

static gint
compare_ids(gconstpointer a, gconstpointer b)
{
        const BodyCount *x = a, *y = b;

        return (x->id > y->id) - (x->id < y->id);
}

static BodyCount *
find(const Counting *c, gint64 body)
{
        const BodyCount wanted = {.id = body};

        return bsearch(&wanted, c->bodies->data, c->bodies->len, sizeof(BodyCount), compare_ids);
}

/* It may have come after the list was made. */
static gboolean
is_there(DbTxn *txn, gint64 body, gboolean *ret, GError **error)
{
        gint64 refs;
        DbStep step = db_get_int(txn, &BODY_REFS_OF, &refs, error, "i", body);

        *ret = step == DB_ROW;
        return step != DB_ROW_FAILED;
}

/* *ret_missing: named, and not there. */
static gboolean
count(const Counting *c, DbTxn *txn, gint64 body, gboolean is_packed, gboolean *ret_missing, GError **error)
{
        BodyCount *found = find(c, body);
        gboolean is_known = TRUE;

        if (found != NULL) {
                found->found++;
                found->found_packed += is_packed;
        } else if (c->is_first_look && body > c->after && body <= c->last && !is_there(txn, body, &is_known, error))
                return FALSE;
        *ret_missing = !is_known;
        return TRUE;
}

/* That the body of an entry is there was asked with its row. */
static gboolean
count_entry(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        BodyCount *found = find(data, db_int(row, 2));

        if (found != NULL)
                found->found++;
        return TRUE;
}

static gboolean
count_queue(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        const Counting *c = data;
        gboolean is_missing;

        if (!count(c, txn, db_int(row, 2), FALSE, &is_missing, error))
                return FALSE;
        if (is_missing)
                verify_complain(c->v, "the body of queue row %" G_GINT64_FORMAT " is not there", db_int(row, 0));
        return TRUE;
}

/* A pack that can't be read is complained of where packs are looked at. */
static gboolean
count_pack(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        const Counting *c = data;
        gint64 bodies[PAGE_ENTRIES];
        guint32 refs[PAGE_ENTRIES];
        guint n, n_refs;
        gboolean is_missing;

        if (!bodies_get(db_bytes(row, 2), bodies, &n) || !slot_refs_get(db_bytes(row, 3), refs, &n_refs) || n != n_refs)
                return TRUE;
        for (guint i = 0; i < n; i++) {
                if (refs[i] == 0)
                        continue;
                if (!count(c, txn, bodies[i], TRUE, &is_missing, error))
                        return FALSE;
                if (is_missing)
                        verify_complain(c->v, "the body of slot %u of pack %" G_GINT64_FORMAT " is not there", i,
                                        db_int(row, 0));
        }
        return TRUE;
}

static gboolean
count_all(Counting *c, GError **error)
{
        for (guint i = 0; i < c->bodies->len; i++) {
                BodyCount *body = &g_array_index(c->bodies, BodyCount, i);
                body->found = body->found_packed = 0;
        }
        return verify_walk(c->v, &ENTRY_BODIES, count_entry, c, error) &&
               verify_walk(c->v, &QUEUE_BODIES, count_queue, c, error) &&
               verify_walk(c->v, &PACK_BODIES, count_pack, c, error);
}

/* Looking again ---------------------------------------------------------------------------------------------------- */

/* Those that stay: another number than was counted. */
static void
keep_different(GArray *bodies)
{
        BodyCount *body = (BodyCount *) (gpointer) bodies->data;
        guint n = 0;

        for (guint i = 0; i < bodies->len; i++)
                if (body[i].refs != body[i].found || body[i].packed != body[i].found_packed)
                        body[n++] = body[i];
        g_array_set_size(bodies, n);
}

/* Is this as it was? A body that has gone is not. */
static gboolean
is_as_before(DbTxn *txn, const BodyCount *body, gboolean *ret, GError **error)
{
        g_autoptr(DbRows) row = db_query(txn, &BODY_REFS_OF, error, "i", body->id);
        DbStep step = row != NULL ? db_rows_next(row, error) : DB_ROW_FAILED;

        *ret = step == DB_ROW && db_int(row, 0) == body->refs && db_int(row, 1) == body->packed;
        return step != DB_ROW_FAILED;
}

/* Those whose row is as it was, a thousand in each snapshot. */
static gboolean
keep_unchanged(Counting *c, GError **error)
{
        BodyCount *body = (BodyCount *) (gpointer) c->bodies->data;
        guint n = 0;

        for (guint i = 0, end; i < c->bodies->len; i = end) {
                g_autoptr(DbTxn) own = NULL;
                DbTxn *txn = verify_snapshot(c->v, &own, error);
                if (txn == NULL)
                        return FALSE;
                for (end = i; end < MIN(i + 1000, c->bodies->len); end++) {
                        gboolean is_same;
                        if (!is_as_before(txn, &body[end], &is_same, error))
                                return FALSE;
                        if (is_same)
                                body[n++] = body[end];
                }
        }
        g_array_set_size(c->bodies, n);
        return TRUE;
}

/* Count once more, and keep what is as different as it was. */
static gboolean
look_again(Counting *c, GError **error)
{
        g_autoptr(GArray) before = g_array_copy(c->bodies);
        guint n = 0;

        if (!count_all(c, error))
                return FALSE;
        for (guint i = 0; i < before->len; i++) {
                const BodyCount *now = &g_array_index(c->bodies, BodyCount, i);
                const BodyCount *then = &g_array_index(before, BodyCount, i);
                if (now->found == then->found && now->found_packed == then->found_packed)
                        g_array_index(c->bodies, BodyCount, n++) = *now;
        }
        g_array_set_size(c->bodies, n);
        return keep_unchanged(c, error);
}

/* In one snapshot, as all of it was at one time. */
static gboolean
look_for_certain(Counting *c, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(c->v->store->db, error);
        const Verify *verify = c->v;
        Verify whole = *verify;

        if (txn == NULL)
                return FALSE;
        whole.whole = txn;
        c->v = &whole;
        gboolean is_done = keep_unchanged(c, error) && count_all(c, error);
        c->v = verify;
        keep_different(c->bodies);
        return is_done;
}

static void
complain_of(const Verify *v, const BodyCount *body)
{
        if (body->refs != body->found)
                verify_complain(v, "body %" G_GINT64_FORMAT " counts %u references but has %u", body->id, body->refs,
                                body->found);
        if (body->packed != body->found_packed)
                verify_complain(v, "body %" G_GINT64_FORMAT " counts %u slots of packs but has %u", body->id,
                                body->packed, body->found_packed);
}

static gboolean
look(Counting *c, guint64 ended, GError **error)
{
        c->is_first_look = TRUE;
        if (!count_all(c, error))
                return FALSE;
        c->is_first_look = FALSE;
        keep_different(c->bodies);
        for (guint i = 1; c->bodies->len > 0 && verify_is_written_to(c->v, ended); i++) {
                ended = verify_commits_ended(c->v);
                if (i == LOOKS) {
                        if (!look_for_certain(c, error))
                                return FALSE;
                        break;
                }
                if (!keep_unchanged(c, error) || !look_again(c, error))
                        return FALSE;
        }
        for (guint i = 0; i < c->bodies->len; i++)
                complain_of(c->v, &g_array_index(c->bodies, BodyCount, i));
        return TRUE;
}

/* Bodies ----------------------------------------------------------------------------------------------------------- */

/* One snapshot's worth of them, behind `after`. */
static gboolean
list_some(Counting *c, gint64 after, gint64 *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(c->v->store->db, error);
        DbStep step;

        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &BODY_REFS, error, "ii", after, c->v->rows);
        if (rows == NULL)
                return FALSE;
        for (*ret_n = 0; (step = db_rows_next(rows, error)) == DB_ROW; ++*ret_n) {
                const BodyCount body = {
                        .id = db_int(rows, 0), .refs = (guint32) db_int(rows, 1), .packed = (guint32) db_int(rows, 2)};
                g_array_append_val(c->bodies, body);
        }
        return step == DB_ROW_END;
}

gboolean
verify_references(const Verify *v, GError **error)
{
        g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(BodyCount));
        Counting c = {.v = v, .bodies = list};
        gint64 after = G_MININT64;
        gboolean is_over = FALSE;

        while (!is_over) {
                guint64 ended = verify_commits_ended(v);
                gint64 n = v->rows;
                c.after = after;
                g_array_set_size(list, 0);
                while (list->len < v->bodies && n == v->rows) {
                        if (!list_some(&c, after, &n, error))
                                return FALSE;
                        if (n > 0)
                                after = g_array_index(list, BodyCount, list->len - 1).id;
                }
                is_over = n < v->rows;
                c.last = is_over ? G_MAXINT64 : after;
                if (!look(&c, ended, error))
                        return FALSE;
        }
        return TRUE;
}
