/* text.h -- small work on text: UTF-8, escaping for people, encodings. No I/O.
 */
#pragma once

#include "base/arena.h"
#include "base/scan.h"

/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms), NULs allowed. */
gboolean text_is_utf8(Span s) G_GNUC_PURE;
gboolean text_is_ascii(Span s) G_GNUC_PURE;

/* The character s begins with: how many octets it has; 0 when it begins with none, -1 when s ends within one (*ret is
 * untouched then). */
int text_utf8_next(Span s, gunichar *ret);

gboolean text_has_control(Span s) G_GNUC_PURE;  /* CR, LF, NUL or any other C0 control, or DEL */

/* For logs, DSNs and terminals: at most max octets of s, printable ASCII and valid printable UTF-8 kept, everything else
 * as \xHH, backslash doubled, "..." behind what was cut. Never empty: "" becomes "-" only in log fields, not here. */
char *text_escape(Span s, gsize max) G_GNUC_WARN_UNUSED_RESULT;
const char *text_escape_in(Arena *arena, Span s, gsize max);

/* The next character of s in that form, without a NUL: how many octets were written, 0 at the end. */
#define TEXT_ESCAPED_OCTETS 4
gsize text_escape_next(Scan *s, char out[TEXT_ESCAPED_OCTETS]);

/* ASCII letters to lower case, other octets kept. */
Span text_lower(Arena *arena, Span s);

/* Shell-style: `*` any run, everything else literal, ASCII case ignored. Linear in the input for one `*`. */
gboolean text_matches(Span pattern, Span s) G_GNUC_PURE;

/* Decimal digits without a NUL; the place behind them is returned. put_digits writes exactly `width`, with zeros in front and
 * what is beyond them dropped; put_number at most TEXT_NUMBER_OCTETS. For what is written for every message, where printf
 * would cost more than the work. */
#define TEXT_NUMBER_OCTETS 20
char *text_put_digits(char *at, guint value, guint width);
char *text_put_number(char *at, guint64 value);

/* Hexadecimal, lower case. */
char *text_hex(Span s) G_GNUC_WARN_UNUSED_RESULT;

/* Base64 (RFC 4648 §4). Decoding is strict: alphabet, padding and length must be right; FALSE otherwise or when the
 * result would be longer than max. */
Span text_base64(Arena *arena, Span s);
gboolean text_base64_decode(Arena *arena, Span s, gsize max, Span *ret);
/* The same of base64url without padding (RFC 4648 §5, RFC 7515 §2), as strict. */
gboolean text_base64url_decode(Arena *arena, Span s, gsize max, Span *ret);

/* Constant-time comparison of secrets of known equal length; lengths themselves may leak. */
gboolean text_equal_secret(Span a, Span b);

/* Overwrite secrets so that the compiler can't drop it. */
void text_wipe(void *data, gsize octets);
