#include "base/thread.h"
#include "base/error.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Instrumented frames are several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_FACTOR 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define STACK_FACTOR 8
#endif
#endif
#ifndef STACK_FACTOR
#define STACK_FACTOR 1
#endif
#define STACK_OCTETS ((gsize) 256 * 1024 * STACK_FACTOR)

struct Thread {
        pthread_t thread;
        char name[16];          /* with the NUL; the kernel keeps no more */
        void (*run)(gpointer data);
        gpointer data;
};

/* A lock that answers with an error is broken state of our own: nothing it protects can be trusted. */
static void
lock_check(int result, const char *what, const char *name)
{
        if (G_LIKELY(result == 0))
                return;
        fprintf(stderr, "%s %s: %s\n", what, name, g_strerror(result));
        abort();
}

void
mutex_init(Mutex *mutex, const char *name)
{
        mutex->name = name;
        lock_check(pthread_mutex_init(&mutex->mutex, NULL), "mutex_init", name);
}

void
mutex_done(Mutex *mutex)
{
        if (mutex != NULL)
                lock_check(pthread_mutex_destroy(&mutex->mutex), "mutex_done", mutex->name);
}

void
mutex_lock(Mutex *mutex)
{
        lock_check(pthread_mutex_lock(&mutex->mutex), "mutex_lock", mutex->name);
}

void
mutex_unlock(Mutex *mutex)
{
        lock_check(pthread_mutex_unlock(&mutex->mutex), "mutex_unlock", mutex->name);
}

void
cond_init(Cond *cond)
{
        pthread_condattr_t attr;

        lock_check(pthread_condattr_init(&attr), "cond_init", "attributes");
        lock_check(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "cond_init", "clock");
        lock_check(pthread_cond_init(&cond->cond, &attr), "cond_init", "condition");
        pthread_condattr_destroy(&attr);
}

void
cond_done(Cond *cond)
{
        if (cond != NULL)
                lock_check(pthread_cond_destroy(&cond->cond), "cond_done", "condition");
}

void
cond_wait(Cond *cond, Mutex *mutex)
{
        lock_check(pthread_cond_wait(&cond->cond, &mutex->mutex), "cond_wait", mutex->name);
}

static struct timespec
timespec_of(Usec monotonic)
{
        Usec at = MAX(monotonic, 0);

        return (struct timespec){
                .tv_sec = (time_t) (at / USEC_PER_SEC),
                .tv_nsec = (long) (at % USEC_PER_SEC * 1000),
        };
}

gboolean
cond_wait_until(Cond *cond, Mutex *mutex, Usec monotonic)
{
        struct timespec then = timespec_of(monotonic);
        int result = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &then);

        if (result == ETIMEDOUT)
                return FALSE;
        lock_check(result, "cond_wait_until", mutex->name);
        return TRUE;
}

void
cond_signal(Cond *cond)
{
        lock_check(pthread_cond_signal(&cond->cond), "cond_signal", "condition");
}

void
cond_broadcast(Cond *cond)
{
        lock_check(pthread_cond_broadcast(&cond->cond), "cond_broadcast", "condition");
}

enum {
        WAKE_WAITED = -1,
        WAKE_NONE = 0,
        WAKE_SENT = 1,
};

/* FALSE: it was not sent until then. */
static gboolean
wake_sleep(Wake *wake, const struct timespec *until)
{
        int none = WAKE_NONE, waited = WAKE_WAITED;

        if (!__atomic_compare_exchange_n(&wake->state, &none, WAKE_WAITED, FALSE, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
                return TRUE;
        while (__atomic_load_n(&wake->state, __ATOMIC_ACQUIRE) == WAKE_WAITED)
                if (syscall(SYS_futex, &wake->state, FUTEX_WAIT_BITSET_PRIVATE, WAKE_WAITED, until, NULL, FUTEX_BITSET_MATCH_ANY) != 0 &&
                    errno == ETIMEDOUT)
                        return !__atomic_compare_exchange_n(&wake->state, &waited, WAKE_NONE, FALSE, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);
        return TRUE;
}

void
wake_wait(Wake *wake)
{
        (void) wake_sleep(wake, NULL);
        __atomic_store_n(&wake->state, WAKE_NONE, __ATOMIC_RELAXED);
}

gboolean
wake_wait_until(Wake *wake, Usec monotonic)
{
        struct timespec then = timespec_of(monotonic);

        if (!wake_sleep(wake, &then))
                return FALSE;
        __atomic_store_n(&wake->state, WAKE_NONE, __ATOMIC_RELAXED);
        return TRUE;
}

/* After the exchange the waiter may be gone: then its address wakes nobody, or somebody who looks again. */
void
wake_send(Wake *wake)
{
        if (__atomic_exchange_n(&wake->state, WAKE_SENT, __ATOMIC_ACQ_REL) == WAKE_WAITED)
                (void) syscall(SYS_futex, &wake->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *
thread_main(void *data)
{
        Thread *thread = data;

        pthread_setname_np(pthread_self(), thread->name);
        thread->run(thread->data);
        return NULL;
}

/* pthread_create() with our stack and with every signal blocked from the first instruction on. */
static int
thread_start(Thread *thread)
{
        pthread_attr_t attr;
        sigset_t all, before;
        int result = pthread_attr_init(&attr);

        if (result != 0)
                return result;
        pthread_attr_setstacksize(&attr, STACK_OCTETS);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        result = pthread_create(&thread->thread, &attr, thread_main, thread);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        return result;
}

Thread *
thread_new(const char *name, void (*run)(gpointer data), gpointer data, GError **error)
{
        Thread *thread = g_new0(Thread, 1);

        g_strlcpy(thread->name, name, sizeof(thread->name));
        thread->run = run;
        thread->data = data;
        int result = thread_start(thread);
        if (result != 0) {
                fault(error, FAULT_BUSY, "thread %s: %s", name, g_strerror(result));
                g_free(thread);
                return NULL;
        }
        return thread;
}

/* On Linux the niceness is the thread's own; a kernel that refuses makes the work no wrong. */
void
thread_be_idle(void)
{
        (void) setpriority(PRIO_PROCESS, (id_t) gettid(), 19);
}

void
thread_take_join(Thread *thread)
{
        if (thread == NULL)
                return;
        lock_check(pthread_join(thread->thread, NULL), "thread_take_join", thread->name);
        g_free(thread);
}
