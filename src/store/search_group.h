/* search_group.h -- the index record of one pack: which of up to 128 messages contain a text?
 *
 * Text comes in folded (mail/text.h). A word is a run of ASCII letters, digits and octets from 0x80 on; everything else
 * separates words. A record keeps the distinct words of all its messages once, each with the messages that have it, so
 * a needle that is (part of) one word is answered for certain without reading a message. A needle of several words
 * gives candidates: those that have a word ending in the first, one beginning with the last, and the ones between
 * whole.
 *
 * Words that would cost more than they are worth (longer than 32 octets, or a text that is mostly words of its own:
 * identifiers, base64, languages without spaces) are not kept. Their message has a signature instead, a set of hashed
 * triples of octets: no triple, no match; otherwise the message is a candidate.
 *
 * The format stands at the head of search_group.c. Private to store/.
 *
 * Threads  none of its own: builder and matcher belong to one thread at a time.
 * Memory   a builder at most 64 MiB whatever it is given, usually 2 MiB; a matcher what the largest record unpacks to,
 * at most 8 MiB.
 */
#pragma once

#include "base/span.h"

#define GROUP_SLOTS_MAX 128

/* Making ------------------------------------------------------------------------------------------------------------
 */

typedef struct GroupBuilder GroupBuilder;
GroupBuilder *group_builder_new(void) G_GNUC_WARN_UNUSED_RESULT;
void group_builder_free(GroupBuilder *builder); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GroupBuilder, group_builder_free)

typedef enum GroupText {
        GROUP_BODY = 0,
        GROUP_HEADER,
} GroupText;

/* The text of a slot begins: each of the two at most once for each slot, in any order. */
void group_builder_begin(GroupBuilder *builder, guint slot, GroupText text);
/* More of it; a word may go on from one call to the next ... */
void group_builder_add(GroupBuilder *builder, Span folded);
/* ... unless this comes between: nothing is found across it. */
void group_builder_break(GroupBuilder *builder);
/* This slot could not be read to its end: it will always be a candidate. */
void group_builder_unknown(GroupBuilder *builder, guint slot);
/* The record; it lives until the next call. The builder is empty then and can be used again. */
Span group_builder_end(GroupBuilder *builder) G_GNUC_WARN_UNUSED_RESULT;

/* Asking ------------------------------------------------------------------------------------------------------------
 */

typedef struct GroupMatcher GroupMatcher;
/* needle: folded, not empty, at most 64 KiB; it is copied. */
GroupMatcher *group_matcher_new(Span needle) G_GNUC_WARN_UNUSED_RESULT;
void group_matcher_free(GroupMatcher *matcher); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GroupMatcher, group_matcher_free)

/* One bit a slot. */
typedef struct SlotSet {
        guint64 bits[GROUP_SLOTS_MAX / 64];
} SlotSet;

static inline gboolean
slot_set_has(const SlotSet *set, guint slot)
{
        return (set->bits[slot / 64] >> (slot % 64)) & 1;
}

typedef struct GroupAnswer {
        SlotSet yes;   /* these contain the needle                         */
        SlotSet maybe; /* these are to be read; what is in neither doesn't */
} GroupAnswer;

/* What it says of the bodies, and of the headers; either may be NULL. FALSE: the record is damaged. */
gboolean group_match(GroupMatcher *matcher, Span record, GroupAnswer *ret_body,
                     GroupAnswer *ret_header) G_GNUC_WARN_UNUSED_RESULT;
