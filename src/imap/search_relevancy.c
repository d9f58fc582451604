/* search_relevancy.c -- how well a message fits a FUZZY search. Each string is searched again, in three ways, among
 * those that were found. */
#include "imap/find.h"

#define ARENA_MAX ((gsize) 256 * 1024)

/* The ways, in their order. */
typedef enum Pass {
        PASS_PHRASE = 0, /* as it was written                                     */
        PASS_WORDS,      /* all words, among those where the phrase is not        */
        PASS_SUBJECT,    /* all words in the subject, among those that have them  */
        PASS_END,
} Pass;

struct FindScores {
        Store *store;
        View *view;
        const FindTree *tree;
        const guint32 *found;
        guint32 n;
        guint32 *points; /* sum over the strings */
        guint8 *scores;
        guint8 *has_words; /* of the string that is searched: by entry */
        guint8 *wanted;    /* by entry */
        guint phrase;
        Pass pass;
        FindRun *run;
        Arena *arena; /* of the run */
        FindTree sought;
};

FindScores *
find_scores_new(Store *store, View *view, const FindTree *tree, const guint32 *found, guint32 n)
{
        FindScores *f = g_new0(FindScores, 1);
        gsize entries = (gsize) view_count(view) + 1;

        *f = (FindScores){.store = store, .view = view_ref(view), .tree = tree, .found = found, .n = n};
        f->arena = arena_new(ARENA_MAX);
        f->points = g_try_malloc0_n((gsize) n + 1, sizeof(guint32));
        f->scores = g_try_malloc0((gsize) n + 1);
        f->has_words = g_try_malloc0(entries);
        f->wanted = g_try_malloc0(entries);
        if (f->points != NULL && f->scores != NULL && f->has_words != NULL && f->wanted != NULL)
                return f;
        find_scores_free(f);
        return NULL;
}

void
find_scores_free(FindScores *f)
{
        if (f == NULL)
                return;
        find_run_free(f->run);
        view_unref(f->view);
        arena_free(f->arena);
        g_free(f->points);
        g_free(f->scores);
        g_free(f->has_words);
        g_free(f->wanted);
        g_free(f);
}

static const FindPhrase *
phrase_of(const FindScores *f)
{
        return &f->tree->phrases[f->phrase];
}

/* What the pass looks for: the phrase, or each of its words. FALSE: the arena is over. */
static gboolean
make_tree(FindScores *f)
{
        const FindPhrase *phrase = phrase_of(f);
        gsize n = f->pass == PASS_PHRASE ? 1 : phrase->n_words;
        FindNode *nodes = arena_new_array(f->arena, FindNode, n + 1);

        if (nodes == NULL)
                return FALSE;
        for (gsize i = 0; i < n; i++) {
                nodes[i + 1] = phrase->node;
                nodes[i + 1].parent = 0;
                if (f->pass != PASS_PHRASE)
                        nodes[i + 1].text = phrase->words[i];
                if (f->pass == PASS_SUBJECT) {
                        nodes[i + 1].test = FIND_FIELD;
                        nodes[i + 1].name = span_of("Subject");
                }
        }
        f->sought = (FindTree){.nodes = nodes, .n = (guint) n + 1};
        return TRUE;
}

static gboolean
begin_pass(FindScores *f)
{
        if (f->pass == PASS_PHRASE)
                memset(f->has_words, 0, view_count(f->view));
        memset(f->wanted, 0, view_count(f->view));
        for (guint32 i = 0; i < f->n; i++) {
                guint32 index = f->found[i];
                f->wanted[index] = f->pass == PASS_PHRASE || (f->has_words[index] != 0) == (f->pass == PASS_SUBJECT);
        }
        arena_reset(f->arena);
        if (!make_tree(f))
                return FALSE;
        f->run = find_run_new(f->store, f->view, &f->sought, NULL, f->wanted);
        return f->run != NULL;
}

static guint
points_of(const FindScores *f)
{
        gboolean is_field = phrase_of(f)->node.test == FIND_FIELD;

        switch (f->pass) {
        case PASS_PHRASE:
                return is_field ? 100 : 75;
        case PASS_WORDS:
                return is_field ? 50 : 25;
        case PASS_SUBJECT:
        case PASS_END:
                break;
        }
        return 25;
}

static gboolean
end_pass(FindScores *f)
{
        guint32 n = 0;
        g_autofree guint32 *hits = find_run_found(f->run, &n);

        if (hits == NULL)
                return FALSE;
        memset(f->wanted, 0, view_count(f->view));
        for (guint32 i = 0; i < n; i++)
                f->has_words[hits[i]] = f->wanted[hits[i]] = 1;
        for (guint32 i = 0; i < f->n; i++)
                if (f->wanted[f->found[i]])
                        f->points[i] += points_of(f);
        g_clear_pointer(&f->run, find_run_free);
        return TRUE;
}

/* The way that comes next; one word is its own phrase, and where a field was searched its subject says no more. */
static void
next_pass(FindScores *f)
{
        const FindPhrase *phrase = phrase_of(f);

        f->pass++;
        if (f->pass == PASS_WORDS && phrase->n_words < 2)
                f->pass++;
        if (f->pass == PASS_SUBJECT && (phrase->node.test == FIND_FIELD || phrase->n_words == 0))
                f->pass++;
        if (f->pass < PASS_END)
                return;
        f->pass = PASS_PHRASE;
        f->phrase++;
}

static void
finish(FindScores *f)
{
        guint phrases = f->tree->n_phrases;

        for (guint32 i = 0; i < f->n; i++)
                f->scores[i] = (guint8) (phrases == 0 ? 100 : MAX(f->points[i] / phrases, 1));
}

FindStep
find_scores_step(FindScores *f, Usec until, GError **error)
{
        while (f->phrase < f->tree->n_phrases) {
                if (f->run == NULL && !begin_pass(f)) {
                        (void) fault(error, FAULT_BUSY, "no memory for relevancy");
                        return FIND_FAILED;
                }
                FindStep step = find_run_step(f->run, until, error);
                if (step != FIND_DONE)
                        return step;
                if (!end_pass(f)) {
                        (void) fault(error, FAULT_BUSY, "no memory for relevancy");
                        return FIND_FAILED;
                }
                next_pass(f);
        }
        finish(f);
        return FIND_DONE;
}

void
find_scores_rest(FindScores *f)
{
        if (f->run != NULL)
                find_run_rest(f->run);
}

const guint8 *
find_scores_get(const FindScores *f)
{
        return f->scores;
}

gboolean
find_scores_reorder(FindScores *f, const guint32 *order)
{
        guint8 *scores = g_try_malloc((gsize) f->n + 1);

        if (scores == NULL)
                return FALSE;
        for (guint32 i = 0; i < f->n; i++)
                scores[i] = f->scores[order[i]];
        g_free(f->scores);
        f->scores = scores;
        return TRUE;
}
