/* internal.h -- private to fetch. */
#pragma once

#include "fetch/fetch.h"
#include "mail/message.h"

/* multidrop_find() on a header that is parsed already. */
MultidropAnswer multidrop_find_in(Arena *arena, const Header *header, const MultidropSettings *settings, const Address **ret,
                                  gsize *ret_n, const char **ret_reason);

/* The envelope sender: the topmost Return-Path of the delivery block; the null sender when it is missing or can't be read. */
void multidrop_sender(Arena *arena, const Header *header, guint hops, Address *ret);

/* Host of `by` and address of the `for` clause behind it, in <> or not; empty where there is none. */
void received_read(Span body, Span *ret_by, Span *ret_for);
