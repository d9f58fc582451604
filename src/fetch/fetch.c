/* fetch.c -- the schedule: threads that take whatever source is due, one session a remote account, and back off from
 * hosts that fail.
 *
 * A thread waits for the next due time; when it takes a source and nobody else waits, it starts another thread, up to
 * max_parallel. So a site with one source costs one thread. fetch_run() does the same work on its caller's thread.
 */
#include "fetch/internal.h"

#include "base/text.h"

#define RUN_ARENA_OCTETS ((gsize) 512 * 1024)
#define LIST_ARENA_OCTETS ((gsize) 8 * 1024 * 1024)
#define FIRST_DELAY_MS 3000
#define BACK_OFF_FIRST (30 * USEC_PER_SEC)
#define BACK_OFF_MOST USEC_PER_HOUR
#define RELOAD_AFTER USEC_PER_MINUTE        /* when the list of sources could not be read */
#define INTERRUPTED_WAIT (3 * USEC_PER_SEC) /* a commit may be under way */
#define CLAIM_WAIT (5 * USEC_PER_MINUTE)    /* by hand, for a run of the schedule to end */
#define RESULT_OCTETS 300

const LogEvent FETCH_EVENTS[] = {
        [EVENT_FETCH_DONE] = {"fetch.done", LOG_INFO,
                              "A source was fetched. seen: messages in the remote mailbox, fetched: stored here, "
                              "deleted: deleted there, left: "
                              "not taken and still there."},
        [EVENT_FETCH_FAILED] = {"fetch.failed", LOG_WARNING,
                                "A source could not be fetched, or not to its end; what was stored before is safe. It "
                                "is tried again, at "
                                "growing intervals up to an hour. reason says what to look at."},
        [EVENT_FETCH_BUSY] = {"fetch.busy", LOG_INFO,
                              "Somebody else is reading the remote mailbox; tried again at the next poll."},
        [EVENT_FETCH_AUTH_FAILED] = {"fetch.auth-failed", LOG_WARNING,
                                     "The provider does not accept user or password of a source. It is stopped, so "
                                     "that the account does not "
                                     "get locked; `restante fetch set NAME` with the right password starts it again."},
        [EVENT_FETCH_LEFT] = {"fetch.message-left", LOG_INFO,
                              "A message was not taken and stays at the provider. reason says why."},
        [EVENT_FETCH_DROPPED] = {"fetch.message-dropped", LOG_INFO,
                                 "A message was larger than max-size and deleted at the provider, as the source says."},
        {NULL},
};

typedef struct HostState {
        guint failures;
        Usec until; /* monotonic: nothing before */
} HostState;

typedef struct SourceState {
        char *name, *host, *account; /* host: "HOST:PORT", account: "HOST:PORT/USER" */
        guint poll_seconds;
        Usec next; /* monotonic */
        gboolean is_running, is_stopped, is_listed;
        RunMemory memory;
} SourceState;

/* Birth and death -------------------------------------------------------------------------------------------------- */

static void
state_free(gpointer data)
{
        SourceState *state = data;

        g_free(state->name);
        g_free(state->host);
        g_free(state->account);
        g_free(state);
}

static guint16 *
copy_ports(const guint16 *ports)
{
        gsize n = 0;

        while (ports != NULL && ports[n] != 0)
                n++;
        guint16 *copy = g_new0(guint16, n + 1);
        for (gsize i = 0; i < n; i++)
                copy[i] = ports[i];
        return copy;
}

Fetch *
fetch_new(Db *db, Directory *directory, Router *router, Intake *intake, const FetchSettings *settings, GError **error)
{
        if (settings->seal_key.len != SEAL_KEY_OCTETS) {
                (void) fault(error, FAULT_INPUT, "the key that seals passwords has %zu octets, not %d",
                             settings->seal_key.len, SEAL_KEY_OCTETS);
                return NULL;
        }
        TlsContext *tls = tls_client_new(TRUE, settings->ca_path, error);
        if (tls == NULL)
                return NULL;

        Fetch *fetch = g_new0(Fetch, 1);
        fetch->db = db;
        fetch->directory = directory;
        fetch->router = router;
        fetch->intake = intake;
        fetch->hostname = g_strdup(settings->hostname != NULL ? settings->hostname : "localhost");
        fetch->own_ports = copy_ports(settings->own_ports);
        memcpy(fetch->key, settings->seal_key.data, SEAL_KEY_OCTETS);
        fetch->max_size = settings->max_size;
        fetch->max_parallel = settings->max_parallel > 0 ? settings->max_parallel : 8;
        fetch->tls = tls;
        mutex_init(&fetch->lock, "fetch.sources");
        cond_init(&fetch->changed);
        fetch->states = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, state_free);
        fetch->hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        fetch->threads = g_ptr_array_new();
        fetch->clients = g_ptr_array_new();
        fetch->must_reload = TRUE;
        return fetch;
}

void
fetch_free(Fetch *fetch)
{
        if (fetch == NULL)
                return;
        fetch_stop(fetch, clock_monotonic()); /* interrupts */
        fetch_stop(fetch, USEC_NEVER);
        g_ptr_array_unref(fetch->threads);
        g_ptr_array_unref(fetch->clients);
        g_hash_table_unref(fetch->hosts);
        g_hash_table_unref(fetch->states);
        cond_done(&fetch->changed);
        mutex_done(&fetch->lock);
        tls_context_unref(fetch->tls);
        text_wipe(fetch->key, sizeof(fetch->key));
        g_free(fetch->own_ports);
        g_free(fetch->hostname);
        g_free(fetch);
}

/* Sources ---------------------------------------------------------------------------------------------------------- */

static Usec
jitter(Usec span)
{
        Usec tenth = MIN(MAX(span / 10, 1), (Usec) G_MAXINT32 / 2);

        return span - tenth + (Usec) random_below((guint32) (2 * tenth));
}

static HostState *
host_state(Fetch *fetch, const char *host)
{
        HostState *state = g_hash_table_lookup(fetch->hosts, host);

        if (state == NULL) {
                state = g_new0(HostState, 1);
                g_hash_table_insert(fetch->hosts, g_strdup(host), state);
        }
        return state;
}

static SourceState *
note_source(Fetch *fetch, const SourceBrief *brief)
{
        SourceState *state = g_hash_table_lookup(fetch->states, brief->name);

        if (state == NULL) {
                state = g_new0(SourceState, 1);
                state->name = g_strdup(brief->name);
                state->next = clock_in((Usec) random_below(FIRST_DELAY_MS) * USEC_PER_MS);
                g_hash_table_insert(fetch->states, state->name, state);
        }
        g_free(state->host);
        g_free(state->account);
        state->host = g_strdup_printf("%s:%u", brief->host, brief->port);
        state->account = g_strdup_printf("%s:%u/%s", brief->host, brief->port, brief->user);
        state->poll_seconds = brief->poll_seconds;
        state->is_stopped = brief->is_stopped;
        state->is_listed = TRUE;
        return state;
}

static void
note_all(Fetch *fetch, const SourceBrief *briefs, gsize n)
{
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, fetch->states);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                ((SourceState *) value)->is_listed = FALSE;
        for (gsize i = 0; i < n; i++)
                note_source(fetch, &briefs[i]);
        g_hash_table_iter_init(&iter, fetch->states);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (!((SourceState *) value)->is_listed && !((SourceState *) value)->is_running)
                        g_hash_table_iter_remove(&iter);
}

/* The list of sources anew. Called with the lock held, which is released while the database is read. */
static gboolean
reload(Fetch *fetch)
{
        g_autoptr(Arena) arena = arena_new(LIST_ARENA_OCTETS);
        g_autoptr(GError) error = NULL;
        SourceBrief *briefs;
        gsize n;

        fetch->must_reload = FALSE;
        mutex_unlock(&fetch->lock);
        gboolean is_read = source_briefs(fetch->db, arena, &briefs, &n, &error);
        mutex_lock(&fetch->lock);
        if (is_read)
                note_all(fetch, briefs, n);
        else
                fetch->must_reload = TRUE;
        return is_read;
}

typedef struct Changed {
        Fetch *fetch;
        char *name;
} Changed;

static void
changed_free(gpointer data)
{
        Changed *changed = data;

        g_free(changed->name);
        g_free(changed);
}

/* What changed is fetched soon, whatever stood in its way before. */
static void
on_changed(gpointer data)
{
        const Changed *changed = data;
        Fetch *fetch = changed->fetch;

        MUTEX_SCOPE(&fetch->lock);
        SourceState *state = g_hash_table_lookup(fetch->states, changed->name);
        if (state != NULL) {
                state->next = clock_in((Usec) random_below(FIRST_DELAY_MS) * USEC_PER_MS);
                state->memory = (RunMemory){0};
                g_hash_table_remove(fetch->hosts, state->host);
        }
        fetch->must_reload = TRUE;
        cond_broadcast(&fetch->changed);
}

void
fetch_note_change(Fetch *fetch, DbTxn *txn, const char *name)
{
        Changed *changed = g_new(Changed, 1);

        *changed = (Changed){fetch, g_strdup(name)};
        db_on_commit(txn, on_changed, changed, changed_free);
}

Usec
fetch_next_run(Fetch *fetch, const char *name)
{
        MUTEX_SCOPE(&fetch->lock);
        const SourceState *state = g_hash_table_lookup(fetch->states, name);

        if (state == NULL || state->is_stopped || !fetch->is_started)
                return 0;
        return clock_real() + MAX(0, state->next - clock_monotonic());
}

/* One run ---------------------------------------------------------------------------------------------------------- */

static DbStep
load_source(Fetch *fetch, Arena *arena, const char *name, Source *ret, GError **error)
{
        const SourceHouse house = {fetch->hostname, fetch->own_ports};
        g_autoptr(DbTxn) txn = db_begin_read(fetch->db, error);
        SourceText text;

        DbStep step = txn != NULL ? source_load(arena, txn, name, &text, error) : DB_ROW_FAILED;
        return step == DB_ROW && !source_parse(arena, &house, &text, ret, error) ? DB_ROW_FAILED : step;
}

static char *
summary_text(const FetchSummary *s)
{
        return g_strdup_printf("%u seen, %u fetched, %u deleted, %u left, %" G_GUINT64_FORMAT
                               " octets, %" G_GINT64_FORMAT " ms",
                               s->seen, s->fetched, s->deleted, s->left, s->octets, s->took / USEC_PER_MS);
}

/* For people who watch the log. An empty mailbox polled in vain is no event. */
static void
log_end(const RunJob *job, RunEnd end, const char *reason)
{
        static const FetchEvent EVENTS[] = {[RUN_FAILED] = EVENT_FETCH_FAILED,
                                            [RUN_DONE] = EVENT_FETCH_DONE,
                                            [RUN_BUSY] = EVENT_FETCH_BUSY,
                                            [RUN_AUTH_FAILED] = EVENT_FETCH_AUTH_FAILED};
        const FetchSummary *s = &job->summary;

        if (end != RUN_DONE)
                log_event(&FETCH_EVENTS[EVENTS[end]], "source=%s reason=%s fetched=%u deleted=%u", job->source->name,
                          log_text(span_of(reason)), s->fetched, s->deleted);
        else if (s->fetched > 0 || s->deleted > 0 || job->is_manual)
                log_event(&FETCH_EVENTS[EVENTS[end]],
                          "source=%s seen=%u fetched=%u deleted=%u left=%u octets=%" G_GUINT64_FORMAT
                          " ms=%" G_GINT64_FORMAT,
                          job->source->name, s->seen, s->fetched, s->deleted, s->left, s->octets,
                          s->took / USEC_PER_MS);
}

static void
keep_result(const RunJob *job, RunEnd end, const char *reason)
{
        g_autofree char *result =
                end == RUN_DONE ? summary_text(&job->summary) : text_escape(span_of(reason), RESULT_OCTETS);
        g_autofree char *stopped =
                end == RUN_AUTH_FAILED ? g_strdup_printf("the provider refused user or password: %s", result) : NULL;
        gboolean is_told = end == RUN_DONE || end == RUN_AUTH_FAILED;
        g_autoptr(GError) error = NULL;

        if (!source_set_result(job->fetch->db, job->source->id, result, is_told, stopped, &error))
                g_debug("source %s: %s", job->source->name, error->message);
}

static RunEnd
run_job(RunJob *job, GError **error)
{
        Usec began = clock_monotonic();
        g_autoptr(GError) reason = NULL;
        RunEnd end = run_source(job, &reason);

        job->summary.took = clock_monotonic() - began;
        const char *why = reason != NULL ? reason->message : end == RUN_DONE ? "" : "no reason known";
        log_end(job, end, why);
        keep_result(job, end, why);
        if (reason != NULL && end != RUN_DONE)
                g_propagate_error(error, g_steal_pointer(&reason));
        return end;
}

static void
back_off(Fetch *fetch, const SourceState *state)
{
        HostState *host = host_state(fetch, state->host);
        guint doublings = MIN(host->failures++, 7);

        host->until = clock_in(jitter(MIN(BACK_OFF_FIRST << doublings, BACK_OFF_MOST)));
}

/* The state after a run. Lock held. */
static void
run_ended(Fetch *fetch, SourceState *state, RunEnd end)
{
        state->is_running = FALSE;
        fetch->n_running--;
        state->next = clock_in(jitter((Usec) state->poll_seconds * USEC_PER_SEC));
        state->is_stopped = end == RUN_AUTH_FAILED;
        if (end == RUN_FAILED)
                back_off(fetch, state);
        else
                g_hash_table_remove(fetch->hosts, state->host);
        if (!state->is_listed)
                fetch->must_reload = TRUE;
        cond_broadcast(&fetch->changed);
}

static gboolean
account_is_busy(const Fetch *fetch, const char *account)
{
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, fetch->states);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const SourceState *state = value;
                if (state->is_running && strcmp(state->account, account) == 0)
                        return TRUE;
        }
        return FALSE;
}

static gboolean
is_busy(const Fetch *fetch, const char *name, const char *account)
{
        const SourceState *state = g_hash_table_lookup(fetch->states, name);

        return (state != NULL && state->is_running) || account_is_busy(fetch, account);
}

static void
run_began(Fetch *fetch, SourceState *state)
{
        state->is_running = TRUE;
        fetch->n_running++;
}

/* Threads ---------------------------------------------------------------------------------------------------------- */

/* The source that is due the longest; else *ret_wait says when to look again. Lock held. */
static SourceState *
take_due(Fetch *fetch, Usec *ret_wait)
{
        Usec now = clock_monotonic(), first = USEC_NEVER;
        SourceState *found = NULL;
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, fetch->states);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                SourceState *state = value;
                const HostState *host = g_hash_table_lookup(fetch->hosts, state->host);
                Usec due = host != NULL ? MAX(state->next, host->until) : state->next;

                if (state->is_running || state->is_stopped || due >= first ||
                    (due <= now && account_is_busy(fetch, state->account)))
                        continue;
                first = due;
                found = state;
        }
        *ret_wait = first;
        return first <= now ? found : NULL;
}

static void
run_scheduled(Fetch *fetch, const char *name, RunMemory *memory, RunEnd *ret)
{
        g_autoptr(Arena) arena = arena_new(RUN_ARENA_OCTETS);
        g_autoptr(GError) error = NULL;
        Source source;

        *ret = RUN_FAILED;
        DbStep step = load_source(fetch, arena, name, &source, &error);
        if (step == DB_ROW) {
                RunJob job = {.fetch = fetch, .source = &source, .memory = memory};
                *ret = run_job(&job, NULL);
        } else if (step == DB_ROW_END) {
                *ret = RUN_DONE; /* it was removed meanwhile */
        } else {
                log_event(&FETCH_EVENTS[EVENT_FETCH_FAILED], "source=%s reason=%s", name,
                          log_text(span_of(error->message)));
        }
}

static gboolean start_thread(Fetch *fetch, GError **error);

/* Lock held; released during the run. */
static void
run_one(Fetch *fetch, SourceState *state)
{
        g_autofree char *name = g_strdup(state->name);
        RunMemory memory = state->memory;
        RunEnd end;

        run_began(fetch, state);
        if (fetch->n_idle == 0 && fetch->threads->len < fetch->max_parallel)
                (void) start_thread(fetch, NULL); /* no thread to be had: others will do it later */
        mutex_unlock(&fetch->lock);
        run_scheduled(fetch, name, &memory, &end);
        mutex_lock(&fetch->lock);
        state->memory = memory;
        run_ended(fetch, state, end);
}

static void
work(gpointer data)
{
        Fetch *fetch = data;

        MUTEX_SCOPE(&fetch->lock);
        while (!fetch->is_stopping) {
                Usec until;

                if (fetch->must_reload) { /* puts the lock down: what was true before is looked at again */
                        if (!reload(fetch) && !fetch->is_stopping)
                                (void) cond_wait_until(&fetch->changed, &fetch->lock, clock_in(RELOAD_AFTER));
                        continue;
                }
                SourceState *state = take_due(fetch, &until);
                if (state != NULL) {
                        run_one(fetch, state);
                        continue;
                }
                fetch->n_idle++;
                if (until == USEC_NEVER)
                        cond_wait(&fetch->changed, &fetch->lock);
                else
                        (void) cond_wait_until(&fetch->changed, &fetch->lock, until);
                fetch->n_idle--;
        }
}

static gboolean
start_thread(Fetch *fetch, GError **error)
{
        Thread *thread = thread_new("fetch", work, fetch, error);

        if (thread != NULL)
                g_ptr_array_add(fetch->threads, thread);
        return thread != NULL;
}

gboolean
fetch_start(Fetch *fetch, GError **error)
{
        MUTEX_SCOPE(&fetch->lock);
        fetch->is_started = TRUE;
        return start_thread(fetch, error);
}

gboolean
fetch_note_client(Fetch *fetch, Pop3Client *client)
{
        MUTEX_SCOPE(&fetch->lock);
        if (g_atomic_int_get(&fetch->is_stopping))
                return FALSE;
        g_ptr_array_add(fetch->clients, client);
        return TRUE;
}

void
fetch_forget_client(Fetch *fetch, Pop3Client *client)
{
        MUTEX_SCOPE(&fetch->lock);
        g_ptr_array_remove(fetch->clients, client);
}

static gboolean
wait_for_runs(Fetch *fetch, Usec until)
{
        while (fetch->n_running > 0 && cond_wait_until(&fetch->changed, &fetch->lock, until))
                continue;
        return fetch->n_running == 0;
}

/* Those that run end after their batch. Who then still waits for a server is interrupted; who is still connecting is
 * not waited for: fetch_free() does that. A batch that comes to its end even later is not committed. */
void
fetch_stop(Fetch *fetch, Usec deadline)
{
        mutex_lock(&fetch->lock);
        g_atomic_int_set(&fetch->is_stopping, TRUE);
        cond_broadcast(&fetch->changed);
        gboolean is_quiet = wait_for_runs(fetch, deadline);
        for (guint i = 0; i < fetch->clients->len; i++)
                pop3_client_interrupt(fetch->clients->pdata[i]);
        is_quiet = is_quiet || wait_for_runs(fetch, clock_in(INTERRUPTED_WAIT));
        g_atomic_int_set(&fetch->is_abandoned, TRUE);
        mutex_unlock(&fetch->lock);
        for (guint i = 0; is_quiet && i < fetch->threads->len; i++)
                thread_take_join(fetch->threads->pdata[i]);
        if (is_quiet)
                g_ptr_array_set_size(fetch->threads, 0);
}

/* By hand ---------------------------------------------------------------------------------------------------------- */

/* Its state, marked as running, once nobody else is at the account. NULL: somebody still is, after all that time, or
 * there are no more runs. */
static SourceState *
claim(Fetch *fetch, const Source *source, RunMemory *ret_memory)
{
        const SourceBrief brief = {source->name, source->host, source->user, source->port, source->poll_seconds, FALSE};
        g_autofree char *account = g_strdup_printf("%s:%u/%s", source->host, source->port, source->user);

        Usec until = clock_in(CLAIM_WAIT);

        MUTEX_SCOPE(&fetch->lock);
        while (!fetch->is_stopping && is_busy(fetch, source->name, account) &&
               cond_wait_until(&fetch->changed, &fetch->lock, until))
                continue;
        if (fetch->is_stopping || is_busy(fetch, source->name, account))
                return NULL;
        SourceState *state = note_source(fetch, &brief);
        *ret_memory = state->memory;
        run_began(fetch, state);
        return state;
}

FetchAnswer
fetch_run(Fetch *fetch, const char *name, void (*report)(const FetchReport *report, gpointer data), gpointer data,
          FetchSummary *ret, GError **error)
{
        g_autoptr(Arena) arena = arena_new(RUN_ARENA_OCTETS);
        Source source;
        RunMemory memory;

        DbStep step = load_source(fetch, arena, name, &source, error);
        if (step != DB_ROW)
                return step == DB_ROW_END ? FETCH_MISSING : FETCH_FAILED;
        SourceState *state = claim(fetch, &source, &memory);
        if (state == NULL && g_atomic_int_get(&fetch->is_stopping))
                return fault(error, FAULT_BUSY, "the server is stopping"), FETCH_FAILED;
        if (state == NULL)
                return FETCH_RUNNING;
        RunJob job = {.fetch = fetch,
                      .source = &source,
                      .is_manual = TRUE,
                      .report = report,
                      .data = data,
                      .memory = &memory};
        RunEnd end = run_job(&job, error);
        mutex_lock(&fetch->lock);
        state->memory = memory;
        run_ended(fetch, state, end);
        fetch->must_reload = TRUE; /* one that was stopped is tried by hand alone, unless that helped */
        mutex_unlock(&fetch->lock);
        *ret = job.summary;
        return end == RUN_DONE ? FETCH_DONE : FETCH_FAILED;
}
