#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_escape(Span s, gsize max)
{
        g_autofree char *text = text_escape(s, max);

        g_assert(g_utf8_validate(text, -1, NULL));
        g_assert(!text_has_control(span_of(text)));
        g_assert(strlen(text) <= MIN(max, s.len) * 4 + 3);
}

static void
check_base64(Arena *arena, Span s)
{
        Span plain, coded = text_base64(arena, s);

        g_assert(text_base64_decode(arena, coded, s.len, &plain) && span_equal(plain, s));
        if (text_base64_decode(arena, s, s.len, &plain)) /* what decodes has one spelling */
                g_assert(span_equal(text_base64(arena, plain), s));
        if (text_base64url_decode(arena, s, s.len, &plain))
                g_assert(plain.len == s.len / 4 * 3 + (s.len % 4 == 0 ? 0 : s.len % 4 - 1));
}

static void
check_matches(Span pattern, Span s)
{
        g_autofree char *starred = g_strdup_printf("*%.*s*", (int) pattern.len, (const char *) pattern.data);

        g_assert(text_matches(span_of("*"), s) && text_matches(s, s));
        if (text_matches(pattern, s))
                g_assert(text_matches(span_of(starred), s) || memchr(pattern.data, 0, pattern.len) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(1 << 24);
        Span s = span_make(data, MIN(size, (size_t) 1 << 16));
        Usec real;
        Id id;

        gboolean has_nul = memchr(data, 0, s.len) != NULL;
        g_assert(has_nul || text_is_utf8(s) == g_utf8_validate_len((const char *) data, s.len, NULL));
        check_escape(s, s.len);
        check_escape(s, s.len / 2);
        check_base64(arena, s);
        check_matches(span_slice(s, 0, 64), span_slice(s, s.len / 2, s.len / 2 + 4096));
        g_assert(strlen(log_text(s)) <= 256 + 5);
        if (id_parse(s, &id)) {
                char text[ID_TEXT_OCTETS];
                Id again;
                g_assert(id_parse(span_of(id_text(id, text)), &again) && again == id);
        }
        clock_parse_iso(arena_strndup(arena, s), &real);
        return 0;
}
