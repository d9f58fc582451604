/* search.c -- SEARCH, SORT, THREAD and ESEARCH (RFC 9051 §6.4.4; 5256; 5267; 7377): one task for all of them.
 *
 *      run      which messages are meant
 *      score    how well, when relevancy is asked for
 *      order    SORT and THREAD: their keys, then their order
 *      answer   as fast as the client reads
 *
 * ESEARCH does this for one mailbox after the other.
 */
#include "imap/find.h"
#include "imap/messages.h"

#define SLICE (50 * USEC_PER_MS)
#define KEYS_A_LOOK 64
#define TEXT_OCTETS 4096

#define CHARSETS                                                                                                       \
        "BADCHARSET (UTF-8 US-ASCII ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R ISO-2022-JP GB18030 BIG5 EUC-KR)"

typedef enum Kind {
        KIND_SEARCH = 0,
        KIND_SORT,
        KIND_THREAD,
} Kind;

typedef enum Phase {
        PHASE_BEGIN = 0, /* with the next mailbox */
        PHASE_RUN,
        PHASE_SCORE,
        PHASE_KEYS,
        PHASE_ORDER,
        PHASE_ANSWER,
        PHASE_END,
} Phase;

typedef struct Find {
        ImapTask task; /* first */
        Kind kind;
        FindTree tree;
        FindOptions options;
        SortCriterion criteria[SORTER_CRITERIA_MAX];
        gsize n_criteria;
        ThreadAlgorithm algorithm;
        gboolean is_uid;
        FindSources sources; /* ESEARCH: n of them; otherwise the one that is selected */
        gsize source;
        Phase phase;
        View *view;
        FindRun *run;
        FindScores *scores;
        FindMessage message; /* keys */
        Sorter *sorter;
        Threads *threads;
        guint8 *wanted; /* MESSAGELIMIT: one octet an entry; NULL: all */
        Messages kept;  /* its code for the tagged answer */
        guint32 *found;
        guint32 n, at;
        FindAnswer answer;
        gboolean is_answering; /* it has begun           */
        gboolean has_threads;  /* a space is behind THREAD */
} Find;

static void
forget_mailbox(Find *f)
{
        g_clear_pointer(&f->run, find_run_free);
        g_clear_pointer(&f->scores, find_scores_free);
        g_clear_pointer(&f->sorter, sorter_free);
        g_clear_pointer(&f->threads, threads_free);
        g_clear_pointer(&f->wanted, g_free);
        g_clear_pointer(&f->found, g_free);
        g_clear_pointer(&f->view, view_unref);
        find_message_done(&f->message);
        f->is_answering = f->has_threads = FALSE;
        f->at = 0;
}

static void
find_free(Find *f)
{
        if (f == NULL)
                return;
        forget_mailbox(f);
        arena_free(f->sources.arena);
        g_free(f);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Find, find_free)

static void
free_task(ImapTask *task)
{
        find_free((Find *) task);
}

/* A search that fails saves nothing (RFC 5182 §2.1). */
static void
forget_saved(ImapSession *s, guint what)
{
        if ((what & RETURN_SAVE) != 0 && s->selected != NULL)
                g_clear_pointer(&s->selected->saved, g_array_unref);
}

/* Phases ----------------------------------------------------------------------------------------------------------- */

static FindStep
no_memory(GError **error)
{
        (void) fault(error, FAULT_BUSY, "no memory for that many messages");
        return FIND_FAILED;
}

/* The view of the next mailbox. FIND_AGAIN: there is none left. */
static FindStep
open_view(ImapSession *s, Find *f, GError **error)
{
        while (f->source < f->sources.n) {
                gint64 mailbox = f->sources.mailboxes[f->source++].mailbox;
                if (s->selected != NULL && s->selected->mailbox == mailbox) {
                        f->view = view_ref(s->selected->view);
                        return FIND_DONE;
                }
                StoreAnswer answer = store_view_open(imap_store(s), mailbox, s->who.account, &f->view, error);
                if (answer != STORE_NO_MAILBOX)
                        return answer == STORE_DONE ? FIND_DONE : FIND_FAILED;
        }
        return FIND_AGAIN;
}

/* MESSAGELIMIT (RFC 9738 §3.1, §3.2): what counts are the messages that are searched ----------------------------------
 */

/* Those that the sets of numbers and UIDs leave that every match must be in. NULL: an error. */
static guint32 *
find_candidates(ImapSession *s, const Find *f, guint32 *ret_n, GError **error)
{
        g_autofree FindNode *nodes = g_new0(FindNode, f->tree.n + 1);
        FindTree tree = {.nodes = nodes, .n = 2};

        nodes[0] = f->tree.nodes[0];
        nodes[1].test = FIND_ALWAYS; /* below the first, as all of them */
        for (guint i = 1; i < f->tree.n; i++)
                if (f->tree.nodes[i].parent == 0 &&
                    (f->tree.nodes[i].test == FIND_NUMBERS || f->tree.nodes[i].test == FIND_UIDS))
                        nodes[tree.n++] = f->tree.nodes[i];
        g_autoptr(FindRun) run =
                find_run_new(imap_store(s), f->view, &tree, s->selected != NULL ? s->selected->saved : NULL, NULL);
        if (run != NULL && find_run_step(run, G_MAXINT64, error) == FIND_FAILED)
                return NULL;
        guint32 *found = run != NULL ? find_run_found(run, ret_n) : NULL;
        if (found == NULL)
                (void) no_memory(error);
        return found;
}

/* The highest UIDs of them are searched. */
static gboolean
keep_highest(ImapSession *s, Find *f, const guint32 *candidates, guint32 n)
{
        guint32 limit = imap_message_limit(s), from = n - limit;

        f->wanted = g_try_malloc0(view_count(f->view));
        if (f->wanted == NULL)
                return FALSE;
        for (guint32 i = from; i < n; i++)
                f->wanted[candidates[i]] = 1;
        f->kept.lowest_uid = view_entry(f->view, candidates[from])->uid;
        return TRUE;
}

/* An order or threads of a part would be wrong, and which part of several mailboxes could not be told. */
static gboolean
may_be_part(const Find *f)
{
        return f->kind == KIND_SEARCH && f->sources.n == 1;
}

/* FIND_AGAIN: NO has been answered. */
static FindStep
limit_messages(ImapSession *s, Find *f, GError **error)
{
        char code[LIMIT_CODE_OCTETS];
        guint32 n = 0;

        if (!messages_are_over_limit(s, view_count(f->view)))
                return FIND_DONE;
        g_autofree guint32 *candidates = find_candidates(s, f, &n, error);
        if (candidates == NULL)
                return FIND_FAILED;
        if (!messages_are_over_limit(s, n))
                return FIND_DONE;
        if (may_be_part(f))
                return keep_highest(s, f, candidates, n) ? FIND_DONE : no_memory(error);
        g_snprintf(code, sizeof(code), "MESSAGELIMIT %u", imap_message_limit(s));
        forget_saved(s, f->options.what);
        imap_no(s, code, "too many messages at once: search fewer, by UIDAFTER or UIDBEFORE");
        return FIND_AGAIN;
}

static FindStep
step_begin(ImapSession *s, Find *f, GError **error)
{
        FindStep opened = open_view(s, f, error);

        if (opened == FIND_AGAIN) {
                f->phase = PHASE_END;
                return FIND_DONE;
        }
        if (opened == FIND_FAILED)
                return FIND_FAILED;
        FindStep limited = limit_messages(s, f, error);
        if (limited == FIND_AGAIN)
                f->phase = PHASE_END;
        if (limited != FIND_DONE)
                return limited;
        f->run = find_run_new(imap_store(s), f->view, &f->tree, s->selected != NULL ? s->selected->saved : NULL,
                              f->wanted);
        if (f->run == NULL)
                return no_memory(error);
        f->phase = PHASE_RUN;
        return FIND_DONE;
}

static gboolean
wants_scores(const Find *f)
{
        return (f->options.what & RETURN_RELEVANCY) != 0 || sort_has(f->criteria, f->n_criteria, SORT_RELEVANCY);
}

static FindStep
step_run(ImapSession *s, Find *f, Usec until, GError **error)
{
        FindStep step = find_run_step(f->run, until, error);

        if (step != FIND_DONE)
                return step;
        f->found = find_run_found(f->run, &f->n);
        if (f->found == NULL)
                return no_memory(error);
        g_clear_pointer(&f->run, find_run_free);
        f->phase = f->kind == KIND_SEARCH ? PHASE_ANSWER : PHASE_KEYS;
        if (!wants_scores(f))
                return FIND_DONE;
        f->scores = find_scores_new(imap_store(s), f->view, &f->tree, f->found, f->n);
        if (f->scores == NULL)
                return no_memory(error);
        f->phase = PHASE_SCORE;
        return FIND_DONE;
}

static FindStep
step_score(Find *f, Usec until, GError **error)
{
        FindStep step = find_scores_step(f->scores, until, error);

        if (step == FIND_DONE)
                f->phase = f->kind == KIND_SEARCH ? PHASE_ANSWER : PHASE_KEYS;
        return step;
}

static gboolean
begin_keys(ImapSession *s, Find *f)
{
        guint sections = f->kind == KIND_THREAD ? SUMMARY_KEYS : sort_sections(f->criteria, f->n_criteria);

        find_message_init(&f->message, imap_store(s), f->view, sections);
        if (f->kind == KIND_THREAD)
                f->threads = threads_new(f->algorithm);
        else
                f->sorter = sorter_new(f->criteria, f->n_criteria, f->n);
        return f->kind == KIND_THREAD || f->sorter != NULL;
}

static guint32
number_of(const Find *f, guint32 index)
{
        return f->is_uid ? view_entry(f->view, index)->uid : index + 1;
}

/* A message into the sorter, which is given its place in found, or into the threads. */
static gboolean
add_keys(Find *f, guint32 i, GError **error)
{
        SortValue values[SORTER_CRITERIA_MAX];

        find_message_at(&f->message, f->found[i]);
        if (f->kind == KIND_THREAD)
                return thread_add(&f->message, number_of(f, f->found[i]), f->threads, error);
        return sort_values(&f->message, f->criteria, f->n_criteria,
                           f->scores != NULL ? find_scores_get(f->scores)[i] : 0, values, error) &&
               sorter_add(f->sorter, i, values);
}

static FindStep
step_keys(ImapSession *s, Find *f, Usec until, GError **error)
{
        if (f->message.view == NULL && !begin_keys(s, f))
                return no_memory(error);
        while (f->at < f->n) {
                GError *why = NULL;
                if (!add_keys(f, f->at, &why)) {
                        if (why == NULL)
                                return no_memory(error);
                        g_propagate_error(error, why);
                        return FIND_FAILED;
                }
                if (++f->at % KEYS_A_LOOK == 0 && clock_monotonic() >= until)
                        return FIND_AGAIN;
        }
        find_message_done(&f->message);
        f->phase = PHASE_ORDER;
        return FIND_DONE;
}

/* found and scores in the order of the sorter. */
static gboolean
apply_order(Find *f)
{
        guint32 n;
        const guint32 *order = sorter_order(f->sorter, &n);
        guint32 *found = g_try_new(guint32, (gsize) n + 1);

        if (found == NULL || (f->scores != NULL && !find_scores_reorder(f->scores, order))) {
                g_free(found);
                return FALSE;
        }
        for (guint32 i = 0; i < n; i++)
                found[i] = f->found[order[i]];
        g_free(f->found);
        f->found = found;
        g_clear_pointer(&f->sorter, sorter_free);
        return TRUE;
}

static FindStep
step_order(Find *f, Usec until, GError **error)
{
        if (f->kind == KIND_THREAD) {
                if (!threads_arrange(f->threads))
                        return no_memory(error);
        } else {
                if (!sorter_step(f->sorter, until))
                        return FIND_AGAIN;
                if (!apply_order(f))
                        return no_memory(error);
        }
        f->phase = PHASE_ANSWER;
        return FIND_DONE;
}

/* Answers ---------------------------------------------------------------------------------------------------------- */

/* What the client gets: nothing when it only saves, and of several mailboxes those in which something was found. */
static gboolean
has_answer(const Find *f)
{
        if (f->answer.mailbox != NULL && f->n == 0)
                return FALSE;
        return (f->options.what & ~(guint) (RETURN_SAVE | RETURN_UPDATE | RETURN_CONTEXT)) != 0;
}

static void
begin_answer(const ImapSession *s, Find *f)
{
        gboolean is_plain = !f->options.is_extended && (f->kind == KIND_SORT || (s->enabled & IMAP_ENABLED_REV2) == 0);

        f->answer = (FindAnswer){.word = is_plain ? (f->kind == KIND_SORT ? "SORT" : "SEARCH") : NULL,
                                 .options = f->options,
                                 .is_uid = f->is_uid,
                                 .has_modseq = f->tree.has_modseq,
                                 .view = f->view,
                                 .found = f->found,
                                 .n = f->n,
                                 .scores = f->scores != NULL ? find_scores_get(f->scores) : NULL};
        if (s->command->run == imap_esearch) {
                f->answer.word = NULL;
                f->answer.mailbox = f->sources.mailboxes[f->source - 1].name;
        }
        f->is_answering = TRUE;
}

/* TRUE: all of it. */
static gboolean
put_threads(ImapSession *s, Find *f, gboolean is_begun)
{
        char text[TEXT_OCTETS];

        if (!is_begun)
                imap_put(s, "* THREAD");
        while (!imap_is_full(s)) {
                gsize n = threads_text(f->threads, text, sizeof(text));
                if (n > 0 && !f->has_threads)
                        imap_put(s, " ");
                f->has_threads = TRUE;
                imap_put_span(s, span_make(text, n));
                if (n == 0) {
                        imap_put(s, "\r\n");
                        return TRUE;
                }
        }
        return FALSE;
}

static void
keep_live(ImapSession *s, const Find *f)
{
        const FindContextRequest request = {.tree = &f->tree,
                                            .criteria = f->kind == KIND_SORT ? f->criteria : NULL,
                                            .n_criteria = f->n_criteria,
                                            .is_uid = f->is_uid,
                                            .view = f->view,
                                            .saved = s->selected->saved,
                                            .found = f->found,
                                            .n = f->n};

        if (f->wanted != NULL || !find_context_add(s, &request))
                imap_printf(s, "* NO [NOUPDATE \"%s\"] changes will not be told\r\n", s->tag);
}

/* UPDATE and SAVE. The live search has "$" as it was. */
static void
keep_results(ImapSession *s, Find *f)
{
        gboolean is_selected = s->selected != NULL && view_mailbox(f->view) == s->selected->mailbox;

        if ((f->options.what & RETURN_UPDATE) != 0 && is_selected)
                keep_live(s, f);
        if ((f->options.what & RETURN_SAVE) == 0)
                return;
        forget_saved(s, f->options.what);
        s->selected->saved = find_answer_saved(&f->answer);
}

static FindStep
step_answer(ImapSession *s, Find *f)
{
        gboolean is_begun = f->is_answering;

        if (!is_begun)
                begin_answer(s, f);
        if (f->kind == KIND_THREAD) {
                if (!put_threads(s, f, is_begun))
                        return FIND_AGAIN;
        } else {
                if (has_answer(f) && !find_answer_step(s, &f->answer))
                        return FIND_AGAIN;
                keep_results(s, f);
        }
        forget_mailbox(f);
        f->phase = PHASE_BEGIN;
        return FIND_DONE;
}

/* The task --------------------------------------------------------------------------------------------------------- */

static FindStep
find_step(ImapSession *s, Find *f, Usec until, GError **error)
{
        switch (f->phase) {
        case PHASE_BEGIN:
                return step_begin(s, f, error);
        case PHASE_RUN:
                return step_run(s, f, until, error);
        case PHASE_SCORE:
                return step_score(f, until, error);
        case PHASE_KEYS:
                return step_keys(s, f, until, error);
        case PHASE_ORDER:
                return step_order(f, until, error);
        case PHASE_ANSWER:
                return step_answer(s, f);
        case PHASE_END:
                break;
        }
        return FIND_DONE;
}

/* What can be read again does not wait in memory. */
static void
find_rest(Find *f)
{
        if (f->run != NULL)
                find_run_rest(f->run);
        if (f->scores != NULL)
                find_scores_rest(f->scores);
        if (f->message.view != NULL)
                find_message_rest(&f->message);
}

/* For those who would wait for long. */
static void
tell_progress(ImapSession *s, const Find *f)
{
        guint32 done = f->at, all = f->n;

        if (f->run != NULL)
                find_run_progress(f->run, &done, &all);
        if (f->phase != PHASE_ANSWER)
                imap_progress(s, done, all);
}

static ImapTaskStep
find_run(ImapSession *s, ImapTask *task)
{
        Find *f = (Find *) task;
        Usec until = clock_in(SLICE);
        char code[LIMIT_CODE_OCTETS];

        while (f->phase != PHASE_END) {
                g_autoptr(GError) error = NULL;
                FindStep step = find_step(s, f, until, &error);
                if (step == FIND_FAILED) {
                        forget_saved(s, f->options.what);
                        imap_no_fault(s, "search", error);
                        return IMAP_TASK_DONE;
                }
                if (f->phase != PHASE_END && (step == FIND_AGAIN || clock_monotonic() >= until)) {
                        find_rest(f);
                        tell_progress(s, f);
                        return IMAP_TASK_AGAIN;
                }
        }
        if (!s->is_answered)
                imap_ok(s, messages_limit_code(s, &f->kept, code), "done");
        return IMAP_TASK_DONE;
}

/* Commands --------------------------------------------------------------------------------------------------------- */

static Find *
find_new(const ImapSession *s, Kind kind)
{
        Find *f = g_new0(Find, 1);

        f->task = (ImapTask){.run = find_run, .free = free_task};
        f->kind = kind;
        f->is_uid = s->is_uid;
        return f;
}

/* What is not allowed although it is well-formed; NULL: nothing. */
static const char *
find_objection(const ImapSession *s, const Find *f)
{
        if (wants_scores(f) && !f->tree.has_fuzzy)
                return "RELEVANCY is of FUZZY searches"; /* RFC 6203 §4, §6 */
        if (f->tree.has_numbers && (s->enabled & IMAP_ENABLED_UIDONLY) != 0)
                return "[UIDREQUIRED] UIDs only were asked for"; /* RFC 9586 §3 */
        if ((f->options.what & RETURN_UPDATE) != 0 && find_context_has(s, s->tag))
                return "a search with that tag is live"; /* RFC 5267 §4.3 */
        return NULL;
}

/* The search keys have been read. */
static void
begin(ImapSession *s, Find *take_find, FindParse parsed)
{
        g_autoptr(Find) f = take_find;

        switch (parsed) {
        case FIND_BAD:
                imap_bad_syntax(s);
                return;
        case FIND_BAD_CHARSET:
                forget_saved(s, f->options.what);
                imap_no(s, CHARSETS, "unknown charset");
                return;
        case FIND_TOO_MUCH:
                forget_saved(s, f->options.what);
                imap_no(s, "LIMIT", "too many keys, too deep, or a string too long");
                return;
        case FIND_PARSED:
                break;
        }
        const char *objection = find_objection(s, f);
        if (objection != NULL) {
                imap_bad(s, objection);
                return;
        }
        if (f->tree.has_modseq && s->selected != NULL)
                messages_use_condstore(s);
        imap_start_task(s, (ImapTask *) g_steal_pointer(&f));
}

/* The mailbox that is selected, as the only source. */
static void
take_selected(const ImapSession *s, Find *f, FindSource *source)
{
        *source = (FindSource){s->selected->mailbox, s->selected->name};
        f->sources = (FindSources){.mailboxes = source, .n = 1, .has_selected = TRUE};
}

static FindSource *
new_source(const ImapArgs *args)
{
        FindSource *source = arena_new0(args->arena, FindSource);

        g_assert(source != NULL); /* the first thing in it */
        return source;
}

void
imap_search(ImapSession *s, ImapArgs *args)
{
        Find *f = find_new(s, KIND_SEARCH);

        take_selected(s, f, new_source(args));
        gboolean is_good = args_space(args) && find_parse_options(args, FALSE, &f->options);
        begin(s, f, is_good ? find_parse_program(args, clock_real(), &f->tree) : FIND_BAD);
}

/* charset 1*(SP search-key), as SORT and THREAD have it. */
static FindParse
parse_criteria(ImapArgs *args, FindTree *ret)
{
        Span charset;

        if (!args_space(args) || !args_astring(args, &charset) || charset.len == 0 || !args_space(args))
                return FIND_BAD;
        return find_parse(args, charset, clock_real(), ret);
}

void
imap_sort(ImapSession *s, ImapArgs *args)
{
        Find *f = find_new(s, KIND_SORT);

        take_selected(s, f, new_source(args));
        gboolean is_good = args_space(args) && find_parse_options(args, TRUE, &f->options) &&
                           sort_parse_criteria(args, f->criteria, &f->n_criteria);
        begin(s, f, is_good ? parse_criteria(args, &f->tree) : FIND_BAD);
}

void
imap_thread(ImapSession *s, ImapArgs *args)
{
        Find *f = find_new(s, KIND_THREAD);

        take_selected(s, f, new_source(args));
        gboolean is_good = args_space(args) && thread_parse_algorithm(args, &f->algorithm);
        begin(s, f, is_good ? parse_criteria(args, &f->tree) : FIND_BAD);
}

/* What may be asked of which mailboxes (RFC 7377 §2.2); NULL: all is well. */
static const char *
source_objection(const ImapSession *s, const Find *f)
{
        if (s->selected == NULL && f->sources.has_selected)
                return "no mailbox is selected";
        if (s->selected == NULL && (f->options.what & RETURN_UPDATE) != 0)
                return "UPDATE is of the selected mailbox";
        if (f->sources.has_others && (f->options.what & RETURN_SAVE) != 0)
                return "SAVE is of the selected mailbox";
        return NULL;
}

/* RFC 7377. UIDs always (§2.1). */
void
imap_esearch(ImapSession *s, ImapArgs *args)
{
        g_autoptr(Find) f = find_new(s, KIND_SEARCH);
        g_autoptr(GError) error = NULL;

        f->is_uid = TRUE;
        args->recent = NULL; /* of other mailboxes nothing has been taken */
        switch (args_space(args) ? find_sources(s, args, &f->sources, &error) : SOURCES_BAD) {
        case SOURCES_FAILED:
                imap_no_fault(s, "list mailboxes", error);
                return;
        case SOURCES_LIMIT:
                imap_no(s, "LIMIT", "too many mailboxes");
                return;
        case SOURCES_BAD:
                imap_bad(s, "syntax: ESEARCH [IN (mailboxes)] [RETURN (options)] keys");
                return;
        case SOURCES_FOUND:
                break;
        }
        if (!find_parse_options(args, FALSE, &f->options)) {
                imap_bad(s, "syntax: RETURN (options)");
                return;
        }
        f->options.is_extended = TRUE;
        const char *objection = source_objection(s, f);
        if (objection != NULL) {
                imap_bad(s, objection);
                return;
        }
        FindParse parsed = find_parse_program(args, clock_real(), &f->tree);
        begin(s, g_steal_pointer(&f), parsed);
}
