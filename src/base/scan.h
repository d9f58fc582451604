/* scan.h -- the bounded cursor: every parser of foreign bytes reads through it.
 *
 * A Scan walks one Span. No function reads outside it, none needs a NUL, and each either moves forward and says TRUE or
 * leaves the cursor where it was and says FALSE, so grammars are written as `a(s) && b(s)` with scan_mark/scan_rewind
 * around alternatives. Numbers are parsed into 64 bits with the limit at the parse.
 *
 * Threads  a Scan is a plain value of one thread. Memory: allocates nothing; results point into the span.
 */
#pragma once

#include "base/span.h"

typedef struct Scan {
        const guint8 *at;
        const guint8 *end;
} Scan;

/* Classes of octets, for scan_run() and friends. 256 bits; take a CLASS_ constant or write a const table of your own. */
typedef struct OctetClass {
        guint64 bits[4];
} OctetClass;

static inline gboolean
octet_in(const OctetClass *c, guint8 octet)
{
        return (c->bits[octet >> 6] >> (octet & 63)) & 1;
}

extern const OctetClass CLASS_DIGIT;    /* 0-9                                     */
extern const OctetClass CLASS_ALPHA;    /* A-Z a-z                                 */
extern const OctetClass CLASS_ALNUM;
extern const OctetClass CLASS_HEX;
extern const OctetClass CLASS_WSP;      /* SP HTAB                                 */
extern const OctetClass CLASS_ATEXT;    /* RFC 5322 §3.2.3, ASCII                  */
extern const OctetClass CLASS_ATEXT8;   /* the same and every octet >= 0x80 (RFC 6532) */
extern const OctetClass CLASS_TOKEN;    /* RFC 2045 §5.1                           */
extern const OctetClass CLASS_PRINT;    /* 0x21-0x7e                               */

static inline Scan
scan_from(Span s)
{
        return (Scan){s.data, s.data != NULL ? s.data + s.len : NULL};
}

static inline gboolean
scan_at_end(const Scan *s)
{
        return s->at == s->end;
}

static inline gsize
scan_left(const Scan *s)
{
        return (gsize) (s->end - s->at);
}

static inline Span
scan_rest(const Scan *s)
{
        return (Span){s->at, scan_left(s)};
}

/* The next octet, or -1 at the end. Does not move. */
static inline int
scan_peek(const Scan *s)
{
        return s->at < s->end ? *s->at : -1;
}

/* Whether an octet of the class comes next. */
static inline gboolean
scan_peek_in(const Scan *s, const OctetClass *c)
{
        return s->at < s->end && octet_in(c, *s->at);
}

static inline const guint8 *
scan_mark(const Scan *s)
{
        return s->at;
}

static inline void
scan_rewind(Scan *s, const guint8 *mark)
{
        s->at = mark;
}

/* What lies between a mark and the cursor. */
static inline Span
scan_since(const Scan *s, const guint8 *mark)
{
        return (Span){mark, (gsize) (s->at - mark)};
}

/* Exactly this octet. */
static inline gboolean
scan_octet(Scan *s, guint8 octet)
{
        if (s->at == s->end || *s->at != octet)
                return FALSE;
        s->at++;
        return TRUE;
}

/* Whatever comes next. */
static inline gboolean
scan_any(Scan *s, guint8 *ret_octet)
{
        if (s->at == s->end)
                return FALSE;
        *ret_octet = *s->at++;
        return TRUE;
}

/* FALSE (and no move) when fewer are left. */
static inline gboolean
scan_skip(Scan *s, gsize octets)
{
        if (scan_left(s) < octets)
                return FALSE;
        if (octets > 0)
                s->at += octets;
        return TRUE;
}

/* Exactly so many. */
static inline gboolean
scan_take(Scan *s, gsize octets, Span *ret)
{
        const guint8 *from = s->at;

        if (!scan_skip(s, octets))
                return FALSE;
        *ret = (Span){from, octets};
        return TRUE;
}

gboolean scan_word(Scan *s, const char *word);          /* this word, ASCII case ignored                 */

/* The longest run of the class, at most max octets; FALSE when it is empty. */
gboolean scan_run(Scan *s, const OctetClass *c, gsize max, Span *ret);
gboolean scan_skip_run(Scan *s, const OctetClass *c);   /* TRUE also for an empty run */

/* Up to but without the octet; FALSE (and no move) when it does not come. */
gboolean scan_until(Scan *s, guint8 octet, Span *ret);

/* One line without its end: CRLF, or a bare LF; the last one may lack it. FALSE only at the end. */
gboolean scan_line(Scan *s, Span *ret);

/* Decimal digits, at least one, value at most max (leading zeros allowed, at most 20 digits). */
gboolean scan_number(Scan *s, guint64 max, guint64 *ret);
gboolean scan_hex(Scan *s, gsize digits, guint64 *ret); /* exactly so many digits, 1..16 */

/* Whole-span forms for settings and arguments: the span is a number and nothing else. */
gboolean span_to_number(Span s, guint64 max, guint64 *ret);

/* Little-endian integers and lengths of stored records (the same reader serves disk and wire). */
gboolean scan_u8(Scan *s, guint8 *ret);
gboolean scan_u32(Scan *s, guint32 *ret);
gboolean scan_u64(Scan *s, guint64 *ret);
/* Of scan_varint(): where the octets behind it begin, or NULL. */
const guint8 *scan_varint_behind(const guint8 *at, const guint8 *end, guint64 max, guint64 *ret);

/* LEB128, at most 10 octets, minimal or not. */
static inline gboolean
scan_varint(Scan *s, guint64 max, guint64 *ret)
{
        if (s->at < s->end && *s->at < 0x80 && *s->at <= max) { /* most of them */
                *ret = *s->at++;
                return TRUE;
        }
        const guint8 *behind = scan_varint_behind(s->at, s->end, max, ret);
        if (behind == NULL)
                return FALSE;
        s->at = behind;
        return TRUE;
}
