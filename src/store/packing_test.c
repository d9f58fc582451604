/* packing_test.c -- what was delivered becomes packs, and nobody sees it. */
#include "store/fixture.h"
#include "store/internal.h"

static void
pack_all(Site *site, gint64 mailbox, gboolean is_forced)
{
        g_autoptr(GError) error = NULL;
        PackWork work = PACK_AGAIN;

        while (work == PACK_AGAIN)
                work = mailbox_pack(site->store, mailbox, is_forced, &error);
        g_assert_no_error(error);
        g_assert_cmpint(work, ==, PACK_IDLE);
}

/* Passes as the housekeeping makes them; the first one only looks how much is going on. */
static void
passes(Site *site, guint n)
{
        g_autoptr(GError) error = NULL;

        for (guint i = 0; i < n; i++)
                g_assert_true(store_pack(site->store, NULL, NULL, &error));
        g_assert_no_error(error);
}

/* Message i of a view is the i-th of deliver_n(). */
static void
assert_message(Site *site, const View *view, SummaryCursor *cursor, guint32 i)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;
        g_autofree char *text = g_strdup_printf("P: 1\r\nSubject: %u\r\n\r\nx\r\n", i);
        g_autofree char *envelope = g_strdup_printf("(NIL \"%u\" ", i);
        StoredSummary summary;
        char read[100];

        g_assert_true(store_message_of(site->store, view, i, &message, &error));
        g_assert_no_error(error);
        g_assert_cmpint(stored_message_read(message, 0, read, sizeof(read), &error), ==, strlen(text));
        g_assert_cmpint(memcmp(read, text, strlen(text)), ==, 0);
        g_assert_true(summary_cursor_get(cursor, view, i, &summary, &error));
        g_assert_no_error(error);
        g_assert_true(span_starts_nocase(summary.envelope, span_of(envelope)));
        g_assert_true(span_is(summary.prefix, "P: 1\r\n"));
        g_assert_true(span_is(summary.preview, "x"));
}

static SummaryCursor *
cursor_of(Site *site)
{
        return store_summary_cursor(site->store, SUMMARY_ENVELOPE | SUMMARY_PREVIEW | SUMMARY_COPY);
}

static void
assert_messages(Site *site, const View *view, SummaryCursor *cursor, guint32 step)
{
        for (guint32 i = 0; i < view_count(view); i += step)
                assert_message(site, view, cursor, i);
}

static void
test_whole_pages(Site *site, gconstpointer data)
{
        deliver_n(site, 300);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) before = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);

        assert_messages(site, before, cursor, 7);
        pack_all(site, inbox, FALSE);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 2);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 300 - 256);
        g_assert_cmpint(number(site, "SELECT count(*) FROM body WHERE packed = 1"), ==, 256);
        g_autoptr(View) after = open_view(site, inbox, 1);
        g_assert_cmpuint(view_count(after), ==, 300);
        g_assert_cmpuint(view_highest_modseq(after), ==, view_highest_modseq(before));
        g_assert_cmpint(view_entry(after, 255)->pack, !=, 0);
        g_assert_cmpint(view_entry(after, 256)->pack, ==, 0);
        for (guint step = 1; step < 140; step += 63) {
                assert_messages(site, after, cursor, step);
                assert_messages(site, before, cursor, step); /* says that nothing is packed */
                summary_cursor_rest(cursor);
        }
        g_assert_cmpuint(complaints(site), ==, 0);
        pack_all(site, inbox, TRUE);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 0);
        assert_messages(site, before, cursor, 3);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_emailid(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        char before[EMAILID_OCTETS], after[EMAILID_OCTETS];

        deliver_n(site, 3);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_assert_true(store_emailid(site->store, view, 1, before, &error));
        pack_all(site, inbox, TRUE);
        g_autoptr(View) packed = open_view(site, inbox, 1);
        g_assert_true(store_emailid(site->store, packed, 1, after, &error));
        g_assert_cmpstr(before, ==, after);
        g_assert_true(store_emailid(site->store, view, 1, after, &error));
        g_assert_cmpstr(before, ==, after);
}

static gint64
summaries(Site *site)
{
        return number(site, "SELECT count(*) FROM body WHERE length(summary) > 0");
}

/* One body in the mailboxes of two accounts and in the queue. */
static void
test_last_reference(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(1 << 20);
        const char *text = "Subject: for two\r\n\r\nx\r\n";
        BlobPlace place = append(site, text);
        Copy copy = {.body_size = place.size};
        gint64 uid;
        DbTxn *txn = db_begin(site->db, &error);

        g_assert_true(blob_name(txn, &place, 3, store_summarise(arena, span_of(text)), &copy.body, &error));
        for (gint64 account = 1; account <= 2; account++) {
                const StoreDelivery delivery = {.account = account, .mailbox = "INBOX", .copy = &copy, .message = 7};
                g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        }
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        pack_all(site, inbox_of(site, 1), TRUE);
        g_assert_cmpint(summaries(site), ==, 1);
        pack_all(site, inbox_of(site, 2), TRUE);
        g_assert_cmpint(summaries(site), ==, 1); /* the queue has it yet */
        txn = db_begin(site->db, &error);
        g_assert_true(blob_unref(txn, copy.body, 1, &error));
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_assert_cmpint(summaries(site), ==, 0);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
remove_range(Site *site, gint64 mailbox, UidRange range)
{
        g_autoptr(GError) error = NULL;
        const UidSet set = {&range, 1};
        guint64 modseq;

        g_assert_cmpint(store_remove(site->store, mailbox, &set, &modseq, &error), ==, CHANGED_DONE);
        g_assert_no_error(error);
}

static void
test_last_slot(Site *site, gconstpointer data)
{
        deliver_n(site, 130);
        gint64 inbox = inbox_of(site, 1);

        pack_all(site, inbox, TRUE);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 2);
        remove_range(site, inbox, (UidRange){1, 127});
        tidy(site);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 2);
        g_assert_cmpint(number(site, "SELECT count(*) FROM body"), ==, 3);
        remove_range(site, inbox, (UidRange){128, 128});
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 2); /* can be undeleted */
        tidy(site);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 1);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack_part"), ==, PACK_N_PARTS);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* What was expunged is packed like the rest, and comes back from there. */
static void
test_undelete(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        guint32 n;

        deliver_n(site, 128);
        gint64 inbox = inbox_of(site, 1);
        remove_range(site, inbox, (UidRange){1, 128});
        pack_all(site, inbox, FALSE);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 0);
        g_assert_cmpint(store_undelete(site->store, inbox, 0, &n, &error), ==, CHANGED_DONE);
        g_assert_cmpuint(n, ==, 128);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        assert_messages(site, view, cursor, 1);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Copies name the same slots: no row a message, no pack more. */
static void
test_copy(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        const UidRange all = {1, 1000};
        const UidSet set = {&all, 1};
        Copied copied;

        deliver_n(site, 256);
        gint64 inbox = inbox_of(site, 1);
        pack_all(site, inbox, FALSE);
        change(site, "INSERT INTO mailbox (id, account, name, uid_validity, created) VALUES (1000, 1, 'Copies', 5, 0)");
        const CopyRequest request = {.from = inbox, .to = 1000, .reader = 1, .mask = FLAG_SYSTEM};
        g_assert_cmpint(store_copy(site->store, &request, &set, &copied, &error), ==, CHANGED_DONE);
        g_assert_cmpuint(copied.n, ==, 256);
        copied_done(&copied);
        g_assert_cmpint(number(site, "SELECT count(*) FROM entry"), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 2);
        g_assert_cmpint(number(site, "SELECT max(refs) FROM body"), ==, 1);
        remove_range(site, inbox, all);
        tidy(site);
        g_autoptr(View) view = open_view(site, 1000, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        assert_messages(site, view, cursor, 5);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static void
test_pop3(Site *site, gconstpointer data)
{
        deliver_n(site, 140);
        g_autoptr(Maildrop) before = open_drop(site, 1);
        pack_all(site, inbox_of(site, 1), FALSE);
        for (guint i = 0; i < 140; i += i < 60 ? 1 : 19) {
                g_autofree char *expected = g_strdup_printf("P: 1\r\nSubject: %u\r\n\r\nx\r\n", i);
                g_autofree char *text = read_message(before, i);
                g_assert_cmpstr(text, ==, expected);
        }
        g_clear_pointer(&before, store_maildrop_close);
        g_autoptr(Maildrop) after = open_drop(site, 1);
        for (guint i = 0; i < 140; i++) {
                g_autofree char *expected = g_strdup_printf("P: 1\r\nSubject: %u\r\n\r\nx\r\n", i);
                g_autofree char *text = read_message(after, i);
                g_assert_cmpstr(text, ==, expected);
        }
}

/* Ripeness --------------------------------------------------------------------------------------------------------- */

static gint64
ripe(Site *site)
{
        return number(site, "SELECT count(*) FROM mailbox WHERE ripe IS NOT NULL");
}

static void
test_ripe(Site *site, gconstpointer data)
{
        deliver_n(site, 127);
        g_assert_cmpint(ripe(site), ==, 0);
        deliver_n(site, 1);
        g_assert_cmpint(ripe(site), ==, 1);
        site_close(site);
        site_open(site); /* is known again, as after a crash */
        passes(site, 3);
        g_assert_cmpint(ripe(site), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 1);
        deliver_n(site, 127);
        passes(site, 3);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 1);
        deliver_n(site, 130);
        g_assert_cmpint(ripe(site), ==, 1);
        passes(site, 3);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 3);
        g_assert_cmpint(ripe(site), ==, 0);
        g_assert_cmpuint(complaints(site), ==, 0);
}

static gboolean
twice(gpointer data)
{
        guint *asked = data;

        return ++*asked <= 2;
}

/* A server that stops does not wait for a pass: what is left is done after its next start. */
static void
test_stopping(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        guint asked = 0;

        deliver_n(site, 5 * 128);
        passes(site, 1);
        g_assert_true(store_pack(site->store, twice, &asked, &error));
        g_assert_cmpuint(asked, ==, 3);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 1); /* the tail was folded before */
        g_assert_cmpint(ripe(site), ==, 1);
        passes(site, 1);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 5);
        g_assert_cmpint(ripe(site), ==, 0);
}

/* What a transaction did that was undone does not count. */
static void
test_undone(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;

        deliver_n(site, 127);
        BlobPlace place = append(site, "Subject: never\r\n\r\nx\r\n");
        Copy copy = {.body_size = place.size};
        const StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy, .message = 7};
        DbTxn *txn = db_begin(site->db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &copy.body, &error));
        g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        db_txn_free(txn);
        g_assert_cmpint(ripe(site), ==, 0);
        deliver_n(site, 1);
        g_assert_cmpint(ripe(site), ==, 1);
}

/* A mailbox with a page that can't be read is passed over, the next one is packed, and both wait no longer. */
static void
test_damaged(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        gint64 uid;
        guint64 modseq;
        g_autoptr(GArray) modified = NULL;
        const UidRange first = {1, 1};
        const FlagChange seen = {.action = FLAGS_ADD, .flags = FLAG_SEEN, .mask = FLAG_SYSTEM, .reader = 1};

        for (guint i = 0; i < 128; i++)
                g_assert_cmpint(deliver(site, 2, "INBOX", "P: 1\r\n", "Subject: 1\r\n\r\nx\r\n", (Quota){0}, &uid), ==,
                                STORE_DONE);
        g_assert_cmpint(store_change_flags(site->store, inbox_of(site, 1), &(UidSet){&first, 1}, &seen, &modified,
                                           &modseq, &error),
                        ==, CHANGED_DONE);
        change(site, "UPDATE page SET data = x'0100'");
        change(site, "UPDATE mailbox SET ripe = 1 WHERE account = 1");
        g_assert_false(store_pack(site->store, NULL, NULL, &error));
        g_assert_nonnull(error);
        passes(site, 3);
        g_assert_cmpint(ripe(site), ==, 0);
        g_assert_cmpint(number(site, "SELECT count(*) FROM pack"), ==, 1);
}

/* Parts that can't be read ----------------------------------------------------------------------------------------- */

static void
test_damaged_part(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;

        deliver_n(site, 128);
        gint64 inbox = inbox_of(site, 1);
        pack_all(site, inbox, FALSE);
        change(site, "UPDATE pack_part SET data = x'0100' WHERE key % 8 = 0"); /* envelopes */
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        assert_messages(site, view, cursor, 9);
        g_assert_cmpuint(complaints(site), ==, 1);
        change(site, "UPDATE pack_part SET data = x'0100' WHERE key % 8 = 5"); /* prefixes and cuts */
        site_close(site);
        site_open(site);
        g_assert_false(store_message_of(site->store, view, 3, &message, &error));
        g_assert_cmpint(error->code, ==, FAULT_INTERNAL);
        g_assert_cmpuint(complaints(site), ==, 2);
}

/* Readers notice nothing, and after a pass it is as it was. */
static void
test_heals(Site *site, gconstpointer data)
{
        static const char *const damages[] = {
                "UPDATE pack_part SET data = x'0100' WHERE key % 8 = 0",
                "UPDATE pack_part SET data = substr(data, 1, 20) || x'00' || substr(data, 22) WHERE key % 8 < 5",
                "UPDATE pack_part SET data = x'' WHERE key % 8 = 4 AND key > 15",
                "DELETE FROM pack_part WHERE key % 8 IN (0, 4)",
        };
        deliver_n(site, 256);
        gint64 inbox = inbox_of(site, 1);

        pack_all(site, inbox, FALSE);
        gint64 octets = number(site, "SELECT sum(length(data)) FROM pack_part");
        for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
                change(site, damages[i]);
                site_close(site); /* what was read before is kept */
                site_open(site);
                g_autoptr(View) view = open_view(site, inbox, 1);
                g_autoptr(SummaryCursor) cursor = cursor_of(site), again = cursor_of(site);
                assert_messages(site, view, cursor, 5);
                passes(site, 2);
                g_assert_cmpuint(complaints(site), ==, 0);
                g_assert_cmpint(number(site, "SELECT sum(length(data)) FROM pack_part"), ==, octets);
                assert_messages(site, view, again, 5);
        }
        change(site, damages[0]); /* nobody reads it, but verify finds it */
        g_assert_cmpuint(complaints(site), ==, 2);
        passes(site, 2);
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* The same while it is in the row of its body; whatever octet it is. */
static void
test_heals_summary(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(1 << 20);
        const char *text = "Subject: 0\r\n\r\nx\r\n";
        BlobPlace place = append(site, text);
        Copy copy = {.body_size = place.size, .prefix = span_of("P: 1\r\n")};
        const StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy, .message = 7};
        gint64 uid;
        DbTxn *txn = db_begin(site->db, &error);

        g_assert_true(blob_name(txn, &place, 1, store_summarise(arena, span_of(text)), &copy.body, &error));
        g_assert_cmpint(store_deliver(site->store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        g_assert_cmpint(db_take_commit(txn, &error), ==, DB_COMMITTED);
        g_autoptr(View) view = open_view(site, inbox_of(site, 1), 1);
        gint64 len = number(site, "SELECT length(summary) FROM body");
        for (gint64 at = 2; at <= len; at += 3) {
                g_autoptr(SummaryCursor) cursor = cursor_of(site);
                g_autofree char *damage =
                        g_strdup_printf("UPDATE body SET summary = CAST(substr(summary, 1, %d) || x'f7' ||"
                                        " substr(summary, %d) AS BLOB)",
                                        (int) at - 1, (int) at + 1);
                change(site, damage);
                g_assert_cmpuint(complaints(site), ==, 1);
                assert_messages(site, view, cursor, 1);
                passes(site, 2);
                g_assert_cmpuint(complaints(site), ==, 0);
                g_assert_cmpint(number(site, "SELECT length(summary) FROM body"), ==, len);
        }
        change(site, "UPDATE body SET summary = CAST(x'01' || substr(summary, 2, length(summary) - 9) AS BLOB)");
        g_assert_cmpuint(complaints(site), ==, 0); /* as it was written before there was a checksum */
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        assert_messages(site, view, cursor, 1);
}

/* A body that is damaged too keeps nobody from the others. */
static void
test_heals_the_rest(Site *site, gconstpointer data)
{
        deliver_n(site, 128);
        gint64 inbox = inbox_of(site, 1);
        pack_all(site, inbox, FALSE);
        change(site, "UPDATE body SET offset = offset + 8 WHERE id = (SELECT min(id) FROM body)");
        change(site, "DELETE FROM pack_part WHERE key % 8 < 5");
        g_assert_cmpuint(complaints(site), ==, 6);
        passes(site, 2);
        g_assert_cmpuint(complaints(site), ==, 1);
        change(site, "UPDATE body SET offset = offset - 8 WHERE id = (SELECT min(id) FROM body)");
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        assert_messages(site, view, cursor, 1);
}

/* A message whose fields are longer than a pack has room for, among others. */
static void
test_large_summary(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) text = g_string_new("Subject: 1\r\nTo: a@b.example");
        gint64 uid;
        StoredSummary summary;

        for (guint i = 0; i < 9000; i++)
                g_string_append_printf(text, ",\r\n a%u@destination%u.example", i, i);
        g_string_append(text, "\r\n\r\nx\r\n");
        Append appended = {.writer = store_writer_new(site->store)};
        guint32 validity;
        deliver_n(site, 1);
        gint64 inbox = inbox_of(site, 1);
        g_assert_true(blob_writer_add(appended.writer, span_of(text->str), &error));
        g_assert_cmpint(store_append(site->store, inbox, 1, &appended, 1, NULL, &validity, &error), ==, CHANGED_DONE);
        g_assert_cmpint(number(site, "SELECT max(length(summary)) FROM body"), >, 128 * 1024);
        g_assert_cmpint(deliver(site, 1, "INBOX", "", "Subject: 2\r\n\r\nx\r\n", (Quota){0}, &uid), ==, STORE_DONE);
        pack_all(site, inbox, TRUE);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site);
        for (guint32 i = 0; i < 3; i++) {
                g_autofree char *expected = g_strdup_printf("(NIL \"%u\" ", i);
                g_assert_true(summary_cursor_get(cursor, view, i, &summary, &error));
                g_assert_true(span_starts_nocase(summary.envelope, span_of(expected)));
        }
        g_assert_cmpuint(complaints(site), ==, 0);
}

/* Parts that are kept ---------------------------------------------------------------------------------------------- */

static void
test_kept(Site *site, gconstpointer data)
{
        deliver_n(site, 128);
        gint64 inbox = inbox_of(site, 1);
        pack_all(site, inbox, FALSE);
        g_autoptr(View) view = open_view(site, inbox, 1);
        g_autoptr(SummaryCursor) cursor = cursor_of(site), other = cursor_of(site);

        assert_messages(site, view, cursor, 9);
        change(site, "UPDATE pack_part SET data = x'0100'");
        assert_messages(site, view, other, 5);
        summary_cursor_rest(cursor);
        assert_messages(site, view, cursor, 5);
}

static PackedPart *
part_of(gsize size)
{
        PackedPart *part = g_new0(PackedPart, 1);

        part->refs = 1;
        part->size = size;
        return part;
}

static gboolean
is_kept(Parts *parts, gint64 pack, PackPart which)
{
        g_autoptr(PackedPart) part = parts_find(parts, pack, which);

        return part != NULL;
}

/* The ones that were not used for longest go. */
static void
test_kept_bound(void)
{
        Parts *parts = parts_new();

        for (gint64 pack = 1; pack <= 17; pack++) {
                g_autoptr(PackedPart) part = part_of(1 << 20);
                parts_keep(parts, pack, PACK_FIELDS, part);
                parts_keep(parts, pack, PACK_FIELDS, part); /* a second reader's */
                g_assert_true(is_kept(parts, 1, PACK_FIELDS));
        }
        g_assert_true(is_kept(parts, 17, PACK_FIELDS));
        g_assert_false(is_kept(parts, 17, PACK_KEYS));
        g_assert_false(is_kept(parts, 2, PACK_FIELDS));
        g_assert_true(is_kept(parts, 3, PACK_FIELDS));
        g_autoptr(PackedPart) large = part_of(2 << 20);
        parts_keep(parts, 18, PACK_FIELDS, large);
        g_assert_false(is_kept(parts, 18, PACK_FIELDS));
        g_assert_cmpint(large->refs, ==, 1);
        parts_free(parts);
}

/* Messages one after the other ------------------------------------------------------------------------------------- */

static void
assert_ahead(MessagesAhead *ahead, guint32 i)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(StoredMessage) message = NULL;
        g_autofree char *text = g_strdup_printf("P: 1\r\nSubject: %u\r\n\r\nx\r\n", i);
        char read[100];

        g_assert_true(messages_ahead_get(ahead, i, &message, &error));
        g_assert_no_error(error);
        g_assert_cmpint(stored_message_read(message, 0, read, sizeof(read), &error), ==, strlen(text));
        g_assert_cmpint(memcmp(read, text, strlen(text)), ==, 0);
}

/* In any order, over the end of a pack, and what was looked up before it was packed. */
static void
test_ahead(Site *site, gconstpointer data)
{
        static const guint32 jumps[] = {0, 0, 1, 2, 2, 1, 3, 4, 40, 41, 41, 42, 7, 8, 9, 139, 139, 0, 1};
        g_autoptr(GError) error = NULL;
        StoredMessage *message;

        deliver_n(site, 140);
        gint64 inbox = inbox_of(site, 1);
        g_autoptr(View) view = open_view(site, inbox, 1);
        MessagesAhead *ahead = store_messages_ahead(site->store, view);
        for (guint32 i = 0; i < 20; i++)
                assert_ahead(ahead, i);
        pack_all(site, inbox, FALSE);
        for (guint32 i = 20; i < 140; i++) {
                if (i % 23 == 0)
                        messages_ahead_rest(ahead);
                assert_ahead(ahead, i);
        }
        messages_ahead_free(ahead);

        g_autoptr(View) packed = open_view(site, inbox, 1);
        ahead = store_messages_ahead(site->store, packed);
        for (guint i = 0; i < G_N_ELEMENTS(jumps); i++)
                assert_ahead(ahead, jumps[i]);
        change(site, "DELETE FROM body WHERE id = (SELECT max(id) FROM body)");
        for (guint32 i = 129; i < 139; i++)
                assert_ahead(ahead, i);
        g_assert_false(messages_ahead_get(ahead, 139, &message, &error));
        g_assert_nonnull(error);
        messages_ahead_free(ahead);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
#define ADD(path, fn) g_test_add("/store/packing/" path, Site, NULL, site_init, fn, site_done)
        ADD("whole-pages-are-packed-and-older-views-read-on", test_whole_pages);
        ADD("emailid-stays", test_emailid);
        ADD("a-summary-stays-for-those-not-packed-yet", test_last_reference);
        ADD("a-pack-goes-with-its-last-slot", test_last_slot);
        ADD("what-was-expunged-comes-back-from-its-pack", test_undelete);
        ADD("copies-name-the-same-slots", test_copy);
        ADD("pop3-reads-what-is-packed", test_pop3);
        ADD("a-mailbox-is-ripe-with-a-page-of-rows", test_ripe);
        ADD("a-pass-ends-when-it-is-told-to", test_stopping);
        ADD("what-was-undone-does-not-ripen", test_undone);
        ADD("a-damaged-mailbox-holds-up-no-other", test_damaged);
        ADD("sections-that-can-t-be-read-are-made-again", test_damaged_part);
        ADD("damaged-sections-are-healed", test_heals);
        ADD("damaged-summaries-of-bodies-are-healed", test_heals_summary);
        ADD("a-damaged-body-keeps-nobody-from-being-healed", test_heals_the_rest);
        ADD("sections-too-large-for-a-pack-are-made-again", test_large_summary);
        ADD("parts-that-were-read-are-kept-for-all", test_kept);
        g_test_add_func("/store/packing/parts-are-kept-within-a-bound", test_kept_bound);
        ADD("messages-are-looked-up-ahead", test_ahead);
        return g_test_run();
}
