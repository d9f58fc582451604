/* summary.c -- the five sections of a message. Each is specified in the head of the file that makes it. */
#include "mail/summary_internal.h"

gboolean
summary_make(Arena *arena, Span message, const Structure *structure, Summary *ret)
{
        g_auto(Workspace) ws = {.arena = arena};
        FirstAddresses first = {.arena = arena};
        FieldIndex index;
        Summary summary;

        field_index(&structure->parts[0].header, &index);
        if (!envelope_make(&ws, &index, &first, &summary.envelope) ||
            !structure_make(&ws, structure, &index, &summary.structure) || !fields_make(&ws, &index, &summary.fields) ||
            !keys_make(&ws, &index, &first, &summary.keys) || !preview_make(&ws, message, structure, &summary.preview))
                return FALSE;
        *ret = summary;
        return TRUE;
}
