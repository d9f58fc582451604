/* registry_test.c -- many threads look at mailboxes, change them and wait for changes at once: every view is one state
 * whole, nobody sees an older state than his own last change, and a watch hears of it until it is freed. */
#include "store/internal.h"
#include "store/tree.h"

#include "store/fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define BOXES 2
#define MESSAGES 300
#define CHANGES 300 /* of each writer */
#define READERS 3

/* A mailbox has one writer, which gives all of its entries the same flags in each commit. */
typedef struct Box {
        Site *site;
        gint64 id;
        gint is_over;  /* atomic */
        gint changes;  /* atomic: told by a watch */
        guint written; /* the writer's */
        guint32 uid_next;
} Box;

typedef struct Reader {
        Box *boxes;
        gint64 account;
        guint views;
} Reader;

static void
box_open(Box *box, Site *site, guint number)
{
        g_autofree char *sql = g_strdup_printf("INSERT INTO mailbox (id, account, name, uid_validity, created)"
                                               " VALUES (%u, %u, 'INBOX', 5, 0)",
                                               1000 + number, number + 1);

        change(site, sql);
        *box = (Box){.site = site, .id = 1000 + number};
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

static void
flag_all(Box *box, FlagAction action, guint64 flags)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const UidSet set = {&all, 1};
        const FlagChange wanted = {.action = action, .flags = flags, .mask = FLAG_SYSTEM, .reader = box->id - 999};
        guint64 modseq;

        g_assert_cmpint(store_change_flags(box->site->store, box->id, &set, &wanted, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
}

/* The same entries under new UIDs, and the old ones gone, in one commit. */
static void
renew_all(Box *box)
{
        g_autoptr(GError) error = NULL;
        const UidRange all = {1, G_MAXUINT32};
        const UidSet set = {&all, 1};
        const CopyRequest request = {
                .from = box->id, .to = box->id, .reader = box->id - 999, .is_move = TRUE, .mask = FLAG_SYSTEM};
        Copied copied;

        g_assert_cmpint(store_copy(box->site->store, &request, &set, &copied, &error), ==, CHANGED_DONE);
        g_assert_cmpuint(copied.n, ==, MESSAGES);
        copied_done(&copied);
}

/* All or none of them have it; its own last change is there. */
static void
check_own(Box *box, guint64 expected)
{
        g_autoptr(View) view = open_view(box->site, box->id, box->id - 999);

        g_assert_cmpuint(view_count(view), ==, MESSAGES);
        for (guint32 i = 0; i < MESSAGES; i++)
                g_assert_cmphex(view_flags(view, i) & ~(guint64) FLAG_SEEN, ==, expected);
}

static void
write_box(gpointer data)
{
        Box *box = data;
        guint64 flags = 0;

        for (guint i = 0; i < CHANGES; i++) {
                gint told = g_atomic_int_get(&box->changes);
                flags = i % 3 == 0 ? FLAG_FLAGGED : i % 3 == 1 ? FLAG_ANSWERED | FLAG_DRAFT : 0;
                flag_all(box, FLAGS_REPLACE, flags | FLAG_SEEN);
                g_assert_cmpint(g_atomic_int_get(&box->changes), >, told);
                if (i % 10 == 0)
                        renew_all(box);
                check_own(box, flags);
        }
        g_atomic_int_set(&box->is_over, 1);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static void
check_whole(const View *view)
{
        guint64 octets = 0;

        g_assert_cmpuint(view_count(view), ==, MESSAGES);
        for (guint32 i = 0; i < MESSAGES; i++) {
                g_assert_cmphex(view_flags(view, i) & ~(guint64) FLAG_SEEN, ==,
                                view_flags(view, 0) & ~(guint64) FLAG_SEEN);
                g_assert_cmpuint(view_entry(view, i)->modseq, <=, view_highest_modseq(view));
                octets += view_entry(view, i)->size;
        }
        g_assert_cmpuint(view_entry(view, MESSAGES - 1)->uid, <, view_uid_next(view));
        g_assert_cmpuint(view_octets(view), ==, octets);
}

static void
look(gpointer data)
{
        Reader *reader = data;
        View *last[BOXES] = {NULL};
        gboolean is_over = FALSE;

        while (!is_over) {
                is_over = TRUE;
                for (guint b = 0; b < BOXES; b++) {
                        Box *box = &reader->boxes[b];
                        is_over &= g_atomic_int_get(&box->is_over);
                        View *view = open_view(box->site, box->id, reader->account);
                        check_whole(view);
                        if (last[b] != NULL) {
                                g_assert_cmpuint(view_highest_modseq(view), >=, view_highest_modseq(last[b]));
                                g_assert_cmpuint(view_uid_next(view), >=, view_uid_next(last[b]));
                        }
                        view_unref(last[b]);
                        last[b] = view;
                        reader->views++;
                }
        }
        for (guint b = 0; b < BOXES; b++)
                view_unref(last[b]);
}

/* Watching --------------------------------------------------------------------------------------------------------- */

static void
heard(gpointer data)
{
        Box *box = data;

        g_atomic_int_inc(&box->changes);
}

typedef struct Ear {
        gint is_open; /* atomic */
        gint heard;   /* atomic */
} Ear;

static void
ear_heard(gpointer data)
{
        Ear *ear = data;

        g_assert_true(g_atomic_int_get(&ear->is_open));
        g_atomic_int_inc(&ear->heard);
}

/* Watches come and go while they are called. */
static void
watch_and_go(gpointer data)
{
        Box *boxes = data;
        guint rounds = 0;

        while (!g_atomic_int_get(&boxes[0].is_over) || !g_atomic_int_get(&boxes[1].is_over)) {
                Ear *ear = g_new0(Ear, 1);
                const Box *box = &boxes[rounds++ % BOXES];
                ear->is_open = 1;
                Watch *watch = store_watch(box->site->store, box->id, 0, ear_heard, ear);
                Watch *tree = store_watch(box->site->store, 0, box->id - 999, ear_heard, ear);
                if (rounds % 4 == 0)
                        g_usleep(rounds % 700);
                watch_free(tree);
                watch_free(watch);
                g_atomic_int_set(&ear->is_open, 0);
                g_free(ear); /* a call after this is seen by the sanitizers, too */
        }
}

static void
test_threads(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Reader readers[READERS] = {{NULL}};
        Watch *watches[BOXES];
        Thread *threads[BOXES + READERS + 1];
        Box boxes[BOXES];
        guint n = 0;

        for (guint b = 0; b < BOXES; b++)
                box_open(&boxes[b], site, b);
        for (guint i = 0; i < MESSAGES; i++) {
                gint64 uid;
                g_assert_cmpint(deliver(site, BOXES, "INBOX", "", "x\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        }
        for (guint b = 0; b < BOXES; b++)
                watches[b] = store_watch(site->store, boxes[b].id, 0, heard, &boxes[b]);
        for (guint r = 0; r < READERS; r++) {
                readers[r] = (Reader){.boxes = boxes, .account = r + 1}; /* two of them own one of the mailboxes */
                threads[n++] = thread_new("look", look, &readers[r], &error);
        }
        threads[n++] = thread_new("watch", watch_and_go, boxes, &error);
        for (guint b = 0; b < BOXES; b++)
                threads[n++] = thread_new("write", write_box, &boxes[b], &error);
        g_assert_no_error(error);
        for (guint i = 0; i < n; i++)
                thread_take_join(threads[i]);
        for (guint r = 0; r < READERS; r++)
                g_assert_cmpuint(readers[r].views, >, 0);
        for (guint b = 0; b < BOXES; b++)
                watch_free(watches[b]);
}

/* A mailbox that is read while it is removed and made again is there whole or not at all. */
typedef struct Coming {
        Site *site;
        gint is_over; /* atomic */
        guint found, missed;
} Coming;

static void
look_for(gpointer data)
{
        Coming *c = data;

        while (!g_atomic_int_get(&c->is_over)) {
                g_autoptr(GError) error = NULL;
                g_autoptr(View) view = NULL;
                StoreAnswer answer = store_view_open(c->site->store, 1000, 1, &view, &error);
                g_assert_no_error(error);
                if (answer == STORE_DONE) {
                        g_assert_cmpuint(view_count(view), ==, 5);
                        c->found++;
                } else {
                        g_assert_cmpint(answer, ==, STORE_NO_MAILBOX);
                        c->missed++;
                }
        }
}

static ChangeAnswer
hide(gpointer data, DbTxn *txn, GError **error)
{
        Coming *c = data;
        static const DbSql HIDE = {"UPDATE mailbox SET deleted_at = CASE WHEN deleted_at IS NULL THEN 5 ELSE NULL END"
                                   " WHERE id = 1000"};

        touch(c->site->store, txn, 1000, MARK_ROW, 0);
        tree_changed(c->site->store, txn, 1);
        return db_run(txn, &HIDE, error, "") ? CHANGED_DONE : CHANGED_FAILED;
}

static void
test_comes_and_goes(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Coming c[2] = {{.site = site}, {.site = site}};
        Thread *threads[2];

        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'INBOX', 5, 0)");
        deliver_n(site, 5);
        for (guint i = 0; i < 2; i++)
                threads[i] = thread_new("look", look_for, &c[i], &error);
        g_assert_no_error(error);
        for (guint i = 0; i < 400; i++)
                g_assert_cmpint(change_run(site->store, FALSE, hide, &c[0], &error), ==, CHANGED_DONE);
        for (guint i = 0; i < 2; i++) {
                g_atomic_int_set(&c[i].is_over, 1);
                thread_take_join(threads[i]);
                g_assert_cmpuint(c[i].found + c[i].missed, >, 0);
        }
        View *view = open_view(site, 1000, 1);
        g_assert_cmpuint(view_count(view), ==, 5);
        view_unref(view);
}

/* The registry alone ------------------------------------------------------------------------------------------------
 */

/* Is this among the marks of a mailbox that is read? */
static gboolean
is_marked(Shown *shown, Mark mark)
{
        Core *core = NULL;
        g_autoptr(GArray) marks = shown_marks(shown, &core);

        g_assert_null(core);
        for (guint i = 0; i < marks->len; i++) {
                const Mark *found = &g_array_index(marks, Mark, i);
                if (found->kind == mark.kind && found->number == mark.number)
                        return TRUE;
        }
        return FALSE;
}

static Shown *
begin_to_read(Registry *registry, gint64 mailbox)
{
        View *view = NULL;
        Shown *shown = NULL;
        guint64 seq;

        g_assert_false(registry_find(registry, mailbox, 1, &view, &shown, &seq));
        return shown;
}

/* Whoever reads may have it in his snapshot already. */
static void
test_announced(void)
{
        const Mark page = {MARK_PAGE, 129}, tail = {MARK_TAIL, 0};
        Registry *registry = registry_new();
        Touches *touches = touches_new(registry);

        touches_add(touches, 7, page); /* before anybody reads */
        Shown *shown = begin_to_read(registry, 7);
        g_assert_true(is_marked(shown, page));
        g_assert_false(is_marked(shown, tail));
        touches_add(touches, 7, tail); /* while he does */
        g_assert_true(is_marked(shown, tail));
        shown_give_up(shown, FALSE);
        shown = begin_to_read(registry, 7); /* it was not forgotten */
        g_assert_true(is_marked(shown, page) && is_marked(shown, tail));
        touches_end(touches, FALSE); /* rolled back */
        g_assert_false(is_marked(shown, page) || is_marked(shown, tail));
        touches = touches_new(registry);
        touches_add(touches, 7, tail);
        touches_add(touches, 8, page);
        touches_end(touches, TRUE);
        g_assert_true(is_marked(shown, tail));
        g_assert_false(is_marked(shown, page));
        shown_give_up(shown, TRUE);
        registry_free(registry);
}

/* A watch whose function takes long. */
typedef struct Slow {
        Wake begun, go;
        gint calls, freed; /* atomic */
} Slow;

static void
slow_heard(gpointer data)
{
        Slow *slow = data;

        g_atomic_int_inc(&slow->calls);
        wake_send(&slow->begun);
        wake_wait(&slow->go);
}

static void
commit_touch(gpointer data)
{
        Touches *touches = touches_new(data);

        touches_add(touches, 7, (Mark){MARK_TAIL, 0});
        touches_end(touches, TRUE);
}

typedef struct Freeing {
        Watch *watch;
        Slow *slow;
} Freeing;

static void
free_watch(gpointer data)
{
        Freeing *f = data;

        watch_free(f->watch);
        g_atomic_int_set(&f->slow->freed, 1);
}

static void
test_free_waits(void)
{
        g_autoptr(GError) error = NULL;
        Registry *registry = registry_new();
        Slow slow = {.begun = WAKE_INIT};
        Freeing f = {watch_new(registry, 7, 0, slow_heard, &slow), &slow};

        Thread *commits = thread_new("commits", commit_touch, registry, &error);
        g_assert_no_error(error);
        wake_wait(&slow.begun);
        Thread *frees = thread_new("frees", free_watch, &f, &error);
        g_assert_no_error(error);
        g_usleep(50000); /* a free that does not wait would be over */
        g_assert_cmpint(g_atomic_int_get(&slow.freed), ==, 0);
        wake_send(&slow.go);
        thread_take_join(frees);
        thread_take_join(commits);
        g_assert_cmpint(slow.calls, ==, 1);
        registry_free(registry);
}

/* Two hear of the same commit; while the one is told, the other is freed. */
static void
test_freed_before_its_turn(void)
{
        g_autoptr(GError) error = NULL;
        Registry *registry = registry_new();
        Slow slow[2] = {{.begun = WAKE_INIT}, {.begun = WAKE_INIT}};
        Watch *watches[2];
        guint told = 0;

        for (guint i = 0; i < 2; i++)
                watches[i] = watch_new(registry, 7, 0, slow_heard, &slow[i]);
        Thread *commits = thread_new("commits", commit_touch, registry, &error);
        g_assert_no_error(error);
        while (g_atomic_int_get(&slow[told].calls) == 0)
                told = 1 - told;
        watch_free(watches[1 - told]);
        wake_send(&slow[1 - told].go); /* should it be called in spite of that */
        wake_send(&slow[told].go);
        thread_take_join(commits);
        g_assert_cmpint(slow[told].calls, ==, 1);
        g_assert_cmpint(slow[1 - told].calls, ==, 0);
        watch_free(watches[told]);
        registry_free(registry);
}

int
main(int argc, char **argv)
{
        if (g_access("/dev/shm", W_OK) == 0) /* hundreds of commits: threads are tested here, not the disk */
                g_setenv("TMPDIR", "/dev/shm", FALSE);
        g_test_init(&argc, &argv, NULL);
        g_test_add("/store/registry/views-are-whole-and-never-older-than-ones-own-change", Site, NULL, site_init,
                   test_threads, site_done);
        g_test_add("/store/registry/a-mailbox-that-comes-and-goes", Site, NULL, site_init, test_comes_and_goes,
                   site_done);
        g_test_add_func("/store/registry/what-is-announced-is-read-anew", test_announced);
        g_test_add_func("/store/registry/freeing-a-watch-waits-for-its-call", test_free_waits);
        g_test_add_func("/store/registry/a-freed-watch-is-not-called", test_freed_before_its_turn);
        return g_test_run();
}
