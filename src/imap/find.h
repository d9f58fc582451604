/* find.h -- what SEARCH, SORT, THREAD, ESEARCH and live searches share. For these files only:
 *
 *      search_parse.c      text -> FindTree, without recursion
 *      search_program.c    FindTree + View -> FindProgram: tests with a jump for either answer, the cheap ones first
 *      search_text.c       one test of one message: fields, dates, ids
 *      search_run.c        FindRun: a program over all messages of a view, in pieces of time
 *      search_answer.c     SEARCH, ESEARCH, SORT and THREAD responses, as the client's reading allows
 *      search.c sort.c thread.c multisearch.c context.c    the commands
 */
#pragma once

#include "imap/internal.h"
#include "imap/sorter.h"
#include "imap/threads.h"
#include "mail/summary.h"

/* The tree (search_parse.c) -----------------------------------------------------------------------------------------
 */

#define FIND_KEYS_MAX 1000
#define FIND_DEPTH_MAX 50
#define FIND_STRING_MAX 1000 /* octets of UTF-8                                                                     */
#define FIND_WORDS_MAX 16    /* of a FUZZY string that are looked for                                               */

typedef enum FindTest {
        FIND_ALL_OF = 0, /* the nodes below: each,                                                              */
        FIND_ANY_OF,     /* some,                                                                               */
        FIND_NONE_OF,    /* not the one                                                                         */
        FIND_ALWAYS,
        FIND_FLAG,    /* `flag`                                                                              */
        FIND_KEYWORD, /* `text` is its name                                                                  */
        FIND_NUMBERS, /* `set` of sequence numbers                                                           */
        FIND_UIDS,    /* `set`                                                                               */
        FIND_SIZE,    /* `from` <= size <= `to`; and so the others                                           */
        FIND_MODSEQ,
        FIND_RECEIVED, /* INTERNALDATE, UTC                                                                   */
        FIND_SAVED,    /* SAVEDATE, UTC                                                                       */
        FIND_SENT,     /* Date, in its own zone                                                               */
        FIND_EMAILID,  /* `text`                                                                              */
        FIND_FIELD,    /* the header field `name` has `text`, folded                                          */
        FIND_BODY,     /* `text`, UTF-8                                                                       */
        FIND_TEXT,
} FindTest;

typedef struct FindNode {
        FindTest test;
        guint16 parent; /* comes before it; 0 is the root                                                      */
        guint64 flag;
        gint64 from, to;
        Span name, text;
        ImapSet set;
} FindNode;

/* A string of a FUZZY key (RFC 6203), for its relevancy. Its words are in the tree. */
typedef struct FindPhrase {
        FindNode node;     /* FIND_FIELD, FIND_BODY or FIND_TEXT with the whole string                            */
        const Span *words; /* folded                                                                              */
        gsize n_words;
} FindPhrase;

typedef struct FindTree {
        const FindNode *nodes; /* the first is a FIND_ALL_OF                                                          */
        guint n;
        const FindPhrase *phrases;
        guint n_phrases;
        gboolean has_modseq; /* answers tell the highest MODSEQ (RFC 7162 §3.1.5)                                   */
        gboolean has_fuzzy;
        gboolean has_numbers; /* sequence numbers                                                                    */
} FindTree;

typedef enum FindParse {
        FIND_BAD = 0, /* syntax, or text that is not in its charset: BAD                                     */
        FIND_PARSED,
        FIND_BAD_CHARSET, /* NO [BADCHARSET (...)]                                                               */
        FIND_TOO_MUCH,    /* NO [LIMIT]: keys, depth, length of strings                                          */
} FindParse;

/* search-key *(SP search-key) up to the end of the command (RFC 9051 §6.4.4). charset: of its strings; empty: UTF-8.
 * now: what OLDER and YOUNGER count from. Everything lives in the arguments' arena or points into them. */
FindParse find_parse(ImapArgs *a, Span charset, Usec now, FindTree *ret) G_GNUC_WARN_UNUSED_RESULT;

/* The same with ["CHARSET" SP charset SP] in front. */
FindParse find_parse_program(ImapArgs *a, Usec now, FindTree *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Everything of it in another arena. FALSE: that one is over. */
gboolean find_tree_copy(Arena *arena, const FindTree *tree, FindTree *ret) G_GNUC_WARN_UNUSED_RESULT;

/* RETURN (...): what is told (RFC 4731 §3.1, 5182, 5267, 6203, 9394). */
typedef enum FindReturn {
        RETURN_MIN = 1 << 0,
        RETURN_MAX = 1 << 1,
        RETURN_ALL = 1 << 2,
        RETURN_COUNT = 1 << 3,
        RETURN_PARTIAL = 1 << 4,
        RETURN_SAVE = 1 << 5,
        RETURN_UPDATE = 1 << 6,
        RETURN_CONTEXT = 1 << 7, /* a hint; nothing is told */
        RETURN_RELEVANCY = 1 << 8,
} FindReturn;

typedef struct FindOptions {
        gboolean is_extended; /* RETURN was there                                                                    */
        guint what;           /* FindReturn bits                                                                     */
        guint32 first, last;  /* PARTIAL, first <= last                                                              */
        gboolean is_from_end; /* PARTIAL counts from the last one                                                    */
        Span partial;         /* as it was written: "-1:-100"                                                        */
} FindOptions;

/* ["RETURN" SP "(" ... ")" SP], when it is there. FALSE: syntax. An empty list is RETURN_ALL. */
gboolean find_parse_options(ImapArgs *a, gboolean is_sort, FindOptions *ret) G_GNUC_WARN_UNUSED_RESULT;

/* The program (search_program.c) ------------------------------------------------------------------------------------
 */

/* One test and where to go on. Jumps only go forward, so a message that waits at a test never comes back to it. */
#define FIND_ACCEPT 0xffff
#define FIND_REJECT 0xfffe

typedef struct FindLeaf {
        FindTest test; /* FIND_FLAG, FIND_UIDS ...: those that are left once a view is known                  */
        guint16 on_true, on_false; /* index of a leaf, or one of the above                                        */
        guint64 flag;
        gint64 from, to;
        Span name, text;
        FieldNames field;       /* FIND_FIELD: the name */
        const UidRange *ranges; /* rising, apart */
        guint32 n_ranges;
} FindLeaf;

typedef struct FindProgram {
        const FindLeaf *leaves;
        guint n;
        guint16 start;
        guint sections;    /* SummarySection bits that its tests read                                             */
        gboolean has_text; /* FIND_BODY or FIND_TEXT                                                              */
} FindProgram;

/* Bound to a view: sequence numbers become UIDs, keywords bits, "$" `saved` (UidRange; NULL: empty). Of AND and OR the
 * cheap tests come first. Strings are the tree's. FALSE: the arena is over. */
gboolean find_program_make(Arena *arena, const FindTree *tree, const View *view, const GArray *saved,
                           FindProgram *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Sequence numbers and "$" become the UIDs that they are now. FALSE: the arena is over. */
gboolean find_node_keep(Arena *arena, FindNode *node, const View *view, const GArray *saved) G_GNUC_WARN_UNUSED_RESULT;

static inline gboolean
find_is_text(FindTest test)
{
        return test == FIND_BODY || test == FIND_TEXT;
}

/* Whether the view alone answers the test. */
static inline gboolean
find_is_cheap(FindTest test)
{
        return test < FIND_SENT;
}

/* The answer of a test that is cheap. */
gboolean find_test_entry(const FindLeaf *leaf, const View *view, guint32 index) G_GNUC_PURE;

/* One message (search_text.c) ---------------------------------------------------------------------------------------
 */

/* What has been read of the message that is looked at; the next one forgets it. A message that is gone or damaged has
 * no field, no date and no id. */
typedef struct FindMessage {
        Store *store;
        View *view;
        SummaryCursor *cursor;
        Arena *scratch; /* of one message                                                                      */
        guint32 index;
        gboolean has_summary, has_header;
        StoredSummary summary;
        Span header; /* of the copy                                                                         */
} FindMessage;

/* Keeps a reference to the view. sections: SummarySection bits that will be read. */
void find_message_init(FindMessage *m, Store *store, View *view, guint sections);
void find_message_done(FindMessage *m); /* zeroes are fine */
void find_message_rest(FindMessage *m); /* before a park: what can be read again is dropped */
void find_message_at(FindMessage *m, guint32 index);

/* FIND_SENT, FIND_EMAILID or FIND_FIELD. FALSE: could not look. */
gboolean find_message_test(FindMessage *m, const FindLeaf *leaf, gboolean *ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What SORT and THREAD compare; empty keys for a message that is gone. Spans live until find_message_at(). FALSE: could
 * not look. */
gboolean find_message_keys(FindMessage *m, SummaryKeys *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All messages of a view (search_run.c) -----------------------------------------------------------------------------
 */

typedef struct FindRun FindRun;

/* wanted: one octet 0/1 for each entry, NULL for all. tree and saved must live as long. NULL: no memory. */
FindRun *find_run_new(Store *store, View *view, const FindTree *tree, const GArray *saved,
                      const guint8 *wanted) G_GNUC_WARN_UNUSED_RESULT;
void find_run_free(FindRun *r); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FindRun, find_run_free)

typedef enum FindStep {
        FIND_FAILED = 0,
        FIND_AGAIN, /* `until` (monotonic) has come                                                        */
        FIND_DONE,
} FindStep;
FindStep find_run_step(FindRun *r, Usec until, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void find_run_rest(FindRun *r); /* before a park */

/* After FIND_DONE: indexes in the view, rising. NULL with *ret_n above 0: no memory. Free by g_free. */
guint32 *find_run_found(const FindRun *r, guint32 *ret_n) G_GNUC_WARN_UNUSED_RESULT;

/* Messages looked at, of how many; rising. For INPROGRESS. */
void find_run_progress(const FindRun *r, guint32 *ret_done, guint32 *ret_all);

/* Answers (search_answer.c) -----------------------------------------------------------------------------------------
 */

/* The messages that were found, in the order that was asked for, and what is told of them. */
typedef struct FindAnswer {
        const char *word; /* "SEARCH" or "SORT": the response of RFC 3501 and 5256; NULL: ESEARCH                */
        FindOptions options;
        gboolean is_uid;
        gboolean has_modseq;
        View *view;
        const guint32 *found; /* indexes in the view                                                                 */
        guint32 n;
        const guint8 *scores; /* of RETURN_RELEVANCY, in the order of found                                          */
        const char *mailbox;  /* MULTISEARCH: its name, UTF-8; NULL: the one that is selected                        */
        /* private: where it is */
        guint item;
        guint32 at;
        gboolean is_begun;
} FindAnswer;

/* Write as much as the client takes now. TRUE: all of it. */
gboolean find_answer_step(ImapSession *s, FindAnswer *a) G_GNUC_WARN_UNUSED_RESULT;

/* What SAVE keeps of it (RFC 5182 §2.4, 9394 §3.2): UIDs, rising (of UidRange). */
GArray *find_answer_saved(const FindAnswer *a) G_GNUC_WARN_UNUSED_RESULT;

/* Relevancy (search_relevancy.c; RFC 6203 §4) -----------------------------------------------------------------------
 */

/* 1 to 100 for each message that was found: the mean over the strings of FUZZY keys, of which each gives
 *      100     where it stands as it was written in the field that was searched, 50 where all its words do;
 *      25      for all its words in the body or text, 50 more where it stands as it was written,
 *              25 more where all its words are in the subject.
 * Other FUZZY keys match exactly and say nothing; without any string all have 100. */
typedef struct FindScores FindScores;
FindScores *find_scores_new(Store *store, View *view, const FindTree *tree, const guint32 *found,
                            guint32 n) G_GNUC_WARN_UNUSED_RESULT;
void find_scores_free(FindScores *f); /* NULL is fine */
FindStep find_scores_step(FindScores *f, Usec until, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void find_scores_rest(FindScores *f);
const guint8 *find_scores_get(const FindScores *f); /* after FIND_DONE, one for each that was found */
gboolean find_scores_reorder(FindScores *f, const guint32 *order)
        G_GNUC_WARN_UNUSED_RESULT; /* [i] becomes that of order[i]; FALSE: no memory */

/* SORT (sort.c) ------------------------------------------------------------------------------------------------------
 */

gboolean sort_parse_criteria(ImapArgs *a, SortCriterion *ret, gsize *ret_n)
        G_GNUC_WARN_UNUSED_RESULT; /* "(REVERSE DATE FROM)"; room for SORTER_CRITERIA_MAX */
gboolean sort_has(const SortCriterion *criteria, gsize n, SortKey key);
guint sort_sections(const SortCriterion *criteria, gsize n); /* SummarySection bits that sort_values() reads */
/* What message `m` is at compares by. score: its relevancy. FALSE: could not look. */
gboolean sort_values(FindMessage *m, const SortCriterion *criteria, gsize n, guint8 score, SortValue *ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* THREAD (thread.c) */
gboolean thread_parse_algorithm(ImapArgs *a, ThreadAlgorithm *ret) G_GNUC_WARN_UNUSED_RESULT;
/* The message that `m` is at; number: what it is called. FALSE: could not look, or (without an error) no memory. */
gboolean thread_add(FindMessage *m, guint32 number, Threads *threads, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Mailboxes of ESEARCH IN (...) (multisearch.c; RFC 7377) ------------------------------------------------------------
 */

typedef struct FindSource {
        gint64 mailbox;
        const char *name; /* as the client knows it, UTF-8 */
} FindSource;

typedef struct FindSources {
        Arena *arena;                /* the caller's arena_free(); NULL is fine */
        const FindSource *mailboxes; /* each once */
        gsize n;
        gboolean has_selected; /* "selected" was named, or nothing */
        gboolean has_others;   /* something else was named         */
} FindSources;

typedef enum FindSourcesAnswer {
        SOURCES_FAILED = 0, /* a fault: the GError says why */
        SOURCES_BAD,        /* syntax */
        SOURCES_LIMIT,      /* too many mailboxes: NO [LIMIT] */
        SOURCES_FOUND,
} FindSourcesAnswer;

/* ["IN" SP "(" ... ")" SP]; without it the mailbox that is selected. Names that are not there, or may not be read, are
 * left out (RFC 7377 §2.2). */
FindSourcesAnswer find_sources(ImapSession *s, ImapArgs *a, FindSources *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Live searches (context.c; RFC 5267 §4.3) ---------------------------------------------------------------------------
 */

typedef struct FindContextRequest {
        const FindTree *tree;
        const SortCriterion *criteria; /* SORT; NULL: SEARCH */
        gsize n_criteria;
        gboolean is_uid;
        View *view;
        const GArray *saved;  /* what "$" was */
        const guint32 *found; /* indexes in the view, in the order that was told */
        guint32 n;
} FindContextRequest;

/* Whether one with that tag is live: then UPDATE is BAD (RFC 5267 §4.3). */
gboolean find_context_has(const ImapSession *s, const char *tag);

/* From now on the client hears of changes, under the tag of the running command. FALSE: refused, to be told by NO
 * [NOUPDATE "tag"]. */
gboolean find_context_add(ImapSession *s, const FindContextRequest *request) G_GNUC_WARN_UNUSED_RESULT;
