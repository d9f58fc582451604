/* pattern.c -- see pattern.h. */
#include "imap/pattern.h"

#define LITERALS_MAX ((gsize) 1000) /* no name is longer (store/mailbox.h) */
#define WORDS_MAX (LITERALS_MAX / 64 + 1)
#define INBOX_OCTETS 5

/* Place j: the first j literals have been matched. */
typedef struct Wildcards {
        guint64 any[WORDS_MAX], in_level[WORDS_MAX]; /* places with a "*", with a "%" */
} Wildcards;

struct Pattern {
        gboolean is_hopeless;
        gsize n_literals, words;
        Wildcards wild;
        guint64 *follows; /* of each octet, `words` of them: the places that it moves on */
};

static gboolean
is_wildcard(guint8 octet)
{
        return octet == '*' || octet == '%';
}

Span
pattern_prefix(Span text)
{
        gsize n = 0;

        while (n < text.len && !is_wildcard(text.data[n]))
                n++;
        return span_slice(text, 0, n);
}

static gsize
count_literals(Span text)
{
        gsize n = 0;

        for (gsize i = 0; i < text.len; i++)
                n += !is_wildcard(text.data[i]);
        return n;
}

static void
set_place(guint64 *places, gsize place)
{
        places[place / 64] |= (guint64) 1 << place % 64;
}

static gboolean
has_place(const guint64 *places, gsize place)
{
        return (places[place / 64] >> place % 64 & 1) != 0;
}

static void
compile(Pattern *p, Span text)
{
        gsize place = 0;

        for (gsize i = 0; i < text.len; i++)
                if (text.data[i] == '*')
                        set_place(p->wild.any, place);
                else if (text.data[i] == '%')
                        set_place(p->wild.in_level, place);
                else
                        set_place(p->follows + text.data[i] * p->words, place++);
}

Pattern *
pattern_new(Arena *arena, Span text)
{
        Pattern *p = arena_new0(arena, Pattern);

        if (p == NULL)
                return NULL;
        p->n_literals = count_literals(text);
        p->is_hopeless = p->n_literals > LITERALS_MAX;
        if (p->is_hopeless)
                return p;
        p->words = p->n_literals / 64 + 1;
        p->follows = arena_new_array(arena, guint64, 256 * p->words);
        if (p->follows == NULL)
                return NULL;
        compile(p, text);
        return p;
}

/* INBOX in capitals is how it stands in names. */
static gboolean
begins_with_inbox(Span name)
{
        return name.len >= INBOX_OCTETS && memcmp(name.data, "INBOX", INBOX_OCTETS) == 0 &&
               (name.len == INBOX_OCTETS || name.data[INBOX_OCTETS] == '/');
}

static void
move(const Pattern *p, guint64 *places, guint8 octet, gboolean any_case)
{
        const guint64 *follows = p->follows + octet * p->words;
        const guint64 *other = any_case ? p->follows + (octet | 0x20) * p->words : follows;
        guint64 carry = 0;

        for (gsize i = 0; i < p->words; i++) {
                guint64 stay = p->wild.any[i] | (octet != '/' ? p->wild.in_level[i] : 0);
                guint64 moved = places[i] & (follows[i] | other[i]);
                places[i] = (places[i] & stay) | moved << 1 | carry;
                carry = moved >> 63;
        }
}

gboolean
pattern_matches(const Pattern *p, Span name)
{
        guint64 places[WORDS_MAX] = {1};
        gsize any_case = begins_with_inbox(name) ? INBOX_OCTETS : 0;

        if (p->is_hopeless)
                return FALSE;
        for (gsize i = 0; i < name.len; i++)
                move(p, places, name.data[i], i < any_case);
        return has_place(places, p->n_literals);
}
