/* message.h -- octets of a message -> its structure, by offsets, in one pass without copying.
 *
 * The manual is in three parts: header.h (fields, unfolding, decoding), mime.h (content types, the tree of parts) and
 * date.h. What IMAP wants to know again and again is in summary.h, the text for searching in text.h. What they have in
 * common: nothing fails on content. Beyond the limits (depth 50, 1,000 parts, header block of 1 MiB, 2,000 fields, 128
 * parameters) a part is an opaque leaf and a field list ends, and the result says so.
 *
 * Lines end in CRLF; a bare LF is understood as a line end too (mail that came by fetch), a bare CR is not.
 *
 * Threads  any. Memory: the caller's arena (4 MiB is the budget of one message). Work is linear in the input.
 */
#pragma once

#include "mail/date.h"
#include "mail/header.h"
#include "mail/mime.h"
