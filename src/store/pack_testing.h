/* pack_testing.h -- packs made by hand, for tests of who reads them: whatever a mailbox's pages hold that is not packed
 * yet. Rows of `entry` stay: they have prefixes and cuts. */
#pragma once

#include "store/fixture.h"
#include "store/internal.h"

DB_SQL(TEST_PACK_ADD, "INSERT INTO pack (bodies, refs) VALUES (?, ?)");

G_GNUC_UNUSED static void
pack_page(Site *site, DbTxn *txn, Page *page)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(GByteArray) bodies = g_byte_array_new(), refs = g_byte_array_new();
        gint64 ids[PAGE_ENTRIES];
        guint32 counts[PAGE_ENTRIES];
        guint n = 0;

        for (guint i = 0; i < page->n; i++) {
                if (page->entries[i].pack != 0 || page->states[i].fate == FATE_MOVED)
                        continue;
                ids[n] = page->entries[i].body;
                page->entries[i].slot = n;
                counts[n++] = 1;
        }
        if (n == 0)
                return;
        bodies_put(bodies, ids, n);
        slot_refs_put(refs, counts, n);
        g_assert_true(db_run(txn, &TEST_PACK_ADD, &error, "bb", span_make(bodies->data, bodies->len),
                             span_make(refs->data, refs->len)));
        gint64 pack = db_last_id(txn);
        for (guint i = 0; i < page->n; i++)
                if (page->entries[i].pack == 0 && page->states[i].fate != FATE_MOVED)
                        page->entries[i].pack = pack;
        g_assert_true(page_save(site->store, txn, page, MARK_PACKED, &error));
        search_packs_made(site->store, txn);
}

/* How many packs there are then. */
G_GNUC_UNUSED static guint
pack_all(Site *site, gint64 mailbox)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(1 << 20);
        const PageRow *rows;
        gboolean more = TRUE;
        gsize n;
        Slot *slot;

        g_assert_cmpint(tail_fold_all(site->store, mailbox, &error), ==, CHANGED_DONE);
        for (guint32 from = 0; more;) {
                g_autofree Page *page = g_new(Page, 1);
                g_autoptr(DbTxn) txn = db_begin(site->db, &error);
                g_assert_cmpint(slot_by_id(site->store, txn, mailbox, &slot, &error), ==, STORE_DONE);
                g_assert_true(pages_list(txn, arena, slot, from, G_MAXUINT32, 1, &rows, &n, &more, &error));
                if (n == 0)
                        break;
                from = (guint32) rows[0].behind;
                g_assert_true(page_load(txn, rows[0].key, page, &error));
                pack_page(site, txn, page);
                g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        }
        g_assert_no_error(error);
        return (guint) number(site, "SELECT count(*) FROM pack");
}
