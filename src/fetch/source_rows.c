/* source_rows.c -- sources in the database: reading, changing, listing. */
#include "fetch/internal.h"

#include "base/scan.h"
#include "base/text.h"

#define NAME_MAX_OCTETS 64
#define PASSWORD_MAX_OCTETS 512
#define VALUE_MAX_OCTETS 16384
#define SOURCE_ARENA_OCTETS ((gsize) 512 * 1024)

#define COLUMNS                                                                                                        \
        "type, host, port, tls, user, folders, poll, owner, domains, hops, max_recipients, unknown, fallback, "        \
        "foreign_policy, keep, "                                                                                       \
        "max_size, allow_plaintext"

/* Keys in the order of COLUMNS. */
static const SourceKey COLUMN_KEYS[] = {KEY_TYPE,           KEY_HOST,           KEY_PORT,     KEY_TLS,     KEY_USER,
                                        KEY_FOLDERS,        KEY_POLL,           KEY_OWNER,    KEY_DOMAINS, KEY_HOPS,
                                        KEY_MAX_RECIPIENTS, KEY_UNKNOWN,        KEY_FALLBACK, KEY_FOREIGN, KEY_KEEP,
                                        KEY_MAX_SIZE,       KEY_ALLOW_PLAINTEXT};
#define N_COLUMNS G_N_ELEMENTS(COLUMN_KEYS)

DB_SQL(SOURCE_GET, "SELECT " COLUMNS ", id, name, secret, stopped, last_result, last_run FROM source WHERE name = ?");
DB_SQL(SOURCE_NAMES, "SELECT name, host, port, user, poll, stopped FROM source WHERE name > ? ORDER BY name LIMIT 500");
DB_SQL(RECIPES_GET, "SELECT recipe FROM source_recipe WHERE source = ? ORDER BY position LIMIT 16");
DB_SQL(SOURCE_ADD, "INSERT INTO source (name, created, " COLUMNS
                   ", secret) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_SQL(SOURCE_SET,
       "UPDATE source SET type = ?, host = ?, port = ?, tls = ?, user = ?, folders = ?, poll = ?, owner = ?, domains = "
       "?,"
       " hops = ?, max_recipients = ?, unknown = ?, fallback = ?, foreign_policy = ?, keep = ?, max_size = ?,"
       " allow_plaintext = ?, secret = ?, stopped = NULL WHERE id = ?");
DB_SQL(SOURCE_RESULT, "UPDATE source SET last_run = ?, last_result = ?,"
                      " stopped = CASE WHEN ? = 1 THEN ? ELSE stopped END WHERE id = ?");
DB_SQL(SOURCE_REMOVE, "DELETE FROM source WHERE id = ?");
DB_SQL(RECIPE_ADD, "INSERT INTO source_recipe (source, position, recipe) VALUES (?, ?, ?)");
DB_SQL(RECIPES_REMOVE, "DELETE FROM source_recipe WHERE source = ?");
DB_SQL(SEEN_REMOVE, "DELETE FROM source_seen WHERE source = ?");

/* Reading ---------------------------------------------------------------------------------------------------------- */

/* What a row holds when the key was never set is "not set" again, so that a default that depends on another key follows
 * it. */
static gboolean
is_default(SourceKey key, const char *value, const char *tls)
{
        if (key == KEY_PORT)
                return g_ascii_strtoull(value, NULL, 10) == source_default_port(tls);
        return key == KEY_ALLOW_PLAINTEXT && strcmp(value, "no") == 0;
}

static void
read_columns(Arena *arena, const DbRows *rows, SourceText *ret)
{
        for (guint i = 0; i < N_COLUMNS; i++) {
                SourceKey key = COLUMN_KEYS[i];
                const char *value = db_text(rows, (int) i);

                if (key == KEY_ALLOW_PLAINTEXT)
                        value = db_int(rows, (int) i) ? "yes" : "no";
                if (value != NULL && value[0] != '\0')
                        ret->values[key] = arena_strdup(arena, value);
        }
        for (guint key = 0; key < SOURCE_KEYS; key++)
                if (ret->values[key] != NULL && is_default(key, ret->values[key], ret->values[KEY_TLS]))
                        ret->values[key] = NULL;
}

static gboolean
read_recipes(Arena *arena, DbTxn *txn, SourceText *ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &RECIPES_GET, error, "i", ret->id);
        DbStep step = DB_ROW_FAILED;

        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW && ret->n_recipes < SOURCE_RECIPES_MAX)
                ret->recipes[ret->n_recipes++] = arena_strdup(arena, db_text(rows, 0));
        return step != DB_ROW_FAILED;
}

static DbStep
read_source(Arena *arena, DbTxn *txn, const char *name, SourceText *ret, GError **error)
{
        g_autoptr(DbRows) rows = db_query(txn, &SOURCE_GET, error, "s", name);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;
        int at = (int) N_COLUMNS;

        if (step != DB_ROW)
                return step;
        *ret = (SourceText){.id = db_int(rows, at), .name = arena_strdup(arena, db_text(rows, at + 1))};
        read_columns(arena, rows, ret);
        ret->secret = arena_copy(arena, db_bytes(rows, at + 2));
        ret->stopped = db_is_null(rows, at + 3) ? NULL : arena_strdup(arena, db_text(rows, at + 3));
        ret->last_result = db_is_null(rows, at + 4) ? NULL : arena_strdup(arena, db_text(rows, at + 4));
        ret->last_run = db_int(rows, at + 5);
        return DB_ROW;
}

DbStep
source_load(Arena *arena, DbTxn *txn, const char *name, SourceText *ret, GError **error)
{
        DbStep step = read_source(arena, txn, name, ret, error);

        if (step == DB_ROW && !read_recipes(arena, txn, ret, error))
                return DB_ROW_FAILED;
        if (step == DB_ROW && arena_is_over(arena)) {
                (void) fault(error, FAULT_BUSY, "the settings of source %s are too long", name);
                return DB_ROW_FAILED;
        }
        return step;
}

/* One page of sources after `after`. */
static gboolean
briefs_page(Db *db, Arena *arena, const char *after, GArray *briefs, gsize *ret_n, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, error);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &SOURCE_NAMES, error, "s", after) : NULL;
        DbStep step = DB_ROW_FAILED;

        *ret_n = 0;
        while (rows != NULL && (step = db_rows_next(rows, error)) == DB_ROW) {
                SourceBrief brief = {
                        .name = arena_strdup(arena, db_text(rows, 0)),
                        .host = arena_strdup(arena, db_text(rows, 1)),
                        .port = (guint16) db_int(rows, 2),
                        .user = arena_strdup(arena, db_text(rows, 3)),
                        .poll_seconds = (guint) db_int(rows, 4),
                        .is_stopped = !db_is_null(rows, 5),
                };
                g_array_append_val(briefs, brief);
                ++*ret_n;
        }
        if (arena_is_over(arena))
                return fault(error, FAULT_BUSY, "too many sources");
        return step != DB_ROW_FAILED;
}

gboolean
source_briefs(Db *db, Arena *arena, SourceBrief **ret, gsize *ret_n, GError **error)
{
        g_autoptr(GArray) briefs = g_array_new(FALSE, FALSE, sizeof(SourceBrief));
        const char *after = "";
        gsize n;

        do {
                if (!briefs_page(db, arena, after, briefs, &n, error))
                        return FALSE;
                if (n > 0)
                        after = g_array_index(briefs, SourceBrief, briefs->len - 1).name;
        } while (n > 0);
        *ret = arena_new_array(arena, SourceBrief, MAX(briefs->len, 1));
        if (*ret == NULL)
                return fault(error, FAULT_BUSY, "too many sources");
        if (briefs->len > 0)
                memcpy(*ret, briefs->data, briefs->len * sizeof(SourceBrief));
        *ret_n = briefs->len;
        return TRUE;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/* Values as the columns want them. */
static gboolean
write_source(DbTxn *txn, const SourceText *t, const Source *source, gboolean is_new, GError **error)
{
        const char *const *v = t->values;
        const char *type = v[KEY_TYPE] != NULL ? v[KEY_TYPE] : "pop3",
                   *tls = v[KEY_TLS] != NULL ? v[KEY_TLS] : "strict";
        const char *unknown = v[KEY_UNKNOWN] != NULL ? v[KEY_UNKNOWN] : "postmaster",
                   *keep = v[KEY_KEEP] != NULL ? v[KEY_KEEP] : "off";
        const char *fallback = v[KEY_FALLBACK] != NULL ? v[KEY_FALLBACK] : "postmaster";
        const char *foreign = v[KEY_FOREIGN] != NULL ? v[KEY_FOREIGN] : "ignore";
        gint64 port = source->port, poll = source->poll_seconds, hops = source->multidrop.hops,
               plain = source->allow_plaintext;
        gint64 max_recipients = source->multidrop.max_recipients;

        if (is_new)
                return db_run(txn, &SOURCE_ADD, error, "sississsissiisssssib", t->name, (gint64) clock_real(), type,
                              source->host, port, tls, source->user, v[KEY_FOLDERS], poll, v[KEY_OWNER], v[KEY_DOMAINS],
                              hops, max_recipients, unknown, fallback, foreign, keep, v[KEY_MAX_SIZE], plain,
                              t->secret);
        return db_run(txn, &SOURCE_SET, error, "ssisssissiisssssibi", type, source->host, port, tls, source->user,
                      v[KEY_FOLDERS], poll, v[KEY_OWNER], v[KEY_DOMAINS], hops, max_recipients, unknown, fallback,
                      foreign, keep, v[KEY_MAX_SIZE], plain, t->secret, t->id);
}

static gboolean
write_recipes(DbTxn *txn, const SourceText *text, GError **error)
{
        if (!db_run(txn, &RECIPES_REMOVE, error, "i", text->id))
                return FALSE;
        for (gsize i = 0; i < text->n_recipes; i++)
                if (!db_run(txn, &RECIPE_ADD, error, "iis", text->id, (gint64) i, text->recipes[i]))
                        return FALSE;
        return TRUE;
}

static gboolean
find_key(const char *name, SourceKey *ret)
{
        for (guint key = 0; key < SOURCE_KEYS; key++)
                if (g_ascii_strcasecmp(FETCH_KEYS[key].key, name) == 0) {
                        *ret = key;
                        return TRUE;
                }
        return FALSE;
}

static gboolean
unknown_key(const char *name, GError **error)
{
        g_autoptr(GString) list = g_string_new(NULL);
        g_autofree char *shown = text_escape(span_of(name), 40);

        for (guint key = 0; key < SOURCE_KEYS; key++)
                g_string_append_printf(list, "%s%s", key > 0 ? ", " : "", FETCH_KEYS[key].key);
        return fault(error, FAULT_INPUT, "a source has no %s; it has %s", shown, list->str);
}

/* One pair over what was there. An empty value takes a setting back; recipes replace those of before, all together. */
static gboolean
apply_pair(SourceText *text, const KeyValue *pair, gboolean *has_recipes, GError **error)
{
        SourceKey key;

        if (!find_key(pair->key, &key))
                return unknown_key(pair->key, error);
        if (strlen(pair->value) > VALUE_MAX_OCTETS || !text_is_utf8(span_of(pair->value)) ||
            text_has_control(span_of(pair->value)))
                return fault(error, FAULT_INPUT, "%s=: one line of text, at most 16 KiB", pair->key);
        if (key != KEY_RECIPE) {
                text->values[key] = pair->value[0] != '\0' ? pair->value : NULL;
                return TRUE;
        }
        if (!*has_recipes)
                text->n_recipes = 0;
        *has_recipes = TRUE;
        if (pair->value[0] == '\0')
                return TRUE;
        if (text->n_recipes == SOURCE_RECIPES_MAX)
                return fault(error, FAULT_INPUT, "at most %d recipes", SOURCE_RECIPES_MAX);
        text->recipes[text->n_recipes++] = pair->value;
        return TRUE;
}

/* From one way of saying whom it is for to the other: what belonged to the first goes. */
static void
settle_addressees(SourceText *text, const SourceText *before)
{
        gboolean had_owner = before->values[KEY_OWNER] != NULL, had_domains = before->values[KEY_DOMAINS] != NULL;

        if (had_owner && text->values[KEY_DOMAINS] != NULL && text->values[KEY_OWNER] == before->values[KEY_OWNER])
                text->values[KEY_OWNER] = NULL;
        if (!had_domains || text->values[KEY_OWNER] == NULL || text->values[KEY_DOMAINS] != before->values[KEY_DOMAINS])
                return;
        text->values[KEY_DOMAINS] = NULL;
        if (text->n_recipes == before->n_recipes)
                text->n_recipes = 0;
}

static Change
check_owner(Fetch *fetch, Arena *arena, const Source *source, GError **error)
{
        const Account *account;
        const LoginSecrets *secrets;

        if (source->owner == NULL)
                return CHANGE_DONE;
        Span name = address_text(arena, source->owner);
        Found found = directory_login(fetch->directory, arena, name, &account, &secrets, error);
        if (found == FOUND_NOT)
                (void) fault(error, FAULT_INPUT, "owner=%.*s: there is no such account; add it first", (int) name.len,
                             (const char *) name.data);
        return found == FOUND ? CHANGE_DONE : found == FOUND_NOT ? CHANGE_INVALID : CHANGE_FAILED;
}

static Change
apply(Fetch *fetch, Arena *arena, SourceText *text, const KeyValue *pairs, gsize n, const char *password, Source *ret,
      GError **error)
{
        const SourceHouse house = {fetch->hostname, fetch->own_ports};
        const SourceText before = *text;
        gboolean has_recipes = FALSE;

        for (gsize i = 0; i < n; i++)
                if (!apply_pair(text, &pairs[i], &has_recipes, error))
                        return CHANGE_INVALID;
        if (password != NULL) {
                if (password[0] == '\0' || strlen(password) > PASSWORD_MAX_OCTETS ||
                    text_has_control(span_of(password))) {
                        (void) fault(error, FAULT_INPUT, "a password is 1 to 512 octets without control characters");
                        return CHANGE_INVALID;
                }
                text->secret = secret_seal(arena, fetch->key, text->name, password);
        }
        settle_addressees(text, &before);
        if (!source_parse(arena, &house, text, ret, error))
                return CHANGE_INVALID;
        return check_owner(fetch, arena, ret, error);
}

static gboolean
is_name(const char *name)
{
        gsize len = strlen(name);

        for (const char *c = name; *c != '\0'; c++)
                if (!octet_in(&CLASS_ALNUM, (guint8) *c) && (strchr("._-", *c) == NULL || c == name))
                        return FALSE;
        return len > 0 && len <= NAME_MAX_OCTETS;
}

Change
fetch_source_add(Fetch *fetch, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, const char *password,
                 GError **error)
{
        g_autoptr(Arena) arena = arena_new(SOURCE_ARENA_OCTETS);
        SourceText text = {.name = name}, there;
        Source source;

        if (!is_name(name)) {
                (void) fault(error, FAULT_INPUT, "a source's name is letters, digits, '.', '_' and '-', at most 64");
                return CHANGE_INVALID;
        }
        DbStep step = source_load(arena, txn, name, &there, error);
        if (step != DB_ROW_END)
                return step == DB_ROW ? CHANGE_EXISTS : CHANGE_FAILED;
        Change answer = apply(fetch, arena, &text, pairs, n, password, &source, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (password == NULL) { /* asked for when all else is right */
                (void) fault(error, FAULT_INPUT, "the account's password is wanted on standard input");
                return CHANGE_INVALID;
        }
        if (!write_source(txn, &text, &source, TRUE, error))
                return CHANGE_FAILED;
        text.id = db_last_id(txn);
        if (!write_recipes(txn, &text, error))
                return CHANGE_FAILED;
        fetch_note_change(fetch, txn, name);
        return CHANGE_DONE;
}

Change
fetch_source_set(Fetch *fetch, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, const char *password,
                 GError **error)
{
        g_autoptr(Arena) arena = arena_new(SOURCE_ARENA_OCTETS);
        SourceText text;
        Source source;

        DbStep step = source_load(arena, txn, name, &text, error);
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGE_MISSING : CHANGE_FAILED;
        Change answer = apply(fetch, arena, &text, pairs, n, password, &source, error);
        if (answer != CHANGE_DONE)
                return answer;
        if (!write_source(txn, &text, &source, FALSE, error) || !write_recipes(txn, &text, error))
                return CHANGE_FAILED;
        fetch_note_change(fetch, txn, name);
        return CHANGE_DONE;
}

Change
fetch_source_remove(Fetch *fetch, DbTxn *txn, const char *name, GError **error)
{
        g_autoptr(Arena) arena = arena_new(SOURCE_ARENA_OCTETS);
        SourceText text;

        DbStep step = source_load(arena, txn, name, &text, error);
        if (step != DB_ROW)
                return step == DB_ROW_END ? CHANGE_MISSING : CHANGE_FAILED;
        if (!db_run(txn, &RECIPES_REMOVE, error, "i", text.id) || !db_run(txn, &SEEN_REMOVE, error, "i", text.id) ||
            !db_run(txn, &SOURCE_REMOVE, error, "i", text.id))
                return CHANGE_FAILED;
        fetch_note_change(fetch, txn, name);
        return CHANGE_DONE;
}

static DbCommit
write_result(Db *db, gint64 id, const char *result, gboolean is_told, const char *stopped, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin(db, error);

        if (txn == NULL ||
            !db_run(txn, &SOURCE_RESULT, error, "isisi", (gint64) clock_real(), result, (gint64) is_told, stopped, id))
                return DB_FAILED;
        return db_take_commit(g_steal_pointer(&txn), error);
}

gboolean
source_set_result(Db *db, gint64 id, const char *result, gboolean is_told, const char *stopped, GError **error)
{
        DbCommit answer;

        do
                answer = write_result(db, id, result, is_told, stopped, error);
        while (answer == DB_AGAIN);
        return answer == DB_COMMITTED;
}

/* Showing ---------------------------------------------------------------------------------------------------------- */

static void
add_pair(KeyValue *pairs, gsize *n, const char *key, const char *value)
{
        if (value != NULL)
                pairs[(*n)++] = (KeyValue){key, value};
}

static gboolean
show_source(Fetch *fetch, Arena *arena, const SourceText *text, SourceRow *ret, GError **error)
{
        KeyValue *pairs = arena_new_array(arena, KeyValue, SOURCE_KEYS + SOURCE_RECIPES_MAX);
        gsize n = 0;

        if (pairs == NULL)
                return fault(error, FAULT_BUSY, "too many sources");
        for (guint key = 0; key < SOURCE_KEYS; key++) {
                const char *value = text->values[key];

                if (key == KEY_PORT && value == NULL)
                        value = arena_printf(arena, "%u", source_default_port(text->values[KEY_TLS]));
                if (key != KEY_RECIPE)
                        add_pair(pairs, &n, FETCH_KEYS[key].key, value);
                for (gsize i = 0; key == KEY_RECIPE && i < text->n_recipes; i++)
                        add_pair(pairs, &n, "recipe", text->recipes[i]);
        }
        *ret = (SourceRow){text->name,
                           pairs,
                           n,
                           text->stopped,
                           text->last_result,
                           text->last_run,
                           fetch_next_run(fetch, text->name)};
        return TRUE;
}

static DbStep
load_alone(Db *db, Arena *arena, const char *name, SourceText *ret, GError **error)
{
        g_autoptr(DbTxn) txn = db_begin_read(db, error);

        return txn != NULL ? source_load(arena, txn, name, ret, error) : DB_ROW_FAILED;
}

gboolean
fetch_sources(Fetch *fetch, Arena *arena, const char *name, const SourceRow **ret, gsize *ret_n, GError **error)
{
        SourceBrief *briefs = NULL;
        gsize n = 1, shown = 0;

        if (name == NULL && !source_briefs(fetch->db, arena, &briefs, &n, error))
                return FALSE;
        SourceRow *rows = arena_new_array(arena, SourceRow, MAX(n, 1));
        if (rows == NULL)
                return fault(error, FAULT_BUSY, "too many sources");
        for (gsize i = 0; i < n; i++) {
                SourceText text;
                DbStep step = load_alone(fetch->db, arena, name != NULL ? name : briefs[i].name, &text, error);

                if (step == DB_ROW_FAILED ||
                    (step == DB_ROW && !show_source(fetch, arena, &text, &rows[shown++], error)))
                        return FALSE;
        }
        *ret = rows;
        *ret_n = shown;
        return TRUE;
}
