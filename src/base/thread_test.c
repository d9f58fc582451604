#include "base/thread.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct Counter {
        Mutex lock;
        Cond changed;
        guint value;
        guint wanted;
} Counter;

static void
counter_init(Counter *counter)
{
        *counter = (Counter){0};
        mutex_init(&counter->lock, "test.counter");
        cond_init(&counter->changed);
}

static void
counter_done(Counter *counter)
{
        cond_done(&counter->changed);
        mutex_done(&counter->lock);
}

static void
count(gpointer data)
{
        Counter *counter = data;

        for (guint i = 0; i < 10000; i++) {
                MUTEX_SCOPE(&counter->lock);
                counter->value++;
        }
}

static void
test_mutex_keeps_others_out(void)
{
        Counter counter;
        Thread *threads[4];

        counter_init(&counter);
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
                threads[i] = thread_new("count", count, &counter, NULL);
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
                thread_take_join(threads[i]);
        g_assert_cmpuint(counter.value, ==, 40000);
        counter_done(&counter);
}

static void
test_scope_releases(void)
{
        static Mutex lock = MUTEX_STATIC("test.static");

        {
                MUTEX_SCOPE(&lock);
                g_assert_cmpint(pthread_mutex_trylock(&lock.mutex), !=, 0);
        }
        g_assert_cmpint(pthread_mutex_trylock(&lock.mutex), ==, 0);
        mutex_unlock(&lock);
}

/* Echoes every step of the main thread. */
static void
answer(gpointer data)
{
        Counter *counter = data;
        MUTEX_SCOPE(&counter->lock);

        while (counter->value < 100) {
                while (counter->value == counter->wanted)
                        cond_wait(&counter->changed, &counter->lock);
                counter->value = counter->wanted;
                cond_broadcast(&counter->changed);
        }
}

static void
test_conditions_wake(void)
{
        Counter counter;

        counter_init(&counter);
        Thread *thread = thread_new("answer", answer, &counter, NULL);
        for (guint step = 1; step <= 100; step++) {
                MUTEX_SCOPE(&counter.lock);
                counter.wanted = step;
                cond_signal(&counter.changed);
                while (counter.value < step)
                        g_assert_true(cond_wait_until(&counter.changed, &counter.lock, USEC_NEVER));
        }
        thread_take_join(thread);
        counter_done(&counter);
}

static void
test_deadlines_pass(void)
{
        Counter counter;

        counter_init(&counter);
        mutex_lock(&counter.lock);
        while (cond_wait_until(&counter.changed, &counter.lock, clock_monotonic() - 1))
                ; /* a wake-up without a cause is allowed, not the end of the wait */
        g_assert_false(cond_wait_until(&counter.changed, &counter.lock, -5));
        Usec deadline = clock_in(2 * USEC_PER_MS);
        while (cond_wait_until(&counter.changed, &counter.lock, deadline))
                ;
        g_assert_cmpint(clock_monotonic(), >=, deadline);
        mutex_unlock(&counter.lock);
        counter_done(&counter);
}

typedef struct Pair {
        Wake there, back;
        guint value;            /* of whoever was woken last: no lock guards it */
} Pair;

static void
wake_back(gpointer data)
{
        Pair *pair = data;

        for (guint i = 0; i < 1000; i++) {
                wake_wait(&pair->there);
                pair->value++;
                wake_send(&pair->back);
        }
}

static void
test_wake_ups_end_one_wait_each(void)
{
        Pair pair = {WAKE_INIT, WAKE_INIT, 0};
        Thread *thread = thread_new("back", wake_back, &pair, NULL);

        for (guint i = 0; i < 1000; i++) {
                g_assert_cmpuint(pair.value, ==, i);
                wake_send(&pair.there);
                wake_wait(&pair.back);
        }
        g_assert_cmpuint(pair.value, ==, 1000);
        thread_take_join(thread);
}

static void
test_wake_up_may_come_first_or_never(void)
{
        Wake wake = WAKE_INIT;

        wake_send(&wake);
        wake_wait(&wake);
        g_assert_false(wake_wait_until(&wake, -5));
        Usec deadline = clock_in(2 * USEC_PER_MS);
        g_assert_false(wake_wait_until(&wake, deadline));
        g_assert_cmpint(clock_monotonic(), >=, deadline);
        wake_send(&wake);                               /* late: for the next wait */
        g_assert_true(wake_wait_until(&wake, deadline));
        g_assert_false(wake_wait_until(&wake, deadline));
}

typedef struct Seen {
        gsize stack_octets;
        char name[16];
        gboolean blocks_term;
} Seen;

static void
look_around(gpointer data)
{
        Seen *seen = data;
        pthread_attr_t attr;
        sigset_t blocked;

        pthread_getattr_np(pthread_self(), &attr);
        pthread_attr_getstacksize(&attr, &seen->stack_octets);
        pthread_attr_destroy(&attr);
        pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        seen->blocks_term = sigismember(&blocked, SIGTERM) == 1;
}

static void
test_threads_are_small_named_and_deaf(void)
{
        Seen seen = {0};
        sigset_t blocked;
        g_autoptr(GError) error = NULL;
        Thread *thread = thread_new("a name longer than the kernel's", look_around, &seen, &error);

        g_assert_no_error(error);
        thread_take_join(thread);
        g_assert_cmpstr(seen.name, ==, "a name longer t");
        g_assert_true(seen.blocks_term);
        g_assert_cmpuint(seen.stack_octets, >=, 256 * 1024);
        g_assert_cmpuint(seen.stack_octets, <=, 8 * 256 * 1024); /* eightfold under sanitizers */
        pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        g_assert_cmpint(sigismember(&blocked, SIGTERM), ==, 0);  /* the maker's mask is as it was */
        thread_take_join(NULL);
}

static void
be_idle(gpointer data)
{
        int *nice = data;

        thread_be_idle();
        *nice = getpriority(PRIO_PROCESS, (id_t) gettid());
}

static void
test_idle_is_one_thread(void)
{
        int before = getpriority(PRIO_PROCESS, (id_t) gettid()), nice = 0;

        thread_take_join(thread_new("idle", be_idle, &nice, NULL));
        g_assert_cmpint(nice, ==, 19);
        g_assert_cmpint(getpriority(PRIO_PROCESS, (id_t) gettid()), ==, before);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/base/thread/mutex-keeps-others-out", test_mutex_keeps_others_out);
        g_test_add_func("/base/thread/scope-releases", test_scope_releases);
        g_test_add_func("/base/thread/conditions-wake", test_conditions_wake);
        g_test_add_func("/base/thread/deadlines-pass-on-the-monotonic-clock", test_deadlines_pass);
        g_test_add_func("/base/thread/wake-ups-end-one-wait-each", test_wake_ups_end_one_wait_each);
        g_test_add_func("/base/thread/a-wake-up-may-come-first-or-never", test_wake_up_may_come_first_or_never);
        g_test_add_func("/base/thread/one-may-give-way-to-the-others", test_idle_is_one_thread);
        g_test_add_func("/base/thread/threads-are-small-named-and-without-signals",
                        test_threads_are_small_named_and_deaf);
        return g_test_run();
}
