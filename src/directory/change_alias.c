/* change_alias.c -- aliases in all their forms, groups and bouncers. */
#include "base/text.h"
#include "directory/internal.h"

#define BOUNCER_TEXT_MAX 200

const KeyManual DIRECTORY_GROUP_KEYS[] = {
        {"post", "anyone|members|authenticated", "who may write to it; anyone by default"},
        {NULL, NULL, NULL},
};
const KeyManual DIRECTORY_BOUNCER_KEYS[] = {
        {"code", "550", "reply code, 500 to 599; 550 by default"},
        {"text", "TEXT", "what the sender reads: one line of printable ASCII, at most 200 octets"},
        {"until", "DATE", "rejects from this date on, YYYY-MM-DD[THH:MM[:SS]][Z]; until then it does nothing"},
        {"after", "N", "rejects after so many messages; until then it only counts them"},
        {NULL, NULL, NULL},
};

/* Addresses ------------------------------------------------------------------------------------------------------- */

static Span
span_without_star(Span local, gboolean *ret_had_star)
{
        *ret_had_star = local.len > 0 && local.data[local.len - 1] == '*';
        return *ret_had_star ? span_slice(local, 0, local.len - 1) : local;
}

/* The local part alone, through the one parser, with a domain that is always right. */
static gboolean
read_local(Arena *arena, Span local, Span *ret)
{
        Address address;
        const char *text =
                arena_printf(arena, "%.*s@local.invalid", (int) MIN(local.len, 1000), (const char *) local.data);

        if (text == NULL || local.len == 0 || address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK)
                return FALSE;
        *ret = address.local;
        return memchr(address.local.data, '*', address.local.len) == NULL;
}

static gboolean
read_alias_parts(Arena *arena, Span local, Span domain, AliasForm *ret_form, Address *ret)
{
        gboolean has_star;
        Span rest = span_without_star(local, &has_star);
        gboolean is_everywhere = span_equal(domain, span_of("*"));

        *ret_form = is_everywhere  ? ALIAS_EVERYWHERE
                    : !has_star    ? ALIAS_EXACT
                    : rest.len > 0 ? ALIAS_PREFIX
                                   : ALIAS_CATCHALL;
        *ret = (Address){SPAN_EMPTY, domain};
        if (is_everywhere && has_star)
                return FALSE;
        if (!is_everywhere &&
            (address_parse_domain(arena, domain, &ret->domain) != ADDRESS_OK || ret->domain.data[0] == '['))
                return FALSE;
        return *ret_form == ALIAS_CATCHALL || read_local(arena, rest, &ret->local);
}

Change
directory_read_alias(Arena *arena, const char *text, AliasForm *ret_form, Address *ret, GError **error)
{
        Span all = span_of(text);
        gsize at = all.len;

        while (at > 0 && all.data[at - 1] != '@')
                at--;
        if (at == 0 ||
            !read_alias_parts(arena, span_slice(all, 0, at - 1), span_slice(all, at, all.len), ret_form, ret))
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: an alias is LOCAL@DOMAIN, PREFIX*@DOMAIN, *@DOMAIN or LOCAL@*", text);
        return CHANGE_DONE;
}

static Change
read_target(Arena *arena, const char *text, const char **ret, GError **error)
{
        Address address;

        if (address_parse(arena, span_of(text), TRUE, &address) != ADDRESS_OK || address.domain.len == 0)
                return directory_refuse(error, CHANGE_INVALID, "'%s' is no address; joe@ex.org would be", text);
        if (directory_is_via(address.domain))
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s: .via is understood only in records of the route table", text);
        *ret = arena_strndup(arena, address_text(arena, &address));
        return *ret != NULL ? CHANGE_DONE : (fault(error, FAULT_FULL, "too many targets"), CHANGE_FAILED);
}

/* Rows ------------------------------------------------------------------------------------------------------------ */

typedef struct Row {
        const char *text; /* as typed */
        AliasForm form;
        Address address;
        const char *kind, *post;
        Bouncer bouncer;
} Row;

DB_SQL(ALIAS_INSERT, "INSERT INTO alias (domain, local, local_key, kind, post, code, text, until, after, created)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_SQL(TARGET_INSERT, "INSERT INTO alias_target (alias, position, address, address_key) VALUES (?, ?, ?, ?)");
DB_SQL(SAME_PLACE,
       "SELECT 1 FROM alias WHERE domain = ? AND local_key = ? AND (kind IN ('alias', 'group')) = ? LIMIT 1");

/* An alias and a group can't share an address: only one of them could be heard. */
static Change
check_place(DbTxn *txn, Span domain, Span key, const Row *row, GError **error)
{
        gint64 found, is_list = strcmp(row->kind, "bouncer") != 0;
        DbStep step = db_get_int(txn, &SAME_PLACE, &found, error, "tti", domain, key, is_list);

        if (step == DB_ROW_FAILED)
                return CHANGE_FAILED;
        if (step == DB_ROW)
                return directory_refuse(error, CHANGE_EXISTS, "%s exists already", row->text);
        return row->form == ALIAS_EVERYWHERE ? CHANGE_DONE : directory_need_local(txn, domain, error);
}

static Change
insert(Arena *arena, DbTxn *txn, const Row *row, GError **error)
{
        gboolean has_star = row->form == ALIAS_PREFIX || row->form == ALIAS_CATCHALL;
        gboolean is_bouncer = strcmp(row->kind, "bouncer") == 0;
        Span local = span_of(arena_printf(arena, "%.*s%s", (int) row->address.local.len,
                                          (const char *) row->address.local.data, has_star ? "*" : ""));
        Span key = text_lower(arena, local);
        Change answer = check_place(txn, row->address.domain, key, row, error);

        if (answer != CHANGE_DONE)
                return answer;
        if (is_bouncer ? !db_run(txn, &ALIAS_INSERT, error,
                                 "ttt"
                                 "ss"
                                 "is"
                                 "iii",
                                 row->address.domain, local, key, row->kind, row->post, (gint64) row->bouncer.code,
                                 row->bouncer.text, (gint64) row->bouncer.until, (gint64) row->bouncer.after,
                                 (gint64) clock_real())
                       : !db_run(txn, &ALIAS_INSERT, error,
                                 "ttt"
                                 "ss"
                                 "nnnn"
                                 "i",
                                 row->address.domain, local, key, row->kind, row->post, (gint64) clock_real()))
                return CHANGE_FAILED;
        return CHANGE_DONE;
}

/* The key is the address as others look for it: unquoted, in lower case. */
static Change
insert_target(Arena *arena, DbTxn *txn, gint64 alias, gsize position, const char *target, GError **error)
{
        guint8 buffer[RECORD_KEY_MAX];
        Address address;
        Span key;

        if (address_parse(arena, span_of(target), TRUE, &address) != ADDRESS_OK ||
            !directory_key(&address, buffer, &key))
                return fault(error, FAULT_INTERNAL, "%s was an address before", target), CHANGE_FAILED;
        return db_run(txn, &TARGET_INSERT, error, "iist", alias, (gint64) position, target, key) ? CHANGE_DONE
                                                                                                 : CHANGE_FAILED;
}

static Change
insert_targets(Arena *arena, DbTxn *txn, gint64 alias, const char *const *targets, gsize n, GError **error)
{
        Change answer = CHANGE_DONE;

        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = insert_target(arena, txn, alias, i, targets[i], error);
        return answer;
}

/* An address that stands for itself and nobody else leads nowhere: all its mail would be refused with 5.4.6. */
static gboolean
is_own_list(Arena *arena, const Row *row, const char *const *targets, gsize n)
{
        Address target;

        if (row->form != ALIAS_EXACT)
                return FALSE;
        for (gsize i = 0; i < n; i++)
                if (address_parse(arena, span_of(targets[i]), TRUE, &target) != ADDRESS_OK ||
                    !address_equal(&target, &row->address))
                        return FALSE;
        return TRUE;
}

static Change
add_list(Directory *directory, Arena *arena, DbTxn *txn, const Row *row, const char *const *targets, gsize n,
         GError **error)
{
        const char **texts = arena_new_array(arena, const char *, MIN(n, DIRECTORY_TARGETS_MAX));
        Change answer = CHANGE_DONE;

        if (n == 0 || n > DIRECTORY_TARGETS_MAX || texts == NULL)
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s needs 1 to %d targets; a target may be another group", row->text,
                                        DIRECTORY_TARGETS_MAX);
        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = read_target(arena, targets[i], &texts[i], error);
        if (answer == CHANGE_DONE && is_own_list(arena, row, texts, n))
                return directory_refuse(error, CHANGE_INVALID,
                                        "%s would lead to itself and nowhere else; give another target", row->text);
        if (answer == CHANGE_DONE)
                answer = insert(arena, txn, row, error);
        if (answer == CHANGE_DONE)
                answer = insert_targets(arena, txn, db_last_id(txn), texts, n, error);
        if (answer == CHANGE_DONE)
                directory_touch(directory, txn);
        return answer;
}

#define LIST_OCTETS ((gsize) 4 * 1024 * 1024)

Change
directory_alias_add(Directory *directory, DbTxn *txn, const char *address, const char *const *targets, gsize n,
                    GError **error)
{
        static const char *const KINDS[] = {"alias", "prefix", "catchall", "alias"};
        g_autoptr(Arena) arena = arena_new(LIST_OCTETS);
        Row row = {.text = address};
        Change answer = directory_read_alias(arena, address, &row.form, &row.address, error);

        if (answer != CHANGE_DONE)
                return answer;
        row.kind = KINDS[row.form];
        return add_list(directory, arena, txn, &row, targets, n, error);
}

/* One exact address, for groups and bouncers. */
static Change
read_exact(Arena *arena, const char *what, const char *text, Row *row, GError **error)
{
        Change answer = directory_read_alias(arena, text, &row->form, &row->address, error);

        if (answer == CHANGE_DONE && row->form != ALIAS_EXACT)
                return directory_refuse(error, CHANGE_INVALID, "%s: a %s stands at one address, LOCAL@DOMAIN", text,
                                        what);
        return answer;
}

Change
directory_group_add(Directory *directory, DbTxn *txn, const char *address, const char *const *members, gsize n,
                    const KeyValue *pairs, gsize n_pairs, GError **error)
{
        g_autoptr(Arena) arena = arena_new(LIST_OCTETS);
        Row row = {.text = address, .kind = "group", .post = "anyone"};
        Change answer = read_exact(arena, "group", address, &row, error);

        if (answer != CHANGE_DONE)
                return answer;
        for (gsize i = 0; i < n_pairs; i++) {
                if (strcmp(pairs[i].key, "post") != 0)
                        return directory_refuse(error, CHANGE_INVALID, "a group has no %s; it has post", pairs[i].key);
                row.post = pairs[i].value != NULL ? pairs[i].value : "";
                if (strcmp(row.post, "anyone") != 0 && directory_post_from(row.post) == POST_ANYONE)
                        return directory_refuse(error, CHANGE_INVALID,
                                                "post=%s: anyone, members or authenticated is expected", row.post);
        }
        return add_list(directory, arena, txn, &row, members, n, error);
}

/* Bouncers -------------------------------------------------------------------------------------------------------- */

static Change
set_bouncer_text(Bouncer *bouncer, const char *value, GError **error)
{
        Span text = span_of(value);

        if (text.len > BOUNCER_TEXT_MAX || text_has_control(text) || !text_is_ascii(text))
                return directory_refuse(error, CHANGE_INVALID,
                                        "text: one line of at most %d printable ASCII octets is expected",
                                        BOUNCER_TEXT_MAX);
        bouncer->text = text.len > 0 ? value : NULL;
        return CHANGE_DONE;
}

static Change
set_bouncer_pair(Bouncer *bouncer, const KeyValue *pair, GError **error)
{
        const char *key = pair->key, *value = pair->value != NULL ? pair->value : "";
        guint64 number;

        if (strcmp(key, "text") == 0)
                return set_bouncer_text(bouncer, value, error);
        if (strcmp(key, "until") == 0)
                return clock_parse_iso(value, &bouncer->until)
                               ? CHANGE_DONE
                               : directory_refuse(error, CHANGE_INVALID,
                                                  "until=%s: YYYY-MM-DD[THH:MM[:SS]][Z] is expected", value);
        if (strcmp(key, "code") == 0) {
                if (!span_to_number(span_of(value), 599, &number) || number < 500)
                        return directory_refuse(error, CHANGE_INVALID, "code=%s: 500 to 599 is expected", value);
                bouncer->code = (guint16) number;
                return CHANGE_DONE;
        }
        if (strcmp(key, "after") == 0) {
                if (!span_to_number(span_of(value), G_MAXINT32, &number) || number == 0)
                        return directory_refuse(error, CHANGE_INVALID,
                                                "after=%s: a number of messages, at least 1, is expected", value);
                bouncer->after = (guint) number;
                return CHANGE_DONE;
        }
        return directory_refuse(error, CHANGE_INVALID, "a bouncer has no %s; it has code, text, until, after", key);
}

Change
directory_bouncer_add(Directory *directory, DbTxn *txn, const char *address, const KeyValue *pairs, gsize n,
                      GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Row row = {.text = address, .kind = "bouncer", .bouncer.code = 550};
        Change answer = read_exact(arena, "bouncer", address, &row, error);

        if (answer == CHANGE_DONE && span_is(row.address.local, "postmaster"))
                return directory_refuse(error, CHANGE_INVALID, "postmaster always takes mail (RFC 5321 4.5.1)");
        for (gsize i = 0; i < n && answer == CHANGE_DONE; i++)
                answer = set_bouncer_pair(&row.bouncer, &pairs[i], error);
        if (answer == CHANGE_DONE)
                answer = insert(arena, txn, &row, error);
        if (answer == CHANGE_DONE)
                directory_touch(directory, txn);
        return answer;
}

DB_SQL(BOUNCER_COUNT,
       "UPDATE alias SET seen = seen + 1 WHERE domain = ? AND local_key = ? AND kind = 'bouncer' AND after > 0");

typedef struct Counted {
        Directory *directory;
        guint8 buffer[RECORD_KEY_MAX];
        Span key;
} Counted;

/* Only this one record is stale: emptying the cache for each message would cost all the others. */
static void
forget_counted(gpointer data)
{
        Counted *counted = data;

        cache_forget(&counted->directory->cache, RECORD_ENTRY, counted->key);
}

gboolean
directory_bouncer_count(Directory *directory, DbTxn *txn, const Address *address, GError **error)
{
        g_autofree Counted *counted = g_new0(Counted, 1);

        counted->directory = directory;
        if (!directory_key(address, counted->buffer, &counted->key))
                return TRUE;
        Span local = span_slice(counted->key, 0, address->local.len);
        Span domain = span_slice(counted->key, address->local.len + 1, counted->key.len);
        if (!db_run(txn, &BOUNCER_COUNT, error, "tt", domain, local))
                return FALSE;
        db_on_commit(txn, forget_counted, g_steal_pointer(&counted), g_free);
        return TRUE;
}

/* Removing -------------------------------------------------------------------------------------------------------- */

DB_SQL(TARGETS_DELETE,
       "DELETE FROM alias_target WHERE alias IN (SELECT id FROM alias WHERE domain = ? AND local_key = ?)");
DB_SQL(ALIAS_DELETE, "DELETE FROM alias WHERE domain = ? AND local_key = ?");

Change
directory_alias_remove(Directory *directory, DbTxn *txn, const char *address, GError **error)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        AliasForm form;
        Address found;
        Change answer = directory_read_alias(arena, address, &form, &found, error);

        if (answer != CHANGE_DONE)
                return answer;
        gboolean has_star = form == ALIAS_PREFIX || form == ALIAS_CATCHALL;
        Span key = text_lower(arena, span_of(arena_printf(arena, "%.*s%s", (int) found.local.len,
                                                          (const char *) found.local.data, has_star ? "*" : "")));
        if (!db_run(txn, &TARGETS_DELETE, error, "tt", found.domain, key) ||
            !db_run(txn, &ALIAS_DELETE, error, "tt", found.domain, key))
                return CHANGE_FAILED;
        if (db_changes(txn) == 0)
                return directory_refuse(error, CHANGE_MISSING, "there is no alias, group or bouncer %s", address);
        directory_touch(directory, txn);
        return CHANGE_DONE;
}
