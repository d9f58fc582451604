/* section.c -- from a section's name to its octets. */
#include "imap/section.h"

#define PIECE_OCTETS ((gsize) 8192)
#define MEASURE_PIECES 512 /* then others have their turn */

void
section_close(SectionReader *r)
{
        g_clear_pointer(&r->message, stored_message_free);
}

/* Places ---------------------------------------------------------------------------------------------------------- */

static void
place_of_message(SectionReader *r)
{
        r->start = 0;
        r->end = stored_message_size(r->message);
        if (r->section->part == SECTION_TEXT)
                r->start = stored_message_header_size(r->message);
        else if (r->section->part == SECTION_HEADER)
                r->end = stored_message_header_size(r->message);
}

/* Offsets in summaries count from the body (mail/summary.h); the copy shows more and less of its header. */
static void
take_place(SectionReader *r, guint64 start, guint64 end)
{
        r->start = stored_message_offset(r->message, start);
        r->end = MAX(r->start, stored_message_offset(r->message, end));
}

static PartAnswer
place_of_section(SectionReader *r, Span structure)
{
        const Section *section = r->section;
        guint64 start, end;

        PartAnswer answer =
                summary_find_section(structure, section->path, section->n_path, section->part, &start, &end);
        if (answer == PART_FOUND)
                take_place(r, start, end);
        return answer;
}

/* A container is decoded as it is: encodings of multiparts and messages are forbidden or the identity (RFC 2045 §6.4).
 */
static PartAnswer
place_of_part(SectionReader *r, Span structure)
{
        PartPlace place;
        PartAnswer answer = summary_find_part(structure, r->section->path, r->section->n_path, &place);

        if (answer != PART_FOUND)
                return answer;
        take_place(r, place.body_start, place.end);
        r->encoding = place.is_multipart || place.is_message ? TRANSFER_BINARY : place.encoding;
        return PART_FOUND;
}

static PartAnswer
find_place(SectionReader *r, Span structure)
{
        if (r->section->n_path == 0) {
                place_of_message(r);
                return PART_FOUND;
        }
        return r->form == SECTION_DECODED ? place_of_part(r, structure) : place_of_section(r, structure);
}

static gboolean
is_encoded(const SectionReader *r)
{
        return r->encoding == TRANSFER_BASE64 || r->encoding == TRANSFER_QUOTED_PRINTABLE;
}

static void
rewind_section(SectionReader *r)
{
        r->at = r->start;
        r->is_ended = FALSE;
        if (r->section->has_names)
                field_filter_init(&r->filter, r->section->names, r->section->n_names, r->section->is_not);
        else
                transfer_decoder_init(&r->decoder, r->encoding);
}

static SectionAnswer
closed(SectionReader *r, SectionAnswer answer)
{
        section_close(r);
        return answer;
}

SectionAnswer
section_open(SectionReader *r, StoredMessage *take_message, const Section *section, SectionForm form, Span structure,
             GError **error)
{
        *r = (SectionReader){.section = section, .message = take_message, .form = form, .encoding = TRANSFER_BINARY};
        switch (find_place(r, structure)) {
        case PART_FOUND:
                break;
        case PART_NONE:
                return closed(r, SECTION_NONE);
        case PART_DAMAGED:
                (void) fault(error, FAULT_INTERNAL, "structure of a message can't be read");
                return closed(r, SECTION_FAILED);
        }
        if (r->encoding == TRANSFER_UNKNOWN)
                return closed(r, SECTION_UNKNOWN_CTE);
        rewind_section(r);
        return SECTION_READY;
}

/* Reading --------------------------------------------------------------------------------------------------------- */

static gssize
read_stored(SectionReader *r, guint8 *out, gsize room, GError **error)
{
        gsize want = (gsize) MIN(r->end - r->at, room);
        gssize got = want > 0 ? stored_message_read(r->message, r->at, out, want, error) : 0;

        if (got == 0 && want > 0) {
                (void) fault(error, FAULT_INTERNAL, "a message is shorter than it was");
                return -1;
        }
        r->at += (guint64) MAX(got, 0);
        return got;
}

/* RFC 9051 §6.4.5.1: the empty line is part of every answer with fields. */
static gssize
end_fields(SectionReader *r, guint8 *out)
{
        r->is_ended = TRUE;
        memcpy(out, "\r\n", 2);
        return 2;
}

static gssize
read_fields(SectionReader *r, guint8 *out, gsize room, GError **error)
{
        guint8 piece[PIECE_OCTETS];
        gsize n = 0;

        while (n == 0 && !r->is_ended) {
                if (r->at == r->end || field_filter_is_done(&r->filter))
                        return end_fields(r, out);
                gssize got = read_stored(r, piece, MIN(sizeof(piece), room - FIELD_FILTER_HELD_MAX), error);
                if (got < 0)
                        return -1;
                n = field_filter_feed(&r->filter, span_make(piece, (gsize) got), out);
        }
        return (gssize) n;
}

static gssize
read_decoded(SectionReader *r, guint8 *out, gsize room, GError **error)
{
        guint8 piece[PIECE_OCTETS];
        gsize n = 0;

        while (n == 0 && !r->is_ended) {
                if (r->at == r->end) {
                        r->is_ended = TRUE;
                        return (gssize) transfer_decode_end(&r->decoder, out, room);
                }
                gssize got = read_stored(r, piece, MIN(sizeof(piece), room - TRANSFER_ROOM_MIN), error);
                if (got < 0)
                        return -1;
                Scan in = scan_from(span_make(piece, (gsize) got));
                while (!scan_at_end(&in) && room - n >= TRANSFER_ROOM_MIN)
                        n += transfer_decode(&r->decoder, &in, out + n, room - n);
                r->at -= scan_left(&in);
        }
        return (gssize) n;
}

gssize
section_read(SectionReader *r, guint8 *out, gsize room, GError **error)
{
        g_assert(room >= SECTION_ROOM_MIN);
        if (r->section->has_names)
                return read_fields(r, out, room, error);
        return is_encoded(r) ? read_decoded(r, out, room, error) : read_stored(r, out, room, error);
}

guint64
section_skip(SectionReader *r, guint64 octets)
{
        if (r->section->has_names || is_encoded(r))
                return 0;
        octets = MIN(octets, r->end - r->at);
        r->at += octets;
        return octets;
}

/* Measuring ------------------------------------------------------------------------------------------------------- */

static SectionAnswer
measured(SectionReader *r)
{
        if (is_encoded(r) && !transfer_is_exact(&r->decoder))
                return closed(r, SECTION_UNKNOWN_CTE);
        rewind_section(r);
        return SECTION_READY;
}

static SectionAnswer
measure_by_reading(SectionReader *r, GError **error)
{
        guint8 out[PIECE_OCTETS + SECTION_ROOM_MIN];

        for (guint i = 0; i < MEASURE_PIECES; i++) {
                gssize n = section_read(r, out, sizeof(out), error);
                if (n < 0)
                        return closed(r, SECTION_FAILED);
                if (n == 0)
                        return measured(r);
                r->size += (guint64) n;
        }
        return SECTION_AGAIN;
}

SectionAnswer
section_measure(SectionReader *r, GError **error)
{
        if (r->section->has_names || is_encoded(r))
                return measure_by_reading(r, error);
        r->size = r->end - r->start;
        return SECTION_READY;
}
