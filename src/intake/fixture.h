/* fixture.h -- a whole site in a temporary directory, for the tests of intake and of what stands above it.
 *
 * Domain ex.org with accounts joe, ann and postmaster, and the alias sales -> joe. Test code: faults fail the test.
 */
#pragma once

#include "intake/internal.h"

#include <glib/gstdio.h>

typedef struct Site {
        char *dir;
        Db *db;
        Blob *blob;
        Directory *directory;
        Router *router;
        Store *store;
        Queue *queue;
        Intake *intake;
        Arena *arena;
        Standing standing; /* of who brings the next message */
        guint64 max_size;
} Site;

static inline void
site_open(Site *site)
{
        g_autoptr(GError) error = NULL;
        static const guint8 key[32] = "a key of thirty-two octets......";
        const RouterSettings routing = {
                .hostname = "mx.ex.org", .primary_domain = "ex.org", .postmaster = "postmaster@ex.org"};

        site->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        site->blob = blob_open(site->dir, site->db, &error);
        g_assert_no_error(error);
        site->directory = directory_new(site->db);
        site->router = router_new(site->directory, site->db, &routing);
        site->store = store_new(site->db, site->blob, site->directory);
        site->queue = queue_new(site->db, site->blob);
        const IntakeRooms rooms = {site->db, site->blob, site->directory, site->router, site->store, site->queue};
        const IntakeSettings settings = {
                .hostname = "mx.ex.org",
                .max_size = site->max_size != 0 ? site->max_size : 10 * 1024 * 1024,
                .max_recipients = 1000,
                .max_received = 100,
                .loop_key = span_make(key, sizeof(key)),
        };
        site->intake = intake_new(&rooms, &settings);
}

static inline void
site_close(Site *site)
{
        intake_free(site->intake);
        queue_free(site->queue);
        store_free(site->store);
        router_free(site->router);
        directory_free(site->directory);
        blob_close(site->blob);
        db_close(site->db);
}

static inline void
site_reopen(Site *site)
{
        site_close(site);
        site_open(site);
}

/* One change of the directory in a transaction of its own. */
#define SITE_CHANGE(site, call)                                                                                        \
        do {                                                                                                           \
                GError *site_error = NULL;                                                                             \
                g_autoptr(DbTxn) txn = db_begin((site)->db, &site_error);                                              \
                g_assert_no_error(site_error);                                                                         \
                g_assert_cmpint((call), ==, CHANGE_DONE);                                                              \
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &site_error), ==, DB_COMMITTED);                 \
        } while (0)

static inline void
site_domain(Site *site, const char *name, const char *unknown)
{
        const KeyValue pairs[] = {{"unknown", unknown}};

        SITE_CHANGE(site, directory_domain_add(site->directory, txn, name, pairs, 1, NULL));
}

static inline void
site_domain_set(Site *site, const char *name, const char *key, const char *value)
{
        const KeyValue pairs[] = {{key, value}};

        SITE_CHANGE(site, directory_domain_set(site->directory, txn, name, pairs, 1, NULL));
}

static inline void
site_account(Site *site, const char *address, const char *quota)
{
        const KeyValue pairs[] = {{"quota", quota}};
        gint64 id;

        SITE_CHANGE(site, directory_account_add(site->directory, txn, address, NULL, pairs, quota != NULL ? 1 : 0, &id,
                                                NULL));
}

static inline void
site_alias(Site *site, const char *address, const char *target, const char *other)
{
        const char *const targets[] = {target, other};

        SITE_CHANGE(site, directory_alias_add(site->directory, txn, address, targets, other != NULL ? 2 : 1, NULL));
}

static inline void
site_init(Site *site, gconstpointer data)
{
        site->dir = g_dir_make_tmp("restante-intake-XXXXXX", NULL);
        site->arena = arena_new(64 * 1024 * 1024);
        site->standing.origin = ORIGIN_STRANGER;
        site_open(site);
        site_domain(site, "ex.org", "reject");
        site_account(site, "postmaster@ex.org", NULL);
        site_account(site, "joe@ex.org", NULL);
        site_account(site, "ann@ex.org", NULL);
        site_alias(site, "sales@ex.org", "joe@ex.org", NULL);
}

static inline void
site_dir_remove(const char *path)
{
        GDir *dir = g_dir_open(path, 0, NULL);

        for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
                g_autofree char *child = g_build_filename(path, name, NULL);
                if (g_file_test(child, G_FILE_TEST_IS_DIR))
                        site_dir_remove(child);
                else
                        g_unlink(child);
        }
        if (dir != NULL)
                g_dir_close(dir);
        g_rmdir(path);
}

static inline void
site_done(Site *site, gconstpointer data)
{
        site_close(site);
        arena_free(site->arena);
        site_dir_remove(site->dir);
        g_free(site->dir);
}

static inline Address
site_address(Site *site, const char *text)
{
        Address address = {SPAN_EMPTY, SPAN_EMPTY};

        if (*text != '\0' && address_parse(site->arena, span_of(text), TRUE, &address) != ADDRESS_OK)
                address.local = span_of(text); /* bare postmaster */
        return address;
}

/* A submission by whoever site->standing says, from one sender. */
static inline Submission *
site_begin(Site *site, const char *sender)
{
        g_autoptr(GError) error = NULL;
        const IntakeOrigin origin = {
                .standing = site->standing, .protocol = "ESMTP", .client = "192.0.2.1", .helo = "client.example"};
        Address from = site_address(site, sender);
        Submission *sub = intake_begin(site->intake, &origin, &from, 0, &error);

        g_assert_no_error(error);
        return sub;
}

static inline IntakeReply
site_rcpt(Site *site, Submission *sub, const char *recipient)
{
        Address to = site_address(site, recipient);

        return intake_recipient(sub, &to);
}

static inline void
site_data(Submission *sub, const char *message)
{
        g_assert_true(intake_add(sub, span_of(message)));
}

static inline void
site_accept(Submission *sub)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(intake_accept(&sub, 1, &error));
        g_assert_no_error(error);
}

/* The whole way, to recipients separated by spaces; the verdict of the message. RCPTs that are refused are skipped. */
static inline IntakeVerdict
site_send(Site *site, const char *sender, const char *recipients, const char *message)
{
        g_autoptr(Submission) sub = site_begin(site, sender);
        g_auto(GStrv) list = g_strsplit(recipients, " ", 0);

        for (char **to = list; *to != NULL; to++)
                (void) site_rcpt(site, sub, *to);
        if (submission_n_recipients(sub) == 0)
                return INTAKE_REFUSED;
        site_data(sub, message);
        site_accept(sub);
        return intake_reply(sub).verdict;
}

static inline gint64
site_account_id(Site *site, const char *name)
{
        g_autoptr(GError) error = NULL;
        Address address = site_address(site, name);
        Entry entry = {0};

        g_assert_cmpint(directory_entry(site->directory, site->arena, &address, &entry, &error), ==, FOUND);
        g_assert_no_error(error);
        return entry.account->id;
}

/* Messages in an account's INBOX, whole, in order; NULL-terminated (g_strfreev). */
static inline char **
site_inbox(Site *site, const char *name)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Maildrop) drop = NULL;
        g_autoptr(GPtrArray) list = g_ptr_array_new();

        g_assert_cmpint(store_maildrop_open(site->store, site_account_id(site, name), &drop, &error), ==,
                        MAILDROP_OPEN);
        for (guint32 i = 0; i < store_maildrop_count(drop); i++) {
                g_autoptr(MaildropMessage) message = NULL;
                gsize size = store_maildrop_size(drop, i);
                char *text = g_malloc0(size + 2);
                g_assert_true(store_maildrop_message(drop, i, &message, &error));
                g_assert_no_error(error);
                g_assert_cmpint(store_message_read(message, text, size + 1, &error), ==, size);
                g_ptr_array_add(list, text);
        }
        g_ptr_array_add(list, NULL);
        return (char **) g_ptr_array_steal(list, NULL);
}

static inline guint
site_count(Site *site, const char *name)
{
        g_auto(GStrv) inbox = site_inbox(site, name);

        return g_strv_length(inbox);
}

static inline gsize
site_queue(Site *site, const QueueRow **ret)
{
        g_autoptr(GError) error = NULL;
        const QueueFilter all = {.max = 1000};
        gsize n;

        g_assert_true(queue_list(site->queue, site->arena, &all, ret, &n, &error));
        return n;
}

static inline char *
site_queue_text(Site *site, const QueueRow *row)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(BlobBody) body = blob_body_open(site->blob, row->copy.body, &error);
        CopyReader reader = {.copy = &row->copy, .opened = body};
        gsize size = copy_size(&row->copy);
        char *text = g_malloc0(size + 1);

        g_assert_no_error(error);
        g_assert_cmpint(copy_read(&reader, text, size, &error), ==, size);
        return text;
}

static inline void
site_complaint(const char *complaint, gpointer data)
{
        g_error("verify: %s", complaint);
}

/* Every table and body agrees; how many entries there are. */
static inline guint64
site_verify(Site *site)
{
        g_autoptr(GError) error = NULL;
        guint64 entries;

        g_assert_true(store_verify(site->store, TRUE, site_complaint, NULL, &entries, &error));
        g_assert_no_error(error);
        return entries;
}

/* Every line of the trace, as a table with the columns recipient, outcome, target and steps (which begin with the
 * former three). */
#define TRACE_LINES                                                                                                    \
        "(SELECT j.value ->> 0 AS recipient, j.value ->> 1 AS outcome, j.value ->> 2 AS target, j.value ->> 3 AS status, j.value AS steps FROM" \
        " (SELECT lines FROM trace UNION ALL SELECT lines FROM trace_later) t, json_each(t.lines) j)"

static inline gint64
site_number(Site *site, const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(site->db, &error);
        g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");

        g_assert_no_error(error);
        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW);
        return db_int(rows, 0);
}
