/* search_text.h -- the searchable text of one copy: the fields of its prefix, and what mail/text.h finds in its body.
 * Private to store/.
 *
 * Threads  any. Memory: that of mail_text_walk(), and at most 1 MiB for the fields of the prefix.
 */
#pragma once

#include "blob/copy.h"
#include "mail/text.h"

typedef struct SearchCopy {
        gint64 body;
        Span structure; /* section of its summary; one that is empty or damaged is made again from the message */
        Span prefix;
        const Cut *cuts;
        guint n_cuts;
        const BlobPlace *place; /* where the body was; NULL: not known                                          */
        TextRoom *room;         /* for those who read one after the other; NULL: the walk has its own           */
} SearchCopy;

typedef enum CopyText {
        COPY_TEXT_FAILED = 0, /* could not look: try again later                                            */
        COPY_TEXT_GONE,       /* the body is not there, or what is there can't be read; the error says more */
        COPY_TEXT_STOPPED,    /* take() had enough                                                          */
        COPY_TEXT_WALKED,
} CopyText;

/* what: TEXT_OF_HEADER, TEXT_OF_BODY or both. */
CopyText search_text_walk(Blob *blob, const SearchCopy *copy, guint what, TextTake take, gpointer to,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The fields of a prefix alone. */
CopyText search_prefix_walk(Span prefix, TextTake take, gpointer to, GError **error) G_GNUC_WARN_UNUSED_RESULT;
