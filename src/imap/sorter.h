/* sorter.h -- messages by several criteria (RFC 5256 §3, SORT).
 *
 *      Sorter *s = sorter_new(criteria, n_criteria, n_messages);
 *      sorter_add(s, number, values)           for each, in mailbox order
 *      while (!sorter_step(s, until)) ...      until it is done
 *      sorter_order(s, &n)
 *
 * Pure: what a value is made of is the caller's affair. Equal messages stay in mailbox order, also with REVERSE.
 *
 * Threads  one. Memory: 4 + 16 octets a criterion and message, and at most SORTER_TEXT_MAX of texts: of more than
 * 33,000 messages fewer than SUMMARY_KEY_MAX octets of a text are compared, of 100,000 still 167.
 */
#pragma once

#include "base/clock.h"
#include "base/span.h"

#define SORTER_CRITERIA_MAX 10
#define SORTER_TEXT_MAX (16 * 1024 * 1024)
#define SORTER_TEXT_MIN 32 /* octets of a text that are compared, however many messages there are */

typedef enum SortKey {
        SORT_ARRIVAL = 1,
        SORT_CC,
        SORT_DATE,
        SORT_DISPLAYFROM, /* RFC 5957 */
        SORT_DISPLAYTO,
        SORT_FROM,
        SORT_RELEVANCY, /* RFC 6203: the highest first */
        SORT_SIZE,
        SORT_SUBJECT,
        SORT_TO,
} SortKey;

typedef struct SortCriterion {
        SortKey key;
        gboolean is_reverse;
} SortCriterion;

/* What one criterion compares: the numbers, then the octets of the texts. */
typedef struct SortValue {
        gint64 number;
        Span text;
} SortValue;

typedef struct Sorter Sorter;

/* n_messages: as many as sorter_add() will be called for, at most. NULL: no memory for so many. */
Sorter *sorter_new(const SortCriterion *criteria, gsize n_criteria, guint32 n_messages) G_GNUC_WARN_UNUSED_RESULT;
void sorter_free(Sorter *s); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sorter, sorter_free)

/* values: one for each criterion; texts are copied. FALSE: no memory. */
gboolean sorter_add(Sorter *s, guint32 number, const SortValue *values) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE: sorted. FALSE: `until` (monotonic) has come, call again. */
gboolean sorter_step(Sorter *s, Usec until) G_GNUC_WARN_UNUSED_RESULT;

/* The numbers in their order, once it is sorted. */
const guint32 *sorter_order(const Sorter *s, guint32 *ret_n);

/* Below, equal to or above 0, as one stands before, beside or behind the other. */
int sorter_compare(const SortCriterion *criteria, gsize n_criteria, const SortValue *a, const SortValue *b) G_GNUC_PURE;
