/* store.c -- what mailboxes cost without a protocol in front: filling, packing, looking, and changing all of a mailbox.
 *
 *      store fill DIR MESSAGES [pack]      a mailbox, each message followed by one for one of 100 others; then packed
 *      store look DIR                      a new process: opens the view and reads all envelopes and structures
 *                                          (drop the kernel's caches before, for the cold figures)
 *      store change DIR                    STORE, COPY, MOVE, EXPUNGE of all; DIR is another afterwards
 *      store many DIR MESSAGES             COPY, MOVE and EXPUNGE of so many, made of copies: what they cost, and the
 *                                          longest stretch of CPU between two slices, which has one transaction in it
 *
 * Prints milliseconds, and those of CPU, of this process. It needs no server.
 */
#include "store/change.h"
#include "store/internal.h"
#include "store/mailbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define OTHERS 100
#define BATCH 100
#define SIZE 4096

static Db *db;
static Blob *blob;
static Directory *directory;
static Store *store;
static struct timespec wall, cpu;

static double
since(clockid_t clock, const struct timespec *from)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (double) (now.tv_sec - from->tv_sec) * 1e3 + (double) (now.tv_nsec - from->tv_nsec) / 1e6;
}

static void
begin(void)
{
        clock_gettime(CLOCK_MONOTONIC, &wall);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
}

static void
end(const char *what)
{
        printf("%-28s %9.2f ms  %9.2f ms CPU\n", what, since(CLOCK_MONOTONIC, &wall),
               since(CLOCK_PROCESS_CPUTIME_ID, &cpu));
        fflush(stdout);
}

static void
must(gboolean is_done, GError *error)
{
        if (is_done)
                return;
        fprintf(stderr, "%s\n", error != NULL ? error->message : "failed");
        exit(1);
}

static void
site_open(const char *dir)
{
        GError *error = NULL;

        must((db = db_open(dir, &error)) != NULL, error);
        must((blob = blob_open(dir, db, &error)) != NULL, error);
        directory = directory_new(db);
        store = store_new(db, blob, directory);
}

static void
site_close(void)
{
        store_free(store);
        directory_free(directory);
        blob_close(blob);
        db_close(db);
}

static gint64
inbox_of(gint64 account)
{
        g_autofree char *sql =
                g_strdup_printf("SELECT id FROM mailbox WHERE name = 'INBOX' AND account = %" G_GINT64_FORMAT, account);
        GError *error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(db, &error);
        g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");

        must(db_rows_next(rows, &error) == DB_ROW, error);
        return db_int(rows, 0);
}

/* Filling ---------------------------------------------------------------------------------------------------------- */

static GString *
message_of(guint i)
{
        GString *m = g_string_new(NULL);

        g_string_append_printf(m,
                               "Received: from client%u.example (client%u.example [192.0.2.%u]) by mx.example with ESMTPS id %08x;\r\n"
                               " Mon, 7 Feb 2022 21:52:25 -0800\r\nFrom: Fred Foobar %u <foobar%u@sender%u.example>\r\n"
                               "To: somebody@here.example, other%u@here.example\r\nSubject: afternoon meeting number %u\r\n"
                               "Date: Mon, 7 Feb 2022 21:52:25 -0800\r\nMessage-ID: <B27397-%08x%08x@sender%u.example>\r\n"
                               "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b%u\"\r\n\r\n"
                               "--b%u\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
                               i % 97, i % 97, i % 250, i * 2654435761u, i % 500, i % 500, i % 50, i % 10, i,
                               i * 2654435761u, i * 40503u, i % 50, i, i);
        while (m->len < SIZE - 200)
                g_string_append_printf(m, "text that is so and so %08x long, %u\r\n", (guint) m->len * 2654435761u ^ i, i);
        g_string_append_printf(m, "\r\n--b%u\r\nContent-Type: text/html\r\n\r\n<p>text</p>\r\n--b%u--\r\n", i, i);
        return m;
}

typedef struct Batch {
        BlobPlace places[BATCH];
        Span summaries[BATCH];
        gint64 accounts[BATCH];
} Batch;

static void
batch_deliver(const Batch *b, guint n)
{
        GError *error = NULL;
        DbTxn *txn = db_begin(db, &error);

        must(txn != NULL, error);
        for (guint i = 0; i < n; i++) {
                g_autofree char *prefix = g_strdup_printf(
                        "Return-Path: <foobar%u@sender.example>\r\nDelivered-To: u%d@here.example\r\n", i,
                        (int) b->accounts[i]);
                Copy copy = {.body_size = b->places[i].size, .prefix = span_of(prefix)};
                const StoreDelivery d = {
                        .account = b->accounts[i], .mailbox = "INBOX", .copy = &copy, .message = id_new(), .received = 1};
                gint64 uid;
                must(blob_name(txn, &b->places[i], 1, b->summaries[i], &copy.body, &error), error);
                must(store_deliver(store, txn, &d, &uid, &error) == STORE_DONE, error);
        }
        blob_sync(blob, &b->places[n - 1]);
        must(db_take_commit(txn, &error) == DB_COMMITTED, error);
}

static void
fill(guint messages, gboolean does_pack)
{
        GError *error = NULL;
        Batch *b = g_new0(Batch, 1);
        guint n = 0;

        begin();
        g_autoptr(Arena) arena = arena_new(64 << 20);
        for (guint i = 0; i < messages * 2; i++) {
                GString *m = message_of(i);
                BlobWriter *writer = blob_writer_new(blob, 1 << 20);
                must(blob_writer_add(writer, span_make(m->str, m->len), &error), error);
                b->summaries[n] = store_summarise(arena, span_make(m->str, m->len));
                must(blob_take_append(writer, SPAN_EMPTY, &b->places[n], &error), error);
                b->accounts[n++] = i % 2 == 0 ? 1 : 2 + (i / 2) % OTHERS;
                g_string_free(m, TRUE);
                if (n < BATCH)
                        continue;
                batch_deliver(b, n);
                n = 0;
                arena_reset(arena);
        }
        if (n > 0)
                batch_deliver(b, n);
        end("fill (twice as many)");
        g_free(b);
        if (!does_pack)
                return;
        begin();
        for (gint64 account = 1; account <= 1 + OTHERS; account++) {
                PackWork work = PACK_AGAIN;
                while (work == PACK_AGAIN)
                        must((work = mailbox_pack(store, inbox_of(account), account > 1, &error)) != PACK_FAILED, error);
        }
        end("pack the mailboxes");
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static View *
view_now(gint64 mailbox, const char *what)
{
        GError *error = NULL;
        View *view;

        begin();
        must(store_view_open(store, mailbox, 1, &view, &error) == STORE_DONE, error);
        end(what);
        return view;
}

static void
summaries(const View *view, guint sections, const char *what)
{
        GError *error = NULL;
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(store, sections);
        StoredSummary summary;

        begin();
        for (guint32 i = 0; i < view_count(view); i++)
                must(summary_cursor_get(cursor, view, i, &summary, &error), error);
        end(what);
}

static void
bodies(const View *view, const char *what)
{
        GError *error = NULL;
        static char octets[65536];

        begin();
        for (guint32 i = 0; i < MIN(view_count(view), 1000); i++) {
                g_autoptr(StoredMessage) message = NULL;
                must(store_message_of(store, view, i, &message, &error), error);
                must(stored_message_read(message, 0, octets, sizeof(octets), &error) > 0, error);
        }
        end(what);
}

static void
look(void)
{
        View *view = view_now(inbox_of(1), "view, first");

        summaries(view, SUMMARY_ENVELOPE | SUMMARY_STRUCTURE, "envelope+structure, first");
        summaries(view, SUMMARY_ENVELOPE | SUMMARY_STRUCTURE, "envelope+structure, again");
        summaries(view, SUMMARY_FIELDS | SUMMARY_COPY, "fields+copy, first");
        summaries(view, SUMMARY_FIELDS | SUMMARY_COPY, "fields+copy, again");
        summaries(view, SUMMARY_KEYS, "keys, first");
        bodies(view, "1,000 bodies, first");
        bodies(view, "1,000 bodies, again");
        view_unref(view_now(inbox_of(1), "view, again"));
        view_unref(view);
}

/* Changing --------------------------------------------------------------------------------------------------------- */

static void
flag_all(gint64 mailbox, guint64 flags, const char *what)
{
        GError *error = NULL;
        g_autoptr(GArray) modified = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const FlagChange change = {.action = FLAGS_ADD, .flags = flags, .mask = FLAG_SYSTEM, .reader = 1};
        guint64 modseq;

        begin();
        must(store_change_flags(store, mailbox, &(UidSet){&all, 1}, &change, &modified, &modseq, &error) == CHANGED_DONE,
             error);
        end(what);
}

static void
copy_all(gint64 from, gint64 to, gboolean is_move, const char *what)
{
        GError *error = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const CopyRequest request = {.from = from, .to = to, .reader = 1, .is_move = is_move, .mask = FLAG_SYSTEM};
        Copied copied;

        begin();
        must(store_copy(store, &request, &(UidSet){&all, 1}, &copied, &error) == CHANGED_DONE, error);
        end(what);
        printf("%u messages\n", copied.n);
        copied_done(&copied);
}

static void
change(void)
{
        GError *error = NULL;
        gint64 inbox = inbox_of(1), targets[2] = {inbox_of(2), inbox_of(3)};
        guint64 modseq;

        view_unref(view_now(inbox, "view"));
        flag_all(inbox, FLAG_SEEN, "STORE +FLAGS \\Seen");
        flag_all(inbox, FLAG_FLAGGED, "STORE +FLAGS \\Flagged");
        view_unref(view_now(inbox, "view after it"));
        copy_all(inbox, targets[0], FALSE, "COPY");
        copy_all(inbox, targets[0], FALSE, "COPY");
        copy_all(inbox, targets[1], FALSE, "COPY");
        copy_all(targets[1], targets[0], TRUE, "MOVE of the copies");
        flag_all(inbox, FLAG_DELETED, "STORE +FLAGS \\Deleted");
        begin();
        must(store_expunge(store, inbox, NULL, &modseq, &error) == CHANGED_DONE, error);
        end("EXPUNGE");
}

/* Many ------------------------------------------------------------------------------------------------------------- */

static struct timespec slice;
static double longest;
static guint slices;

static void
slice_end(guint64 done, guint64 total, gpointer data)
{
        longest = MAX(longest, since(CLOCK_PROCESS_CPUTIME_ID, &slice));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &slice);
        slices++;
}

static const ChangeProgress progress = {slice_end, NULL};

static void
begin_slices(void)
{
        longest = 0;
        slices = 0;
        begin();
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &slice);
}

static void
end_slices(const char *what)
{
        slice_end(0, 0, NULL);
        end(what);
        printf("  %u slices, the longest %.1f ms of CPU\n", slices, longest);
}

static void
copy_many(gint64 from, gint64 to, gboolean is_move, const char *what)
{
        GError *error = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const CopyRequest request = {
                .from = from, .to = to, .reader = 1, .is_move = is_move, .mask = FLAG_SYSTEM, .progress = &progress};
        g_auto(Copied) copied = {0};

        begin_slices();
        must(store_copy(store, &request, &(UidSet){&all, 1}, &copied, &error) == CHANGED_DONE, error);
        end_slices(what);
        printf("  %u messages\n", copied.n);
}

static void
many(guint messages)
{
        GError *error = NULL;
        gint64 inbox = inbox_of(1), a = inbox_of(2), b = inbox_of(3);
        guint64 modseq;
        MailboxStatus status = {0};

        do {
                copy_many(inbox, a, FALSE, "COPY of some");
                must(store_mailbox_status(store, a, 2, &status, &error) == STORE_DONE, error);
        } while (status.messages < messages);
        copy_many(a, b, FALSE, "COPY");
        copy_many(a, b, TRUE, "MOVE");
        flag_all(b, FLAG_DELETED, "STORE +FLAGS \\Deleted");
        begin_slices();
        must(store_expunge_telling(store, b, NULL, &progress, &modseq, &error) == CHANGED_DONE, error);
        end_slices("EXPUNGE");
}

int
main(int argc, char **argv)
{
        if (argc < 3 || (argc < 4 && (strcmp(argv[1], "fill") == 0 || strcmp(argv[1], "many") == 0))) {
                fprintf(stderr, "usage: store fill DIR MESSAGES [pack] | look DIR | change DIR | many DIR MESSAGES\n");
                return 2;
        }
        mkdir(argv[2], 0700);
        site_open(argv[2]);
        if (strcmp(argv[1], "fill") == 0)
                fill((guint) atoi(argv[3]), argc > 4);
        else if (strcmp(argv[1], "look") == 0)
                look();
        else if (strcmp(argv[1], "many") == 0)
                many((guint) atoi(argv[3]));
        else
                change();
        site_close();
        return 0;
}
