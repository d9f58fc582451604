#include "base/id.h"
#include "base/clock.h"
#include "base/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define EPOCH_2020    ((Usec) 1577836800 * USEC_PER_SEC)
#define COUNTER_BITS  22
#define COUNTER_MASK  (((Id) 1 << COUNTER_BITS) - 1)
#define ID_LETTERS    (ID_TEXT_OCTETS - 1)

static const char LETTERS[] = "0123456789abcdefghjkmnpqrstvwxyz";

static Id last_id;      /* atomic; 0 before the first */

/* The first of a process: its counter starts at random, so that two processes within one millisecond (or one behind a
 * clock that went back) hardly meet. */
static Id
id_first(Id millisecond)
{
        guint32 start;

        random_octets(&start, sizeof(start));
        return millisecond << COUNTER_BITS | (start & COUNTER_MASK);
}

Id
id_new(void)
{
        Usec since = MAX(clock_real() - EPOCH_2020, 0);
        Id millisecond = (Id) (since / USEC_PER_MS);
        Id last = __atomic_load_n(&last_id, __ATOMIC_RELAXED);
        Id next;

        do {
                if (last == 0) {
                        next = id_first(millisecond);
                } else {
                        /* The counter goes on through the milliseconds. Where it wraps, or the clock goes back, its
                         * carry moves the time part on: rising is worth more than the millisecond. */
                        next = millisecond << COUNTER_BITS | ((last + 1) & COUNTER_MASK);
                        if (next <= last)
                                next = last + 1;
                }
        } while (!__atomic_compare_exchange_n(&last_id, &last, next, FALSE, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
        return next;
}

const char *
id_text(Id id, char buffer[ID_TEXT_OCTETS])
{
        for (guint i = ID_LETTERS; i-- > 0; id >>= 5)
                buffer[i] = LETTERS[id & 31];
        buffer[ID_LETTERS] = '\0';
        return buffer;
}

/* Crockford's reading: case ignored, o is 0, i and l are 1. -1 for anything else. */
static int
letter_value(guint8 octet)
{
        guint8 letter = octet_lower(octet);

        if (letter == 'o')
                letter = '0';
        else if (letter == 'i' || letter == 'l')
                letter = '1';
        const char *found = memchr(LETTERS, letter, sizeof(LETTERS) - 1);
        return found != NULL ? (int) (found - LETTERS) : -1;
}

gboolean
id_parse(Span text, Id *ret)
{
        Id id = 0;

        if (text.len != ID_LETTERS || letter_value(text.data[0]) > 15) /* 65 bits of text, 64 of id */
                return FALSE;
        for (gsize i = 0; i < ID_LETTERS; i++) {
                int value = letter_value(text.data[i]);
                if (value < 0)
                        return FALSE;
                id = id << 5 | (Id) value;
        }
        *ret = id;
        return TRUE;
}

void
random_octets(void *data, gsize octets)
{
        guint8 *at = data;

        while (octets > 0) {
                ssize_t got = getrandom(at, octets, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        abort(); /* guessable secrets are worse than no service */
                at += got;
                octets -= (gsize) got;
        }
}

guint32
random_below(guint32 bound)
{
        /* Draws under the remainder of 2^32 by bound would favour small numbers. */
        guint32 biased = -bound % bound;
        guint32 draw;

        do
                random_octets(&draw, sizeof(draw));
        while (draw < biased);
        return draw % bound;
}

char *
random_password(void)
{
        static const char clear[] = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
        enum { LENGTH = 20 };
        char *password = g_malloc(LENGTH + 1);

        for (guint i = 0; i < LENGTH; i++)
                password[i] = clear[random_below(sizeof(clear) - 1)];
        password[LENGTH] = '\0';
        return password;
}
