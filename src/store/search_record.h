/* search_record.h -- what search_build.c writes and search_group.c reads: see the format at the head of the latter. */
#pragma once

#include "store/search_group.h"

#define GROUP_VERSION 3 /* also when texts are read otherwise than before: 3 since ISO-2022 is read across pieces */
#define GROUP_DOCS_MAX (2 * GROUP_SLOTS_MAX)
#define GROUP_WORDS_MAX (4u << 20) /* octets of all words, unpacked */
#define GROUP_LISTS_MAX (4u << 20)
#define WORD_OCTETS_MAX 32
#define SIGNATURE_LOG2_MIN 6
#define SIGNATURE_LOG2_MAX 20

/* The i-th document in the order of the record (body and header of slot 0, of slot 1, ...). */
static inline guint
doc_number(guint i)
{
        return i / 2 + (i % 2 != 0 ? GROUP_SLOTS_MAX : 0);
}

extern const guint8 WORD_OCTETS[256];

static inline gboolean
octet_is_word(guint8 octet)
{
        return WORD_OCTETS[octet];
}

/* 20 bits for three octets in a row. */
static inline guint32
triple_hash(guint8 a, guint8 b, guint8 c)
{
        return (((guint32) a << 16 | (guint32) b << 8 | c) * 0x9e3779b1u) >> (32 - SIGNATURE_LOG2_MAX);
}
