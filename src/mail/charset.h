/* charset.h -- text in the charsets of mail -> UTF-8.
 *
 * The C library's converters are opened once and kept, because the server can't open them any more when its sandbox is
 * up. A charset that is not in the table of charset.c is unknown: its text stays undecoded.
 *
 * Threads  any; each converter has a mutex of its own, held for one conversion (`mail.charset`, a leaf in the lock order).
 */
#pragma once

#include "base/arena.h"

/* Open every converter of the table; call it before the sandbox closes. Later calls do nothing, and the first conversion
 * makes up for a missing one. */
void mail_charsets_preload(void);

/* Text in this charset as UTF-8, the first max octets of it; what can't be read becomes U+FFFD. FALSE: the charset is
 * unknown. Text in UTF-8 or US-ASCII is not looked at: *ret is the text itself. */
gboolean mail_charset_decode(Arena *arena, Span charset, Span text, gsize max, Span *ret) G_GNUC_WARN_UNUSED_RESULT;
