/* verify_test.c -- each kind of damage is found and named; a site that works meanwhile gives no false complaint. */
#include "store/verify.h"

#include "store/fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define MESSAGES 300 /* three pages, the last one not full */
#define TAIL 3

static void
set_flags(Site *site, gint64 mailbox, gint64 reader, UidRange range, FlagAction action, guint64 flags)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) modified = NULL;
        const UidSet set = {&range, 1};
        const FlagChange wanted = {
                .action = action, .flags = flags, .mask = FLAG_SYSTEM, .may_keywords = TRUE, .reader = reader};
        guint64 modseq;

        g_assert_cmpint(store_change_flags(site->store, mailbox, &set, &wanted, &modified, &modseq, &error), ==,
                        CHANGED_DONE);
}

static void
expunge(Site *site, gint64 mailbox)
{
        g_autoptr(GError) error = NULL;
        guint64 modseq;

        g_assert_cmpint(store_expunge(site->store, mailbox, NULL, &modseq, &error), ==, CHANGED_DONE);
}

static void
copy(Site *site, gint64 from, gint64 to, UidRange range, gboolean is_move)
{
        g_autoptr(GError) error = NULL;
        const UidSet set = {&range, 1};
        const CopyRequest request = {
                .from = from, .to = to, .reader = 1, .is_move = is_move, .mask = FLAG_SYSTEM, .may_keywords = TRUE};
        Copied copied;

        g_assert_cmpint(store_copy(site->store, &request, &set, &copied, &error), ==, CHANGED_DONE);
        copied_done(&copied);
}

/* Two mailboxes, 1000 and 1002, with some of everything in them. */
static void
furnish(Site *site)
{
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'INBOX', 5, 0)");
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1002, 1, 'b', 6, 0)");
        deliver_n(site, MESSAGES);
        set_flags(site, 1000, 1, (UidRange){1, 200}, FLAGS_ADD, FLAG_SEEN);
        set_flags(site, 1000, 2, (UidRange){20, 30}, FLAGS_ADD, FLAG_SEEN);
        set_flags(site, 1000, 1, (UidRange){40, 42}, FLAGS_ADD, FLAG_DELETED);
        expunge(site, 1000);
        copy(site, 1000, 1002, (UidRange){50, 60}, FALSE);
        copy(site, 1000, 1002, (UidRange){61, 62}, TRUE);
        deliver_n(site, TAIL);
}

/* Complaining ------------------------------------------------------------------------------------------------------ */

static void
gather(const char *complaint, gpointer data)
{
        g_ptr_array_add(data, g_strdup(complaint));
}

/* A snapshot for every page and every three rows, so that each seam is there. */
static GPtrArray *
complaints_of(Site *site, guint64 *ret_entries)
{
        g_autoptr(GError) error = NULL;
        GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
        Verify v = {.store = site->store, .report = gather, .data = list, .rows = 3, .packs = 2, .bodies = 20};

        g_assert_true(verify_all(&v, FALSE, &error));
        g_assert_no_error(error);
        if (ret_entries != NULL)
                *ret_entries = v.ret_entries;
        return list;
}

static void
assert_complains(Site *site, const char *what)
{
        g_autoptr(GPtrArray) list = complaints_of(site, NULL);

        for (guint i = 0; i < list->len; i++) {
                g_assert_null(strchr(list->pdata[i], '\n'));
                if (strstr(list->pdata[i], what) != NULL)
                        return;
        }
        g_test_message("not said: %s", what);
        for (guint i = 0; i < list->len; i++)
                g_test_message("but: %s", (char *) list->pdata[i]);
        g_assert_not_reached();
}

static void
assert_content(Site *site)
{
        g_autoptr(GPtrArray) list = complaints_of(site, NULL);

        if (list->len > 0)
                g_test_message("%s", (char *) list->pdata[0]);
        g_assert_cmpuint(list->len, ==, 0);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_content(Site *site, gconstpointer data)
{
        guint64 entries;

        assert_content(site);
        furnish(site);
        assert_content(site);
        g_ptr_array_unref(complaints_of(site, &entries));
        /* moved: two; copied: eleven */
        g_assert_cmpuint(entries, ==, MESSAGES - 2 + 11 + 2 + TAIL);
        tidy(site);
        assert_content(site);
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

#define PAGE_1 "4294967296001" /* of mailbox 1000 */

static void
test_tables(Site *site, gconstpointer data)
{
        static const struct {
                const char *damage, *repair, *complaint;
        } CASES[] = {
                {"UPDATE mailbox SET messages = messages + 1 WHERE id = 1000",
                 "UPDATE mailbox SET messages = messages - 1 WHERE id = 1000",
                 "mailbox 1000: its row has 296 messages, its pages have 295"},
                {"UPDATE mailbox SET octets = octets - 1 WHERE id = 1002",
                 "UPDATE mailbox SET octets = octets + 1 WHERE id = 1002", " octets, its pages have "},
                {"UPDATE mailbox SET gone_messages = 0 WHERE id = 1000",
                 "UPDATE mailbox SET gone_messages = 3 WHERE id = 1000",
                 "mailbox 1000: its row has 0 expunged messages, its pages have 3"},
                {"UPDATE mailbox SET gone_octets = gone_octets + 5 WHERE id = 1000",
                 "UPDATE mailbox SET gone_octets = gone_octets - 5 WHERE id = 1000", "expunged octets"},
                {"UPDATE mailbox SET gone_oldest = gone_oldest + 9000000000 WHERE id = 1000",
                 "UPDATE mailbox SET gone_oldest = gone_oldest - 9000000000 WHERE id = 1000", "its oldest expunge"},
                {"UPDATE mailbox SET uid_next = uid_next - 1 WHERE id = 1002",
                 "UPDATE mailbox SET uid_next = uid_next + 1 WHERE id = 1002",
                 "mailbox 1002: its pages end with UID 13, and UIDNEXT is 13"},
                {"UPDATE mailbox SET modseq = modseq - 1 WHERE id = 1002",
                 "UPDATE mailbox SET modseq = modseq + 1 WHERE id = 1002", "higher MODSEQ than its mailbox"},
                {"UPDATE mailbox SET forgotten = modseq + 1 WHERE id = 1002",
                 "UPDATE mailbox SET forgotten = 0 WHERE id = 1002", "what is forgotten"},
                {"UPDATE mailbox SET keywords = 'a b a' WHERE id = 1002",
                 "UPDATE mailbox SET keywords = NULL WHERE id = 1002", "the keyword a twice"},
                {"UPDATE mailbox SET folded = folded - 1 WHERE id = 1002",
                 "UPDATE mailbox SET folded = folded + 1 WHERE id = 1002", "entry 13 is in a page, but pages end with"},
                {"UPDATE mailbox SET id = 999 WHERE id = 1000", "UPDATE mailbox SET id = 1000 WHERE id = 999",
                 "pages stand in mailbox 1000, which is not there"},
                {"UPDATE page_state SET key = key + 1 WHERE key = " PAGE_1,
                 "UPDATE page_state SET key = key - 1 WHERE key = " PAGE_1 " + 1", "page 1 has no state"},
                {"UPDATE page SET key = key + 1 WHERE key = " PAGE_1,
                 "UPDATE page SET key = key - 1 WHERE key = " PAGE_1 " + 1", "the state of page 1 has no page"},
                {"UPDATE page SET key = key - 1 WHERE key > 4303557230592",
                 "UPDATE page SET key = key + 1 WHERE key >= 4303557230592", "page 0 has no state"},
                {"UPDATE page SET key = key + 90000000000000 WHERE key > 4303557230592",
                 "UPDATE page SET key = key - 90000000000000 WHERE key > 90000000000000",
                 "pages stand in mailbox 21956"},
                {"UPDATE entry SET uid = uid + 9000 WHERE uid = 5 AND mailbox = 1000",
                 "UPDATE entry SET uid = uid - 9000 WHERE uid = 9005", "mailbox 1000: the row of entry 5 is not there"},
                {"UPDATE entry SET uid = 41, mailbox = 1002 WHERE uid = 41 AND mailbox = 1000",
                 "UPDATE entry SET mailbox = 1000 WHERE uid = 41", "the row of entry 41 is not there"},
                {"UPDATE entry SET uid = 61 WHERE uid = 60 AND mailbox = 1000",
                 "UPDATE entry SET uid = 60 WHERE uid = 61 AND mailbox = 1000",
                 "entry 61 has a row, though it has moved on"},
                {"UPDATE entry SET message = message + 1 WHERE uid = 9 AND mailbox = 1000",
                 "UPDATE entry SET message = message - 1 WHERE uid = 9 AND mailbox = 1000",
                 "entry 9 is another in its row than in its page"},
                {"UPDATE entry SET flags = 1099511627776 WHERE uid = 302", "UPDATE entry SET flags = 0 WHERE uid = 302",
                 "entry 302 has a keyword without a name"},
                {"UPDATE entry SET modseq = modseq + 100 WHERE uid = 302",
                 "UPDATE entry SET modseq = modseq - 100 WHERE uid = 302",
                 "entry 303 has a lower MODSEQ than the one before it"},
                {"UPDATE reader_seen SET mailbox = 1001", "UPDATE reader_seen SET mailbox = 1000",
                 "account 2 has seen something of mailbox 1001, which is not there"},
                {"UPDATE reader_seen SET data = x'0180'", "UPDATE reader_seen SET data = x'01140a'",
                 "mailbox 1000: what account 2 has seen of it is damaged"},
                {"UPDATE reader_seen SET data = x'0114ffff00'", "UPDATE reader_seen SET data = x'01140a'",
                 "account 2 has seen UIDs that were never given"},
                {"INSERT INTO mailbox_alias (account, name, target) VALUES (1, 'x', 1001)", "DELETE FROM mailbox_alias",
                 "a mailbox alias stands for mailbox 1001, which is not there"},
                {"INSERT INTO acl (mailbox, identifier, is_negative, rights) VALUES (1001, 'anyone', 0, 1)",
                 "DELETE FROM acl", "rights are given on mailbox 1001, which is not there"},
                {"INSERT INTO metadata (mailbox, account, entry, value) VALUES (1001, 0, '/x', x'41')",
                 "DELETE FROM metadata", "there are annotations of mailbox 1001, which is not there"},
                {"UPDATE body SET refs = refs + 1 WHERE id = (SELECT min(body) FROM entry)",
                 "UPDATE body SET refs = refs - 1 WHERE id = (SELECT min(body) FROM entry)",
                 "counts 2 references but has 1"},
                {"UPDATE body SET refs = refs - 1 WHERE id = (SELECT body FROM entry WHERE uid = 50 AND mailbox = "
                 "1000)",
                 "UPDATE body SET refs = refs + 1 WHERE id = (SELECT body FROM entry WHERE uid = 50 AND mailbox = "
                 "1000)",
                 "counts 1 references but has 2"},
                {"INSERT INTO pack (id, bodies, refs) VALUES (5, x'01010002', x'010101')", "DELETE FROM pack",
                 "the body of slot 0 of pack 5 is not there"},
                {"INSERT INTO queue (id, message, body, size, prefix, sender, recipient, next_hop, created,"
                 " next_attempt) VALUES (8, 1, 1, 1, x'', '', '', '', 0, 0)",
                 "DELETE FROM queue", "the body of queue row 8 is not there"},
        };

        furnish(site);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                change(site, CASES[i].damage);
                assert_complains(site, CASES[i].complaint);
                change(site, CASES[i].repair);
                assert_content(site);
        }
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static void
wrong_keyword(Page *page)
{
        page->states[3].flags |= (guint64) 1 << 40;
}

static void
wrong_modseq(Page *page)
{
        page->states[3].modseq = 100000;
}

static void
wrong_size(Page *page)
{
        page->entries[3].size++;
}

static void
wrong_pack(Page *page)
{
        page->entries[3].pack = 77;
}

static void
wrong_fate(Page *page)
{
        page->states[3] = (State){.modseq = 5, .gone_at = 5, .fate = FATE_EXPUNGED};
}

static void
entry_missing(Page *page)
{
        page->n--;
}

static void
uid_not_given(Page *page)
{
        page->entries[page->n - 1].uid = 70000;
}

static void
edit(Site *site, gint64 key, Page *before, void (*fn)(Page *page))
{
        g_autoptr(GError) error = NULL;
        DbTxn *txn = db_begin(site->db, &error);
        g_autofree Page *page = g_new(Page, 1);

        g_assert_true(page_load(txn, key, page, &error));
        if (fn != NULL) {
                *before = *page;
                fn(page);
        } else {
                *page = *before;
        }
        g_assert_true(page_save(site->store, txn, page, MARK_PAGE, &error));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
}

static void
test_pages(Site *site, gconstpointer data)
{
        static const struct {
                guint first;
                void (*fn)(Page *page);
                const char *complaint;
        } CASES[] = {
                {1, wrong_keyword, "entry 4 has a keyword without a name"},
                {1, wrong_modseq, "entry 4 has a higher MODSEQ than its mailbox"},
                {1, wrong_size, "entry 4 is another in its row than in its page"},
                {129, wrong_size, " octets, its pages have "},
                {129, wrong_pack, "entry 132 has a row, though it is packed"},
                {129, wrong_fate, "its row has 295 messages, its pages have 294"},
                {129, wrong_fate, "its oldest expunge"},
                {1, entry_missing, "the row of entry 128 belongs to no page"},
                {257, entry_missing, "the row of entry 300 belongs to no page"},
                {257, uid_not_given, "entry 70000 is in a page, but pages end with UID 300"},
        };

        g_autofree Page *before = g_new(Page, 1);
        furnish(site);
        for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
                gint64 key = (gint64) 1000 << 32 | CASES[i].first;
                edit(site, key, before, CASES[i].fn);
                assert_complains(site, CASES[i].complaint);
                edit(site, key, before, NULL);
                assert_content(site);
        }
}

/* One that can't be read is said once, and not that its rows have no page. */
static void
test_damaged_page(Site *site, gconstpointer data)
{
        furnish(site);
        change(site, "UPDATE page SET data = x'02' WHERE key = " PAGE_1 " + 128");
        g_autoptr(GPtrArray) list = complaints_of(site, NULL);
        g_assert_cmpuint(list->len, ==, 1);
        g_assert_cmpstr(list->pdata[0], ==, "mailbox 1000: page 129 is damaged");
}

/* At work ---------------------------------------------------------------------------------------------------------- */

/* Packs ------------------------------------------------------------------------------------------------------------ */

/* Some of what is not packed; all of it is for the caller to repeat. */
static PackWork
pack(Site *site, gint64 mailbox, gboolean is_forced)
{
        g_autoptr(GError) error = NULL;
        PackWork answer = mailbox_pack(site->store, mailbox, is_forced, &error);

        g_assert_no_error(error);
        g_assert_cmpint(answer, !=, PACK_FAILED);
        return answer;
}

static void
restore(Site *site)
{
        static const char *const TABLES[] = {"pack", "pack_part", "page", "body"};

        for (guint i = 0; i < G_N_ELEMENTS(TABLES); i++) {
                g_autofree char *drop = g_strdup_printf("DELETE FROM %s", TABLES[i]);
                g_autofree char *add = g_strdup_printf("INSERT INTO %s SELECT * FROM kept_%s", TABLES[i], TABLES[i]);
                change(site, drop);
                change(site, add);
        }
}

static void
test_packs(Site *site, gconstpointer data)
{
        static const struct {
                const char *damage, *complaint;
        } CASES[] = {
                {"UPDATE pack SET refs = x'010501' WHERE id = 1", "pack 1: its row is damaged"},
                {"UPDATE pack SET bodies = x'01' WHERE id = 1", "pack 1: its row is damaged"},
                {"DELETE FROM pack WHERE id = 1", "of pack 1, which is not there"},
                {"DELETE FROM pack WHERE id = 2", "parts stand in pack 2, which is not there"},
                {"UPDATE pack_part SET key = key + 800 WHERE key / 8 = 1",
                 "parts stand in pack 101, which is not there"},
                {"DELETE FROM pack_part WHERE key = 9", "pack 1: part 1 is not there"},
                {"UPDATE pack_part SET data = x'01' WHERE key = 13", "pack 1: part 5 is damaged"},
                {"UPDATE pack_part SET data = (SELECT data FROM pack_part WHERE key = 13) WHERE key = 8 * 3 + 5",
                 "pack 3: part 5 is damaged"},
                {"UPDATE pack SET bodies = x'017e010a02' WHERE id = 1", "which has another body"},
                {"DELETE FROM page WHERE key = " PAGE_1, "pack 1: slot 0 counts 1 references but has 0"},
                {"UPDATE body SET packed = packed + 1", " slots of packs but has "},
        };

        furnish(site);
        while (pack(site, 1000, TRUE) == PACK_AGAIN || pack(site, 1002, TRUE) == PACK_AGAIN)
                continue;
        assert_content(site);
        change(site, "CREATE TABLE kept_pack AS SELECT * FROM pack");
        change(site, "CREATE TABLE kept_pack_part AS SELECT * FROM pack_part");
        change(site, "CREATE TABLE kept_page AS SELECT * FROM page");
        change(site, "CREATE TABLE kept_body AS SELECT * FROM body");
        for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
                g_test_message("%s", CASES[i].damage);
                change(site, CASES[i].damage);
                assert_complains(site, CASES[i].complaint);
                restore(site);
                assert_content(site);
        }
}

typedef struct Work {
        Site *site;
        gint stop; /* atomic */
        guint rounds;
} Work;

static void
repack(Site *site)
{
        g_autoptr(GError) error = NULL;
        PackWork work = PACK_AGAIN;
        gint64 at = 0;

        while (work == PACK_AGAIN)
                work = pages_repack(site->store, &at, G_MAXINT64, &error);
        g_assert_no_error(error);
}

/* Everything that moves rows, pages, counts and references. */
static void
work(gpointer data)
{
        Work *w = data;
        GRand *random = g_rand_new_with_seed(12);

        for (; !g_atomic_int_get(&w->stop) && w->rounds < 3000; w->rounds++) {
                gint64 from = w->rounds % 2 == 0 ? 1000 : 1002, to = from == 1000 ? 1002 : 1000;
                guint32 uid = (guint32) g_rand_int_range(random, 1, 400);
                UidRange range = {uid, uid + 3};
                copy(w->site, from, to, range, w->rounds % 3 > 0);
                set_flags(w->site, to, 2, range, w->rounds % 5 == 0 ? FLAGS_REMOVE : FLAGS_ADD, FLAG_SEEN);
                set_flags(w->site, to, 1, range, FLAGS_ADD, w->rounds % 4 == 0 ? FLAG_DELETED : FLAG_FLAGGED);
                if (w->rounds % 8 == 0)
                        expunge(w->site, to);
                if (w->rounds % 16 == 0)
                        tidy(w->site);
                if (w->rounds % 4 == 0)
                        pack(w->site, from, w->rounds % 8 == 0);
                if (w->rounds % 4 == 2)
                        repack(w->site);
        }
        g_rand_free(random);
}

static void
test_at_work(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Work w = {.site = site};

        furnish(site);
        Thread *thread = thread_new("work", work, &w, &error);
        g_assert_no_error(error);
        for (guint i = 0; i < 20 || (g_atomic_int_get(&site->store->n_repacked) == 0 && i < 5000); i++) {
                g_autoptr(GPtrArray) list = complaints_of(site, NULL);
                for (guint k = 0; k < list->len; k++)
                        g_test_message("%s", (char *) list->pdata[k]);
                g_assert_cmpuint(list->len, ==, 0);
        }
        g_atomic_int_set(&w.stop, 1);
        thread_take_join(thread);
        g_test_message("%u rounds of work, pages put together %d times", w.rounds, site->store->n_repacked);
        g_assert_cmpint(site->store->n_repacked, >, 0);
        assert_content(site);
}

int
main(int argc, char **argv)
{
        if (g_access("/dev/shm", W_OK) == 0) /* hundreds of commits: what is read is tested here, not the disk */
                g_setenv("TMPDIR", "/dev/shm", FALSE);
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/store/verify/" path, Site, NULL, site_init, fn, site_done)
        ADD("nothing-to-complain-about", test_content);
        ADD("rows-of-tables", test_tables);
        ADD("pages-and-states", test_pages);
        ADD("a-damaged-page-is-one-complaint", test_damaged_page);
        ADD("packs-and-their-slots", test_packs);
        ADD("no-false-complaint-while-others-write", test_at_work);
        return g_test_run();
}
