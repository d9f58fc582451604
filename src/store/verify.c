/* What `restante verify` asks of the store: the rows of `entry` one by one, bodies with their records, and what the
 * files beside this one compare. */
#include "store/verify.h"

#include "store/core.h"

#define SNAPSHOT (50 * USEC_PER_MS)
#define SNAPSHOT_ROWS 2000
#define COUNTED_BODIES 1000000
#define COUNTED_PACKS 4096
#define BODY_PAGE 500

void
verify_complain(const Verify *v, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        v->report(text, v->data);
}

guint64
verify_commits_ended(const Verify *v)
{
        DbStats stats;

        db_stats(v->store->db, &stats);
        return stats.ended;
}

gboolean
verify_is_written_to(const Verify *v, guint64 ended)
{
        DbStats stats;

        db_stats(v->store->db, &stats);
        return stats.begun != ended;
}

DbTxn *
verify_snapshot(const Verify *v, DbTxn **own, GError **error)
{
        if (v->whole != NULL)
                return v->whole;
        return *own = db_begin_read(v->store->db, error);
}

/* The rows behind (a, b) that one snapshot is asked for. */
static gboolean
walk_some(const Verify *v, DbTxn *txn, const DbSql *sql, VerifyRow each, gpointer data, gint64 *a, gint64 *b,
          gint64 *ret_n, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, sql, error, "iii", *a, *b, v->rows);
        DbStep step;

        if (rows == NULL)
                return FALSE;
        for (*ret_n = 0; (step = db_rows_next(rows, error)) == DB_ROW; ++*ret_n) {
                *a = db_int(rows, 0);
                *b = db_int(rows, 1);
                if (!each(data, txn, rows, error))
                        return FALSE;
        }
        return step == DB_ROW_END;
}

gboolean
verify_walk(const Verify *v, const DbSql *sql, VerifyRow each, gpointer data, GError **error)
{
        gint64 a = G_MININT64, b = G_MININT64;
        gint64 n = v->rows;

        while (n == v->rows) {
                g_autoptr(DbTxn) own = NULL;
                DbTxn *txn = verify_snapshot(v, &own, error);
                if (txn == NULL || !walk_some(v, txn, sql, each, data, &a, &b, &n, error))
                        return FALSE;
        }
        return TRUE;
}

/* Entries ---------------------------------------------------------------------------------------------------------- */

DB_SQL(ENTRY_PAGES,
       "SELECT e.mailbox, e.uid, e.size, e.prefix, e.cuts, b.id, b.size, e.flags, e.modseq, m.id, m.folded, m.keywords"
       " FROM entry e LEFT JOIN mailbox m ON m.id = e.mailbox LEFT JOIN body b ON b.id = e.body"
       " WHERE (e.mailbox, e.uid) > (?, ?) ORDER BY e.mailbox, e.uid LIMIT ?");

typedef struct Entries {
        Verify *v;
        gint64 mailbox; /* of the last row of a tail */
        gint64 modseq;
} Entries;

static void
verify_copy(const Verify *v, const DbRows *row)
{
        gint64 mailbox = db_int(row, 0), uid = db_int(row, 1);
        Cut cuts[COPY_CUTS_MAX];
        Copy copy = {.body_size = (guint64) db_int(row, 6), .prefix = db_bytes(row, 3), .cuts = cuts};

        if (db_is_null(row, 5))
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

/* A row that is not in a page: what a page's state says else is in the row. */
static void
verify_tail(Entries *e, const DbRows *row)
{
        gint64 mailbox = db_int(row, 0), uid = db_int(row, 1), modseq = db_int(row, 8);
        guint64 flags = (guint64) db_int(row, 7);

        e->v->ret_entries++;
        if (mailbox == e->mailbox && modseq < e->modseq)
                verify_complain(e->v,
                                "mailbox %" G_GINT64_FORMAT ": entry %" G_GINT64_FORMAT
                                " has a lower MODSEQ than the one "
                                "before it",
                                mailbox, uid);
        e->mailbox = mailbox;
        e->modseq = modseq;
        if ((flags & ~FLAG_SYSTEM) == 0)
                return;
        Keywords *keywords = keywords_new(db_text(row, 11));
        if ((flags & ~keywords_flags(keywords)) != 0)
                verify_complain(e->v,
                                "mailbox %" G_GINT64_FORMAT ": entry %" G_GINT64_FORMAT " has a keyword without a name",
                                mailbox, uid);
        keywords_unref(keywords);
}

static gboolean
verify_entry(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        Entries *e = data;

        if (db_is_null(row, 9))
                verify_complain(e->v,
                                "entry %" G_GINT64_FORMAT " stands in mailbox %" G_GINT64_FORMAT ", which is not there",
                                db_int(row, 1), db_int(row, 0));
        else if (db_int(row, 1) > db_int(row, 10))
                verify_tail(e, row);
        verify_copy(e->v, row);
        return TRUE;
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

/* Of bodies that are not packed. */
DB_SQL(SUMMARY_PAGES, "SELECT id, 0, summary FROM body WHERE (id, 0) > (?, ?) ORDER BY id LIMIT ?");

static gboolean
verify_summary(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        const Verify *v = data;
        StoredSummary summary;

        if (db_bytes(row, 2).len == 0 || summary_decode(db_bytes(row, 2), &summary))
                return TRUE;
        verify_complain(v, "body %" G_GINT64_FORMAT ": its summary is damaged", db_int(row, 0));
        healing_note_body(v->store, db_int(row, 0));
        return TRUE;
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
verify_all(Verify *v, gboolean with_bodies, GError **error)
{
        Entries entries = {.v = v};

        return verify_walk(v, &ENTRY_PAGES, verify_entry, &entries, error) && verify_mailboxes(v, error) &&
               verify_names(v, error) && verify_packs(v, error) && verify_references(v, error) &&
               verify_walk(v, &SUMMARY_PAGES, verify_summary, v, error) && (!with_bodies || verify_bodies(v, error));
}

gboolean
store_verify(Store *store, gboolean with_bodies, StoreReport report, gpointer data, guint64 *ret_entries,
             GError **error)
{
        Verify v = {
                .store = store,
                .report = report,
                .data = data,
                .snapshot = SNAPSHOT,
                .rows = SNAPSHOT_ROWS,
                .packs = COUNTED_PACKS,
                .bodies = COUNTED_BODIES,
        };

        if (!verify_all(&v, with_bodies, error))
                return FALSE;
        *ret_entries = v.ret_entries;
        return TRUE;
}
