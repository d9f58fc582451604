/* copy.h -- one recipient's copy of a stored body: prefix + body without cuts (DESIGN.md §2).
 *
 * What differs per recipient (Return-Path, Delivered-To, the envelope header) is the prefix; cuts are up to 32 ranges
 * of the body's header that this copy does not show. Size, RETR, TOP, and later IMAP and relaying all mean the copy.
 * Mailbox entries and queue rows keep prefix and cuts; COPY takes them along.
 *
 * Threads  a CopyReader belongs to one thread. Memory: prefix and cuts are borrowed for the reader's life.
 */
#pragma once

#include "base/arena.h"
#include "blob/blob.h"

#define COPY_CUTS_MAX 32
#define COPY_PREFIX_MAX 4096

typedef struct Cut {
        guint32 offset; /* from the start of the body; rising, not overlapping */
        guint32 len;
} Cut;

typedef struct Copy {
        gint64 body; /* id */
        guint64 body_size;
        Span prefix; /* whole header lines with CRLF */
        const Cut *cuts;
        guint n_cuts;
} Copy;

guint64 copy_size(const Copy *copy);

/* The stored form of cuts and back: for each two varints, the octets shown since the last cut and the octets cut. A
 * damaged one is FALSE. No cuts: an empty span. The forms without an arena use the caller's room. */
#define COPY_CUTS_STORED_MAX (COPY_CUTS_MAX * 10)
gsize copy_put_cuts(const Cut *cuts, guint n, guint8 ret_stored[COPY_CUTS_STORED_MAX]); /* octets written */
gboolean copy_get_cuts(Span stored, guint64 body_size, Cut ret_cuts[COPY_CUTS_MAX],
                       guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;
Span copy_encode_cuts(Arena *arena, const Cut *cuts, guint n);
gboolean copy_decode_cuts(Arena *arena, Span stored, guint64 body_size, const Cut **ret,
                          guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;

typedef struct CopyReader {
        const Copy *copy;
        BlobBody *opened; /* not owned */
        guint64 position; /* in the copy */
} CopyReader;

/* Up to len octets from the position, which moves. 0 only at the end; -1 on a fault. */
gssize copy_read(CopyReader *reader, void *buffer, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
