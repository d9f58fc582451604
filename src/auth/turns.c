/* turns.c -- a hash takes 19 MiB and some 20 ms of a processor: two at once, 64 in line, the others come again. */
#include "auth/internal.h"

void
turns_init(Turns *turns)
{
        mutex_init(&turns->mutex, "auth.turns");
        cond_init(&turns->wake);
        turns->working = turns->waiting = 0;
}

void
turns_done(Turns *turns)
{
        cond_done(&turns->wake);
        mutex_done(&turns->mutex);
}

gboolean
turns_take(Turns *turns)
{
        MUTEX_SCOPE(&turns->mutex);

        if (turns->working >= TURNS_AT_ONCE && turns->waiting >= TURNS_WAITING)
                return FALSE;
        turns->waiting++;
        while (turns->working >= TURNS_AT_ONCE)
                cond_wait(&turns->wake, &turns->mutex);
        turns->waiting--;
        turns->working++;
        return TRUE;
}

void
turns_give(Turns *turns)
{
        MUTEX_SCOPE(&turns->mutex);

        turns->working--;
        cond_signal(&turns->wake);
}
