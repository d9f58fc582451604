/* verify_names.c -- what stands for a mailbox elsewhere: what other readers have seen of it, mailbox aliases, rights
 * and annotations. Each must go with its mailbox. */
#include "store/verify.h"

DB_SQL(SEEN_PAGES, "SELECT s.mailbox, s.account, m.id, m.uid_next,"
                   " (SELECT max(e.uid) FROM entry e WHERE e.mailbox = s.mailbox), s.data"
                   " FROM reader_seen s LEFT JOIN mailbox m ON m.id = s.mailbox"
                   " WHERE (s.mailbox, s.account) > (?, ?) ORDER BY s.mailbox, s.account LIMIT ?");
/* One row a mailbox. */
DB_SQL(ALIAS_TARGETS, "SELECT a.target, 0, max(m.id) FROM mailbox_alias a LEFT JOIN mailbox m ON m.id = a.target"
                      " WHERE (a.target, 0) > (?, ?) GROUP BY a.target ORDER BY a.target LIMIT ?");
DB_SQL(ACL_MAILBOXES, "SELECT a.mailbox, 0, max(m.id) FROM acl a LEFT JOIN mailbox m ON m.id = a.mailbox"
                      " WHERE (a.mailbox, 0) > (?, ?) GROUP BY a.mailbox ORDER BY a.mailbox LIMIT ?");
DB_SQL(METADATA_MAILBOXES, "SELECT a.mailbox, 0, max(m.id) FROM metadata a LEFT JOIN mailbox m ON m.id = a.mailbox"
                           " WHERE (a.mailbox, 0) > (?, ?) GROUP BY a.mailbox ORDER BY a.mailbox LIMIT ?");

static gboolean
check_seen(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        const Verify *v = data;
        g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));
        gint64 uid_next = MAX(db_int(row, 3), db_int(row, 4) + 1);

        if (db_is_null(row, 2))
                verify_complain(v,
                                "account %" G_GINT64_FORMAT " has seen something of mailbox %" G_GINT64_FORMAT
                                ", which is not there",
                                db_int(row, 1), db_int(row, 0));
        else if (!ranges_get(db_bytes(row, 5), ranges))
                verify_complain(
                        v, "mailbox %" G_GINT64_FORMAT ": what account %" G_GINT64_FORMAT " has seen of it is damaged",
                        db_int(row, 0), db_int(row, 1));
        else if (ranges->len > 0 && g_array_index(ranges, UidRange, ranges->len - 1).last >= uid_next)
                verify_complain(v,
                                "mailbox %" G_GINT64_FORMAT ": account %" G_GINT64_FORMAT
                                " has seen UIDs that were never given",
                                db_int(row, 0), db_int(row, 1));
        return TRUE;
}

/* What names mailboxes, for the complaint. */
typedef struct Names {
        const Verify *v;
        const char *what;
} Names;

static gboolean
check_mailbox(gpointer data, DbTxn *txn, const DbRows *row, GError **error)
{
        const Names *names = data;

        if (db_int(row, 0) != 0 && db_is_null(row, 2))
                verify_complain(names->v, "%s mailbox %" G_GINT64_FORMAT ", which is not there", names->what,
                                db_int(row, 0));
        return TRUE;
}

gboolean
verify_names(const Verify *v, GError **error)
{
        Names aliases = {v, "a mailbox alias stands for"}, rights = {v, "rights are given on"},
              annotations = {v, "there are annotations of"};

        return verify_walk(v, &SEEN_PAGES, check_seen, (gpointer) v, error) &&
               verify_walk(v, &ALIAS_TARGETS, check_mailbox, &aliases, error) &&
               verify_walk(v, &ACL_MAILBOXES, check_mailbox, &rights, error) &&
               verify_walk(v, &METADATA_MAILBOXES, check_mailbox, &annotations, error);
}
