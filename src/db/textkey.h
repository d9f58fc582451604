/* textkey.h -- rows found by text in tables that only grow at their end, as the trace does.
 *
 * An index on text puts every new row on a random page: with three of them, two thirds of what one delivery writes
 * would be such pages. A text key is the bucket of an Id and a 32-bit hash of the text, ASCII letters in lower case.
 * Ids of one time fall into one bucket, so new keys meet on a few pages; a look-up asks each of the 4,096 buckets,
 * which takes some milliseconds.
 *
 *      CREATE TABLE trace_key (key INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (key, message)) WITHOUT
 * ROWID writing   INSERT INTO trace_key (key, message) VALUES (?, ?) ON CONFLICT DO NOTHING     with textkey(id, text),
 * id finding   ... WHERE message IN (TEXTKEY_FIND("trace_key", "message")) AND sender = ...   with textkey_hash(text)
 *
 * Hashes collide: what is found is compared with the text itself.
 */
#pragma once

#include "base/id.h"

#define TEXTKEY_BUCKETS 4096

gint64 textkey(Id id, Span text) G_GNUC_PURE;
gint64 textkey_hash(Span text) G_GNUC_PURE;

/* SQL giving the ids under one parameter, a textkey_hash(). */
#define TEXTKEY_FIND(table, column)                                                                                    \
        "WITH RECURSIVE bucket (b) AS (SELECT 0 UNION ALL SELECT b + 1 FROM bucket WHERE b < 4095)"                    \
        " SELECT " table "." column " FROM bucket CROSS JOIN " table " WHERE " table                                   \
        ".key = bucket.b * 4294967296 + ?"
