/* limits.h -- how many connections an address has open and how many it opens a second.
 *
 * Memory is bounded: an entry lives while its address has a connection, or until the second of its last one is over; of the latter
 * kind at most LIMITS_IDLE_MAX are kept, more are simply forgotten.
 *
 * Threads  any.
 */
#pragma once

#include "base/clock.h"
#include "net/address.h"

typedef struct Limits Limits;

Limits *limits_new(guint max_open, guint max_per_second) G_GNUC_WARN_UNUSED_RESULT;
void limits_free(Limits *limits);
void limits_set(Limits *limits, guint max_open, guint max_per_second);

/* Count a new connection. FALSE: one too many; it counts for the rate but not as open, so limits_leave() must not follow. */
gboolean limits_enter(Limits *limits, AddressKey key, Usec now) G_GNUC_WARN_UNUSED_RESULT;
void limits_leave(Limits *limits, AddressKey key, Usec now);

/* Addresses remembered, for tests and statistics. */
guint limits_n_addresses(Limits *limits);
