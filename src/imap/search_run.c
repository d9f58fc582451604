/* search_run.c -- a search program over all messages of a view, in pieces of time.
 *
 *      walk        each message goes through the program as far as the view and the summaries answer; at a test of its
 * text it waits texts       for each such test, in the order of the program: search the text of those that wait there,
 * let them go on
 *
 * Jumps only go forward, so no test of texts comes twice. Messages are looked at in their order, which is that of the
 * packs they are in.
 */
#include "imap/find.h"

#define ARENA_MAX ((gsize) 2 * 1024 * 1024)
#define A_LOOK 64 /* messages between two looks at the clock */

struct FindRun {
        Arena *arena; /* the program */
        Store *store;
        View *view;
        FindProgram program;
        FindMessage message;
        const guint8 *wanted;
        guint8 *is_found;   /* one octet an entry */
        guint16 *places;    /* where it waits; NULL when there are no tests of texts */
        guint8 *is_waiting; /* at the test that runs */
        SearchTask *search;
        guint16 leaf; /* the test that runs, or is next; program.n: none */
        guint32 at;   /* message of the walk, or of the test's answers   */
        guint32 n, n_found;
        gboolean has_walked, has_searched;
};

FindRun *
find_run_new(Store *store, View *view, const FindTree *tree, const GArray *saved, const guint8 *wanted)
{
        g_autoptr(FindRun) r = g_new0(FindRun, 1);

        r->arena = arena_new(ARENA_MAX);
        r->store = store;
        r->view = view_ref(view);
        r->wanted = wanted;
        r->n = view_count(view);
        if (!find_program_make(r->arena, tree, view, saved, &r->program))
                return NULL;
        find_message_init(&r->message, store, view, r->program.sections);
        r->is_found = g_try_malloc0((gsize) r->n + 1);
        if (r->is_found == NULL)
                return NULL;
        if (r->program.has_text) {
                r->places = g_try_new(guint16, (gsize) r->n + 1);
                r->is_waiting = g_try_malloc0((gsize) r->n + 1);
                if (r->places == NULL || r->is_waiting == NULL)
                        return NULL;
        }
        return g_steal_pointer(&r);
}

void
find_run_free(FindRun *r)
{
        if (r == NULL)
                return;
        find_message_done(&r->message);
        search_task_free(r->search);
        arena_free(r->arena);
        view_unref(r->view);
        g_free(r->is_found);
        g_free(r->places);
        g_free(r->is_waiting);
        g_free(r);
}

/* One message from a place in the program on, to its end or a test of texts. */
static gboolean
advance(FindRun *r, guint32 index, guint16 place, GError **error)
{
        gboolean is_true;

        if (place < FIND_REJECT)
                find_message_at(&r->message, index);
        while (place < FIND_REJECT) {
                const FindLeaf *leaf = &r->program.leaves[place];
                if (find_is_text(leaf->test))
                        break;
                if (find_is_cheap(leaf->test))
                        is_true = find_test_entry(leaf, r->view, index);
                else if (!find_message_test(&r->message, leaf, &is_true, error))
                        return FALSE;
                place = is_true ? leaf->on_true : leaf->on_false;
        }
        if (place == FIND_ACCEPT) {
                r->is_found[index] = 1;
                r->n_found++;
        }
        if (r->places != NULL)
                r->places[index] = place;
        return TRUE;
}

static gboolean
is_late(const FindRun *r, Usec until)
{
        return r->at % A_LOOK == 0 && clock_monotonic() >= until;
}

/* How far the program goes for each of these messages, as the flags they have in common tell. */
static guint16
place_of_run(const FindRun *r, const ViewRun *run)
{
        guint16 place = r->program.start;

        while (place < FIND_REJECT && r->program.leaves[place].test == FIND_FLAG) {
                const FindLeaf *leaf = &r->program.leaves[place];
                if ((run->any & leaf->flag) != 0 && (run->all & leaf->flag) == 0)
                        break;
                place = (run->any & leaf->flag) != 0 ? leaf->on_true : leaf->on_false;
        }
        return place;
}

/* How far it goes for a message with these flags. */
static guint16
place_of_flags(const FindRun *r, guint16 place, guint64 flags)
{
        while (place < FIND_REJECT && r->program.leaves[place].test == FIND_FLAG) {
                const FindLeaf *leaf = &r->program.leaves[place];
                place = (flags & leaf->flag) != 0 ? leaf->on_true : leaf->on_false;
        }
        return place;
}

/* Most searches begin with flags, and most messages end there. */
static gboolean
walk_one(FindRun *r, const ViewRun *run, guint32 in_run, guint16 place, GError **error)
{
        guint32 index = r->at + in_run;

        if (run->is_own)
                place = place_of_flags(r, place, run->entries[in_run].flags);
        if (place == FIND_REJECT && r->places == NULL)
                return TRUE;
        return advance(r, index, place, error);
}

static gboolean
walk_run(FindRun *r, const ViewRun *run, GError **error)
{
        guint16 place = place_of_run(r, run);

        if (place == FIND_REJECT && r->places == NULL)
                return TRUE;
        for (guint32 i = 0; i < run->n; i++) {
                if (r->wanted == NULL || r->wanted[r->at + i]) {
                        if (!walk_one(r, run, i, place, error))
                                return FALSE;
                } else if (r->places != NULL) {
                        r->places[r->at + i] = FIND_REJECT;
                }
        }
        return TRUE;
}

static FindStep
walk(FindRun *r, Usec until, GError **error)
{
        while (r->at < r->n) {
                ViewRun run = view_run(r->view, r->at);
                if (!walk_run(r, &run, error))
                        return FIND_FAILED;
                r->at += run.n;
                if (clock_monotonic() >= until)
                        return FIND_AGAIN;
        }
        r->has_walked = TRUE;
        r->at = 0;
        return FIND_DONE;
}

/* Go to the next test of texts somebody waits at and begin it. FALSE: there is none. */
static gboolean
begin_search(FindRun *r)
{
        for (; r->leaf < r->program.n; r->leaf++) {
                const FindLeaf *leaf = &r->program.leaves[r->leaf];
                gboolean has_some = FALSE;
                if (!find_is_text(leaf->test))
                        continue;
                for (guint32 i = 0; i < r->n; i++) {
                        r->is_waiting[i] = r->places[i] == r->leaf;
                        has_some |= r->is_waiting[i];
                }
                if (!has_some)
                        continue;
                SearchPart part = leaf->test == FIND_BODY ? SEARCH_BODY : SEARCH_TEXT;
                r->search = store_search_new(r->store, r->view, part, leaf->text, r->is_waiting);
                r->has_searched = FALSE;
                r->at = 0;
                return TRUE;
        }
        return FALSE;
}

/* Those that waited go on by the answer. */
static FindStep
go_on(FindRun *r, Usec until, GError **error)
{
        const FindLeaf *leaf = &r->program.leaves[r->leaf];

        for (; r->at < r->n; r->at++) {
                if (!r->is_waiting[r->at])
                        continue;
                gboolean is_true = search_task_matches(r->search, r->at);
                if (!advance(r, r->at, is_true ? leaf->on_true : leaf->on_false, error))
                        return FIND_FAILED;
                if (is_late(r, until)) {
                        r->at++;
                        return FIND_AGAIN;
                }
        }
        g_clear_pointer(&r->search, search_task_free);
        r->leaf++;
        return FIND_DONE;
}

static FindStep
search_texts(FindRun *r, Usec until, GError **error)
{
        while (r->search != NULL || begin_search(r)) {
                if (!r->has_searched) {
                        SearchStep step = search_task_step(r->search, MAX(until - clock_monotonic(), 1), error);
                        if (step != SEARCH_DONE)
                                return step == SEARCH_FAILED ? FIND_FAILED : FIND_AGAIN;
                        r->has_searched = TRUE;
                }
                FindStep step = go_on(r, until, error);
                if (step != FIND_DONE)
                        return step;
        }
        return FIND_DONE;
}

FindStep
find_run_step(FindRun *r, Usec until, GError **error)
{
        FindStep step = r->has_walked ? FIND_DONE : walk(r, until, error);

        return step == FIND_DONE && r->places != NULL ? search_texts(r, until, error) : step;
}

void
find_run_rest(FindRun *r)
{
        find_message_rest(&r->message);
}

guint32 *
find_run_found(const FindRun *r, guint32 *ret_n)
{
        guint32 *found = g_try_new(guint32, (gsize) r->n_found + 1);

        *ret_n = r->n_found;
        const guint8 *at = r->is_found;
        for (guint32 n = 0; n < r->n_found && found != NULL; at++) {
                at = memchr(at, 1, (gsize) (r->is_found + r->n - at));
                found[n++] = (guint32) (at - r->is_found);
        }
        return found;
}

/* Searching texts is nearly all of the work when there is any. */
void
find_run_progress(const FindRun *r, guint32 *ret_done, guint32 *ret_all)
{
        *ret_all = r->n;
        if (r->places == NULL)
                *ret_done = r->at;
        else
                *ret_done = r->search != NULL ? MIN(search_task_looked_at(r->search), r->n) : 0;
}
