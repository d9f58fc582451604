#include "db/textkey.h"

/* FNV-1a: short texts, and a hash that is stored must never change. */
gint64
textkey_hash(Span text)
{
        guint32 hash = 2166136261u;

        for (gsize i = 0; i < text.len; i++)
                hash = (hash ^ (guint8) g_ascii_tolower((gchar) text.data[i])) * 16777619u;
        return hash;
}

/* A thousand ids, one after the other, share a bucket (base/id.c: the counter is in the low 22 bits). */
gint64
textkey(Id id, Span text)
{
        return (gint64) (id >> 10 & (TEXTKEY_BUCKETS - 1)) << 32 | textkey_hash(text);
}
