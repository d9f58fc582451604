/* pack.h -- the stored form of the parts of a pack: of up to 128 messages, one section of each, together and compressed.
 *
 * Pure. The format stands at the head of pack.c. Private to the room.
 *
 * Threads  a PackedPart never changes and may be read by all; a Packer and an Unpacker belong to one thread at a time.
 * Memory   a PackedPart: 2 KiB and the octets of its items, at most PART_OCTETS_MAX; a Packer some 600 KiB, an Unpacker 96 KiB.
 */
#pragma once

#include "store/page.h"

/* Numbers of the parts, in their order: one for each section of mail/summary.h, and prefix and cuts of the copy. */
typedef enum PackPart {
        PACK_ENVELOPE = 0,
        PACK_STRUCTURE,
        PACK_FIELDS,
        PACK_KEYS,
        PACK_PREVIEW,
        PACK_COPY,
        PACK_N_PARTS,
} PackPart;

#define PART_OCTETS_MAX (2u << 20) /* of all items of one part */

/* A part in memory. Items that are not there have no data; empty ones have. */
typedef struct PackedPart {
        gint refs;
        guint n;
        gsize size; /* octets in memory */
        Span items[PAGE_ENTRIES];
        guint8 octets[];
} PackedPart;

PackedPart *part_ref(PackedPart *part);
void part_unref(PackedPart *part); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PackedPart, part_unref)

typedef struct Packer Packer;
/* NULL: no memory. */
Packer *packer_new(void) G_GNUC_WARN_UNUSED_RESULT;
void packer_free(Packer *packer); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Packer, packer_free)

/* n from 1 to PAGE_ENTRIES; the items together have at most PART_OCTETS_MAX octets. */
void part_put(Packer *packer, GByteArray *out, const Span *items, guint n);

typedef struct Unpacker Unpacker;
/* NULL: no memory. */
Unpacker *unpacker_new(void) G_GNUC_WARN_UNUSED_RESULT;
void unpacker_free(Unpacker *unpacker); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unpacker, unpacker_free)

/* A reference, or NULL: the octets are damaged, or there is no memory (nor an unpacker). */
PackedPart *part_get(Unpacker *unpacker, Span data) G_GNUC_WARN_UNUSED_RESULT;

/* An item of PACK_COPY: prefix and cuts, both in their stored forms (blob/copy.h). */
void copy_item_put(GByteArray *out, Span prefix, Span cuts);
gboolean copy_item_get(Span item, Span *ret_prefix, Span *ret_cuts) G_GNUC_WARN_UNUSED_RESULT;
