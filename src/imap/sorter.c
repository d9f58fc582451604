/* sorter.c -- see sorter.h. A merge sort from the bottom up, so that it can stop anywhere between two runs. */
#include "imap/sorter.h"

#include "mail/summary.h"

#define TEXT_FIRST (64 * 1024)
#define RUNS_A_LOOK 64 /* pairs of short runs that are merged between two looks at the clock */

/* A value as it is kept: a text's first eight octets are its number too, so that most comparisons end there. */
typedef struct Kept {
        guint64 number;
        guint32 at, len; /* of the text */
} Kept;

struct Sorter {
        SortCriterion criteria[SORTER_CRITERIA_MAX];
        gsize n_criteria;
        guint32 n, room;
        guint32 *numbers;
        Kept *kept; /* n_criteria for each message */
        guint8 *text;
        gsize n_text, text_room, text_each;
        guint32 *order, *other; /* places in numbers: what is merged, and where it goes */
        guint64 run;            /* length of the runs that are in order */
        guint64 at;             /* the next pair of runs begins there   */
        gboolean is_sorted;     /* order holds numbers now              */
};

Sorter *
sorter_new(const SortCriterion *criteria, gsize n_criteria, guint32 n_messages)
{
        g_autoptr(Sorter) s = g_new0(Sorter, 1);

        g_assert(n_criteria > 0 && n_criteria <= SORTER_CRITERIA_MAX);
        memcpy(s->criteria, criteria, n_criteria * sizeof(*criteria));
        s->n_criteria = n_criteria;
        s->room = n_messages;
        s->run = 1;
        gsize room = (gsize) n_messages + 1;
        s->numbers = g_try_new(guint32, room);
        s->kept = g_try_new(Kept, room * n_criteria);
        s->order = g_try_new(guint32, room);
        s->other = g_try_new(guint32, room);
        s->text_each = CLAMP(SORTER_TEXT_MAX / room / n_criteria, SORTER_TEXT_MIN, SUMMARY_KEY_MAX);
        if (s->numbers == NULL || s->kept == NULL || s->order == NULL || s->other == NULL)
                return NULL;
        return g_steal_pointer(&s);
}

void
sorter_free(Sorter *s)
{
        if (s == NULL)
                return;
        g_free(s->numbers);
        g_free(s->kept);
        g_free(s->order);
        g_free(s->other);
        g_free(s->text);
        g_free(s);
}

/* Gathering -------------------------------------------------------------------------------------------------------- */

static gboolean
is_text(SortKey key)
{
        return key != SORT_ARRIVAL && key != SORT_DATE && key != SORT_SIZE && key != SORT_RELEVANCY;
}

/* The first eight octets, so that numbers compare as the octets do. */
static guint64
head_of(Span text)
{
        guint64 head = 0;

        for (gsize i = 0; i < sizeof(head); i++)
                head = head << 8 | (i < text.len ? text.data[i] : 0);
        return head;
}

static gboolean
keep_text(Sorter *s, Span text, Kept *ret)
{
        if (s->text_room - s->n_text < text.len) {
                gsize room = MAX(s->text_room * 2, TEXT_FIRST);
                guint8 *larger = g_try_realloc(s->text, room);
                if (larger == NULL)
                        return FALSE;
                s->text = larger;
                s->text_room = room;
        }
        ret->at = (guint32) s->n_text;
        ret->len = (guint32) text.len;
        if (text.len > 0)
                memcpy(s->text + s->n_text, text.data, text.len);
        s->n_text += text.len;
        return TRUE;
}

gboolean
sorter_add(Sorter *s, guint32 number, const SortValue *values)
{
        Kept *kept = s->kept + (gsize) s->n * s->n_criteria;

        g_assert(s->n < s->room);
        for (gsize i = 0; i < s->n_criteria; i++) {
                kept[i] = (Kept){.number = (guint64) values[i].number ^ G_GUINT64_CONSTANT(1) << 63};
                if (!is_text(s->criteria[i].key))
                        continue;
                Span text = span_slice(values[i].text, 0, s->text_each);
                kept[i].number = head_of(text);
                if (!keep_text(s, text, &kept[i]))
                        return FALSE;
        }
        s->order[s->n] = s->n;
        s->numbers[s->n++] = number;
        return TRUE;
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

static int
compare_octets(Span a, Span b)
{
        gsize len = MIN(a.len, b.len);
        int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

        if (order != 0)
                return order;
        return a.len < b.len ? -1 : a.len > b.len;
}

static Span
text_of(const Sorter *s, const Kept *kept)
{
        return span_make(s->text + kept->at, kept->len);
}

static int
compare_kept(const Sorter *s, guint32 a, guint32 b)
{
        const Kept *x = s->kept + (gsize) a * s->n_criteria, *y = s->kept + (gsize) b * s->n_criteria;

        for (gsize i = 0; i < s->n_criteria; i++) {
                int order = x[i].number < y[i].number ? -1 : x[i].number > y[i].number;
                if (order == 0 && (x[i].len > 0 || y[i].len > 0))
                        order = compare_octets(text_of(s, &x[i]), text_of(s, &y[i]));
                if (order != 0)
                        return s->criteria[i].is_reverse ? -order : order;
        }
        return 0;
}

int
sorter_compare(const SortCriterion *criteria, gsize n_criteria, const SortValue *a, const SortValue *b)
{
        for (gsize i = 0; i < n_criteria; i++) {
                int order = is_text(criteria[i].key) ? compare_octets(a[i].text, b[i].text)
                                                     : (a[i].number < b[i].number ? -1 : a[i].number > b[i].number);
                if (order != 0)
                        return criteria[i].is_reverse ? -order : order;
        }
        return 0;
}

/* Sorting ---------------------------------------------------------------------------------------------------------- */

/* The runs that begin at `from` and behind it become one. */
static void
merge(Sorter *s, guint32 from)
{
        guint32 middle = (guint32) MIN(from + s->run, s->n), end = (guint32) MIN(from + 2 * s->run, s->n);
        guint32 a = from, b = middle;

        for (guint32 to = from; to < end; to++) {
                gboolean is_second = a == middle || (b < end && compare_kept(s, s->order[a], s->order[b]) > 0);
                s->other[to] = s->order[is_second ? b++ : a++];
        }
}

/* Every two runs become one; TRUE when that is done for all, FALSE when the time is up before. */
static gboolean
merge_runs(Sorter *s, Usec until)
{
        for (guint look = 0; s->at < s->n; s->at += 2 * s->run) {
                if (++look % RUNS_A_LOOK == 0 && clock_monotonic() >= until)
                        return FALSE;
                merge(s, (guint32) s->at);
        }
        guint32 *merged = s->other;
        s->other = s->order;
        s->order = merged;
        s->run *= 2;
        s->at = 0;
        return TRUE;
}

gboolean
sorter_step(Sorter *s, Usec until)
{
        while (s->run < s->n)
                if (!merge_runs(s, until) || (s->run < s->n && clock_monotonic() >= until))
                        return FALSE;
        for (guint32 i = 0; i < s->n && !s->is_sorted; i++)
                s->order[i] = s->numbers[s->order[i]];
        s->is_sorted = TRUE;
        return TRUE;
}

const guint32 *
sorter_order(const Sorter *s, guint32 *ret_n)
{
        g_assert(s->is_sorted);
        *ret_n = s->n;
        return s->order;
}
