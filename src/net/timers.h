/* timers.h -- a heap of moments, the earliest first. Plain data: the owner has the lock. */
#pragma once

#include "base/clock.h"

#include <stdatomic.h>

/* Embedded in what has to be woken. `at` may be read without the lock. */
typedef struct Timer {
        _Atomic(Usec) at;
        guint32 place;          /* in the heap, from 1; 0: not in it */
} Timer;

typedef struct Timers {
        Timer **heap;           /* heap[1] is the earliest */
        guint32 n, size;
} Timers;

void timers_done(Timers *timers);
void timers_set(Timers *timers, Timer *timer, Usec at); /* add or move */
void timers_remove(Timers *timers, Timer *timer);       /* also when it is not in */
Timer *timers_first(const Timers *timers);              /* NULL: none */
