#include "db/textkey.h"

/* FNV-1a: short texts, and a hash that is stored must never change. */
guint32
textkey_hash(Span text)
{
        guint32 hash = 2166136261u;

        for (gsize i = 0; i < text.len; i++)
                hash = (hash ^ octet_lower(text.data[i])) * 16777619u;
        return hash;
}

void
textkey_put(guint8 place[TEXTKEY_OCTETS], Span text)
{
        guint32 stored = GUINT32_TO_BE(textkey_hash(text));

        memcpy(place, &stored, sizeof(stored));
}

gboolean
textkey_has(Span hashes, guint32 hash)
{
        guint32 wanted = GUINT32_TO_BE(hash), stored;

        for (gsize i = 0; i + TEXTKEY_OCTETS <= hashes.len; i += TEXTKEY_OCTETS) {
                memcpy(&stored, hashes.data + i, sizeof(stored));
                if (stored == wanted)
                        return TRUE;
        }
        return FALSE;
}
