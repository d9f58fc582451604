/* ahead.c -- asking the kernel for the pages of a table before SQLite reads them one after the other.
 *
 * A range of rows that gathered over months lies all over the file, and SQLite waits for each page before it knows of
 * the next. Here the inner pages of the table's tree are read, which are few, and the leaves they name are asked for
 * all at once; a disk brings thirty in the time of two.
 *
 * It is a hint and no more: the file is read past SQLite and without its locks, so what is found may be old or torn,
 * and what is in the WAL is not seen. Then pages are asked for that nobody needs.
 *
 * The format is that of https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.1: numbers are big-endian, a page
 * is a header, an array of the places of its cells, and the cells.
 */
#include "base/scan.h"
#include "db/internal.h"

#include <fcntl.h>
#include <unistd.h>

#define FILE_HEADER_OCTETS 100 /* before the header of page 1 */
#define INNER_TABLE_PAGE 5
#define DEPTH_MAX 8 /* as deep as 2^32 pages can be, with room to spare */

DB_SQL(ROOTS, "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0");
DB_SQL(ROOT_OF_TABLE, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?");

static gboolean
get_u16(Scan *s, guint16 *ret)
{
        guint8 high, low;

        if (!scan_any(s, &high) || !scan_any(s, &low))
                return FALSE;
        *ret = (guint16) (high << 8 | low);
        return TRUE;
}

static gboolean
get_u32(Scan *s, guint32 *ret)
{
        guint16 high, low;

        if (!get_u16(s, &high) || !get_u16(s, &low))
                return FALSE;
        *ret = (guint32) high << 16 | low;
        return TRUE;
}

/* SQLite's varint: big-endian groups of seven bits, the ninth octet whole. */
static gboolean
get_key(Scan *s, gint64 *ret)
{
        guint64 value = 0;
        guint8 octet;

        for (guint i = 0; i < 9; i++) {
                if (!scan_any(s, &octet))
                        return FALSE;
                if (i == 8) {
                        value = value << 8 | octet;
                        break;
                }
                value = value << 7 | (octet & 0x7f);
                if ((octet & 0x80) == 0)
                        break;
        }
        *ret = (gint64) value;
        return TRUE;
}

static gboolean
get_cell(Span page, guint16 place, guint32 *ret_child, gint64 *ret_key)
{
        Scan s = scan_from(page);

        return scan_skip(&s, place) && get_u32(&s, ret_child) && get_key(&s, ret_key);
}

gboolean
tree_children(Span page, guint32 number, gint64 from, gint64 to, GArray *ret)
{
        Scan s = scan_from(page);
        guint8 kind;
        guint16 n_cells, place;
        guint32 child, last;
        gint64 key, before = G_MININT64;

        if ((number == 1 && !scan_skip(&s, FILE_HEADER_OCTETS)) || !scan_any(&s, &kind) || kind != INNER_TABLE_PAGE ||
            !scan_skip(&s, 2) || !get_u16(&s, &n_cells) || !scan_skip(&s, 3) || !get_u32(&s, &last))
                return FALSE;
        for (guint i = 0; i < n_cells; i++) { /* its child has the keys up to its own */
                if (!get_u16(&s, &place) || !get_cell(page, place, &child, &key))
                        return FALSE;
                if (key >= from && before < to)
                        g_array_append_val(ret, child);
                before = key;
        }
        if (before < to)
                g_array_append_val(ret, last);
        return TRUE;
}

static gint
compare_numbers(gconstpointer a, gconstpointer b)
{
        const guint32 *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* Neighbours in one request. */
static void
ask_for(const Db *db, GArray *pages)
{
        const guint32 *page = (const guint32 *) (gconstpointer) pages->data;
        const guint octets = db_page_octets(db);

        g_array_sort(pages, compare_numbers);
        for (guint i = 0, n; i < pages->len; i += n) {
                for (n = 1; i + n < pages->len && page[i + n] - page[i] <= n; n++)
                        continue;
                if (page[i] > 0)
                        (void) posix_fadvise(db->file_fd, (off_t) (page[i] - 1) * octets,
                                             (off_t) (page[i + n - 1] - page[i] + 1) * octets, POSIX_FADV_WILLNEED);
        }
}

/* One level down: the children of these pages. FALSE: they have none, being leaves, or can't be read. */
static gboolean
go_down(const Db *db, const GArray *pages, gint64 from, gint64 to, GArray *ret)
{
        guint8 octets[INDEX_PAGE_OCTETS];
        const guint n = db_page_octets(db);

        for (guint i = 0; i < pages->len && ret->len < AHEAD_PAGES_MAX; i++) {
                guint32 number = g_array_index(pages, guint32, i);
                if (number == 0 || pread(db->file_fd, octets, n, (off_t) (number - 1) * n) != (ssize_t) n ||
                    !tree_children(span_make(octets, n), number, from, to, ret))
                        return FALSE;
        }
        return TRUE;
}

GArray *
tree_leaves(const Db *db, guint32 root, gint64 from, gint64 to)
{
        GArray *pages = g_array_new(FALSE, FALSE, sizeof(guint32));

        g_array_append_val(pages, root);
        for (guint depth = 0; depth < DEPTH_MAX; depth++) {
                g_autoptr(GArray) below = g_array_new(FALSE, FALSE, sizeof(guint32));
                if (!go_down(db, pages, from, to, below))
                        break;
                if (below->len > AHEAD_PAGES_MAX)
                        g_array_set_size(below, AHEAD_PAGES_MAX);
                ask_for(db, below);
                GArray *above = pages;
                pages = g_steal_pointer(&below);
                g_array_unref(above);
        }
        return pages;
}

void
db_read_ahead(DbTxn *txn, const char *table, gint64 from, gint64 to)
{
        gint64 root;

        if (db_get_int(txn, &ROOT_OF_TABLE, &root, NULL, "s", table) != DB_ROW || root <= 0 || root > G_MAXUINT32)
                return;
        g_array_unref(tree_leaves(txn->db, (guint32) root, from, to));
}

/* They lie together at the head of the file, so this is one request or two; each look-up begins at one. */
void
ahead_roots(Db *db)
{
        g_autoptr(GArray) roots = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_autoptr(DbTxn) txn = db_begin_read(db, NULL);
        g_autoptr(DbRows) rows = txn != NULL ? db_query(txn, &ROOTS, NULL, "") : NULL;

        while (rows != NULL && roots->len < AHEAD_PAGES_MAX && db_rows_next(rows, NULL) == DB_ROW) {
                guint32 root = (guint32) db_int(rows, 0);
                g_array_append_val(roots, root);
        }
        ask_for(db, roots);
}
