/* May a message from this sender be answered with a DSN? Its sender is an unproved claim unless the client logged in,
 * so a DSN can hit somebody who has nothing to do with it (ROUTING.md §6). */
#include "intake/internal.h"

#define PER_SENDER_SPAN USEC_PER_DAY
#define PER_DOMAIN_SPAN USEC_PER_HOUR
#define PER_DOMAIN 20

DB_SQL(LIMITS_PASSED,
       "SELECT count(*) FROM bounce_sent WHERE (sender = ? AND at > ?)"
       " OR (domain = ? AND at > ? AND (SELECT count(*) FROM bounce_sent WHERE domain = ? AND at > ?) >= ?)");
DB_SQL(CLAIM, "INSERT INTO bounce_sent (sender, domain, at) SELECT ?, ?, ?"
              " WHERE NOT EXISTS (SELECT 1 FROM bounce_sent WHERE sender = ? AND at > ?)"
              " AND (SELECT count(*) FROM bounce_sent WHERE domain = ? AND at > ?) < ?");
DB_SQL(FORGET, "DELETE FROM bounce_sent WHERE at < ?");

static Span
sender_key(Arena *arena, const Address *sender)
{
        return text_lower(arena, address_text(arena, sender));
}

GuardAnswer
bounce_guard_check(Intake *intake, Arena *arena, const GuardCase *guarded, const char **ret_why, GError **error)
{
        gint64 passed = 0;

        if (address_is_null(guarded->sender)) {
                *ret_why = "not bounced: the sender is null";
                return GUARD_DENIED;
        }
        if (guarded->origin == ORIGIN_CLIENT)
                return GUARD_TRUSTED;
        if (guarded->is_automatic) {
                *ret_why = "not bounced: list, bulk or automatic mail";
                return GUARD_DENIED;
        }

        Span sender = sender_key(arena, guarded->sender);
        gint64 day = guarded->now - PER_SENDER_SPAN, hour = guarded->now - PER_DOMAIN_SPAN;
        g_autoptr(DbTxn) txn = db_begin_read(intake->db, error);
        if (txn == NULL || db_get_int(txn, &LIMITS_PASSED, &passed, error, "tititii", sender, day, guarded->domain,
                                      hour, guarded->domain, hour, (gint64) PER_DOMAIN) == DB_ROW_FAILED)
                return GUARD_FAILED;
        if (passed > 0) {
                *ret_why = GUARD_OVER_LIMIT;
                return GUARD_DENIED;
        }
        return GUARD_ALLOWED;
}

GuardAnswer
bounce_guard_claim(DbTxn *txn, Arena *arena, const GuardCase *guarded, GError **error)
{
        Span sender = sender_key(arena, guarded->sender);
        gint64 day = guarded->now - PER_SENDER_SPAN, hour = guarded->now - PER_DOMAIN_SPAN;

        if (!db_run(txn, &FORGET, error, "i", day) ||
            !db_run(txn, &CLAIM, error, "ttititii", sender, guarded->domain, (gint64) guarded->now, sender, day,
                    guarded->domain, hour, (gint64) PER_DOMAIN))
                return GUARD_FAILED;
        return db_changes(txn) == 1 ? GUARD_ALLOWED : GUARD_DENIED;
}
