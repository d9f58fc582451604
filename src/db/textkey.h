/* textkey.h -- rows found by text in tables that only grow at their end, as the trace does.
 *
 * An index on text puts every new row on a random page: with three of them, two thirds of what one delivery writes
 * would be such pages. Instead the texts of a row are stored beside it as their hashes, in one blob of a narrow table
 * that grows at its end too, whatever their number. A look-up reads that table from its end: some 35 ms for 100,000
 * rows.
 *
 *      CREATE TABLE trace_key (message INTEGER PRIMARY KEY, hashes BLOB NOT NULL)
 *
 * Hashes collide: what is found is compared with the text itself.
 */
#pragma once

#include "base/span.h"

#define TEXTKEY_OCTETS 4

/* FNV-1a of the text, ASCII letters in lower case. */
guint32 textkey_hash(Span text) G_GNUC_PURE;

/* One more hash behind those stored already. */
void textkey_put(guint8 place[TEXTKEY_OCTETS], Span text);

/* Is this hash one of those stored? */
gboolean textkey_has(Span hashes, guint32 hash) G_GNUC_PURE;
