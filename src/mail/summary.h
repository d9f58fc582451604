/* summary.h -- what IMAP asks of a message again and again, computed once at delivery.
 *
 * summary_make() makes five sections, each a run of octets that stands alone: whoever stores messages keeps them (packed,
 * compressed) and hands them back to the readers below. With them FETCH ENVELOPE, BODYSTRUCTURE, BODY, PREVIEW, the
 * usual HEADER.FIELDS, SORT, THREAD and the dates of SEARCH never read the message, and BODY[1.2] knows where to read.
 *
 *     envelope    the ENVELOPE as it goes on the wire; nothing to decode
 *     structure   BODYSTRUCTURE as it goes on the wire, and a table of the parts
 *     fields      the header fields that clients ask for, as received, and the hashes of all other names
 *     keys        what SORT, THREAD and the dates of SEARCH compare
 *     preview     the beginning of the text (RFC 8970), UTF-8; nothing to decode
 *
 * Stored sections are read through base/scan; a damaged one is answered as such, and the caller makes it again from the
 * message. All but envelope and preview begin with the number of their format: one that an older release has written
 * is "damaged" too.
 *
 * Everything here is about the stored body, offsets too. What a copy shows besides (its prefix) and hides (its cuts) is
 * the caller's; summary_find_fields() helps with the cuts.
 *
 * Threads  any. Memory: the caller's arena; what readers give points into the section.
 * RFC      9051 §6.4.5.1, §7.5.2; 3501; 5256; 5051; 5957; 8970.
 */
#pragma once

#include "base/clock.h"
#include "base/scan.h"
#include "mail/mime.h"

typedef struct Summary {
        Span envelope;
        Span structure;
        Span fields;
        Span keys;
        Span preview;           /* may be empty */
} Summary;

/* All five for a message with the structure that message_parse() found. Needs up to 2 MiB of the arena besides what the
 * structure takes, some KiB as a rule. Nothing fails on content: strings that would make an ENVELOPE or a BODYSTRUCTURE
 * larger than SUMMARY_WIRE_MAX are NIL, address lists end there. FALSE only when the arena ran over: "too complex". */
#define SUMMARY_WIRE_MAX (256 * 1024)   /* octets of strings in either */
gboolean summary_make(Arena *arena, Span message, const Structure *structure, Summary *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Where the readers write to; called some times in a row, the pieces together are the answer. */
typedef void (*SummaryWrite)(gpointer to, Span piece);

/* Structure ------------------------------------------------------------------------------------------------------ */

/* The whole parenthesized list: BODYSTRUCTURE, or with is_extended FALSE what BODY gives. Strings of 8-bit text are
 * literals. FALSE: the section is damaged, nothing was written. */
gboolean summary_write_bodystructure(Span structure, gboolean is_extended, SummaryWrite write,
                                     gpointer to) G_GNUC_WARN_UNUSED_RESULT;

/* One part: where it is and how to read it. Offsets are octets of the message. */
typedef struct PartPlace {
        guint64 header_start;   /* its MIME header; the root's is the header of the message                    */
        guint64 body_start;     /* == header_start when it has no header                                       */
        guint64 end;
        guint64 n_lines;        /* of the body                                                                 */
        guint32 index;          /* in document order, 0 is the root                                            */
        guint16 depth;          /* 0 for the root                                                              */
        gboolean is_multipart;  /* has parts behind it, one deeper                                             */
        gboolean is_message;    /* the next part is the message in it, one deeper                              */
        gboolean is_attachment; /* Content-Disposition is there and not "inline" (RFC 2183 §2.8)               */
        TransferEncoding encoding;
        Span type, subtype;     /* lower case                                                                  */
        Span charset;           /* lower case; empty when none is named                                        */
} PartPlace;

typedef enum PartAnswer {
        PART_DAMAGED = 0,       /* the section can't be read; *ret untouched                         */
        PART_NONE,              /* there is no such part: NIL on the wire; *ret untouched            */
        PART_FOUND,
} PartAnswer;

/* The part that a client means by "1.2.3", numbers from 1 (RFC 9051 §6.4.5.1): a message that is no multipart has one
 * part, 1, which is its body; the numbers behind a message/rfc822 part count the parts of the message in it in the same
 * way. An empty path is the message itself. A multipart that nothing was found in (no boundary, or beyond a limit) has
 * one part, text/plain without header, which is its whole body, so that nothing is out of reach. */
PartAnswer summary_find_part(Span structure, const guint32 *path, gsize n_path,
                             PartPlace *ret) G_GNUC_WARN_UNUSED_RESULT;

typedef enum PartSection {
        SECTION_WHOLE = 0,      /* BODY[1.2]: the body of the part; BODY[]: everything                                 */
        SECTION_HEADER,         /* BODY[1.2.HEADER]: of the message in a message/rfc822 part; BODY[HEADER]             */
        SECTION_TEXT,           /* BODY[1.2.TEXT]: likewise; BODY[TEXT]                                                */
        SECTION_MIME,           /* BODY[1.2.MIME]: the header of the part; a path is needed                            */
} PartSection;

/* The octets of the message that a section means, header with its empty line. PART_NONE also for HEADER and TEXT of a
 * part that holds no message. */
PartAnswer summary_find_section(Span structure, const guint32 *path, gsize n_path, PartSection section,
                                guint64 *ret_start, guint64 *ret_end) G_GNUC_WARN_UNUSED_RESULT;

/* All parts in document order. summary_next_part() is PART_NONE behind the last one. */
typedef struct PartReader {
        Scan scan;
        guint32 n_read;
        guint depth;            /* of the part before */
        guint64 body_start;     /* likewise           */
        gboolean is_damaged;
} PartReader;

void summary_read_parts(Span structure, PartReader *ret);
PartAnswer summary_next_part(PartReader *reader, PartPlace *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Fields --------------------------------------------------------------------------------------------------------- */

#define SUMMARY_FIELDS_MAX (16 * 1024)  /* octets of fields that are kept; one that does not fit any more is only known */

/* Octets of the message that a copy does not show. */
typedef struct SummaryCut {
        guint32 offset, len;
} SummaryCut;

typedef enum FieldsAnswer {
        FIELDS_DAMAGED = 0,
        FIELDS_UNKNOWN,         /* some field that is asked for is there, or may be, and was not kept: read the header */
        FIELDS_KNOWN,           /* all of them were written, in the order of the message                               */
} FieldsAnswer;

/* Names of fields, looked up once to be asked of many messages. Compared without ASCII case; an empty one names nothing. */
typedef struct FieldNames {
        guint64 ids;            /* private: of the fields that sections keep */
        guint64 shapes;         /* private: first letters and lengths of all */
        const Span *others;     /* the other names, and their hashes         */
        const guint32 *hashes;
        gsize n_others;
} FieldNames;

/* FALSE: the arena is over. The names' octets must live as long as the arena. */
gboolean field_names_make(Arena *arena, const Span *names, gsize n, FieldNames *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Fields that were found, each with its line end, in their order. */
#define FOUND_FIELDS_MAX 64
typedef struct FoundFields {
        guint n;
        gsize octets;           /* of all */
        Span fields[FOUND_FIELDS_MAX];
} FoundFields;

/* Adds the fields of these names in the stored body, as received, without those that a cut touches: with the fields of a
 * copy's prefix before them (lines_find_fields()) and an empty line behind them that is BODY[HEADER.FIELDS (names)].
 * Adds nothing unless the answer is FIELDS_KNOWN. Spans point into the section. */
FieldsAnswer summary_find_fields(Span fields, const FieldNames *names, const SummaryCut *cuts, gsize n_cuts,
                                 FoundFields *found) G_GNUC_WARN_UNUSED_RESULT;
/* The same for whole header lines in memory, which end in LF; what is no field is passed over. FALSE: there are more than *found has
 * room for. */
gboolean lines_find_fields(Span lines, const FieldNames *names, FoundFields *found) G_GNUC_WARN_UNUSED_RESULT;

/* Keys ----------------------------------------------------------------------------------------------------------- */

#define SUMMARY_KEY_MAX        500      /* octets of a text key: longer ones are cut at a character */
#define SUMMARY_REFERENCES_MAX 50       /* the last ones of the field                               */

/* Texts are folded by i;unicode-casemap (RFC 5051): compare them as octets. */
typedef struct SummaryKeys {
        gboolean has_date;      /* FALSE: no Date, or none that can be read: RFC 5256 §2.2 takes INTERNALDATE        */
        Usec date;              /* UTC                                                                               */
        int zone;               /* minutes east of UTC: SENTON and the like compare the day of date + zone           */
        Span subject;           /* base subject (RFC 5256 §2.1)                                                      */
        gboolean is_reply;      /* reply or forward: something like "Re:" was taken off                              */
        Span from, to, cc;      /* addr-mailbox of the first address, as the ENVELOPE has it                         */
        Span display_from;      /* RFC 5957: display name decoded, or the address                                    */
        Span display_to;
        guint64 message_id;     /* hash, never 0; 0: no valid one (RFC 5256 §3, REFERENCES: it is unique then)       */
        guint n_references;     /* of References, or else the first id of In-Reply-To                                */
        guint64 references[SUMMARY_REFERENCES_MAX];     /* oldest first; the same hash, so that they can be compared */
} SummaryKeys;

/* FALSE: damaged, *ret is untouched. Spans point into keys. */
gboolean summary_keys_get(Span keys, SummaryKeys *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Message ids as the keys have them, for whoever looks one up: the hash of the first "<id>" in text, 0 when there is
 * none. Quotes and white space in it don't count (RFC 5256 §3). */
guint64 summary_hash_message_id(Span text) G_GNUC_PURE;

/* Preview -------------------------------------------------------------------------------------------------------- */

#define PREVIEW_CHARACTERS_MAX 200      /* RFC 8970 §3.2 */
#define PREVIEW_OCTETS_MAX     256
