/* metadata.c -- annotations of mailboxes and of the server (RFC 5464).
 *
 * Who may see a mailbox and has one of r, s, w, i, p on it may read and set annotations (§3.3); shared ones are set
 * only with w, which is stricter. What is private belongs to the viewer. Shared ones of the server are read-only.
 *
 * Two entries are not kept here: /private/specialuse of one's own mailboxes (RFC 6154 §4), and the target of a mailbox
 * alias.
 */
#include "base/text.h"
#include "store/internal.h"
#include "store/tree.h"

#define ENTRY_OCTETS_MAX 255
#define RIGHTS_ANY (RIGHT_READ | RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_POST)
#define CHANGE_ARENA_OCTETS ((gsize) 1024 * 1024)
#define ENTRY_SPECIAL_USE "/private/specialuse"
#define ENTRY_ALIAS "/private/vendor/restante/alias"

/* Names of entries ------------------------------------------------------------------------------------------------- */

static gboolean
is_private(const char *entry)
{
        return g_str_has_prefix(entry, "/private");
}

/* RFC 5464 §3.2.1, in lower case. is_root: "/private" and "/shared" themselves, to ask for all below them. */
static gboolean
read_entry(Arena *arena, Span text, gboolean may_root, const char **ret)
{
        if (text.len == 0 || text.len > ENTRY_OCTETS_MAX || text.data[text.len - 1] == '/')
                return FALSE;
        for (gsize i = 0; i < text.len; i++) {
                guint8 c = text.data[i];

                if (c < ' ' || c > '~' || c == '*' || c == '%' || (c == '/' && i > 0 && text.data[i - 1] == '/'))
                        return FALSE;
        }
        const char *entry = arena_strndup(arena, text_lower(arena, text));
        if (entry == NULL)
                return FALSE;
        *ret = entry;
        return g_str_has_prefix(entry, "/private/") || g_str_has_prefix(entry, "/shared/") ||
               (may_root && (strcmp(entry, "/private") == 0 || strcmp(entry, "/shared") == 0));
}

/* Is it the entry, or one at most `depth` levels below it? */
static gboolean
entry_matches(const char *entry, const char *asked, guint depth)
{
        gsize n = strlen(asked);
        guint levels = 0;

        if (strncmp(entry, asked, n) != 0 || (entry[n] != '\0' && entry[n] != '/'))
                return FALSE;
        for (const char *at = entry + n; *at != '\0'; at++)
                levels += *at == '/';
        return levels <= depth;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

typedef struct Asking {
        Arena *arena;
        const Viewer *who;
        gint64 mailbox; /* 0: the server */
        const char **asked;
        gsize n_asked;
        guint depth;
        MetadataEntry *found;
        gsize n_found;
} Asking;

#define FOUND_MAX (2 * METADATA_ENTRIES_MAX + 2)

static gboolean
is_asked(const Asking *a, const char *entry)
{
        for (gsize i = 0; i < a->n_asked; i++)
                if (entry_matches(entry, a->asked[i], a->depth))
                        return TRUE;
        return FALSE;
}

/* An empty value is one: its data are not NULL. */
static gboolean
add_found(Asking *a, const char *entry, Span value, GError **error)
{
        Span copy = value.len > 0 ? arena_copy(a->arena, value) : span_of("");
        const char *name = arena_strdup(a->arena, entry);

        if (copy.data == NULL || name == NULL || a->n_found == FOUND_MAX)
                return fault(error, FAULT_BUSY, "too much metadata for one answer");
        a->found[a->n_found++] = (MetadataEntry){name, copy};
        return TRUE;
}

DB_SQL(METADATA_LIST,
       "SELECT entry, value FROM metadata WHERE mailbox = ? AND account IN (0, ?) ORDER BY account, entry");

static gboolean
list_metadata(Asking *a, DbTxn *txn, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &METADATA_LIST, error, "ii", a->mailbox, a->who->account);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW)
                if (is_asked(a, db_text(rows, 0)) && !add_found(a, db_text(rows, 0), db_bytes(rows, 1), error))
                        return FALSE;
        return step == DB_ROW_END;
}

/* "\Sent \Archive" */
static gboolean
add_special_use(Asking *a, const Look *look, GError **error)
{
        g_autoptr(GString) uses = g_string_new(NULL);

        if (!look->is_own || look->is_alias || look->special_use == 0 || !is_asked(a, ENTRY_SPECIAL_USE))
                return TRUE;
        for (guint bit = USE_ALL; bit <= USE_IMPORTANT; bit <<= 1)
                if (look->special_use & bit)
                        g_string_append_printf(uses, "%s%s", uses->len > 0 ? " " : "", special_use_name(bit));
        return add_found(a, ENTRY_SPECIAL_USE, span_make(uses->str, uses->len), error);
}

DB_SQL(NAME_OF, "SELECT name FROM mailbox WHERE id = ?");

static gboolean
load_name(DbTxn *txn, Arena *arena, gint64 mailbox, const char **ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &NAME_OF, error, "i", mailbox);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step == DB_ROW)
                *ret = arena_strdup(arena, db_text(rows, 0));
        return step != DB_ROW_FAILED;
}

/* Owner's name before it, as the viewer would type it. */
static gboolean
add_alias(Asking *a, const Look *look, const char *path, GError **error)
{
        const Account *owner = NULL;

        if (path == NULL)
                return TRUE;
        if (look->owner == look->who->account)
                return add_found(a, ENTRY_ALIAS, span_of(path), error);
        if (!look_owner(look, &owner, error))
                return FALSE;
        const char *key = address_key(a->arena, &owner->address);
        const char *tree = key != NULL ? owner_name(a->arena, look->who, key) : NULL;
        const char *name = tree != NULL ? arena_printf(a->arena, "%s/%s", tree, path) : NULL;
        return name != NULL ? add_found(a, ENTRY_ALIAS, span_of(name), error)
                            : fault(error, FAULT_BUSY, "too much metadata for one answer");
}

static gboolean
read_all(Asking *a, const Look *look, GError **error)
{
        const char *target = NULL;

        {
                g_autoptr(DbTxn) txn = db_begin_read(look->store->db, error);
                if (txn == NULL || !list_metadata(a, txn, error))
                        return FALSE;
                if (look->is_alias && is_asked(a, ENTRY_ALIAS) && !load_name(txn, a->arena, look->id, &target, error))
                        return FALSE;
        }
        return add_special_use(a, look, error) && add_alias(a, look, target, error);
}

/* The server's annotations hang on no mailbox. */
static MailboxAnswer
look_annotated(Store *store, Arena *arena, const Viewer *who, Span name, Look *ret, GError **error)
{
        if (name.len == 0) {
                *ret = (Look){.store = store, .arena = arena, .who = who};
                return MAILBOX_DONE;
        }
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, ret, error);
        if (answer == MAILBOX_DONE)
                answer = look_find(ret, 0, NULL, error);
        return answer == MAILBOX_DONE && (ret->rights & RIGHTS_ANY) == 0 ? MAILBOX_NO_RIGHT : answer;
}

MailboxAnswer
store_metadata(Store *store, Arena *arena, const Viewer *who, Span name, const Span *entries, gsize n, guint depth,
               const MetadataEntry **ret, gsize *ret_n, GError **error)
{
        Look look;
        Asking a = {.arena = arena, .who = who, .n_asked = n, .depth = depth};
        MailboxAnswer answer = look_annotated(store, arena, who, name, &look, error);

        if (answer != MAILBOX_DONE)
                return answer;
        a.mailbox = look.id;
        a.asked = arena_new_array(arena, const char *, n);
        a.found = arena_new_array(arena, MetadataEntry, FOUND_MAX);
        if (arena_is_over(arena))
                return fault(error, FAULT_BUSY, "too much metadata for one answer"), MAILBOX_FAILED;
        for (gsize i = 0; i < n; i++)
                if (!read_entry(arena, entries[i], TRUE, &a.asked[i]))
                        return MAILBOX_BAD_NAME;
        if (!read_all(&a, &look, error))
                return MAILBOX_FAILED;
        look_log(&look, RIGHT_LOOKUP);
        *ret = a.found;
        *ret_n = a.n_found;
        return MAILBOX_DONE;
}

/* Setting ---------------------------------------------------------------------------------------------------------- */

typedef struct Setting {
        Look look;
        const MetadataEntry *entries; /* names as read_entry() wrote them */
        gsize n;
} Setting;

DB_SQL(METADATA_PUT, "INSERT INTO metadata (mailbox, account, entry, value) VALUES (?, ?, ?, ?)"
                     " ON CONFLICT (mailbox, account, entry) DO UPDATE SET value = excluded.value");
DB_SQL(METADATA_DROP, "DELETE FROM metadata WHERE mailbox = ? AND account = ? AND entry = ?");
DB_SQL(METADATA_COUNT, "SELECT count(*) FROM metadata WHERE mailbox = ? AND account = ?");
DB_SQL(SPECIAL_USE_SET, "UPDATE mailbox SET special_use = ? WHERE id = ?");

static MailboxAnswer
set_special_use(const Look *look, DbTxn *txn, Span value, GError **error)
{
        Scan s = scan_from(span_trim(value));
        guint uses = 0;

        while (!scan_at_end(&s)) {
                SpecialUse use;
                Span word;

                if (!scan_until(&s, ' ', &word) && !scan_take(&s, scan_left(&s), &word))
                        return MAILBOX_BAD_USE;
                if (word.len > 0 && !special_use_parse(word, &use))
                        return MAILBOX_BAD_USE;
                uses |= word.len > 0 ? use : 0;
                (void) scan_octet(&s, ' ');
        }
        if (!look->is_own || look->is_alias || look->id == 0 || (uses & ~SPECIAL_USES_MADE) != 0)
                return MAILBOX_BAD_USE;
        return db_run(txn, &SPECIAL_USE_SET, error, "ii", (gint64) uses, look->id) ? MAILBOX_DONE : MAILBOX_FAILED;
}

static MailboxAnswer
set_entry(const Look *look, DbTxn *txn, const MetadataEntry *e, GError **error)
{
        gint64 account = is_private(e->entry) ? look->who->account : 0;

        if (strcmp(e->entry, ENTRY_SPECIAL_USE) == 0)
                return set_special_use(look, txn, e->value, error);
        /* RFC 5464 §3.3 says what is needed at least; whoever only reads shall not write what everybody sees. */
        if (account == 0 && (look->id == 0 || !(look->rights & RIGHT_WRITE)))
                return MAILBOX_NO_RIGHT;
        gboolean is_done = e->value.data == NULL
                                   ? db_run(txn, &METADATA_DROP, error, "iis", look->id, account, e->entry)
                                   : db_run(txn, &METADATA_PUT, error, "iisb", look->id, account, e->entry, e->value);
        return is_done ? MAILBOX_DONE : MAILBOX_FAILED;
}

static MailboxAnswer
check_counts(const Look *look, DbTxn *txn, GError **error)
{
        const gint64 accounts[] = {0, look->who->account};

        for (gsize i = 0; i < G_N_ELEMENTS(accounts); i++) {
                gint64 n = 0;

                if (db_get_int(txn, &METADATA_COUNT, &n, error, "ii", look->id, accounts[i]) != DB_ROW)
                        return MAILBOX_FAILED;
                if (n > METADATA_ENTRIES_MAX)
                        return MAILBOX_LIMIT;
        }
        return MAILBOX_DONE;
}

static MailboxAnswer
set_all(Store *store, DbTxn *txn, gpointer data, GError **error)
{
        Setting *s = data;
        Look *look = &s->look;
        MailboxAnswer answer = MAILBOX_DONE;

        if (look->tree != 0 && !look_row(look, txn, error)) /* with a name: its rights may have changed */
                return MAILBOX_FAILED;
        if (look->tree != 0)
                answer = look_answer(look, RIGHT_LOOKUP);
        if (answer == MAILBOX_DONE && look->tree != 0 && (look->rights & RIGHTS_ANY) == 0)
                answer = MAILBOX_NO_RIGHT;
        for (gsize i = 0; i < s->n && answer == MAILBOX_DONE; i++)
                answer = set_entry(look, txn, &s->entries[i], error);
        if (answer == MAILBOX_DONE)
                answer = check_counts(look, txn, error);
        if (answer == MAILBOX_DONE)
                tree_changed(store, txn, look->id != 0 ? look->owner : look->who->account);
        return answer;
}

static MailboxAnswer
read_settings(Arena *arena, const MetadataEntry *entries, gsize n, const MetadataEntry **ret, GError **error)
{
        MetadataEntry *at = arena_new_array(arena, MetadataEntry, n);

        if (at == NULL && n > 0)
                return fault(error, FAULT_BUSY, "too much metadata at once"), MAILBOX_FAILED;
        for (gsize i = 0; i < n; i++) {
                if (!read_entry(arena, span_of(entries[i].entry), FALSE, &at[i].entry))
                        return MAILBOX_BAD_NAME;
                if (entries[i].value.len > METADATA_OCTETS_MAX)
                        return MAILBOX_TOO_LONG;
                at[i].value = entries[i].value;
        }
        *ret = at;
        return MAILBOX_DONE;
}

MailboxAnswer
store_metadata_set(Store *store, const Viewer *who, Span name, const MetadataEntry *entries, gsize n, GError **error)
{
        g_autoptr(Arena) arena = arena_new(CHANGE_ARENA_OCTETS);
        Setting s = {.n = n};
        MailboxAnswer answer = read_settings(arena, entries, n, &s.entries, error);

        if (answer != MAILBOX_DONE)
                return answer;
        for (gsize i = 0; i < n; i++)
                if (strcmp(s.entries[i].entry, ENTRY_ALIAS) == 0) /* the name is made by it, so it comes alone */
                        return n == 1 && name.len > 0 ? store_mailbox_alias(store, who, name, s.entries[0].value, error)
                                                      : MAILBOX_BAD_NAME;
        answer = look_annotated(store, arena, who, name, &s.look, error);
        if (answer == MAILBOX_DONE)
                answer = tree_run(store, FALSE, set_all, &s, error);
        if (answer == MAILBOX_DONE)
                look_log(&s.look, RIGHT_LOOKUP);
        return answer;
}
