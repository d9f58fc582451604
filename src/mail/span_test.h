/* span_test.h -- comparisons for the tests of this room. */
#pragma once

#include "base/span.h"

/* The octets of s are those of the string; shown on failure. */
#define assert_span(s, text)                                                                                           \
        G_STMT_START                                                                                                   \
        {                                                                                                              \
                Span span_ = (s);                                                                                      \
                g_autofree char *found_ = span_dup(span_);                                                             \
                g_assert_cmpstr(found_, ==, (text));                                                                   \
        }                                                                                                              \
        G_STMT_END
