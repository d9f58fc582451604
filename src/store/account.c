/* account.c -- the mailboxes a new account begins with. */
#include "store/internal.h"
#include "store/tree.h"

#define MAKE_ARENA_OCTETS ((gsize) 1024 * 1024)

gboolean
store_name_is_right(Span name)
{
        g_autoptr(Arena) arena = arena_new(16 * 1024);
        TreeName parsed;

        return name_parse(arena, name, NAME_MAKE, &parsed) && *parsed.path != '\0';
}

DB_SQL(MAILBOX_AT, "SELECT id FROM mailbox WHERE account = ? AND name = ?");
DB_SQL(SUBSCRIPTION_ADD, "INSERT INTO subscription (account, name) VALUES (?, ?) ON CONFLICT DO NOTHING");

static guint
uses_of(const Template *template, const char *name)
{
        guint uses = 0;

        for (gsize i = 0; i < template->special_uses.n; i++) {
                const TemplateItem *item = &template->special_uses.at[i];
                g_autofree char *word = g_strconcat("\\", item->value, NULL);
                SpecialUse use;

                if (strcmp(item->name, name) == 0 && special_use_parse(span_of(word), &use))
                        uses |= use;
        }
        return uses;
}

/* With the levels above it. */
static gboolean
make_mailbox(DbTxn *txn, Arena *arena, gint64 account, const char *path, guint special_use, GError **error)
{
        const char *missing[LEVELS_MAX];
        gsize n = 0;
        gint64 id = 0;

        for (const char *at = path; at != NULL; at = name_parent(arena, at)) {
                DbStep step = db_get_int(txn, &MAILBOX_AT, &id, error, "is", account, at);

                if (step == DB_ROW_FAILED)
                        return FALSE;
                if (step == DB_ROW)
                        break;
                missing[n++] = at;
        }
        while (n-- > 0)
                if (!mailbox_insert(txn, account, missing[n], n == 0 ? special_use : 0, &id, error))
                        return FALSE;
        return TRUE;
}

static gboolean
wrong_name(const Template *template, const char *name, GError **error)
{
        return fault(error, FAULT_INPUT, "template %s: no mailbox can be called %s", template->name, name);
}

gboolean
store_make_account(Store *store, DbTxn *txn, const Viewer *who, const Template *template, GError **error)
{
        g_autoptr(Arena) arena = arena_new(MAKE_ARENA_OCTETS);

        for (gsize i = 0; i < template->mailboxes.n; i++) {
                const char *name = template->mailboxes.at[i].name;
                const char *path = name_canonical(arena, who, span_of(name));

                if (path == NULL || *path == '~')
                        return wrong_name(template, name, error);
                if (!make_mailbox(txn, arena, who->account, path, uses_of(template, name), error))
                        return FALSE;
        }
        for (gsize i = 0; i < template->subscribed.n; i++) {
                const char *name = name_canonical(arena, who, span_of(template->subscribed.at[i].name));

                if (name == NULL)
                        return wrong_name(template, template->subscribed.at[i].name, error);
                if (!db_run(txn, &SUBSCRIPTION_ADD, error, "is", who->account, name))
                        return FALSE;
        }
        tree_changed(store, txn, who->account);
        return TRUE;
}
