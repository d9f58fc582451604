#include "store/search_text.h"

#include "mail/message.h"

#define ARENA_OCTETS (1u << 20)
#define PARSE_OCTETS (8u << 20)    /* of structure and summary, when they must be made again */
#define MESSAGE_OCTETS (64u << 20) /* the largest message they are made of                    */

static CopyText
answer_of(const GError *cause)
{
        return cause != NULL && cause->code != FAULT_INTERNAL ? COPY_TEXT_FAILED : COPY_TEXT_GONE;
}

/* The prefix ------------------------------------------------------------------------------------------------------- */

/* "name: value", as mail_text_walk() gives the fields of the body. */
static Span
field_text(Arena *arena, const Header *header, const Field *field)
{
        Span name = header_field_name(header, field);
        Span value = header_decode(arena, header_field_body(header, field));
        guint8 *line = arena_alloc(arena, name.len + 2 + value.len);

        if (line == NULL)
                return SPAN_EMPTY;
        memcpy(line, name.data, name.len);
        memcpy(line + name.len, ": ", 2);
        if (value.len > 0)
                memcpy(line + name.len + 2, value.data, value.len);
        return text_fold(arena, span_make(line, name.len + 2 + value.len), ARENA_OCTETS / 4);
}

CopyText
search_prefix_walk(Span prefix, TextTake take, gpointer to, GError **error)
{
        g_autoptr(Arena) arena = arena_new(ARENA_OCTETS);
        Header header;

        if (prefix.len == 0)
                return COPY_TEXT_WALKED;
        if (!header_parse(arena, prefix, &header)) {
                fault(error, FAULT_BUSY, "no memory for the fields of a copy");
                return COPY_TEXT_FAILED;
        }
        for (gsize i = 0; i < header.n_fields; i++) {
                TextPiece piece = {
                        .kind = TEXT_FIELD, .is_first = TRUE, .text = field_text(arena, &header, &header.fields[i])};
                if (arena_is_over(arena)) {
                        fault(error, FAULT_BUSY, "no memory for the fields of a copy");
                        return COPY_TEXT_FAILED;
                }
                if (!take(to, &piece))
                        return COPY_TEXT_STOPPED;
        }
        return COPY_TEXT_WALKED;
}

/* The body --------------------------------------------------------------------------------------------------------- */

static gssize
body_read(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error)
{
        BlobBody *opened = from;
        guint64 size = blob_body_size(opened);

        if (offset >= size)
                return 0;
        len = (gsize) MIN(len, size - offset);
        return blob_body_read(opened, offset, buffer, len, error) ? (gssize) len : -1;
}

/* The structure of a message whose stored one is missing or of another release. */
static gboolean
structure_make(Arena *arena, BlobBody *opened, Span *ret, GError **error)
{
        guint64 size = blob_body_size(opened);
        Structure structure;
        Summary summary;

        if (size > MESSAGE_OCTETS)
                return fault(error, FAULT_INTERNAL, "a message of %" G_GUINT64_FORMAT " octets has no structure", size);
        g_autofree guint8 *octets = g_try_malloc((gsize) size + 1);
        if (octets == NULL)
                return fault(error, FAULT_BUSY, "no memory for a message of %" G_GUINT64_FORMAT " octets", size);
        if (!blob_body_read(opened, 0, octets, (gsize) size, error))
                return FALSE;
        Span message = span_make(octets, (gsize) size);
        if (!message_parse(arena, message, &structure) || !summary_make(arena, message, &structure, &summary))
                return fault(error, FAULT_INTERNAL, "a message is too complex");
        *ret = arena_copy(arena, summary.structure);
        return ret->data != NULL || fault(error, FAULT_INTERNAL, "a message is too complex");
}

static TextAnswer
body_walk(BlobBody *opened, const SearchCopy *copy, TextRoom *room, guint what, TextTake take, gpointer to,
          GError **error)
{
        SummaryCut cuts[COPY_CUTS_MAX];
        Span structure = copy->structure;
        TextAnswer answer = TEXT_DAMAGED;

        g_assert(copy->n_cuts <= COPY_CUTS_MAX);
        for (guint i = 0; i < copy->n_cuts; i++)
                cuts[i] = (SummaryCut){copy->cuts[i].offset, copy->cuts[i].len};
        if (structure.len > 0)
                answer = mail_text_walk_in(room, structure, what, cuts, copy->n_cuts, body_read, opened, take, to,
                                           error);
        if (answer != TEXT_DAMAGED)
                return answer;

        g_autoptr(Arena) arena = arena_new(PARSE_OCTETS);
        if (!structure_make(arena, opened, &structure, error))
                return TEXT_FAILED;
        answer = mail_text_walk_in(room, structure, what, cuts, copy->n_cuts, body_read, opened, take, to, error);
        if (answer == TEXT_DAMAGED)
                fault(error, FAULT_INTERNAL, "the structure of a message can't be read");
        return answer;
}

static BlobBody *
body_open(Blob *blob, const SearchCopy *copy, GError **error)
{
        return copy->place != NULL ? blob_body_at(blob, copy->body, copy->place, error)
                                   : blob_body_open(blob, copy->body, error);
}

CopyText
search_text_walk(Blob *blob, const SearchCopy *copy, guint what, TextTake take, gpointer to, GError **error)
{
        g_autoptr(GError) cause = NULL;

        if ((what & TEXT_OF_HEADER) != 0) {
                CopyText text = search_prefix_walk(copy->prefix, take, to, error);
                if (text != COPY_TEXT_WALKED)
                        return text;
        }
        g_autoptr(TextRoom) own = copy->room == NULL ? text_room_new() : NULL;
        TextRoom *room = own != NULL ? own : copy->room;
        g_autoptr(BlobBody) opened = body_open(blob, copy, &cause);
        TextAnswer answer = opened != NULL ? body_walk(opened, copy, room, what, take, to, &cause) : TEXT_FAILED;
        switch (answer) {
        case TEXT_WALKED:
                return COPY_TEXT_WALKED;
        case TEXT_STOPPED:
                return COPY_TEXT_STOPPED;
        case TEXT_FAILED:
        case TEXT_DAMAGED:
        default:
                break;
        }
        CopyText text = answer_of(cause);
        g_propagate_error(error, g_steal_pointer(&cause));
        return text;
}
