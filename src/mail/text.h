/* text.h -- the text of a message for searching, and what it takes to get at it: transfer decoding, folding, finding.
 *
 * Everything is a stream with bounded state, so that a message of any size is searched with less than 1 MiB of memory.
 *
 *     octets of the message -> transfer decoding -> charset to UTF-8 -> HTML to text -> folding -> finder
 *
 * Searching is substring matching (RFC 9051 §6.4.4) of folded text: the query and the text go through the same folding
 * and are then compared octet by octet.
 *
 * Threads  any; each struct belongs to one thread. Memory: as each function says.
 * RFC      2045 §6.7, §6.8; 3516 (BINARY); 5051; 5256 §2.1; 9051 §6.4.4.
 */
#pragma once

#include "mail/summary.h"

/* Transfer decoding ---------------------------------------------------------------------------------------------- */

#define TRANSFER_HELD_MAX 128
#define TRANSFER_ROOM_MIN 256   /* octets a caller must offer at least */

/* Base64 and quoted-printable back to the octets they stand for; 7bit, 8bit and binary pass as they are, and so does an
 * unknown encoding. Nothing fails: what can't be decoded is passed over (base64) or stays as it is (quoted-printable).
 * Line ends of quoted-printable text stay what they are, CRLF or LF; base64 ends at its padding. */
typedef struct TransferDecoder {
        TransferEncoding encoding;
        gboolean is_damaged;    /* see transfer_is_exact() */
        guint state;
        guint32 bits;
        guint n_held;
        guint8 held[TRANSFER_HELD_MAX];
} TransferDecoder;

void transfer_decoder_init(TransferDecoder *d, TransferEncoding encoding);

/* Reads from *in, which moves, and writes at most room octets (>= TRANSFER_ROOM_MIN); how many is the result. Call it
 * until *in is at its end; 0 octets may well come of some. */
gsize transfer_decode(TransferDecoder *d, Scan *in, guint8 *out, gsize room);
gsize transfer_decode_end(TransferDecoder *d, guint8 *out, gsize room);         /* what was still held */

/* FALSE: the encoding is unknown, or something in what was read so far was not valid in it; BINARY then answers
 * [UNKNOWN-CTE] (RFC 3516 §4.3). White space anywhere in base64 and missing padding are no damage. */
gboolean transfer_is_exact(const TransferDecoder *d);

/* Folding -------------------------------------------------------------------------------------------------------- */

#define TEXT_MARKS_MAX 32
#define TEXT_FOLD_ROOM_MIN 1024

/* UTF-8 to folded UTF-8. What is done to each character, as often as it changes anything:
 *   - compatibility decomposition (Unicode's NFKD: ligatures, full width and accented letters become their parts; the
 *     accents stay, as combining marks in canonical order) and full case folding;
 *   - white space of any kind, line ends and no-break spaces too, becomes one SP however long the run is;
 *   - what has no looks of its own (soft hyphen, zero-width characters, variation selectors) is dropped, and so are
 *     other control characters;
 *   - octets that are no UTF-8 become U+FFFD.
 * Folding twice gives the same. More than TEXT_MARKS_MAX marks on one letter are ordered in groups of so many. */
typedef struct TextFolder {
        guint8 partial[4];      /* of a character that the last piece ended in */
        guint n_partial;
        gboolean is_after_space;
        guint n_marks;
        gunichar marks[TEXT_MARKS_MAX];
} TextFolder;

void text_folder_init(TextFolder *f);

/* As transfer_decode(), with room for TEXT_FOLD_ROOM_MIN octets at least. */
gsize text_fold_piece(TextFolder *f, Scan *in, guint8 *out, gsize room);
gsize text_fold_end(TextFolder *f, guint8 *out, gsize room);

/* The same for short text in one go: a query, the body of a header field that was decoded. At most max octets: what is
 * longer is cut at a character. Empty when the arena is over. */
Span text_fold(Arena *arena, Span s, gsize max);

/* i;unicode-casemap (RFC 5051) of UTF-8: what SORT compares. At most max octets. */
Span text_casemap(Arena *arena, Span s, gsize max);

/* The base subject (RFC 5256 §2.1) of the body of a Subject field as received: decoded, white space single, "Re:", "Fwd:",
 * "[list]" and "(fwd)" taken off. Not folded. ret_is_reply: it was a reply or a forward. */
Span text_base_subject(Arena *arena, Span body, gboolean *ret_is_reply);

/* Finding -------------------------------------------------------------------------------------------------------- */

#define TEXT_NEEDLE_MAX 4096

/* One needle in a stream of pieces. The needle is already folded; an empty one is found in any piece. */
typedef struct TextFinder {
        Span needle;
        guint8 *window;         /* the end of what was seen, and the start of the next piece behind it */
        gsize n_window;
} TextFinder;

/* Memory: twice the needle, in the arena, which must live as long as the needle. FALSE: the needle is too long, or the
 * arena is over. */
gboolean text_finder_init(TextFinder *f, Arena *arena, Span needle) G_GNUC_WARN_UNUSED_RESULT;
void text_finder_restart(TextFinder *f);                /* another stream: nothing is found across the two */
gboolean text_find(TextFinder *f, Span piece);          /* TRUE: it ends in this piece */

/* The text of a message ------------------------------------------------------------------------------------------ */

typedef enum TextKind {
        TEXT_FIELD = 1,         /* a header field of the message: "name: value", always one piece                */
        TEXT_INNER_FIELD,       /* the same of a message in a message                                            */
        TEXT_FILE_NAME,         /* of a part: the name it wants to be saved under                                */
        TEXT_BODY,              /* of a text part                                                                */
} TextKind;

typedef struct TextPiece {
        TextKind kind;
        gboolean is_first;      /* a new text begins: restart finders, so that no match spans two                */
        guint32 part;           /* index of the part, 0 is the message itself                                    */
        Span text;              /* folded; lives until the callback returns                                      */
        Span value;             /* of a field: the part of text behind the name                                  */
        Span name;              /* of a field: its name as received                                              */
} TextPiece;

/* What to walk: TEXT_OF_HEADER gives TEXT_FIELD, TEXT_OF_BODY all the others (SEARCH TEXT wants both, SEARCH BODY the
 * latter). */
#define TEXT_OF_HEADER 1u
#define TEXT_OF_BODY   2u

/* Up to len octets of the message at that offset, which never falls from call to call: how many, 0 behind the end, -1 on
 * a fault. mail_text_read_span() is one, for a message in memory: from points to its Span. */
typedef gssize (*TextRead)(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error);
gssize mail_text_read_span(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error);

typedef gboolean (*TextTake)(gpointer to, const TextPiece *piece);     /* FALSE: enough, stop */

typedef enum TextAnswer {
        TEXT_FAILED = 0,        /* read failed: the GError says why                                 */
        TEXT_DAMAGED,           /* the structure section can't be read: make it again               */
        TEXT_STOPPED,           /* the callback had enough                                          */
        TEXT_WALKED,            /* everything was given                                             */
} TextAnswer;

/* Give the text of a message piece by piece, in the order of the message:
 *   - fields unfolded, encoded words decoded, at most 64 KiB of each and 256 KiB of one header; those that a cut touches
 *     (octets a copy does not show) are left out;
 *   - text parts decoded; HTML without tags, comments, styles and scripts, entities decoded, where only inline tags such
 *     as <b> join what stands beside them; a charset that is not known, or not named, is read as UTF-8, and octets that
 *     are none as windows-1252;
 *   - of all other parts the file name only.
 * Memory: less than 1 MiB for the time of the call. */
TextAnswer mail_text_walk(Span structure, guint what, const SummaryCut *cuts, gsize n_cuts, TextRead read, gpointer from,
                          TextTake take, gpointer to, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same in memory of the caller, for those who walk through many messages one after the other. A room has less than 1 MiB. */
typedef struct TextRoom TextRoom;
TextRoom *text_room_new(void) G_GNUC_WARN_UNUSED_RESULT;
void text_room_free(TextRoom *room); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TextRoom, text_room_free)
TextAnswer mail_text_walk_in(TextRoom *room, Span structure, guint what, const SummaryCut *cuts, gsize n_cuts, TextRead read,
                             gpointer from, TextTake take, gpointer to, GError **error) G_GNUC_WARN_UNUSED_RESULT;
