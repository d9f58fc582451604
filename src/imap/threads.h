/* threads.h -- messages -> threads, by RFC 5256 §3 and its offspring REFS.
 *
 *      Threads *t = threads_new(THREAD_REFERENCES);
 *      threads_add(t, &message)                for each, in mailbox order
 *      threads_arrange(t);
 *      while ((n = threads_text(t, buffer, sizeof(buffer))) > 0) ...
 *
 * Pure: knows neither mailboxes nor sessions. Work is n log n for any input, without recursion: a chain of 100,000
 * messages, loops of references and equal Message-IDs cost no more than others.
 *
 * Threads  one. Memory: 64 octets a message, and as much for each id that is referred to and not there, of which there
 * may be at most twice as many as messages; ids beyond that are passed over. RFC      5256 §3 (ORDEREDSUBJECT,
 * REFERENCES); draft-ietf-morg-inthread §4 (REFS).
 */
#pragma once

#include "base/clock.h"

typedef enum ThreadAlgorithm {
        THREAD_ORDEREDSUBJECT = 1, /* one level below the first message of a subject */
        THREAD_REFERENCES, /* by Message-ID and References, then by subject                                    */
        THREAD_REFS,       /* REFERENCES without the subjects, threads ordered by their latest arrival         */
} ThreadAlgorithm;

typedef struct ThreadMessage {
        guint32 number;    /* what it is called in the answer, not 0                                              */
        gboolean is_reply; /* the subject said so (RFC 5256 §2.1)                                                 */
        Usec sent;         /* of Date, or else INTERNALDATE (§2.2)                                                */
        Usec received;     /* INTERNALDATE                                                                        */
        guint64 subject;   /* hash of the base subject; 0 for the empty one                                       */
        guint64 id;        /* hash of Message-ID; 0: none                                                         */
        const guint64 *references; /* the same hash, oldest first */
        guint n_references;
} ThreadMessage;

typedef struct Threads Threads;

Threads *threads_new(ThreadAlgorithm algorithm) G_GNUC_WARN_UNUSED_RESULT;
void threads_free(Threads *t); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Threads, threads_free)

/* FALSE: no memory for so many. */
gboolean threads_add(Threads *t, const ThreadMessage *message) G_GNUC_WARN_UNUSED_RESULT;

/* After the last one; once. FALSE: no memory. */
gboolean threads_arrange(Threads *t) G_GNUC_WARN_UNUSED_RESULT;

/* The next part of "(2)(3 6 (4 23)(44 7 96))" (RFC 5256 §4): how many octets, 0 behind the end. room: at least 32. */
gsize threads_text(Threads *t, char *out, gsize room);
