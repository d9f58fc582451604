/* sort.c -- what SORT compares (RFC 5256 §2.2, §3; 5957; 6203 §6). */
#include "imap/find.h"

static const struct {
        const char *word;
        SortKey key;
        const char *capability; /* known only while this one is on (args_has) */
} KEYS[] = {
        {"ARRIVAL", SORT_ARRIVAL, NULL},
        {"CC", SORT_CC, NULL},
        {"DATE", SORT_DATE, NULL},
        {"DISPLAYFROM", SORT_DISPLAYFROM, "SORT=DISPLAY"},
        {"DISPLAYTO", SORT_DISPLAYTO, "SORT=DISPLAY"},
        {"FROM", SORT_FROM, NULL},
        {"RELEVANCY", SORT_RELEVANCY, "SEARCH=FUZZY"},
        {"SIZE", SORT_SIZE, NULL},
        {"SUBJECT", SORT_SUBJECT, NULL},
        {"TO", SORT_TO, NULL},
};

static gboolean
read_criterion(ImapArgs *a, SortCriterion *ret)
{
        gboolean is_reverse = args_word(a, "REVERSE");
        Span word;

        if ((is_reverse && !args_space(a)) || !args_atom(a, &word))
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
                if (span_is(word, KEYS[i].word)) {
                        *ret = (SortCriterion){KEYS[i].key, is_reverse};
                        return args_has(a, KEYS[i].capability);
                }
        return FALSE;
}

gboolean
sort_parse_criteria(ImapArgs *a, SortCriterion *ret, gsize *ret_n)
{
        gsize n = 0;

        if (!args_open(a))
                return FALSE;
        do {
                if (n == SORTER_CRITERIA_MAX || !read_criterion(a, &ret[n++]))
                        return FALSE;
        } while (args_space(a));
        *ret_n = n;
        return args_close(a);
}

gboolean
sort_has(const SortCriterion *criteria, gsize n, SortKey key)
{
        for (gsize i = 0; i < n; i++)
                if (criteria[i].key == key)
                        return TRUE;
        return FALSE;
}

/* Whether the view knows it. */
static gboolean
is_cheap(SortKey key)
{
        return key == SORT_ARRIVAL || key == SORT_SIZE || key == SORT_RELEVANCY;
}

guint
sort_sections(const SortCriterion *criteria, gsize n)
{
        for (gsize i = 0; i < n; i++)
                if (!is_cheap(criteria[i].key))
                        return SUMMARY_KEYS;
        return 0;
}

static SortValue
value_of(SortKey key, const ViewEntry *entry, const SummaryKeys *keys, guint8 score)
{
        switch (key) {
        case SORT_ARRIVAL:
                return (SortValue){.number = entry->received};
        case SORT_SIZE:
                return (SortValue){.number = (gint64) entry->size};
        case SORT_RELEVANCY: /* the highest first */
                return (SortValue){.number = -(gint64) score};
        case SORT_DATE:
                return (SortValue){.number = keys->has_date ? keys->date : entry->received};
        case SORT_CC:
                return (SortValue){.text = keys->cc};
        case SORT_DISPLAYFROM:
                return (SortValue){.text = keys->display_from};
        case SORT_DISPLAYTO:
                return (SortValue){.text = keys->display_to};
        case SORT_FROM:
                return (SortValue){.text = keys->from};
        case SORT_SUBJECT:
                return (SortValue){.text = keys->subject};
        case SORT_TO:
                return (SortValue){.text = keys->to};
        }
        g_assert_not_reached();
}

gboolean
sort_values(FindMessage *m, const SortCriterion *criteria, gsize n, guint8 score, SortValue *ret, GError **error)
{
        const ViewEntry *entry = view_entry(m->view, m->index);
        SummaryKeys keys = {0};

        if (sort_sections(criteria, n) != 0 && !find_message_keys(m, &keys, error))
                return FALSE;
        for (gsize i = 0; i < n; i++)
                ret[i] = value_of(criteria[i].key, entry, &keys, score);
        return TRUE;
}
