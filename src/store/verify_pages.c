/* verify_pages.c -- mailboxes: pages, their states and rows, and the counts that the mailbox's row has of them.
 *
 * Snapshot by snapshot, mailbox by mailbox in the order of ids, page by page. A mailbox whose pages take longer than
 * one snapshot is compared with its row only when that is the same in all of them; else it is counted again, up to
 * COUNTINGS times. One that always changes meanwhile has its pages looked at, and its counts not.
 */
#include "store/core.h"
#include "store/verify.h"

#define COUNTINGS 4

DB_SQL(MAILBOX_NEXT, "SELECT id, messages, octets, gone_messages, gone_octets, gone_oldest, uid_next, modseq, folded,"
                     " forgotten, copying, keywords FROM mailbox WHERE id >= ? ORDER BY id LIMIT 1");
DB_SQL(PAGES_BEHIND, "SELECT key, data FROM page WHERE key > ? AND key <= ? ORDER BY key");
DB_SQL(STATES_BEHIND, "SELECT key, data FROM page_state WHERE key > ? AND key <= ? ORDER BY key");
DB_SQL(ROWS_BEHIND, "SELECT uid, size, body, received, saved, message FROM entry"
                    " WHERE mailbox = ? AND uid > ? AND uid <= ? ORDER BY uid");

typedef struct MailboxRow {
        gint64 id, messages, octets, gone_messages, gone_octets, gone_oldest, uid_next, modseq, folded, forgotten;
        gint64 copying;
} MailboxRow;

typedef enum CheckState {
        CHECK_DONE = 0, /* the next one */
        CHECK_BEGUN,    /* there is more of it to be looked at */
        CHECK_AGAIN,    /* from its start */
} CheckState;

/* One mailbox at work, over as many snapshots as it takes. */
typedef struct Check {
        Verify *v;
        MailboxRow row;
        guint64 flags; /* bits that mean something */
        Page *page;
        CheckState state;
        guint countings;    /* how often its pages were gone through before */
        gboolean is_torn;   /* its row was another in an earlier snapshot */
        gboolean is_unsure; /* a page could not be read: the counts can't be told */
        gboolean may_stray; /* rows up to the next page belong to one that could not be read */
        gint64 key;         /* of the last page */
        guint32 uid;        /* of the last entry */
        Counts found;
        guint64 entries;
        gint n_repacked;        /* when the last snapshot of this mailbox was not yet taken */
        gint n_repacked_before; /* the same of the one at hand                              */
} Check;

/* Where one snapshot stands: three lists that rise together. */
typedef struct Cursors {
        DbRows *pages, *states, *rows;
        DbStep page, state, row;
} Cursors;

/* Of this mailbox; once, also when its pages are gone through again. */
static void complain(const Check *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
complain(const Check *c, const char *format, ...)
{
        va_list args;

        if (c->countings > 0)
                return;
        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        verify_complain(c->v, "mailbox %" G_GINT64_FORMAT ": %s", c->row.id, text);
}

/* Rows of entries -------------------------------------------------------------------------------------------------- */

static gboolean
next_row(Cursors *at, GError **error)
{
        at->row = db_rows_next(at->rows, error);
        return at->row != DB_ROW_FAILED;
}

/* Rows up to this UID, which no page names. */
static gboolean
rows_stray(const Check *c, Cursors *at, gint64 behind, GError **error)
{
        while (at->row == DB_ROW && db_int(at->rows, 0) < behind) {
                if (!c->may_stray)
                        complain(c, "the row of entry %" G_GINT64_FORMAT " belongs to no page", db_int(at->rows, 0));
                if (!next_row(at, error))
                        return FALSE;
        }
        return TRUE;
}

static gboolean
row_is_as(const DbRows *row, const ViewEntry *entry)
{
        Usec saved = db_int(row, 4) != 0 ? db_int(row, 4) : db_int(row, 3);

        return (guint64) db_int(row, 1) == entry->size && db_int(row, 2) == entry->body &&
               db_int(row, 3) == entry->received && saved == entry->saved && (Id) db_int(row, 5) == entry->message;
}

/* An entry has its row while it is not packed and has not moved on. */
static gboolean
check_row(const Check *c, Cursors *at, const ViewEntry *entry, const State *state, GError **error)
{
        gboolean needs_row = entry->pack == 0 && state->fate != FATE_MOVED;

        if (!rows_stray(c, at, entry->uid, error))
                return FALSE;
        if (at->row != DB_ROW || db_int(at->rows, 0) != entry->uid) {
                if (needs_row)
                        complain(c, "the row of entry %u is not there", entry->uid);
                return TRUE;
        }
        if (!needs_row)
                complain(c, "entry %u has a row, though it %s", entry->uid,
                         state->fate == FATE_MOVED ? "has moved on" : "is packed");
        else if (!row_is_as(at->rows, entry))
                complain(c, "entry %u is another in its row than in its page", entry->uid);
        return next_row(at, error);
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static void
check_state(Check *c, const ViewEntry *entry, const State *state)
{
        gint64 *gone_oldest = &c->found.gone_at;

        if (state->modseq > (guint64) c->row.modseq)
                complain(c, "entry %u has a higher MODSEQ than its mailbox", entry->uid);
        if ((state->flags & ~c->flags) != 0)
                complain(c, "entry %u has a keyword without a name", entry->uid);
        if (state->fate == FATE_HERE) {
                c->found.messages++;
                c->found.octets += (gint64) entry->size;
        } else if (state->fate == FATE_EXPUNGED) {
                c->found.gone_messages++;
                c->found.gone_octets += (gint64) entry->size;
        }
        if (state->fate != FATE_HERE)
                *gone_oldest = *gone_oldest == 0 ? state->gone_at : MIN(*gone_oldest, state->gone_at);
        c->entries += state->fate != FATE_MOVED;
}

static gboolean
check_entries(Check *c, Cursors *at, GError **error)
{
        const Page *page = c->page;

        if (page->entries[0].uid <= c->uid)
                complain(c, "page %" G_GINT64_FORMAT " begins before the one before it ends", page->key & G_MAXUINT32);
        for (guint i = 0; i < page->n; i++) {
                if (page->entries[i].uid > c->row.folded)
                        complain(c, "entry %u is in a page, but pages end with UID %" G_GINT64_FORMAT,
                                 page->entries[i].uid, c->row.folded);
                if (!check_row(c, at, &page->entries[i], &page->states[i], error))
                        return FALSE;
                c->may_stray = FALSE;
                check_state(c, &page->entries[i], &page->states[i]);
        }
        c->uid = MAX(c->uid, page->entries[page->n - 1].uid);
        return TRUE;
}

static gboolean
check_page(Check *c, Cursors *at, GError **error)
{
        gint64 key = db_int(at->pages, 0);
        guint32 first = (guint32) (key & G_MAXUINT32);
        guint n_states;

        if (page_get(db_bytes(at->pages, 1), first, c->page->entries, PAGE_ENTRIES, &c->page->n) &&
            state_get(db_bytes(at->states, 1), c->page->states, &n_states) && n_states == c->page->n) {
                c->page->key = key;
                return check_entries(c, at, error);
        }
        if (!rows_stray(c, at, first, error))
                return FALSE;
        complain(c, "page %u is damaged", first);
        c->is_unsure = c->may_stray = TRUE;
        return TRUE;
}

/* One half of a page without the other. */
static gboolean
check_half(Check *c, Cursors *at, gboolean is_page, GError **error)
{
        guint32 first = (guint32) (db_int(is_page ? at->pages : at->states, 0) & G_MAXUINT32);

        if (!rows_stray(c, at, first, error))
                return FALSE;
        complain(c, is_page ? "page %u has no state" : "the state of page %u has no page", first);
        c->is_unsure = c->may_stray = TRUE;
        return TRUE;
}

/* The next page, or half of one. */
static gboolean
check_next(Check *c, Cursors *at, GError **error)
{
        gint64 page = at->page == DB_ROW ? db_int(at->pages, 0) : G_MAXINT64;
        gint64 state = at->state == DB_ROW ? db_int(at->states, 0) : G_MAXINT64;
        gboolean is_whole = page == state;

        if (!(is_whole ? check_page(c, at, error) : check_half(c, at, page < state, error)))
                return FALSE;
        c->key = MIN(page, state);
        if (page <= state)
                at->page = db_rows_next(at->pages, error);
        if (state <= page)
                at->state = db_rows_next(at->states, error);
        return at->page != DB_ROW_FAILED && at->state != DB_ROW_FAILED;
}

/* Mailboxes -------------------------------------------------------------------------------------------------------- */

static void
compare(const Check *c, const char *what, gint64 counted, gint64 found)
{
        if (counted != found)
                verify_complain(c->v,
                                "mailbox %" G_GINT64_FORMAT ": its row has %" G_GINT64_FORMAT
                                " %s, its pages have %" G_GINT64_FORMAT,
                                c->row.id, counted, what, found);
}

/* All pages were seen, and the row was the same all the time. */
static void
compare_counts(const Check *c)
{
        compare(c, "messages", c->row.messages, c->found.messages);
        compare(c, "octets", c->row.octets, c->found.octets);
        compare(c, "expunged messages", c->row.gone_messages, c->found.gone_messages);
        compare(c, "expunged octets", c->row.gone_octets, c->found.gone_octets);
        if (c->found.gone_at != 0 && (c->row.gone_oldest == 0 || c->row.gone_oldest > c->found.gone_at))
                verify_complain(c->v, "mailbox %" G_GINT64_FORMAT ": its row does not know of its oldest expunge",
                                c->row.id);
}

static void
check_keywords(Check *c, const char *text)
{
        Keywords *keywords = keywords_new(text);

        c->flags = keywords_flags(keywords);
        for (guint i = 0; i < keywords->n; i++)
                if (keywords_find(keywords, span_of(keywords->names[i])) != (int) i)
                        complain(c, "it has the keyword %s twice", keywords->names[i]);
        keywords_unref(keywords);
}

static void
check_numbers(const Check *c)
{
        if (c->row.folded >= c->row.uid_next)
                complain(c, "its pages end with UID %" G_GINT64_FORMAT ", and UIDNEXT is %" G_GINT64_FORMAT,
                         c->row.folded, c->row.uid_next);
        if (c->row.forgotten > c->row.modseq)
                complain(c, "what is forgotten has a higher MODSEQ than the mailbox");
}

/* What has a number between two mailboxes belongs to none. */
DB_SQL(PAGE_BETWEEN, "SELECT key FROM page WHERE key > ? AND key < ? ORDER BY key LIMIT 1");
DB_SQL(STATE_BETWEEN, "SELECT key FROM page_state WHERE key > ? AND key < ? ORDER BY key LIMIT 1");

/* Pages of mailboxes with ids after < id < before. */
static gboolean
check_between(const Check *c, DbTxn *txn, gint64 after, gint64 before, GError **error)
{
        gint64 end = before > G_MAXINT32 ? G_MAXINT64 : before << 32, key, state;

        for (gint64 from = after << 32 | (gint64) UID_MAX;; from = MIN(key, state) | (gint64) UID_MAX) {
                key = state = G_MAXINT64;
                if (db_get_int(txn, &PAGE_BETWEEN, &key, error, "ii", from, end) == DB_ROW_FAILED ||
                    db_get_int(txn, &STATE_BETWEEN, &state, error, "ii", from, end) == DB_ROW_FAILED)
                        return FALSE;
                if (key == G_MAXINT64 && state == G_MAXINT64)
                        return TRUE;
                verify_complain(c->v, "pages stand in mailbox %" G_GINT64_FORMAT ", which is not there",
                                MIN(key, state) >> 32);
        }
}

static void
mailbox_begin(Check *c, const MailboxRow *row, const char *keywords)
{
        c->state = CHECK_BEGUN;
        c->n_repacked = c->n_repacked_before;
        c->is_torn = c->is_unsure = c->may_stray = FALSE;
        c->row = *row;
        c->key = (row->id << 32) - 1;
        c->uid = 0;
        c->found = (Counts){0};
        c->entries = 0;
        check_keywords(c, keywords);
        check_numbers(c);
}

static void
mailbox_end(Check *c)
{
        if (!c->is_torn && !c->is_unsure)
                compare_counts(c);
        if (c->is_torn && !c->is_unsure && ++c->countings < COUNTINGS) {
                c->state = CHECK_AGAIN;
                return;
        }
        c->state = CHECK_DONE;
        c->v->ret_entries += c->entries;
}

static gboolean
cursors_open(Cursors *at, DbTxn *txn, const Check *c, GError **error)
{
        gint64 last = c->row.id << 32 | (c->row.copying != 0 ? c->row.copying - 1 : (gint64) UID_MAX);

        at->pages = db_query(txn, &PAGES_BEHIND, error, "ii", c->key, last);
        at->states = at->pages != NULL ? db_query(txn, &STATES_BEHIND, error, "ii", c->key, last) : NULL;
        at->rows = at->states != NULL
                           ? db_query(txn, &ROWS_BEHIND, error, "iii", c->row.id, (gint64) c->uid, c->row.folded)
                           : NULL;
        if (at->rows == NULL)
                return FALSE;
        at->page = db_rows_next(at->pages, error);
        at->state = at->page != DB_ROW_FAILED ? db_rows_next(at->states, error) : DB_ROW_FAILED;
        return at->state != DB_ROW_FAILED && next_row(at, error);
}

static void
cursors_close(Cursors *at)
{
        db_rows_free(at->rows);
        db_rows_free(at->states);
        db_rows_free(at->pages);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Cursors, cursors_close)

/* The pages that are left, or as many as there is time for. */
static gboolean
check_pages(Check *c, DbTxn *txn, Usec until, GError **error)
{
        g_auto(Cursors) at = {0};

        if (!cursors_open(&at, txn, c, error))
                return FALSE;
        while (at.page == DB_ROW || at.state == DB_ROW) {
                if (!check_next(c, &at, error))
                        return FALSE;
                if (clock_monotonic() >= until)
                        return TRUE; /* the rest, or that there is none, in the next snapshot */
        }
        if (!rows_stray(c, &at, G_MAXINT64, error))
                return FALSE;
        mailbox_end(c);
        return TRUE;
}

static MailboxRow
mailbox_of(const DbRows *row)
{
        return (MailboxRow){
                .id = db_int(row, 0),
                .messages = db_int(row, 1),
                .octets = db_int(row, 2),
                .gone_messages = db_int(row, 3),
                .gone_octets = db_int(row, 4),
                .gone_oldest = db_int(row, 5),
                .uid_next = db_int(row, 6),
                .modseq = db_int(row, 7),
                .folded = db_int(row, 8),
                .forgotten = db_int(row, 9),
                .copying = db_int(row, 10),
        };
}

/* A change between two snapshots: a page may have got entries behind those that were seen. */
static void
mailbox_torn(Check *c, const MailboxRow *row, const char *keywords)
{
        c->is_torn = c->may_stray = TRUE;
        c->row = *row;
        check_keywords(c, keywords);
}

/* Between the last snapshot and this one, which is taken: then entries may stand in a page that was passed. */
static gboolean
is_repacked(Check *c)
{
        gint before = c->n_repacked;

        c->n_repacked = c->n_repacked_before;
        return g_atomic_int_get(&c->v->store->n_repacked) != before;
}

/* The mailbox that was begun, or the next one. */
static gboolean
check_mailbox(Check *c, DbTxn *txn, Usec until, gboolean *ret_over, GError **error)
{
        gint64 after = c->row.id - (c->state != CHECK_DONE); /* all before are done */
        g_autoptr(DbRows) rows = db_query(txn, &MAILBOX_NEXT, error, "i", after + 1);
        DbStep step = rows != NULL ? db_rows_next(rows, error) : DB_ROW_FAILED;

        if (step == DB_ROW_FAILED)
                return FALSE;
        *ret_over = step == DB_ROW_END;
        if (*ret_over)
                return check_between(c, txn, after, G_MAXINT64, error);
        MailboxRow row = mailbox_of(rows);
        if (row.id != c->row.id || c->state == CHECK_DONE) {
                if (!check_between(c, txn, after, row.id, error))
                        return FALSE;
                c->countings = 0;
                c->state = CHECK_AGAIN;
        }
        if (c->state == CHECK_AGAIN)
                mailbox_begin(c, &row, db_text(rows, 11));
        else if (memcmp(&row, &c->row, sizeof(row)) != 0 || is_repacked(c))
                mailbox_torn(c, &row, db_text(rows, 11));
        return check_pages(c, txn, until, error);
}

static gboolean
check_mailboxes(Check *c, GError **error)
{
        gboolean is_over = FALSE;

        while (!is_over) {
                c->n_repacked_before = g_atomic_int_get(&c->v->store->n_repacked);
                g_autoptr(DbTxn) txn = db_begin_read(c->v->store->db, error);
                Usec until = clock_in(c->v->snapshot);
                if (txn == NULL)
                        return FALSE;
                do {
                        if (!check_mailbox(c, txn, until, &is_over, error))
                                return FALSE;
                } while (!is_over && clock_monotonic() < until);
        }
        return TRUE;
}

gboolean
verify_mailboxes(Verify *v, GError **error)
{
        g_autofree Page *page = g_new(Page, 1);
        Check c = {.v = v, .page = page};

        return check_mailboxes(&c, error);
}
