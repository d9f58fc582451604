/* What `restante verify` asks of the store. Each table goes page by page; counts of a mailbox and references of bodies
 * are compared inside one snapshot, so a busy site gives no false complaint. */
#include "store/internal.h"

#define ENTRY_PAGE 2000
#define BODY_PAGE 500

typedef struct Verify {
        Store *store;
        StoreReport report;
        gpointer data;
        guint64 entries;
} Verify;

static void verify_complain(const Verify *v, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
verify_complain(const Verify *v, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        v->report(text, v->data);
}

/* Entries ---------------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRY_PAGES, "SELECT e.mailbox, e.uid, e.size, e.prefix, e.cuts, m.uid_next, b.id, b.size FROM entry e"
                    " LEFT JOIN mailbox m ON m.id = e.mailbox LEFT JOIN body b ON b.id = e.body"
                    " WHERE e.mailbox > ? OR (e.mailbox = ? AND e.uid > ?) ORDER BY e.mailbox, e.uid LIMIT ?");

static void
verify_entry(const Verify *v, const DbRows *row)
{
        gint64 mailbox = db_int(row, 0), uid = db_int(row, 1);
        Cut cuts[COPY_CUTS_MAX];
        Copy copy = {.body_size = (guint64) db_int(row, 7), .prefix = db_bytes(row, 3), .cuts = cuts};

        if (db_is_null(row, 5))
                verify_complain(v,
                                "entry %" G_GINT64_FORMAT " stands in mailbox %" G_GINT64_FORMAT ", which is not there",
                                uid, mailbox);
        if (db_is_null(row, 6))
                verify_complain(v, "mailbox %" G_GINT64_FORMAT ": the body of entry %" G_GINT64_FORMAT " is not there",
                                mailbox, uid);
        else if (!copy_get_cuts(db_bytes(row, 4), copy.body_size, cuts, &copy.n_cuts))
                verify_complain(v, "mailbox %" G_GINT64_FORMAT ": the cuts of entry %" G_GINT64_FORMAT " are damaged",
                                mailbox, uid);
        else if (copy_size(&copy) != (guint64) db_int(row, 2))
                verify_complain(
                        v, "mailbox %" G_GINT64_FORMAT ": entry %" G_GINT64_FORMAT " has another size than its octets",
                        mailbox, uid);
}

static gboolean
verify_entries(Verify *v, GError **error)
{
        gint64 mailbox = 0, uid = 0;
        gsize n = ENTRY_PAGE;
        DbStep step;

        while (n == ENTRY_PAGE) {
                g_autoptr(DbTxn) txn = db_begin_read(v->store->db, error);
                if (txn == NULL)
                        return FALSE;
                g_autoptr(DbRows) rows =
                        db_query(txn, &ENTRY_PAGES, error, "iiii", mailbox, mailbox, uid, (gint64) ENTRY_PAGE);
                if (rows == NULL)
                        return FALSE;
                for (n = 0; (step = db_rows_next(rows, error)) == DB_ROW; n++) {
                        verify_entry(v, rows);
                        mailbox = db_int(rows, 0);
                        uid = db_int(rows, 1);
                }
                if (step == DB_ROW_FAILED)
                        return FALSE;
                v->entries += n;
        }
        return TRUE;
}

/* Counts and references -------------------------------------------------------------------------------------------- */

DB_SQL(BODY_COUNTS,
       "SELECT b.id, b.refs, coalesce(c.n, 0) FROM body b LEFT JOIN"
       " (SELECT body, count(*) AS n FROM (SELECT body FROM entry UNION ALL SELECT body FROM queue) u GROUP BY body) c"
       " ON c.body = b.id WHERE b.refs <> coalesce(c.n, 0)");
DB_SQL(QUEUE_WITHOUT_BODY, "SELECT q.id FROM queue q LEFT JOIN body b ON b.id = q.body WHERE b.id IS NULL");

static void
complain_body(const Verify *v, const DbRows *row)
{
        verify_complain(v, "body %" G_GINT64_FORMAT " counts %" G_GINT64_FORMAT " references but has %" G_GINT64_FORMAT,
                        db_int(row, 0), db_int(row, 1), db_int(row, 2));
}

static void
complain_queue(const Verify *v, const DbRows *row)
{
        verify_complain(v, "the body of queue row %" G_GINT64_FORMAT " is not there", db_int(row, 0));
}

static gboolean
verify_rows(const Verify *v, const DbSql *sql, void (*complain)(const Verify *v, const DbRows *row), GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(v->store->db, error);
        DbStep step;

        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, sql, error, "");
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW)
                complain(v, rows);
        return step == DB_ROW_END;
}

/* Bodies ----------------------------------------------------------------------------------------------------------- */

DB_SQL(BODY_PAGES, "SELECT id FROM body WHERE id > ? ORDER BY id LIMIT ?");
DB_SQL(BODY_THERE, "SELECT id FROM body WHERE id = ?");

/* A body that can't be read is a complaint only while it is still named: mail is removed while we look. */
static gboolean
verify_body(const Verify *v, gint64 id, GError **error)
{
        g_autoptr(GError) why = NULL;

        {
                g_autoptr(BlobBody) body = blob_body_open(v->store->blob, id, &why);
                if (body != NULL && blob_body_check(body, &why))
                        return TRUE;
        }
        g_autoptr(DbTxn) txn = db_begin_read(v->store->db, error);
        gint64 found;
        if (txn == NULL)
                return FALSE;
        switch (db_get_int(txn, &BODY_THERE, &found, error, "i", id)) {
        case DB_ROW:
                verify_complain(v, "body %" G_GINT64_FORMAT ": %s", id, why->message);
                return TRUE;
        case DB_ROW_END:
                return TRUE;
        case DB_ROW_FAILED:
        default:
                return FALSE;
        }
}

static gboolean
list_bodies(const Verify *v, gint64 after, gint64 ret_ids[BODY_PAGE], gsize *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(v->store->db, error);
        gsize n = 0;
        DbStep step;

        if (txn == NULL)
                return FALSE;
        g_autoptr(DbRows) rows = db_query(txn, &BODY_PAGES, error, "ii", after, (gint64) BODY_PAGE);
        if (rows == NULL)
                return FALSE;
        while ((step = db_rows_next(rows, error)) == DB_ROW && n < BODY_PAGE)
                ret_ids[n++] = db_int(rows, 0);
        *ret_n = n;
        return step != DB_ROW_FAILED;
}

static gboolean
verify_bodies(const Verify *v, GError **error)
{
        gint64 ids[BODY_PAGE], after = 0;
        gsize n;

        do {
                if (!list_bodies(v, after, ids, &n, error))
                        return FALSE;
                for (gsize i = 0; i < n; i++)
                        if (!verify_body(v, ids[i], error))
                                return FALSE;
                after = n > 0 ? ids[n - 1] : after;
        } while (n == BODY_PAGE);
        return TRUE;
}

gboolean
store_verify(Store *store, gboolean with_bodies, StoreReport report, gpointer data, guint64 *ret_entries,
             GError **error)
{
        Verify v = {.store = store, .report = report, .data = data};

        if (!verify_entries(&v, error) || !verify_rows(&v, &BODY_COUNTS, complain_body, error) ||
            !verify_rows(&v, &QUEUE_WITHOUT_BODY, complain_queue, error))
                return FALSE;
        if (with_bodies && !verify_bodies(&v, error))
                return FALSE;
        *ret_entries = v.entries;
        return TRUE;
}
