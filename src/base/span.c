#include "base/span.h"

gboolean
span_equal_nocase(Span a, Span b)
{
        return a.len == b.len && span_starts_nocase(a, b);
}

gboolean
span_starts_nocase(Span s, Span prefix)
{
        if (s.len < prefix.len)
                return FALSE;
        for (gsize i = 0; i < prefix.len; i++)
                if (octet_lower(s.data[i]) != octet_lower(prefix.data[i]))
                        return FALSE;
        return TRUE;
}

static inline gboolean
is_blank(guint8 octet)
{
        return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

Span
span_trim(Span s)
{
        gsize from = 0;
        gsize to = s.len;

        while (from < to && is_blank(s.data[from]))
                from++;
        while (to > from && is_blank(s.data[to - 1]))
                to--;
        return span_slice(s, from, to);
}

char *
span_dup(Span s)
{
        char *copy = g_malloc(s.len + 1);

        span_to_text(s, copy);
        return copy;
}

void
span_to_text(Span s, char *ret_text)
{
        gsize left = s.len;

        if (s.len > 0)
                memcpy(ret_text, s.data, s.len);
        ret_text[s.len] = '\0';
        for (char *nul; (nul = memchr(ret_text, '\0', left)) != NULL;) {
                *nul++ = '?';
                left -= (gsize) (nul - ret_text);
                ret_text = nul;
        }
}
