/* indexing.c -- the search index, filled in the background. */
#include "app/indexing.h"
#include "app/events.h"
#include "base/thread.h"

#define PIECE (20 * USEC_PER_MS) /* between looks whether to stop                */
#define RETRY USEC_PER_MINUTE    /* after a failure, and while the disk is full  */
#define DENSE 100                /* transactions a second                        */
#define PAUSE (180 * USEC_PER_MS)

struct Indexing {
        Db *site;
        SearchFill *fill;
        Thread *thread;
        guint64 transactions; /* there were when the last piece began */
        Usec began;
};

Usec
indexing_pause(guint64 transactions, Usec elapsed)
{
        return transactions > (guint64) MAX(elapsed, 1) * DENSE / USEC_PER_SEC ? PAUSE : 0;
}

/* Whatever wakes it otherwise. */
static void
rest(Indexing *indexing, Usec span)
{
        Usec until = clock_in(span);

        while (!search_fill_is_stopped(indexing->fill) && clock_monotonic() < until)
                search_fill_wait(indexing->fill, until);
}

static void
rest_when_dense(Indexing *indexing)
{
        Usec now = clock_monotonic();
        DbStats stats;

        db_stats(indexing->site, &stats);
        Usec pause = indexing_pause(stats.transactions - indexing->transactions, now - indexing->began);
        indexing->transactions = stats.transactions;
        indexing->began = now;
        rest(indexing, pause);
}

static void
indexing_run(gpointer data)
{
        Indexing *indexing = data;

        thread_be_idle();
        while (!search_fill_is_stopped(indexing->fill)) {
                g_autoptr(GError) error = NULL;

                switch (search_fill_step(indexing->fill, PIECE, &error)) {
                case SEARCH_FILL_AGAIN:
                        rest_when_dense(indexing);
                        break;
                case SEARCH_FILL_FAILED:
                        log_event(&APP_EVENTS[EVENT_HOUSEKEEPING], "task=search-index reason=%s",
                                  log_text(span_of(error != NULL ? error->message : "unknown")));
                        rest(indexing, RETRY); /* one attempt a minute, one line of the log */
                        break;
                case SEARCH_FILL_IDLE:
                default:
                        search_fill_wait(indexing->fill, clock_in(RETRY));
                }
        }
}

Indexing *
indexing_new(Db *site, Store *store, GError **error)
{
        Indexing *indexing = g_new0(Indexing, 1);

        indexing->site = site;
        indexing->fill = store_search_fill_new(store);
        indexing->began = clock_monotonic();
        indexing->thread = thread_new("indexing", indexing_run, indexing, error);
        if (indexing->thread == NULL)
                g_clear_pointer(&indexing, indexing_free);
        return indexing;
}

void
indexing_free(Indexing *indexing)
{
        if (indexing == NULL)
                return;
        search_fill_stop(indexing->fill);
        thread_take_join(indexing->thread);
        search_fill_free(indexing->fill);
        g_free(indexing);
}
