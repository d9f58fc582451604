/* search_fill_test.c -- the search index follows the packs: what is in it answers without reading a message, what is
 * not costs nothing. */
#include "store/search.h"

#include "store/pack_testing.h"

#define AT_ONCE USEC_PER_SEC

typedef struct Mail {
        Site site;
        SearchFill *fill;
} Mail;

static void
mail_init(Mail *mail, gconstpointer data)
{
        site_init(&mail->site, NULL);
        store_keep_search_index(mail->site.store, mail->site.dir);
        mail->fill = store_search_fill_new(mail->site.store);
}

static void
mail_done(Mail *mail, gconstpointer data)
{
        search_fill_free(mail->fill);
        site_done(&mail->site, NULL);
}

/* As after a new start of the server. */
static void
mail_restart(Mail *mail)
{
        search_fill_free(mail->fill);
        site_close(&mail->site);
        site_open(&mail->site);
        store_keep_search_index(mail->site.store, mail->site.dir);
        mail->fill = store_search_fill_new(mail->site.store);
}

static void
mail_deliver(Mail *mail, guint n)
{
        gint64 uid;

        for (guint i = 0; i < n; i++) {
                g_autofree char *text = g_strdup_printf("Subject: wombat %u\r\n\r\nThe %s keeper of number%ux\r\n", i,
                                                        i % 3 == 0 ? "zebra" : "quagga", i);
                g_assert_cmpint(deliver(&mail->site, 1, "INBOX", "P: 1\r\n", text, (Quota){0}, &uid), ==, STORE_DONE);
        }
}

static void
mail_fill(Mail *mail)
{
        g_autoptr(GError) error = NULL;
        SearchFilled filled;

        while ((filled = search_fill_step(mail->fill, AT_ONCE, &error)) == SEARCH_FILL_AGAIN)
                continue;
        g_assert_no_error(error);
        g_assert_cmpint(filled, ==, SEARCH_FILL_IDLE);
}

static SearchProgress
progress(Mail *mail)
{
        g_autoptr(GError) error = NULL;
        SearchProgress now;

        g_assert_true(store_search_progress(mail->site.store, &now, &error));
        return now;
}

static void
check_progress(Mail *mail, guint packs, guint packs_done)
{
        SearchProgress now = progress(mail);

        g_assert_cmpint(now.state, ==, SEARCH_INDEX_USED);
        g_assert_cmpuint(now.packs, ==, packs);
        g_assert_cmpuint(now.packs_done, ==, packs_done);
}

/* How many messages contain it; FALSE: one could not be read. */
static gboolean
count(Mail *mail, SearchPart part, const char *needle, guint *ret)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) view = open_view(&mail->site, inbox_of(&mail->site, 1), 1);
        g_autoptr(SearchTask) task = store_search_new(mail->site.store, view, part, span_of(needle), NULL);
        SearchStep step;

        *ret = 0;
        while ((step = search_task_step(task, AT_ONCE, &error)) == SEARCH_AGAIN)
                continue;
        for (guint32 i = 0; step == SEARCH_DONE && i < view_count(view); i++)
                *ret += search_task_matches(task, i);
        return step == SEARCH_DONE;
}

static guint
found(Mail *mail, SearchPart part, const char *needle)
{
        guint n;

        g_assert_true(count(mail, part, needle, &n));
        return n;
}

/* From now on only the index knows the texts. */
static void
lose_bodies(Mail *mail)
{
        change(&mail->site, "UPDATE body SET segment = segment + 1000");
}

static void
test_answers(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 300);
        g_assert_cmpint(progress(mail).state, ==, SEARCH_INDEX_CLOSED);
        g_assert_cmpuint(pack_all(&mail->site, inbox_of(&mail->site, 1)), ==, 3);
        mail_fill(mail);
        check_progress(mail, 3, 3);
        lose_bodies(mail);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "zebra"), ==, 100);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "EBR"), ==, 100);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "number299x"), ==, 1);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "wombat"), ==, 0);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, "wombat"), ==, 300);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, "P: 1"), ==, 300);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, "nowhere"), ==, 0);
}

/* What has no record is read, and is indexed when its turn comes. */
static void
test_behind(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 200);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        mail_fill(mail);
        mail_deliver(mail, 10);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        check_progress(mail, 3, 2);
        mail_deliver(mail, 5);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 215);
        mail_fill(mail);
        check_progress(mail, 3, 3);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 215);
}

static void
test_restart(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 300);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        mail_fill(mail);
        mail_restart(mail);
        g_assert_cmpint(progress(mail).state, ==, SEARCH_INDEX_CLOSED);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "zebra"), ==, 100);
        lose_bodies(mail);
        mail_fill(mail); /* nothing is made anew: it could not be */
        check_progress(mail, 3, 3);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "zebra"), ==, 100);
}

static void
expunge(Mail *mail, guint32 first, guint32 last)
{
        g_autoptr(GError) error = NULL;
        UidRange range = {first, last};
        UidSet set = {&range, 1};
        guint64 modseq;

        g_assert_cmpint(store_remove(mail->site.store, inbox_of(&mail->site, 1), &set, &modseq, &error), ==,
                        CHANGED_DONE);
        tidy(&mail->site);
}

static gint64
index_octets(Mail *mail)
{
        g_autofree char *path = g_build_filename(mail->site.dir, "search.db", NULL);
        GStatBuf st;

        search_fill_free(g_steal_pointer(&mail->fill));
        site_close(&mail->site); /* everything goes to the file */
        g_assert_cmpint(g_stat(path, &st), ==, 0);
        site_open(&mail->site);
        store_keep_search_index(mail->site.store, mail->site.dir);
        mail->fill = store_search_fill_new(mail->site.store);
        return st.st_size;
}

static void
test_pack_gone(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 300);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        mail_fill(mail);
        expunge(mail, 1, 128);
        g_assert_cmpint(number(&mail->site, "SELECT count(*) FROM pack"), ==, 2);
        mail_fill(mail);
        check_progress(mail, 2, 2);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 172);
}

/* The file grows with the mail that is there, not with what has been there. */
static void
test_bounded(Mail *mail, gconstpointer data)
{
        gint64 first = 0;

        for (guint i = 0; i < 4; i++) {
                mail_deliver(mail, 256);
                (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
                mail_fill(mail);
                expunge(mail, 1, G_MAXUINT32);
                mail_fill(mail);
                check_progress(mail, 0, 0);
                gint64 octets = index_octets(mail);
                first = i == 0 ? octets : first;
                g_assert_cmpint(octets, <=, first);
        }
}

/* A slot whose message went is left out; the others are all there. */
static void
test_slot_gone(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 128);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        expunge(mail, 1, 50);
        mail_fill(mail);
        check_progress(mail, 1, 1);
        lose_bodies(mail);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 78);
}

/* A body that can't be read, and a pack whose list can't, keep nobody from indexing the others. */
static void
test_damaged(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 256);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        change(&mail->site, "UPDATE body SET segment = segment + 1000 WHERE id = (SELECT min(id) FROM body)");
        mail_fill(mail);
        check_progress(mail, 2, 2);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 255);
        change(&mail->site, "UPDATE body SET segment = segment - 1000 WHERE id = (SELECT min(id) FROM body)");
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 256);
        change(&mail->site, "UPDATE pack SET bodies = x'00' WHERE id = (SELECT min(id) FROM pack)");
        mail_restart(mail);
        mail_fill(mail);
        check_progress(mail, 2, 2);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "keeper"), ==, 256);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "zebra"), ==, 86);
}

static void
test_empty_message(Mail *mail, gconstpointer data)
{
        gint64 uid;

        g_assert_cmpint(deliver(&mail->site, 1, "INBOX", "", "", (Quota){0}, &uid), ==, STORE_DONE);
        g_assert_cmpint(deliver(&mail->site, 1, "INBOX", "To: okapi\r\n", "\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        mail_fill(mail);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, "zebra"), ==, 0);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, "okapi"), ==, 1);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "okapi"), ==, 0);
        g_assert_cmpuint(found(mail, SEARCH_TEXT, ""), ==, 2);
}

/* The smallest span does something each time, and a pack that was begun is not lost. */
static void
test_small_steps(Mail *mail, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        guint steps = 0;

        mail_deliver(mail, 300);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        while (search_fill_step(mail->fill, 1, &error) == SEARCH_FILL_AGAIN)
                g_assert_cmpuint(steps++, <, 100000);
        g_assert_no_error(error);
        check_progress(mail, 3, 3);
        g_assert_cmpuint(found(mail, SEARCH_BODY, "zebra"), ==, 100);
}

static void
test_stop(Mail *mail, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        mail_deliver(mail, 300);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        for (guint i = 0; i < 5; i++)
                g_assert_cmpint(search_fill_step(mail->fill, 1, &error), ==, SEARCH_FILL_AGAIN);
        search_fill_stop(mail->fill);
        g_assert_true(search_fill_is_stopped(mail->fill));
        search_fill_wait(mail->fill, USEC_NEVER);
        g_assert_cmpint(search_fill_step(mail->fill, AT_ONCE, &error), ==, SEARCH_FILL_AGAIN);
        g_assert_no_error(error);
        mail_restart(mail);
        mail_fill(mail);
        check_progress(mail, 3, 3);
}

/* Whoever waits is woken by the commit that makes packs and by the one that drops them, even if it came first. */
static void
test_woken(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 128);
        mail_fill(mail);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        search_fill_wait(mail->fill, USEC_NEVER);
        mail_fill(mail);
        expunge(mail, 1, 128);
        search_fill_wait(mail->fill, USEC_NEVER);
        mail_fill(mail);
        check_progress(mail, 0, 0);
        search_fill_wait(mail->fill, clock_in(1)); /* nothing more is to come */
}

#define mail_test(path, fn) g_test_add(path, Mail, NULL, mail_init, fn, mail_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        mail_test("/store/search-fill/what is indexed is answered without reading it", test_answers);
        mail_test("/store/search-fill/what is not indexed yet is read", test_behind);
        mail_test("/store/search-fill/a new start finds everything indexed", test_restart);
        mail_test("/store/search-fill/a record goes with its pack", test_pack_gone);
        mail_test("/store/search-fill/the file does not grow with mail that went", test_bounded);
        mail_test("/store/search-fill/a slot whose message went is left out", test_slot_gone);
        mail_test("/store/search-fill/what is damaged stops nothing and is read", test_damaged);
        mail_test("/store/search-fill/a message without any text has its slot", test_empty_message);
        mail_test("/store/search-fill/goes on where it was after the shortest steps", test_small_steps);
        mail_test("/store/search-fill/stops in the middle of a pack and begins it again", test_stop);
        mail_test("/store/search-fill/is woken by packs that come and go", test_woken);
        return g_test_run();
}
