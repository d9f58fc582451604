/* thread.h -- pthread locks and threads, wrapped so that a scope releases them and thread sanitizers see them.
 *
 * Every Mutex has a name; the order in which two may be held is in doc/locks.md. Conditions wait on the monotonic clock.
 */
#pragma once

#include "base/clock.h"

#include <pthread.h>

typedef struct Mutex {
        pthread_mutex_t mutex;
        const char *name;
} Mutex;

typedef struct Cond {
        pthread_cond_t cond;
} Cond;

/* For a lock that stands outside every object: static Mutex lock = MUTEX_STATIC("room.lock"); */
#define MUTEX_STATIC(lock_name) {PTHREAD_MUTEX_INITIALIZER, lock_name}

void mutex_init(Mutex *mutex, const char *name);
void mutex_done(Mutex *mutex);
void mutex_lock(Mutex *mutex);
void mutex_unlock(Mutex *mutex);

void cond_init(Cond *cond);
void cond_done(Cond *cond);
void cond_wait(Cond *cond, Mutex *mutex);
gboolean cond_wait_until(Cond *cond, Mutex *mutex, Usec monotonic);     /* FALSE: the time came first */
void cond_signal(Cond *cond);
void cond_broadcast(Cond *cond);

/* A wake-up for one thread. Every wake_send() ends one wake_wait(), whichever comes first; one at a time. What the sender wrote before is
 * seen after. Unlike with a condition, whoever wakes finds no lock that the sender still holds: one system call on each side.
 * A waiter may free it as soon as its wait is over. */
typedef struct Wake {
        int state;              /* atomic */
} Wake;

#define WAKE_INIT ((Wake){0})

void wake_wait(Wake *wake);
gboolean wake_wait_until(Wake *wake, Usec monotonic);   /* FALSE: the time came first; a wake-up may still come */
void wake_send(Wake *wake);

/* MUTEX_SCOPE(&object->mutex); holds the lock to the end of the enclosing block. */
static inline Mutex *
mutex_hold(Mutex *mutex)
{
        mutex_lock(mutex);
        return mutex;
}
static inline void
mutex_release(Mutex **held)
{
        mutex_unlock(*held);
}
#define MUTEX_SCOPE(m) \
        __attribute__((cleanup(mutex_release), unused)) Mutex *G_PASTE(held_, __LINE__) = mutex_hold(m)

/* A named thread with a stack of 256 KiB. Small stacks are part of the memory budget: no function on a session's path
 * keeps more than 8 KiB of locals. All signals are blocked in it: they are the main thread's. The first 15 octets of the
 * name are what ps and debuggers show. NULL and FAULT_BUSY when the machine makes no more threads. */
typedef struct Thread Thread;
Thread *thread_new(const char *name, void (*run)(gpointer data), gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The calling thread gives way to every other one of the machine that wants to run (nice 19), for good. For work that can wait; it should hold no
 * lock that others need for longer than a moment. */
void thread_be_idle(void);
void thread_take_join(Thread *thread);  /* waits for its end; NULL is fine */
