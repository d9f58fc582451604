/* indexing.c -- the search index, filled in the background. */
#include "app/indexing.h"
#include "app/events.h"
#include "base/thread.h"

#define PIECE (20 * USEC_PER_MS) /* between looks whether to stop                       */
#define RETRY USEC_PER_MINUTE    /* after a failure, and while the disk is full         */

struct Indexing {
        SearchFill *fill;
        Thread *thread;
};

/* What wakes it otherwise does not while something is wrong: one attempt a minute, one line of the log. */
static void
rest(Indexing *indexing)
{
        Usec until = clock_in(RETRY);

        while (!search_fill_is_stopped(indexing->fill) && clock_monotonic() < until)
                search_fill_wait(indexing->fill, until);
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
                        break;
                case SEARCH_FILL_FAILED:
                        log_event(&APP_EVENTS[EVENT_HOUSEKEEPING], "task=search-index reason=%s",
                                  log_text(span_of(error != NULL ? error->message : "unknown")));
                        rest(indexing);
                        break;
                case SEARCH_FILL_IDLE:
                default:
                        search_fill_wait(indexing->fill, clock_in(RETRY));
                }
        }
}

Indexing *
indexing_new(Store *store, GError **error)
{
        Indexing *indexing = g_new0(Indexing, 1);

        indexing->fill = store_search_fill_new(store);
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
