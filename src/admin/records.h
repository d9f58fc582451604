/* records.h -- messages one after the other in the standard input of a call: what import sends. Private to the room.
 *
 *      {"key": "1700000000.M1P2.host", "uid": 17, "flags": ["\\Seen", "$Forwarded"], "received": 1700000000123456}
 *      LENGTH                  pieces of its octets, each at most 64 KiB
 *      ...octets...
 *      0                       it is whole; or "-": it is not, and is left out
 *
 * key and flags must be there; uid and received (microseconds since 1970) are 0 when they are left out. flags are at most 64 of RFC 9051 §2.3.2: system
 * flags and atoms of at most KEYWORD_OCTETS_MAX octets.
 *
 * Threads  one. Memory: 64 KiB and what the arena of records_next() holds.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"

#define RECORD_LINE_MAX     (32 * 1024)
#define RECORD_KEYWORDS_MAX 64
#define RECORD_BUFFER       (64 * 1024)

typedef struct Records {
        gssize (*read)(void *buffer, gsize len, gpointer data, GError **error); /* 0: the end; -1: a fault */
        gpointer data;
        guint8 *buffer;
        gsize at, len;
        gsize piece_left;
        gboolean is_in_record;
} Records;

typedef struct Record {
        const char *key;
        guint32 uid;
        guint64 flags;          /* FLAG_SYSTEM bits */
        const Span *keywords;
        gsize n_keywords;
        Usec received;
} Record;

typedef enum RecordAnswer {
        RECORD_FAILED = 0,      /* not understood, or cut off: nothing after it can be read */
        RECORD_OK,
        RECORD_END,             /* records_next(): no more; records_read(): the record is whole */
        RECORD_LEFT_OUT,        /* records_read(): the sender could not read it to its end */
} RecordAnswer;

void records_init(Records *records, gssize (*read)(void *buffer, gsize len, gpointer data, GError **error), gpointer data);
void records_done(Records *records);
/* The next one; all octets of the one before must have been read. */
RecordAnswer records_next(Records *records, Arena *arena, Record *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Some octets of it; they live until the next call. */
RecordAnswer records_read(Records *records, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* May it be a keyword (an atom of RFC 9051 §9, not a system flag)? */
gboolean record_is_keyword(Span name) G_GNUC_WARN_UNUSED_RESULT;
