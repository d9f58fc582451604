/* search_parse.c -- search programs (RFC 9051 §6.4.4; 3501; 5032, 5182, 6203, 7162, 8474, 8514) -> FindTree.
 *
 * No recursion: what is open stands on a stack of FIND_DEPTH_MAX places. "(", NOT, OR and FUZZY open something; a key
 * that is complete closes NOT, OR and FUZZY in front of it.
 */
#include "imap/find.h"

#include "base/text.h"
#include "mail/charset.h"
#include "mail/text.h"

#define NODES_FIRST 16
#define CONVERTED_MAX (4 * FIND_STRING_MAX) /* UTF-8 of so many octets of any charset */

/* What stands behind the name of a key. */
typedef enum Argument {
        ARGUMENT_NONE = 0,
        ARGUMENT_ARRIVAL, /* none; with `flag`: and without it        */
        ARGUMENT_FLAG,    /* none; `value` is its bit                   */
        ARGUMENT_KEYWORD,
        ARGUMENT_STRING, /* of the field `field`, or of the text       */
        ARGUMENT_FIELD,  /* name and string                            */
        ARGUMENT_DATE,
        ARGUMENT_SECONDS, /* OLDER, YOUNGER                             */
        ARGUMENT_SIZE,
        ARGUMENT_MODSEQ,
        ARGUMENT_UIDS,
        ARGUMENT_UID, /* one                                       */
        ARGUMENT_OBJECTID,
        ARGUMENT_KEY, /* one search key                             */
        ARGUMENT_TWO_KEYS,
} Argument;

/* Which side of the argument is meant. */
typedef enum Side {
        SIDE_AT = 0,
        SIDE_BELOW,
        SIDE_FROM, /* at and above */
} Side;

typedef struct Key {
        const char *word;
        Argument argument;
        FindTest test;
        gboolean is_not;
        guint64 flag;
        Side side;
        const char *field;
        const char *capability; /* known only while this one is on (args_has) */
} Key;

static const Key KEYS[] = {
        {"ALL", ARGUMENT_NONE, FIND_ALWAYS},
        {"ANSWERED", ARGUMENT_FLAG, FIND_FLAG, FALSE, FLAG_ANSWERED},
        {"BCC", ARGUMENT_STRING, FIND_FIELD, .field = "Bcc"},
        {"BEFORE", ARGUMENT_DATE, FIND_RECEIVED, .side = SIDE_BELOW},
        {"BODY", ARGUMENT_STRING, FIND_BODY},
        {"CC", ARGUMENT_STRING, FIND_FIELD, .field = "Cc"},
        {"DELETED", ARGUMENT_FLAG, FIND_FLAG, FALSE, FLAG_DELETED},
        {"DRAFT", ARGUMENT_FLAG, FIND_FLAG, FALSE, FLAG_DRAFT},
        {"EMAILID", ARGUMENT_OBJECTID, FIND_EMAILID, .capability = "OBJECTID"},
        {"FLAGGED", ARGUMENT_FLAG, FIND_FLAG, FALSE, FLAG_FLAGGED},
        {"FROM", ARGUMENT_STRING, FIND_FIELD, .field = "From"},
        {"FUZZY", ARGUMENT_KEY, FIND_ALL_OF, .capability = "SEARCH=FUZZY"},
        {"HEADER", ARGUMENT_FIELD, FIND_FIELD},
        {"KEYWORD", ARGUMENT_KEYWORD, FIND_KEYWORD},
        {"LARGER", ARGUMENT_SIZE, FIND_SIZE, .side = SIDE_FROM},
        {"MODSEQ", ARGUMENT_MODSEQ, FIND_MODSEQ, .capability = "CONDSTORE"},
        {"NEW", ARGUMENT_ARRIVAL, FIND_UIDS, FALSE, FLAG_SEEN, .capability = "IMAP4rev1"},
        {"NOT", ARGUMENT_KEY, FIND_NONE_OF},
        {"OLD", ARGUMENT_ARRIVAL, FIND_UIDS, TRUE, .capability = "IMAP4rev1"},
        {"OLDER", ARGUMENT_SECONDS, FIND_RECEIVED, .side = SIDE_BELOW, .capability = "WITHIN"},
        {"ON", ARGUMENT_DATE, FIND_RECEIVED},
        {"OR", ARGUMENT_TWO_KEYS, FIND_ANY_OF},
        {"RECENT", ARGUMENT_ARRIVAL, FIND_UIDS, .capability = "IMAP4rev1"},
        {"SAVEDATESUPPORTED", ARGUMENT_NONE, FIND_ALWAYS, .capability = "SAVEDATE"},
        {"SAVEDBEFORE", ARGUMENT_DATE, FIND_SAVED, .side = SIDE_BELOW, .capability = "SAVEDATE"},
        {"SAVEDON", ARGUMENT_DATE, FIND_SAVED, .capability = "SAVEDATE"},
        {"SAVEDSINCE", ARGUMENT_DATE, FIND_SAVED, .side = SIDE_FROM, .capability = "SAVEDATE"},
        {"SEEN", ARGUMENT_FLAG, FIND_FLAG, FALSE, FLAG_SEEN},
        {"SENTBEFORE", ARGUMENT_DATE, FIND_SENT, .side = SIDE_BELOW},
        {"SENTON", ARGUMENT_DATE, FIND_SENT},
        {"SENTSINCE", ARGUMENT_DATE, FIND_SENT, .side = SIDE_FROM},
        {"SINCE", ARGUMENT_DATE, FIND_RECEIVED, .side = SIDE_FROM},
        {"SMALLER", ARGUMENT_SIZE, FIND_SIZE, .side = SIDE_BELOW},
        {"SUBJECT", ARGUMENT_STRING, FIND_FIELD, .field = "Subject"},
        {"TEXT", ARGUMENT_STRING, FIND_TEXT},
        {"THREADID", ARGUMENT_OBJECTID, FIND_ALWAYS, TRUE, .capability = "OBJECTID"}, /* we have none (RFC 8474 §5.2) */
        {"TO", ARGUMENT_STRING, FIND_FIELD, .field = "To"},
        {"UID", ARGUMENT_UIDS, FIND_UIDS},
        {"UIDAFTER", ARGUMENT_UID, FIND_UIDS, .side = SIDE_FROM, .capability = "MESSAGELIMIT"},
        {"UIDBEFORE", ARGUMENT_UID, FIND_UIDS, .side = SIDE_BELOW, .capability = "MESSAGELIMIT"},
        {"UNANSWERED", ARGUMENT_FLAG, FIND_FLAG, TRUE, FLAG_ANSWERED},
        {"UNDELETED", ARGUMENT_FLAG, FIND_FLAG, TRUE, FLAG_DELETED},
        {"UNDRAFT", ARGUMENT_FLAG, FIND_FLAG, TRUE, FLAG_DRAFT},
        {"UNFLAGGED", ARGUMENT_FLAG, FIND_FLAG, TRUE, FLAG_FLAGGED},
        {"UNKEYWORD", ARGUMENT_KEYWORD, FIND_KEYWORD, TRUE},
        {"UNSEEN", ARGUMENT_FLAG, FIND_FLAG, TRUE, FLAG_SEEN},
        {"YOUNGER", ARGUMENT_SECONDS, FIND_RECEIVED, .side = SIDE_FROM, .capability = "WITHIN"},
};

typedef enum OpenKind {
        OPEN_GROUP = 0, /* up to ")", or to the end for the first one */
        OPEN_KEYS,      /* NOT, OR, FUZZY: `n_left` keys              */
} OpenKind;

typedef struct Open {
        OpenKind kind;
        guint16 node;
        guint8 n_left;
        gboolean is_fuzzy, is_not; /* inside FUZZY, inside NOT */
} Open;

typedef struct Parser {
        ImapArgs *a;
        Span charset;
        Usec now;
        FindParse answer; /* why it failed */
        FindNode *nodes;
        guint n, room;
        FindPhrase *phrases;
        guint n_phrases, phrases_room;
        Open open[FIND_DEPTH_MAX];
        guint n_open;
        gboolean has_modseq, has_fuzzy, has_numbers;
} Parser;

static gboolean
too_much(Parser *p)
{
        p->answer = FIND_TOO_MUCH;
        return FALSE;
}

/* Twice the room for an array in the arena. NULL: over. */
static gpointer
grow(Arena *arena, gconstpointer old, gsize size, guint n, guint *room)
{
        guint larger = *room > 0 ? *room * 2 : NODES_FIRST;
        gpointer array = arena_alloc_array(arena, size, larger);

        if (array == NULL)
                return NULL;
        if (n > 0)
                memcpy(array, old, n * size);
        *room = larger;
        return array;
}

static FindNode *
add_node(Parser *p, FindTest test, guint16 parent)
{
        if (p->n == p->room) {
                FindNode *nodes =
                        p->n < FIND_KEYS_MAX ? grow(p->a->arena, p->nodes, sizeof(FindNode), p->n, &p->room) : NULL;
                if (nodes == NULL) {
                        p->answer = FIND_TOO_MUCH;
                        return NULL;
                }
                p->nodes = nodes;
        }
        if (p->n >= FIND_KEYS_MAX) {
                p->answer = FIND_TOO_MUCH;
                return NULL;
        }
        p->nodes[p->n] = (FindNode){.test = test, .parent = parent};
        return &p->nodes[p->n++];
}

static Open *
innermost(Parser *p)
{
        return &p->open[p->n_open - 1];
}

/* A node below what is open; `is_not` puts it below a NOT of its own. */
static FindNode *
add_key(Parser *p, FindTest test, gboolean is_not)
{
        guint16 parent = innermost(p)->node;

        if (is_not) {
                if (add_node(p, FIND_NONE_OF, parent) == NULL)
                        return NULL;
                parent = (guint16) (p->n - 1);
        }
        return add_node(p, test, parent);
}

static gboolean
push(Parser *p, OpenKind kind, guint16 node, guint8 n_left, gboolean is_fuzzy, gboolean is_not)
{
        if (p->n_open == FIND_DEPTH_MAX)
                return too_much(p);
        p->open[p->n_open++] = (Open){kind, node, n_left, is_fuzzy, is_not};
        return TRUE;
}

/* Strings ---------------------------------------------------------------------------------------------------------- */

/* As UTF-8, with at most FIND_STRING_MAX octets. */
static gboolean
read_string(Parser *p, Span *ret)
{
        Span text;

        if (!args_astring(p->a, &text))
                return FALSE;
        if (text.len > FIND_STRING_MAX)
                return too_much(p);
        if (p->charset.len > 0 && !mail_charset_decode(p->a->arena, p->charset, text, CONVERTED_MAX, &text))
                return FALSE;
        if (!text_is_utf8(text))
                return FALSE;
        if (text.len > FIND_STRING_MAX)
                return too_much(p);
        *ret = text;
        return TRUE;
}

static gboolean
fold(Parser *p, Span text, Span *ret)
{
        *ret = text_fold(p->a->arena, text, TEXT_NEEDLE_MAX);
        return !arena_is_over(p->a->arena) || too_much(p);
}

/* One test for a string: of a field (folded already), or of the body, which folds by itself. */
static gboolean
add_string(Parser *p, FindNode like, guint16 parent)
{
        FindNode *node = add_node(p, like.test, parent);

        if (node == NULL)
                return FALSE;
        node->name = like.name;
        node->text = like.text;
        return TRUE;
}

static gsize
split_words(Span text, Span *words)
{
        gsize n = 0, at = 0;

        while (at < text.len && n < FIND_WORDS_MAX) {
                gsize end = at;
                while (end < text.len && text.data[end] != ' ')
                        end++;
                if (end > at)
                        words[n++] = span_slice(text, at, end);
                at = end + 1;
        }
        return n;
}

/* FUZZY (RFC 6203 §3): all words anywhere. What must not be there has no relevancy. */
static gboolean
add_fuzzy(Parser *p, FindNode like, Span folded, gboolean is_not)
{
        Span *words = arena_new_array(p->a->arena, Span, FIND_WORDS_MAX);

        if (words == NULL)
                return too_much(p);
        gsize n = split_words(folded, words);
        if (add_key(p, FIND_ALL_OF, FALSE) == NULL)
                return FALSE;
        guint16 parent = (guint16) (p->n - 1);
        for (gsize i = 0; i < n; i++) {
                FindNode word = like;
                word.text = words[i];
                if (!add_string(p, word, parent))
                        return FALSE;
        }
        if (n == 0 && !add_string(p, like, parent))
                return FALSE;
        if (is_not)
                return TRUE;
        if (p->n_phrases == p->phrases_room) {
                p->phrases = grow(p->a->arena, p->phrases, sizeof(FindPhrase), p->n_phrases, &p->phrases_room);
                if (p->phrases == NULL)
                        return too_much(p);
        }
        p->phrases[p->n_phrases++] = (FindPhrase){like, words, n};
        return TRUE;
}

static gboolean
add_text(Parser *p, FindTest test, Span field)
{
        FindNode like = {.test = test, .name = field};
        const Open *open = innermost(p);
        Span text, folded;

        if (!read_string(p, &text) || !fold(p, text, &folded))
                return FALSE;
        like.text = test == FIND_FIELD ? folded : text;
        if (open->is_fuzzy)
                return add_fuzzy(p, like, folded, open->is_not);
        return add_string(p, like, open->node);
}

static gboolean
is_field_name(Span name)
{
        for (gsize i = 0; i < name.len; i++)
                if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
                        return FALSE;
        return name.len > 0;
}

/* A name that no field can have is no error: no message has it. */
static gboolean
add_field(Parser *p)
{
        Span name;

        if (!args_astring(p->a, &name) || !args_space(p->a))
                return FALSE;
        if (!is_field_name(name)) {
                Span text;
                return read_string(p, &text) && add_key(p, FIND_ALWAYS, TRUE) != NULL;
        }
        return add_text(p, FIND_FIELD, name);
}

/* Other arguments -------------------------------------------------------------------------------------------------- */

/* The interval [at, at + size] and what is below or from there on. */
static gboolean
add_interval(Parser *p, const Key *key, gint64 at, gint64 size)
{
        FindNode *node = add_key(p, key->test, key->is_not);

        if (node == NULL)
                return FALSE;
        node->from = key->side == SIDE_BELOW ? G_MININT64 : at;
        node->to = key->side == SIDE_BELOW ? at - 1 : key->side == SIDE_FROM ? G_MAXINT64 : at + size - 1;
        return TRUE;
}

static gboolean
add_date(Parser *p, const Key *key)
{
        Usec midnight;

        return args_date(p->a, &midnight) && add_interval(p, key, midnight, USEC_PER_DAY);
}

/* OLDER and YOUNGER (RFC 5032 §2): both take what is exactly so old. */
static gboolean
add_age(Parser *p, const Key *key)
{
        guint64 seconds;

        if (!args_number(p->a, G_MAXUINT32, &seconds) || seconds == 0)
                return FALSE;
        Usec at = p->now - (Usec) seconds * USEC_PER_SEC;
        return add_interval(p, key, key->side == SIDE_BELOW ? at + 1 : at, 0);
}

static gboolean
add_size(Parser *p, const Key *key)
{
        guint64 size;

        if (!args_number(p->a, G_MAXINT64, &size))
                return FALSE;
        return add_interval(p, key, (gint64) (key->side == SIDE_FROM && size < G_MAXINT64 ? size + 1 : size), 0);
}

/* [entry-name SP entry-type-req SP] number (RFC 7162 §3.1.5). Every flag of a message has the MODSEQ of the message, so
 * the names are read and say nothing. */
static gboolean
add_modseq(Parser *p, const Key *key)
{
        guint64 modseq;
        Span entry;

        if (args_string(p->a, &entry)) {
                Scan scan = scan_from(entry);
                gboolean is_good = scan_word(&scan, "/flags/") && !scan_at_end(&scan) && args_space(p->a) &&
                                   (args_word(p->a, "all") || args_word(p->a, "priv") || args_word(p->a, "shared")) &&
                                   args_space(p->a);
                if (!is_good)
                        return FALSE;
        }
        if (!args_number(p->a, G_MAXINT64, &modseq))
                return FALSE;
        p->has_modseq = TRUE;
        return add_interval(p, &(Key){.test = key->test, .side = SIDE_FROM}, (gint64) modseq, 0);
}

static gboolean
add_keyword(Parser *p, const Key *key)
{
        guint64 system;
        Span name;

        if (!args_flag(p->a, &system, &name) || system != 0)
                return FALSE;
        FindNode *node = add_key(p, key->test, key->is_not);
        if (node == NULL)
                return FALSE;
        node->text = name;
        return TRUE;
}

static gboolean
add_objectid(Parser *p, const Key *key)
{
        Span id;

        if (!args_astring(p->a, &id))
                return FALSE;
        FindNode *node = add_key(p, key->test, key->is_not);
        if (node == NULL)
                return FALSE;
        node->text = id;
        return TRUE;
}

static gboolean
add_set(Parser *p, FindTest test)
{
        ImapSet set;

        if (!args_set(p->a, &set))
                return FALSE;
        FindNode *node = add_key(p, test, FALSE);
        if (node == NULL)
                return FALSE;
        node->set = set;
        p->has_numbers |= test == FIND_NUMBERS && !set.is_saved;
        return TRUE;
}

/* UIDAFTER and UIDBEFORE (RFC 9738 §3.3): without the UID itself. */
static gboolean
add_uids(Parser *p, const Key *key)
{
        guint64 uid;

        if (!args_number(p->a, G_MAXUINT32, &uid) || uid == 0)
                return FALSE;
        guint64 first = key->side == SIDE_BELOW ? 1 : uid + 1;
        guint64 last = key->side == SIDE_BELOW ? uid - 1 : (guint64) G_MAXUINT32 - 1; /* above it is "*" */
        UidRange *range = arena_new0(p->a->arena, UidRange);
        FindNode *node = range != NULL ? add_key(p, FIND_UIDS, FALSE) : NULL;
        if (node == NULL)
                return too_much(p);
        *range = (UidRange){(guint32) first, (guint32) last};
        node->set = (ImapSet){.ranges = range, .n = first <= last ? 1 : 0};
        return TRUE;
}

static gboolean
add_flag(Parser *p, const Key *key)
{
        FindNode *node = add_key(p, key->test, key->is_not);

        if (node == NULL)
                return FALSE;
        node->flag = key->flag;
        return TRUE;
}

static gboolean
add_recent(Parser *p, gboolean is_not)
{
        const GArray *recent = p->a->recent;
        gsize n = recent != NULL ? recent->len : 0;
        UidRange *ranges = n > 0 ? arena_new_array(p->a->arena, UidRange, n) : NULL;

        FindNode *node = add_key(p, FIND_UIDS, is_not);
        if (node == NULL || (n > 0 && ranges == NULL))
                return too_much(p);
        if (n > 0)
                memcpy(ranges, recent->data, n * sizeof(*ranges));
        node->set = (ImapSet){.ranges = ranges, .n = n};
        return TRUE;
}

/* RECENT, OLD and NEW (RFC 3501 §6.4.4): what is \Recent to this session now. NEW is "(RECENT UNSEEN)". */
static gboolean
add_arrival(Parser *p, const Key *key)
{
        static const Key UNSEEN = {.test = FIND_FLAG, .is_not = TRUE, .flag = FLAG_SEEN};

        if (key->flag == 0)
                return add_recent(p, key->is_not);
        const Open *outer = innermost(p);
        if (add_key(p, FIND_ALL_OF, FALSE) == NULL ||
            !push(p, OPEN_GROUP, (guint16) (p->n - 1), 0, outer->is_fuzzy, outer->is_not) || !add_recent(p, FALSE) ||
            !add_flag(p, &UNSEEN))
                return FALSE;
        p->n_open--;
        return TRUE;
}

/* Keys ------------------------------------------------------------------------------------------------------------- */

static const Key *
find_key(const ImapArgs *a, Span word)
{
        for (gsize i = 0; i < G_N_ELEMENTS(KEYS); i++)
                if (span_is(word, KEYS[i].word))
                        return args_has(a, KEYS[i].capability) ? &KEYS[i] : NULL;
        return NULL;
}

/* NOT, OR, FUZZY. The last has no node: it only says how strings below are understood. */
static gboolean
open_keys(Parser *p, const Key *key)
{
        gboolean is_fuzzy = key->test == FIND_ALL_OF, is_not = key->test == FIND_NONE_OF;
        Open outer = *innermost(p);
        guint16 node = outer.node;

        p->has_fuzzy |= is_fuzzy;
        if (!is_fuzzy) {
                if (add_key(p, key->test, FALSE) == NULL)
                        return FALSE;
                node = (guint16) (p->n - 1);
        }
        return push(p, OPEN_KEYS, node, key->argument == ARGUMENT_TWO_KEYS ? 2 : 1, outer.is_fuzzy || is_fuzzy,
                    outer.is_not != is_not);
}

static gboolean
add_argument(Parser *p, const Key *key)
{
        switch (key->argument) {
        case ARGUMENT_NONE:
        case ARGUMENT_FLAG:
                return add_flag(p, key);
        case ARGUMENT_ARRIVAL:
                return add_arrival(p, key);
        case ARGUMENT_KEYWORD:
                return add_keyword(p, key);
        case ARGUMENT_STRING:
                return add_text(p, key->test, span_of(key->field));
        case ARGUMENT_FIELD:
                return add_field(p);
        case ARGUMENT_DATE:
                return add_date(p, key);
        case ARGUMENT_SECONDS:
                return add_age(p, key);
        case ARGUMENT_SIZE:
                return add_size(p, key);
        case ARGUMENT_MODSEQ:
                return add_modseq(p, key);
        case ARGUMENT_UIDS:
                return add_set(p, FIND_UIDS);
        case ARGUMENT_UID:
                return add_uids(p, key);
        case ARGUMENT_OBJECTID:
                return add_objectid(p, key);
        case ARGUMENT_KEY:
        case ARGUMENT_TWO_KEYS:
                break;
        }
        return open_keys(p, key);
}

static gboolean
is_set_next(const Parser *p)
{
        int octet = scan_peek(&p->a->scan);

        return (octet >= '0' && octet <= '9') || octet == '*' || octet == '$';
}

/* One key, or the beginning of one. *ret_is_open: the next thing is a key again. */
static gboolean
read_key(Parser *p, gboolean *ret_is_open)
{
        Span word;

        *ret_is_open = FALSE;
        if (args_open(p->a)) {
                Open outer = *innermost(p);
                *ret_is_open = TRUE;
                return add_key(p, FIND_ALL_OF, FALSE) != NULL &&
                       push(p, OPEN_GROUP, (guint16) (p->n - 1), 0, outer.is_fuzzy, outer.is_not);
        }
        if (is_set_next(p))
                return add_set(p, FIND_NUMBERS);
        const Key *key = args_atom(p->a, &word) ? find_key(p->a, word) : NULL;
        if (key == NULL)
                return FALSE;
        *ret_is_open = key->argument == ARGUMENT_KEY || key->argument == ARGUMENT_TWO_KEYS;
        if (key->argument > ARGUMENT_FLAG && !args_space(p->a))
                return FALSE;
        return add_argument(p, key);
}

/* A key is complete: close what it completes. *ret_is_done: that was the last one, otherwise a key comes next. */
static gboolean
close_keys(Parser *p, gboolean *ret_is_done)
{
        *ret_is_done = FALSE;
        for (;;) {
                Open *open = innermost(p);
                if (open->kind == OPEN_KEYS && --open->n_left == 0) {
                        p->n_open--;
                } else if (open->kind == OPEN_GROUP && p->n_open > 1 && args_close(p->a)) {
                        p->n_open--;
                } else if (open->kind == OPEN_GROUP && p->n_open == 1 && args_end(p->a)) {
                        *ret_is_done = TRUE;
                        return TRUE;
                } else {
                        return args_space(p->a);
                }
        }
}

static gboolean
read_keys(Parser *p)
{
        gboolean is_done = FALSE, is_open;

        if (add_node(p, FIND_ALL_OF, 0) == NULL || !push(p, OPEN_GROUP, 0, 0, FALSE, FALSE))
                return FALSE;
        while (!is_done)
                if (!read_key(p, &is_open) || (!is_open && !close_keys(p, &is_done)))
                        return FALSE;
        return TRUE;
}

FindParse
find_parse(ImapArgs *a, Span charset, Usec now, FindTree *ret)
{
        Parser p = {.a = a, .charset = charset, .now = now, .answer = FIND_BAD};
        Span text;

        if (charset.len > 0 && !mail_charset_decode(a->arena, charset, SPAN_EMPTY, 0, &text))
                return FIND_BAD_CHARSET;
        if (!read_keys(&p))
                return p.answer;
        *ret = (FindTree){.nodes = p.nodes,
                          .n = p.n,
                          .phrases = p.phrases,
                          .n_phrases = p.n_phrases,
                          .has_modseq = p.has_modseq,
                          .has_fuzzy = p.has_fuzzy,
                          .has_numbers = p.has_numbers};
        return FIND_PARSED;
}

/* RFC 6855 §3: with UTF8=ACCEPT a charset is refused. */
FindParse
find_parse_program(ImapArgs *a, Usec now, FindTree *ret)
{
        Span charset = SPAN_EMPTY;

        if (args_word(a, "CHARSET")) {
                if ((a->enabled & IMAP_ENABLED_UTF8) != 0 || !args_space(a) || !args_astring(a, &charset) ||
                    charset.len == 0 || !args_space(a))
                        return FIND_BAD;
        }
        return find_parse(a, charset, now, ret);
}

/* Copies ----------------------------------------------------------------------------------------------------------- */

static void
copy_node(Arena *arena, FindNode *node)
{
        node->name = arena_copy(arena, node->name);
        node->text = arena_copy(arena, node->text);
        Span ranges = arena_copy(arena, span_make(node->set.ranges, node->set.n * sizeof(UidRange)));
        node->set.ranges = (const UidRange *) ranges.data;
}

gboolean
find_tree_copy(Arena *arena, const FindTree *tree, FindTree *ret)
{
        FindNode *nodes = arena_new_array(arena, FindNode, tree->n);

        if (nodes == NULL)
                return FALSE;
        memcpy(nodes, tree->nodes, tree->n * sizeof(FindNode));
        for (guint i = 0; i < tree->n; i++)
                copy_node(arena, &nodes[i]);
        if (arena_is_over(arena))
                return FALSE;
        *ret = *tree;
        ret->nodes = nodes;
        ret->phrases = NULL; /* relevancy is told once */
        ret->n_phrases = 0;
        return TRUE;
}

/* RETURN ----------------------------------------------------------------------------------------------------------- */

/* 1:100 or -1:-100 (RFC 9394 §4); the order of the two says nothing. */
static gboolean
read_partial(ImapArgs *a, FindOptions *o)
{
        const guint8 *mark = scan_mark(&a->scan);
        gboolean is_from_end = scan_octet(&a->scan, '-');
        guint64 first, last;

        if (is_from_end && !args_has(a, "PARTIAL"))
                return FALSE; /* RFC 5267 §4.4 counts from the first only */
        if (!args_number(a, G_MAXUINT32, &first) || first == 0 || !scan_octet(&a->scan, ':') ||
            (is_from_end && !scan_octet(&a->scan, '-')) || !args_number(a, G_MAXUINT32, &last) || last == 0)
                return FALSE;
        o->first = (guint32) MIN(first, last);
        o->last = (guint32) MAX(first, last);
        o->is_from_end = is_from_end;
        o->partial = scan_since(&a->scan, mark);
        return TRUE;
}

static gboolean
read_option(ImapArgs *a, gboolean is_sort, FindOptions *o)
{
        static const struct {
                const char *word;
                FindReturn what;
                const char *capability, *of_sort; /* known only while this one is on (args_has); the same of SORT */
        } words[] = {
                {"MIN", RETURN_MIN, "ESEARCH", "ESORT"},
                {"MAX", RETURN_MAX, "ESEARCH", "ESORT"},
                {"ALL", RETURN_ALL, "ESEARCH", "ESORT"},
                {"COUNT", RETURN_COUNT, "ESEARCH", "ESORT"},
                {"PARTIAL", RETURN_PARTIAL, "PARTIAL CONTEXT=SEARCH", "PARTIAL CONTEXT=SORT"},
                {"SAVE", RETURN_SAVE, "SEARCHRES", "SEARCHRES"},
                {"UPDATE", RETURN_UPDATE, "CONTEXT=SEARCH", "CONTEXT=SORT"},
                {"CONTEXT", RETURN_CONTEXT, "CONTEXT=SEARCH", "CONTEXT=SORT"},
                {"RELEVANCY", RETURN_RELEVANCY, "SEARCH=FUZZY", "SEARCH=FUZZY"},
        };
        Span word;

        if (!args_atom(a, &word))
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
                if (span_is(word, words[i].word)) {
                        gboolean is_again = (o->what & words[i].what) != 0;
                        if (!args_has(a, is_sort ? words[i].of_sort : words[i].capability))
                                return FALSE;
                        o->what |= words[i].what;
                        if (words[i].what != RETURN_PARTIAL)
                                return TRUE;
                        return !is_again && args_space(a) && read_partial(a, o);
                }
        return FALSE;
}

gboolean
find_parse_options(ImapArgs *a, gboolean is_sort, FindOptions *ret)
{
        FindOptions o = {0};

        if (args_has(a, is_sort ? "ESORT" : "ESEARCH") && args_word(a, "RETURN")) {
                o.is_extended = TRUE;
                if (!args_space(a) || !args_open(a))
                        return FALSE;
                while (!args_close(a))
                        if ((o.what != 0 && !args_space(a)) || !read_option(a, is_sort, &o))
                                return FALSE;
                if (!args_space(a))
                        return FALSE;
        }
        if (o.what == 0)
                o.what = RETURN_ALL;
        *ret = o;
        return (o.what & RETURN_PARTIAL) == 0 || (o.what & RETURN_ALL) == 0; /* RFC 9394 §3.1: not both */
}
