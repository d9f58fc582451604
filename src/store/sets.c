/* sets.c -- sets of UIDs as rising ranges, and the loop around a write transaction. */
#include "store/internal.h"

gboolean
set_walk_has(SetWalk *walk, guint32 uid)
{
        if (walk->set == NULL)
                return TRUE;
        while (walk->at < walk->set->n && walk->set->ranges[walk->at].last < uid)
                walk->at++;
        return walk->at < walk->set->n && walk->set->ranges[walk->at].first <= uid;
}

gboolean
set_covers(const UidSet *set, guint64 first, guint64 behind)
{
        for (gsize i = 0; set != NULL && i < set->n; i++)
                if (set->ranges[i].last >= first)
                        return set->ranges[i].first <= first && (guint64) set->ranges[i].last + 1 >= behind;
        return set == NULL;
}

guint32
set_first(const UidSet *set)
{
        if (set == NULL)
                return 1;
        return set->n > 0 ? set->ranges[0].first : G_MAXUINT32;
}

guint32
set_last(const UidSet *set)
{
        if (set == NULL)
                return G_MAXUINT32;
        return set->n > 0 ? set->ranges[set->n - 1].last : 0;
}

/* Ranges ----------------------------------------------------------------------------------------------------------- */

static void
put_range(GArray *ranges, guint32 first, guint32 last)
{
        UidRange *before = ranges->len > 0 ? &g_array_index(ranges, UidRange, ranges->len - 1) : NULL;
        const UidRange range = {first, last};

        if (before != NULL && first <= (guint64) before->last + 1)
                before->last = MAX(before->last, last);
        else
                g_array_append_val(ranges, range);
}

void
ranges_add(GArray *ranges, guint32 uid)
{
        put_range(ranges, uid, uid);
}

GArray *
ranges_union(const GArray *a, const GArray *b)
{
        GArray *sum = g_array_new(FALSE, FALSE, sizeof(UidRange));

        for (guint i = 0, j = 0; i < a->len || j < b->len;) {
                const UidRange *x = i < a->len ? &g_array_index(a, UidRange, i) : NULL;
                const UidRange *y = j < b->len ? &g_array_index(b, UidRange, j) : NULL;
                const UidRange *next = y == NULL || (x != NULL && x->first <= y->first) ? x : y;
                put_range(sum, next->first, next->last);
                i += next == x;
                j += next == y;
        }
        return sum;
}

GArray *
ranges_without(const GArray *a, const GArray *b)
{
        GArray *rest = g_array_new(FALSE, FALSE, sizeof(UidRange));
        guint j = 0;

        for (guint i = 0; i < a->len; i++) {
                const UidRange *x = &g_array_index(a, UidRange, i);
                guint64 from = x->first;
                while (j < b->len && g_array_index(b, UidRange, j).last < x->first)
                        j++;
                for (guint k = j; k < b->len && g_array_index(b, UidRange, k).first <= x->last; k++) {
                        const UidRange *cut = &g_array_index(b, UidRange, k);
                        if (cut->first > from)
                                put_range(rest, (guint32) from, cut->first - 1);
                        from = MAX(from, (guint64) cut->last + 1);
                }
                if (from <= x->last)
                        put_range(rest, (guint32) from, x->last);
        }
        return rest;
}

/* Transactions ----------------------------------------------------------------------------------------------------- */

ChangeAnswer
change_answer(StoreAnswer answer)
{
        switch (answer) {
        case STORE_DONE:
                return CHANGED_DONE;
        case STORE_OVER_QUOTA:
                return CHANGED_OVER_QUOTA;
        case STORE_NO_MAILBOX:
                return CHANGED_NO_MAILBOX;
        case STORE_FAILED:
        default:
                return CHANGED_FAILED;
        }
}

typedef struct Run {
        ChangeWork work;
        gpointer data;
        ChangeAnswer answer;
} Run;

static gboolean
run_work(DbTxn *txn, gpointer data, GError **error)
{
        Run *run = data;

        run->answer = run->work(run->data, txn, error);
        return run->answer == CHANGED_DONE;
}

static DbCommit
run_freeing(Db *db, Run *run, GError **error)
{
        for (;;) {
                g_autoptr(DbTxn) txn = db_begin_freeing(db, error);
                if (txn == NULL || !run_work(txn, run, error))
                        return DB_FAILED;
                DbCommit commit = db_take_commit(g_steal_pointer(&txn), error);
                if (commit != DB_AGAIN)
                        return commit;
        }
}

ChangeAnswer
change_run(Store *store, gboolean is_freeing, ChangeWork work, gpointer data, GError **error)
{
        Run run = {work, data, CHANGED_FAILED};
        DbCommit commit = is_freeing ? run_freeing(store->db, &run, error) : db_write(store->db, run_work, &run, error);

        if (commit == DB_COMMITTED)
                return CHANGED_DONE;
        return run.answer == CHANGED_DONE ? CHANGED_FAILED : run.answer;
}
