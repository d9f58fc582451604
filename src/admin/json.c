/* json.c -- our values as JSON. */
#include "admin/internal.h"
#include "base/text.h"

/* jansson takes only valid UTF-8; stored text of strangers may hold anything. */
json_t *
json_span(Span s)
{
        if (s.len == 0)
                return json_string("");
        if (text_is_utf8(s))
                return json_stringn((const char *) s.data, s.len);
        g_autofree char *valid = g_utf8_make_valid((const char *) s.data, (gssize) s.len);
        return json_string(valid);
}

json_t *
json_text(const char *text)
{
        return text != NULL ? json_span(span_of(text)) : json_null();
}

json_t *
json_time(Usec real)
{
        char text[32];

        return real > 0 ? json_string(clock_iso(real, text, sizeof(text))) : json_null();
}

json_t *
json_address(Arena *arena, const Address *a)
{
        return json_span(address_text(arena, a));
}

json_t *
json_addresses(Arena *arena, const Address *a, gsize n)
{
        json_t *array = json_array();

        for (gsize i = 0; i < n; i++)
                json_array_append_new(array, json_address(arena, &a[i]));
        return array;
}

json_t *
json_strings(const char *const *texts, gsize n)
{
        json_t *array = json_array();

        for (gsize i = 0; i < n; i++)
                json_array_append_new(array, json_text(texts[i]));
        return array;
}

json_t *
json_id(Id id)
{
        char text[ID_TEXT_OCTETS];

        return id != 0 ? json_string(id_text(id, text)) : json_null();
}

void
json_put(json_t *object, const char *key, json_t *take_value)
{
        json_object_set_new(object, key, take_value);
}

json_t *
json_pairs(const KeyValue *pairs, gsize n)
{
        json_t *object = json_object();

        for (gsize i = 0; i < n; i++) {
                json_t *first = json_object_get(object, pairs[i].key);

                if (first == NULL) {
                        json_put(object, pairs[i].key, json_text(pairs[i].value));
                } else if (json_is_array(first)) {
                        json_array_append_new(first, json_text(pairs[i].value));
                } else {
                        json_t *array = json_array();
                        json_array_append(array, first);
                        json_array_append_new(array, json_text(pairs[i].value));
                        json_put(object, pairs[i].key, array);
                }
        }
        return object;
}
