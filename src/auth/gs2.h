/* gs2.h -- the GS2 header that SCRAM and OAUTHBEARER begin with: channel binding and who one wants to act for.
 *
 *      n,,     y,a=joe@example.com,     p=tls-exporter,,
 *
 * Threads  any. Memory: the arena; `whole` and `binding` point into what is scanned.
 * RFC      5801 §4, 5802 §5.1 and §7.
 */
#pragma once

#include "base/arena.h"
#include "base/scan.h"

#define GS2_NAME_MAX 1000

typedef struct Gs2 {
        Span whole;
        guint8 flag;            /* 'n', 'y' or 'p'          */
        Span binding;           /* of 'p': the channel's name */
        Span authzid;           /* SPAN_EMPTY: none         */
} Gs2;

/* Behind it the cursor stands behind its last comma. Where it says FALSE, the cursor may stand anywhere: the message is malformed. */
gboolean gs2_scan(Scan *s, Arena *arena, Gs2 *ret) G_GNUC_WARN_UNUSED_RESULT;

/* saslname: "=2C" and "=3D" stand for comma and equals sign, and no other "=" is in it. *ret: UTF-8 without controls, not empty. */
gboolean gs2_read_name(Arena *arena, Span name, Span *ret) G_GNUC_WARN_UNUSED_RESULT;
