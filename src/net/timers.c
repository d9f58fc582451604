#include "net/timers.h"

static inline Usec
timer_at(const Timer *timer)
{
        return atomic_load_explicit(&timer->at, memory_order_relaxed);
}

static void
heap_put(Timers *t, guint32 place, Timer *timer)
{
        t->heap[place] = timer;
        timer->place = place;
}

static void
heap_rise(Timers *t, Timer *timer)
{
        guint32 at = timer->place;

        for (; at > 1 && timer_at(t->heap[at / 2]) > timer_at(timer); at /= 2)
                heap_put(t, at, t->heap[at / 2]);
        heap_put(t, at, timer);
}

static void
heap_sink(Timers *t, Timer *timer)
{
        guint32 at = timer->place;

        for (;;) {
                guint32 child = at * 2;
                if (child > t->n)
                        break;
                if (child < t->n && timer_at(t->heap[child + 1]) < timer_at(t->heap[child]))
                        child++;
                if (timer_at(t->heap[child]) >= timer_at(timer))
                        break;
                heap_put(t, at, t->heap[child]);
                at = child;
        }
        heap_put(t, at, timer);
}

void
timers_done(Timers *timers)
{
        g_free(timers->heap);
        *timers = (Timers){0};
}

void
timers_set(Timers *t, Timer *timer, Usec at)
{
        atomic_store(&timer->at, at);
        if (timer->place == 0) {
                if (t->n + 1 >= t->size) {
                        t->size = MAX(64, t->size * 2);
                        t->heap = g_renew(Timer *, t->heap, t->size);
                }
                heap_put(t, ++t->n, timer);
        }
        heap_rise(t, timer);
        heap_sink(t, timer);
}

void
timers_remove(Timers *t, Timer *timer)
{
        guint32 place = timer->place;

        if (place == 0)
                return;
        timer->place = 0;
        Timer *last = t->heap[t->n--];
        if (last == timer)
                return;
        heap_put(t, place, last);
        heap_rise(t, last);
        heap_sink(t, last);
}

Timer *
timers_first(const Timers *timers)
{
        return timers->n > 0 ? timers->heap[1] : NULL;
}
