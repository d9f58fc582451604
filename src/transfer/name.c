/* name.c -- names that others gave, into names we can have. */
#include "base/text.h"
#include "imap/utf7.h"
#include "transfer/internal.h"

#define LEVEL_MAX 255
#define NAME_MAX_OCTETS 1000

/* Valid UTF-8 of whatever it is. */
static char *
level_text(Span octets)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        Span decoded;

        if (text_is_ascii(octets) && utf7_to_utf8(arena, octets, &decoded))
                octets = decoded;
        g_autofree char *text = span_dup(octets);
        return g_utf8_make_valid(text, -1);
}

char *
name_level(Span octets)
{
        g_autofree char *text = level_text(span_slice(octets, 0, 4096));
        GString *s = g_string_new(NULL);

        for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                gboolean is_first = p == text;

                if (s->len + 4 > LEVEL_MAX)
                        break;
                if (g_unichar_iscntrl(c) || c == '/' || c == 0x2028 || c == 0x2029 ||
                    (is_first && (c == '~' || c == '%' || c == '*')))
                        c = '_';
                g_string_append_unichar(s, c);
        }
        if (s->len == 0 || strcmp(s->str, ".") == 0 || strcmp(s->str, "..") == 0)
                g_string_append_c(s, '_');
        return g_string_free(s, FALSE);
}

char *
name_join(const GPtrArray *levels)
{
        GString *s = g_string_new(NULL);

        for (guint i = 0; i < levels->len; i++) {
                const char *level = g_ptr_array_index(levels, i);

                if (s->len + strlen(level) + 1 > NAME_MAX_OCTETS)
                        break;
                if (i == 0 && g_ascii_strcasecmp(level, "INBOX") == 0)
                        level = "INBOX";
                g_string_append_printf(s, "%s%s", i > 0 ? "/" : "", level);
        }
        return g_string_free(s, FALSE);
}

char *
name_keyword(Span octets)
{
        GString *s = g_string_new(NULL);

        octets = span_slice(octets, 0, KEYWORD_OCTETS_MAX);
        for (gsize i = 0; i < octets.len; i++) {
                guint8 c = octets.data[i];
                gboolean is_atom = c > ' ' && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;

                g_string_append_c(s, is_atom ? (char) c : '_');
        }
        return g_string_free(s, FALSE);
}

char *
name_key(Span octets)
{
        GString *s = g_string_new(NULL);

        for (gsize i = 0; i < octets.len; i++) {
                guint8 c = octets.data[i];

                if (c > ' ' && c < 0x7f && c != '%')
                        g_string_append_c(s, (char) c);
                else
                        g_string_append_printf(s, "%%%02X", c);
        }
        return g_string_free(s, FALSE);
}
