/* recent.c -- \Recent (RFC 3501 §2.3.2): up to which UID sessions that may write have been told of a mailbox's
 * messages.
 *
 * One number a mailbox, in memory. What has risen is written when the site tidies, many in one transaction. Lost in a
 * crash, some messages are recent once more, which harms nobody.
 */
#include "store/internal.h"
#include "store/view.h"

#define KEEP_ROWS 1000   /* of one transaction */
#define MARKS_MAX 65536u /* above it those that are written are forgotten */

typedef struct RecentMark {
        gint64 mailbox;
        guint32 next;
        gboolean is_risen; /* above what is written */
} RecentMark;

struct RecentMarks {
        Mutex lock;        /* leaf */
        GHashTable *marks; /* RecentMark, its own key */
};

RecentMarks *
recent_new(void)
{
        RecentMarks *recent = g_new0(RecentMarks, 1);

        mutex_init(&recent->lock, "store.recent");
        recent->marks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
        return recent;
}

void
recent_free(RecentMarks *recent)
{
        if (recent == NULL)
                return;
        g_hash_table_unref(recent->marks);
        mutex_done(&recent->lock);
        g_free(recent);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

DB_SQL(RECENT_GET, "SELECT recent FROM mailbox WHERE id = ?");

static gboolean
read_mark(Store *store, gint64 mailbox, guint32 *ret)
{
        g_autoptr(DbTxn) txn = db_begin_read(store->db, NULL);
        gint64 next;

        if (txn == NULL || db_get_int(txn, &RECENT_GET, &next, NULL, "i", mailbox) != DB_ROW)
                return FALSE;
        *ret = (guint32) CLAMP(next, 1, (gint64) G_MAXUINT32);
        return TRUE;
}

static gboolean
find_mark(RecentMarks *recent, gint64 mailbox, guint32 told_below, guint32 *ret)
{
        MUTEX_SCOPE(&recent->lock);
        RecentMark *mark = g_hash_table_lookup(recent->marks, &mailbox);

        if (mark == NULL)
                return FALSE;
        *ret = mark->next;
        if (told_below > mark->next) {
                mark->next = told_below;
                mark->is_risen = TRUE;
        }
        return TRUE;
}

/* Another thread may have been faster: its mark stays. */
static void
add_mark(RecentMarks *recent, gint64 mailbox, guint32 next)
{
        MUTEX_SCOPE(&recent->lock);
        if (g_hash_table_contains(recent->marks, &mailbox))
                return;
        RecentMark *mark = g_new0(RecentMark, 1);
        *mark = (RecentMark){.mailbox = mailbox, .next = next};
        g_hash_table_add(recent->marks, mark);
}

guint32
store_recent(Store *store, gint64 mailbox, guint32 told_below)
{
        guint32 next;

        while (!find_mark(store->recent, mailbox, told_below, &next)) {
                if (!read_mark(store, mailbox, &next))
                        return G_MAXUINT32;
                add_mark(store->recent, mailbox, next);
        }
        return next;
}

/* Keeping ---------------------------------------------------------------------------------------------------------- */

/* Some of those that have risen. They count as written. */
static GArray *
take_risen(RecentMarks *recent)
{
        GArray *risen = g_array_new(FALSE, FALSE, sizeof(RecentMark));
        GHashTableIter iter;
        gpointer key;

        MUTEX_SCOPE(&recent->lock);
        g_hash_table_iter_init(&iter, recent->marks);
        while (risen->len < KEEP_ROWS && g_hash_table_iter_next(&iter, &key, NULL)) {
                RecentMark *mark = key;
                if (mark->is_risen)
                        g_array_append_val(risen, *mark);
                mark->is_risen = FALSE;
        }
        return risen;
}

static void
give_back(RecentMarks *recent, const GArray *risen)
{
        MUTEX_SCOPE(&recent->lock);
        for (guint i = 0; i < risen->len; i++) {
                RecentMark *mark = g_hash_table_lookup(recent->marks, &g_array_index(risen, RecentMark, i).mailbox);
                if (mark != NULL)
                        mark->is_risen = TRUE;
        }
}

DB_SQL(RECENT_SET, "UPDATE mailbox SET recent = ? WHERE id = ? AND recent < ?");

static gboolean
write_marks(DbTxn *txn, gpointer data, GError **error)
{
        const GArray *risen = data;

        for (guint i = 0; i < risen->len; i++) {
                const RecentMark *mark = &g_array_index(risen, RecentMark, i);
                if (!db_run(txn, &RECENT_SET, error, "iii", (gint64) mark->next, mark->mailbox, (gint64) mark->next))
                        return FALSE;
        }
        return TRUE;
}

/* All of it is written: it can be read again. */
static void
forget_many(RecentMarks *recent)
{
        GHashTableIter iter;
        gpointer key;

        MUTEX_SCOPE(&recent->lock);
        if (g_hash_table_size(recent->marks) <= MARKS_MAX)
                return;
        g_hash_table_iter_init(&iter, recent->marks);
        while (g_hash_table_iter_next(&iter, &key, NULL))
                if (!((const RecentMark *) key)->is_risen)
                        g_hash_table_iter_remove(&iter);
}

gboolean
store_recent_keep(Store *store, GError **error)
{
        g_autoptr(GArray) risen = take_risen(store->recent);

        while (risen->len > 0) {
                if (db_write(store->db, write_marks, risen, error) != DB_COMMITTED) {
                        give_back(store->recent, risen);
                        return FALSE;
                }
                g_array_unref(risen);
                risen = take_risen(store->recent);
        }
        forget_many(store->recent);
        return TRUE;
}
