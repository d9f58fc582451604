/* mailbox_aliases.c -- what an account says about names of its own: subscriptions, and names that stand for mailboxes
 * elsewhere.
 *
 * An alias points to a mailbox, not to a name: it follows a renamed one, and is there again when a deleted one is
 * restored. It gives no right on it.
 */
#include "store/internal.h"
#include "store/tree.h"

#define CHANGE_ARENA_OCTETS ((gsize) 1024 * 1024)

/* SUBSCRIBE -------------------------------------------------------------------------------------------------------- */

typedef struct Subscribing {
        Look look;
        gboolean is_subscribed;
} Subscribing;

DB_SQL(SUBSCRIPTION_ADD, "INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING");
DB_SQL(SUBSCRIPTION_DROP, "DELETE FROM subscription WHERE account = ? AND name = ?");
DB_SQL(SUBSCRIPTION_COUNT, "SELECT count(*) FROM subscription WHERE account = ?");

/* Only what is there can be subscribed to (RFC 9051 §6.3.7 allows it): a mailbox, or a level above others of one's own.
 */
static MailboxAnswer
check_subscribable(Look *look, DbTxn *txn, GError **error)
{
        gint64 n = 0;

        if (!look_row(look, txn, error))
                return MAILBOX_FAILED;
        MailboxAnswer answer = look_answer(look, RIGHT_LOOKUP);
        if (answer == MAILBOX_MISSING && look->is_own && *look->name.path != '\0') {
                int below = tree_has_children(txn, look->arena, look->tree, look->name.path, error);

                if (below < 0)
                        return MAILBOX_FAILED;
                if (below > 0 || strcmp(look->name.path, "INBOX") == 0)
                        answer = MAILBOX_DONE;
        }
        if (answer != MAILBOX_DONE)
                return answer;
        if (db_get_int(txn, &SUBSCRIPTION_COUNT, &n, error, "i", look->who->account) != DB_ROW)
                return MAILBOX_FAILED;
        return n < SUBSCRIPTIONS_MAX ? MAILBOX_DONE : MAILBOX_LIMIT;
}

static MailboxAnswer
subscribe(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Subscribing *s = data;
        const char *name = look_name(&s->look);
        MailboxAnswer answer = s->is_subscribed ? check_subscribable(&s->look, txn, error) : MAILBOX_DONE;

        if (answer != MAILBOX_DONE)
                return answer;
        if (name == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), MAILBOX_FAILED;
        if (!db_run(txn, s->is_subscribed ? &SUBSCRIPTION_ADD : &SUBSCRIPTION_DROP, error, "is", s->look.who->account,
                    name))
                return MAILBOX_FAILED;
        if (db_changes(txn) > 0)
                tree_changed(store, txn, s->look.who->account);
        return MAILBOX_DONE;
}

MailboxAnswer
store_mailbox_subscribe(Store *store, const Viewer *who, Span name, gboolean is_subscribed, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Subscribing subscribing = {.is_subscribed = is_subscribed};
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &subscribing.look, error);

        return answer == MAILBOX_DONE ? tree_run(store, !is_subscribed, subscribe, &subscribing, error) : answer;
}

/* Aliases ---------------------------------------------------------------------------------------------------------- */

typedef struct Aliasing {
        Look name, target;
        gboolean is_removal;
} Aliasing;

DB_SQL(ALIAS_PUT, "INSERT INTO mailbox_alias (account, name, target) VALUES (?, ?, ?)"
                  " ON CONFLICT (account, name) DO UPDATE SET target = excluded.target");
DB_SQL(ALIAS_DROP, "DELETE FROM mailbox_alias WHERE account = ? AND name = ?");
DB_SQL(ALIAS_COUNT, "SELECT count(*) FROM mailbox_alias WHERE account = ?");

static MailboxAnswer
remove_alias(const Aliasing *a, DbTxn *txn, GError **error)
{
        if (!db_run(txn, &ALIAS_DROP, error, "is", a->name.tree, a->name.name.path))
                return MAILBOX_FAILED;
        return db_changes(txn) > 0 ? MAILBOX_DONE : MAILBOX_MISSING;
}

static MailboxAnswer
put_alias(Aliasing *a, DbTxn *txn, GError **error)
{
        gint64 n = 0;

        if (!look_row(&a->target, txn, error) || !look_row(&a->name, txn, error))
                return MAILBOX_FAILED;
        MailboxAnswer answer = look_answer(&a->target, RIGHT_LOOKUP);
        if (answer != MAILBOX_DONE)
                return answer;
        if (a->name.id != 0 && !a->name.is_alias)
                return MAILBOX_EXISTS;
        if (db_get_int(txn, &ALIAS_COUNT, &n, error, "i", a->name.tree) != DB_ROW)
                return MAILBOX_FAILED;
        if (n >= MAILBOX_ALIASES_MAX && !a->name.is_alias)
                return MAILBOX_LIMIT;
        return db_run(txn, &ALIAS_PUT, error, "isi", a->name.tree, a->name.name.path, a->target.id) ? MAILBOX_DONE
                                                                                                    : MAILBOX_FAILED;
}

static MailboxAnswer
change_alias(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Aliasing *a = data;
        MailboxAnswer answer = a->is_removal ? remove_alias(a, txn, error) : put_alias(a, txn, error);

        if (answer == MAILBOX_DONE)
                tree_changed(store, txn, a->name.tree);
        return answer;
}

MailboxAnswer
store_mailbox_alias(Store *store, const Viewer *who, Span name, Span target, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Aliasing a = {.is_removal = target.len == 0};
        MailboxAnswer answer =
                look_begin(store, arena, who, name, a.is_removal ? NAME_LOOK : NAME_MAKE, &a.name, error);

        if (answer == MAILBOX_DONE && (!a.name.is_own || *a.name.name.path == '\0'))
                return MAILBOX_BAD_NAME;
        if (answer == MAILBOX_DONE && strcmp(a.name.name.path, "INBOX") == 0)
                return MAILBOX_IN_USE;
        if (answer == MAILBOX_DONE && !a.is_removal)
                answer = look_begin(store, arena, who, target, NAME_LOOK, &a.target, error);
        return answer == MAILBOX_DONE ? tree_run(store, a.is_removal, change_alias, &a, error) : answer;
}
