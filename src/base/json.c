/* json.c -- depth first, then jansson. */
#include "base/json.h"

/* Brackets within strings do not count. */
static gboolean
depth_is_within(Span text, guint max)
{
        gboolean in_string = FALSE;
        guint depth = 0;

        for (gsize i = 0; i < text.len; i++) {
                guint8 c = text.data[i];

                if (in_string && c == '\\')
                        i++;
                else if (c == '"')
                        in_string = !in_string;
                else if (!in_string && (c == '[' || c == '{') && ++depth > max)
                        return FALSE;
                else if (!in_string && (c == ']' || c == '}') && depth > 0)
                        depth--;
        }
        return TRUE;
}

json_t *
json_read_object(Span text, guint depth)
{
        if (text.len == 0 || !depth_is_within(text, depth))
                return NULL;
        json_t *value = json_loadb((const char *) text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
        if (value != NULL && !json_is_object(value))
                g_clear_pointer(&value, json_decref);
        return value;
}
