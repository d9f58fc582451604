/* span.h -- a slice of octets: the only form in which foreign bytes travel.
 *
 * A Span owns nothing and ends nowhere with a NUL; whoever hands one out says how long it lives.
 */
#pragma once

#include <glib.h>
#include <string.h>

typedef struct Span {
        const guint8 *data;     /* never NULL while len > 0 */
        gsize len;              /* octets */
} Span;

#define SPAN_EMPTY ((Span){NULL, 0})

/* The octets of a NUL-terminated string that is ours (a literal, a configured name); never for input. NULL is empty. */
static inline Span
span_of(const char *text)
{
        return (Span){(const guint8 *) text, text != NULL ? strlen(text) : 0};
}

static inline Span
span_make(const void *data, gsize len)
{
        return (Span){(const guint8 *) data, len};
}

/* Octets [from, to) of s; both are clamped to it, so any numbers are safe. */
static inline Span
span_slice(Span s, gsize from, gsize to)
{
        to = MIN(to, s.len);
        from = MIN(from, to);
        return (Span){s.data != NULL ? s.data + from : NULL, to - from};
}

static inline gboolean
span_equal(Span a, Span b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII letters in lower case, every other octet as it is; no locale. */
static inline guint8
octet_lower(guint8 octet)
{
        return octet >= 'A' && octet <= 'Z' ? (guint8) (octet | 0x20) : octet;
}

/* Equal when ASCII letters are compared without case; other octets must be the same. */
gboolean span_equal_nocase(Span a, Span b) G_GNUC_PURE;

static inline gboolean
span_is(Span s, const char *text)
{
        return span_equal_nocase(s, span_of(text));
}

gboolean span_starts_nocase(Span s, Span prefix) G_GNUC_PURE;

/* Without SP, HTAB, CR, LF at both ends. */
Span span_trim(Span s) G_GNUC_PURE;

/* A NUL-terminated copy; NULs inside become '?' so that no reader is fooled about the end. */
char *span_dup(Span s) G_GNUC_WARN_UNUSED_RESULT;

/* The same into a buffer of s.len + 1 octets. */
void span_to_text(Span s, char *ret_text);
