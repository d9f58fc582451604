/* section.h -- the octets of one section of a stored message, measured and then read at the reader's pace.
 *
 *      section_open()                  where it is
 *      section_measure() until READY   how long it is: filtered fields and decoded parts are gone through once
 *      section_read() ...              its octets
 *
 * The octets are those of the copy, with its prefix and without its cuts; nothing is held in memory but a piece.
 *
 * Threads  one at a time. Memory: less than 2 KiB and what a StoredMessage takes; the Section must live as long.
 * RFC      9051 §6.4.5.1; 3516 §4.
 */
#pragma once

#include "imap/fetch_item.h"
#include "imap/field_filter.h"
#include "mail/text.h"

typedef enum SectionForm {
        SECTION_AS_STORED = 0,
        SECTION_DECODED, /* without transfer encoding: BINARY */
} SectionForm;

typedef enum SectionAnswer {
        SECTION_FAILED = 0, /* the GError says why; nothing was opened                    */
        SECTION_READY,
        SECTION_AGAIN,       /* measuring: come back                                       */
        SECTION_NONE,        /* there is no such part: NIL                                 */
        SECTION_UNKNOWN_CTE, /* SECTION_DECODED: it can't be decoded (RFC 3516 §4.3)       */
} SectionAnswer;

typedef struct SectionReader {
        const Section *section;
        StoredMessage *message;
        guint64 start, end; /* octets of the copy */
        guint64 at;         /* the next of them   */
        guint64 size;       /* of the section, once it is measured */
        gboolean is_ended;
        SectionForm form;
        TransferEncoding encoding;
        union {
                FieldFilter filter;
                TransferDecoder decoder;
        };
} SectionReader;

/* structure: of the message's summary; it is looked at only when the section has a path. After every answer but
 * READY the reader is closed, and with it the message. */
SectionAnswer section_open(SectionReader *r, StoredMessage *take_message, const Section *section, SectionForm form,
                           Span structure, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* READY: r->size holds, and reading begins at its start. Otherwise the reader is closed, but for AGAIN. */
SectionAnswer section_measure(SectionReader *r, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Skip octets from the start of a section, when it can be done without reading. How many were skipped. */
guint64 section_skip(SectionReader *r, guint64 octets);

/* The next octets, at most room (>= SECTION_ROOM_MIN). 0 only at the end; -1: a fault. */
#define SECTION_ROOM_MIN 1024
gssize section_read(SectionReader *r, guint8 *out, gsize room, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void section_close(SectionReader *r); /* again is fine */
