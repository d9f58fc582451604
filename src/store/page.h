/* page.h -- the stored form of up to 128 entries: a page, which seldom changes, and its state, which flags and expunges rewrite.
 *
 * Pure. The formats stand at the head of page.c. Damaged octets are FALSE, outputs are then not to be used.
 */
#pragma once

#include "store/view.h"

#define PAGE_ENTRIES 128
#define UID_MAX      ((guint64) G_MAXUINT32)

/* Where an entry is. */
typedef enum Fate {
        FATE_HERE = 0,
        FATE_EXPUNGED, /* out of every view; can be undeleted; has its reference still */
        FATE_MOVED,    /* its reference went along; told to QRESYNC for a time         */
} Fate;
#define FATE_LAST FATE_MOVED

typedef struct State {
        guint64 flags, modseq;
        Usec gone_at; /* 0 while it is here */
        Fate fate;
} State;

/* Entries rise by UID from `first` on; their flags and MODSEQ are not written. n from 1 to PAGE_ENTRIES. */
void page_put(GByteArray *out, guint32 first, const ViewEntry *entries, guint n);
/* Flags and MODSEQ become 0. room: for so many entries; a page with more is FALSE. */
gboolean page_get(Span data, guint32 first, ViewEntry *ret_entries, guint room,
                  guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;
/* UIDs and sizes only, for half the price. */
gboolean page_get_uids(Span data, guint32 first, guint32 ret_uids[PAGE_ENTRIES], guint64 ret_sizes[PAGE_ENTRIES],
                       guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;

void state_put(GByteArray *out, const State *states, guint n);
gboolean state_get(Span data, State ret_states[PAGE_ENTRIES], guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;

/* Ranges of UIDs, rising, not touching each other. */
void ranges_put(GByteArray *out, const UidRange *ranges, gsize n);
gboolean ranges_get(Span data, GArray *ret /* of UidRange, appended to */) G_GNUC_WARN_UNUSED_RESULT;

/* The bodies and the references of a pack's slots. */
void bodies_put(GByteArray *out, const gint64 *bodies, guint n);
gboolean bodies_get(Span data, gint64 ret_bodies[PAGE_ENTRIES], guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;
void slot_refs_put(GByteArray *out, const guint32 *refs, guint n);
gboolean slot_refs_get(Span data, guint32 ret_refs[PAGE_ENTRIES], guint *ret_n) G_GNUC_WARN_UNUSED_RESULT;
