/* search_answer.c -- SEARCH, SORT and ESEARCH responses (RFC 3501 §7.2.5; 9051 §7.3.4; 4731, 5256, 5267, 6203, 7162,
 * 7377, 9394). */
#include "imap/find.h"

#define PIECE_OCTETS 4096
#define NUMBER_OCTETS 24 /* of "4294967295:4294967295," */

/* The parts of a response, in their order. */
typedef enum Item {
        ITEM_HEAD = 0,
        ITEM_MIN,
        ITEM_MAX,
        ITEM_COUNT,
        ITEM_ALL,
        ITEM_PARTIAL,
        ITEM_RELEVANCY,
        ITEM_MODSEQ,
        ITEM_END,
        ITEM_NONE,
} Item;

/* Part of the list: [from, to). */
typedef struct Slice {
        guint32 from, to;
} Slice;

static guint32
number_of(const FindAnswer *a, guint32 i)
{
        return a->is_uid ? view_entry(a->view, a->found[i])->uid : a->found[i] + 1;
}

static Slice
partial_of(const FindAnswer *a)
{
        guint32 n = a->n, first = MIN(a->options.first - 1, n), last = MIN(a->options.last, n);

        return a->options.is_from_end ? (Slice){n - last, n - first} : (Slice){first, last};
}

/* Which messages the answer is about: with MIN, MAX and PARTIAL alone only these (RFC 4731 §3.2, 5182 §2.4, 9394 §3.2).
 */
static gboolean
is_about_all(const FindAnswer *a)
{
        return (a->options.what & (RETURN_ALL | RETURN_COUNT)) != 0 ||
               (a->options.what & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) == 0;
}

static gboolean
is_about(const FindAnswer *a, guint32 i)
{
        Slice partial = (a->options.what & RETURN_PARTIAL) != 0 ? partial_of(a) : (Slice){0, 0};

        return is_about_all(a) || (i >= partial.from && i < partial.to) ||
               (i == 0 && (a->options.what & RETURN_MIN) != 0) ||
               (i + 1 == a->n && (a->options.what & RETURN_MAX) != 0);
}

/* Pieces ----------------------------------------------------------------------------------------------------------- */

/* Up to PIECE_OCTETS of text on their way out. */
typedef struct Piece {
        char text[PIECE_OCTETS];
        gsize n;
} Piece;

static void
add_char(Piece *p, char c)
{
        p->text[p->n++] = c;
}

static void
add_number(Piece *p, guint64 number)
{
        char digits[20];
        gsize at = sizeof(digits);

        do {
                digits[--at] = (char) ('0' + number % 10);
                number /= 10;
        } while (number > 0);
        memcpy(p->text + p->n, digits + at, sizeof(digits) - at);
        p->n += sizeof(digits) - at;
}

static void
put_piece(ImapSession *s, const Piece *p)
{
        imap_put_span(s, span_make(p->text, p->n));
}

static gboolean
has_room(const Piece *p)
{
        return PIECE_OCTETS - p->n >= NUMBER_OCTETS;
}

/* " 2 3 6"; TRUE at the end of the list. */
static gboolean
put_numbers(ImapSession *s, FindAnswer *a)
{
        while (a->at < a->n) {
                Piece p = {.n = 0};
                if (imap_is_full(s))
                        return FALSE;
                while (a->at < a->n && has_room(&p)) {
                        add_char(&p, ' ');
                        add_number(&p, number_of(a, a->at++));
                }
                put_piece(s, &p);
        }
        return TRUE;
}

/* One range of a set: as many as rise by one from here (RFC 5267 §3.2: only those). */
static void
add_range(Piece *p, FindAnswer *a, guint32 end)
{
        guint32 first = number_of(a, a->at++), last = first;

        while (a->at < end && number_of(a, a->at) == last + 1) {
                last++;
                a->at++;
        }
        add_number(p, first);
        if (last == first)
                return;
        add_char(p, ':');
        add_number(p, last);
}

/* "2,10:15" of a slice whose first is a->at when it begins. */
static gboolean
put_set(ImapSession *s, FindAnswer *a, Slice slice)
{
        while (a->at < slice.to) {
                Piece p = {.n = 0};
                if (imap_is_full(s))
                        return FALSE;
                while (a->at < slice.to && has_room(&p)) {
                        if (a->at > slice.from)
                                add_char(&p, ',');
                        add_range(&p, a, slice.to);
                }
                put_piece(s, &p);
        }
        return TRUE;
}

static gboolean
put_scores(ImapSession *s, FindAnswer *a, Slice slice)
{
        while (a->at < slice.to) {
                Piece p = {.n = 0};
                if (imap_is_full(s))
                        return FALSE;
                while (a->at < slice.to && has_room(&p)) {
                        if (a->at > slice.from)
                                add_char(&p, ' ');
                        add_number(&p, a->scores[a->at++]);
                }
                put_piece(s, &p);
        }
        return TRUE;
}

/* Items ------------------------------------------------------------------------------------------------------------ */

static guint64
highest_modseq(const FindAnswer *a)
{
        guint64 highest = 0;

        for (guint32 i = 0; i < a->n; i++)
                if (is_about(a, i))
                        highest = MAX(highest, view_entry(a->view, a->found[i])->modseq);
        return highest;
}

static void
put_head(ImapSession *s, const FindAnswer *a)
{
        if (a->word != NULL) {
                imap_put(s, "* ");
                imap_put(s, a->word);
                return;
        }
        imap_put(s, "* ESEARCH (TAG \"");
        imap_put(s, s->tag);
        imap_put(s, "\"");
        if (a->mailbox != NULL) {
                imap_put(s, " MAILBOX ");
                imap_put_mailbox(s, span_of(a->mailbox));
                imap_put(s, " UIDVALIDITY ");
                imap_put_number(s, view_uid_validity(a->view));
        }
        imap_put(s, a->is_uid ? ") UID" : ")");
}

static void
put_named(ImapSession *s, const char *name, guint64 number)
{
        imap_put(s, name);
        imap_put_number(s, number);
}

static gboolean
put_partial(ImapSession *s, FindAnswer *a, gboolean is_begun)
{
        Slice slice = partial_of(a);

        if (!is_begun) {
                imap_put(s, " PARTIAL (");
                imap_put_span(s, a->options.partial);
                imap_put(s, slice.from < slice.to ? " " : " NIL");
                a->at = slice.from;
        }
        if (!put_set(s, a, slice))
                return FALSE;
        imap_put(s, ")");
        return TRUE;
}

/* In the order of ALL, or of PARTIAL where that is told (RFC 6203 §4, §6). */
static gboolean
put_relevancy(ImapSession *s, FindAnswer *a, gboolean is_begun)
{
        Slice slice = (a->options.what & RETURN_PARTIAL) != 0 ? partial_of(a) : (Slice){0, a->n};

        if (!is_begun) {
                imap_put(s, " RELEVANCY (");
                a->at = slice.from;
        }
        if (!put_scores(s, a, slice))
                return FALSE;
        imap_put(s, ")");
        return TRUE;
}

static gboolean
put_all(ImapSession *s, FindAnswer *a, gboolean is_begun)
{
        if (!is_begun && a->word == NULL)
                imap_put(s, " ALL ");
        return a->word != NULL ? put_numbers(s, a) : put_set(s, a, (Slice){0, a->n});
}

static void
put_modseq(ImapSession *s, const FindAnswer *a)
{
        put_named(s, a->word != NULL ? " (MODSEQ " : " MODSEQ ", highest_modseq(a));
        if (a->word != NULL)
                imap_put(s, ")");
}

/* Whether the item is in this answer. What has no value is not told, except COUNT (RFC 9051 §7.3.4). */
static gboolean
is_told(const FindAnswer *a, Item item)
{
        guint what = a->options.what;

        switch (item) {
        case ITEM_MIN:
                return (what & RETURN_MIN) != 0 && a->n > 0;
        case ITEM_MAX:
                return (what & RETURN_MAX) != 0 && a->n > 0;
        case ITEM_COUNT:
                return (what & RETURN_COUNT) != 0;
        case ITEM_ALL:
                return (what & RETURN_ALL) != 0 && a->n > 0;
        case ITEM_PARTIAL:
                return (what & RETURN_PARTIAL) != 0;
        case ITEM_RELEVANCY:
                return (what & RETURN_RELEVANCY) != 0;
        case ITEM_MODSEQ:
                return a->has_modseq && a->n > 0;
        case ITEM_HEAD:
        case ITEM_END:
        case ITEM_NONE:
                break;
        }
        return TRUE;
}

/* TRUE: the item is complete. */
static gboolean
put_item(ImapSession *s, FindAnswer *a, Item item, gboolean is_begun)
{
        switch (item) {
        case ITEM_HEAD:
                put_head(s, a);
                break;
        case ITEM_MIN:
                put_named(s, " MIN ", number_of(a, 0));
                break;
        case ITEM_MAX:
                put_named(s, " MAX ", number_of(a, a->n - 1));
                break;
        case ITEM_COUNT:
                put_named(s, " COUNT ", a->n);
                break;
        case ITEM_ALL:
                return put_all(s, a, is_begun);
        case ITEM_PARTIAL:
                return put_partial(s, a, is_begun);
        case ITEM_RELEVANCY:
                return put_relevancy(s, a, is_begun);
        case ITEM_MODSEQ:
                put_modseq(s, a);
                break;
        case ITEM_END:
                imap_put(s, "\r\n");
                break;
        case ITEM_NONE:
                break;
        }
        return TRUE;
}

gboolean
find_answer_step(ImapSession *s, FindAnswer *a)
{
        while (a->item != ITEM_NONE) {
                gboolean is_begun = a->is_begun;
                a->is_begun = TRUE;
                if (is_told(a, a->item) && !put_item(s, a, a->item, is_begun))
                        return FALSE;
                a->item++;
                a->at = 0;
                a->is_begun = FALSE;
        }
        return TRUE;
}

/* SAVE ------------------------------------------------------------------------------------------------------------- */

static int
compare_uid(gconstpointer a, gconstpointer b)
{
        guint32 x = *(const guint32 *) a, y = *(const guint32 *) b;

        return x < y ? -1 : x > y;
}

GArray *
find_answer_saved(const FindAnswer *a)
{
        g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
        GArray *ranges = g_array_new(FALSE, FALSE, sizeof(UidRange));

        for (guint32 i = 0; i < a->n; i++)
                if (is_about(a, i))
                        g_array_append_val(uids, view_entry(a->view, a->found[i])->uid);
        g_array_sort(uids, compare_uid); /* SORT has its own order */
        for (guint i = 0; i < uids->len; i++) {
                guint32 uid = g_array_index(uids, guint32, i);
                UidRange *last = ranges->len > 0 ? &g_array_index(ranges, UidRange, ranges->len - 1) : NULL;
                UidRange one = {uid, uid};
                if (last != NULL && uid - last->last <= 1)
                        last->last = uid;
                else
                        g_array_append_val(ranges, one);
        }
        return ranges;
}
