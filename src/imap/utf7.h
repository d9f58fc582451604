/* utf7.h -- names of mailboxes in modified UTF-7 (RFC 3501 §5.1.3), as IMAP4rev1 and maildirs write them.
 *
 * Threads  any. Memory: the caller's arena.
 */
#pragma once

#include "base/arena.h"

/* FALSE: not well-formed, or the arena is over. Each name has one form only: what another encoder wrote otherwise is not well-formed. */
gboolean utf7_to_utf8(Arena *arena, Span name, Span *ret) G_GNUC_WARN_UNUSED_RESULT;
Span utf7_from_utf8(Arena *arena, Span name);
