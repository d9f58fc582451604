/* search_group.c -- the record of a group: its format, and how it is asked.
 *
 * Numbers are varints unless said otherwise. A document is the body or the header of a slot; its number is the slot,
 * plus 128 for a header.
 *
 *      1               version, one octet
 *      n_slots         1..128: the highest slot + 1
 *      unknown         n_slots bits, first slot in the lowest bit
 *      n_shared        words that several documents have
 *      shared_octets   of them in the words
 *      own_octets      for each document (slot by slot: body, header): octets of the words that only it has
 *      signature_log2  one octet for each document: 0 none, else the signature has 2^n bits, 6 <= n <= 20
 *      words_octets    length of the first frame
 *      lists_octets    length of the second frame
 *      words           a zstd frame: one NUL; the shared words, each followed by a NUL; then the own words of each
 * document likewise lists           a zstd frame: one octet for each shared word, n: its list is the n numbers of
 * documents, an octet each; 0: its list is a set of 256 bits; then the lists signatures      in the order of documents
 *      checksum        8 octets, little-endian: XXH3 of everything before
 *
 *  1. A word has 1..32 octets and is either in the words, or each of its triples is in the signature of every document
 * that has it. A document that lacks a word in the words has a signature, even if it is empty.
 *  2. A list names a document once and has at least one.
 *  3. A signature of 2^n bits has for a triple the bit (h mod 2^n), h being of 20 bits; so one is halved by laying its
 * halves over each other.
 */
#include "store/search_group.h"
#include "store/search_record.h"

#include "base/scan.h"

#include <xxhash.h>
#include <zstd.h>

typedef struct DocSet {
        guint64 bits[GROUP_DOCS_MAX / 64];
} DocSet;

/* A run of word octets in the needle; where the needle shows a separator beside it, a word must begin or end there. */
typedef struct Run {
        Span pattern; /* with a NUL at each end that is fixed */
        Span word;    /* without them                          */
} Run;

struct GroupMatcher {
        guint8 *needle; /* NUL, word, NUL, word, ... NUL */
        GArray *runs;   /* of Run, pointing into needle   */
        gboolean is_one_word;
        ZSTD_DCtx *unpacker;
        guint8 *words, *lists;
        gsize words_room, lists_room;
};

/* What the head of a record says. */
typedef struct Record {
        guint n_slots;
        guint8 unknown[GROUP_SLOTS_MAX / 8];
        gsize n_shared, shared_octets;
        gsize own_octets[GROUP_DOCS_MAX];
        guint8 signature_log2[GROUP_DOCS_MAX];
        Span words, lists; /* packed */
        Span signatures;
        gsize own_total;
} Record;

/* A table of octets: it is asked for every octet of every text. */
const guint8 WORD_OCTETS[256] = {['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, [0x80 ... 0xff] = 1};

/* The needle ------------------------------------------------------------------------------------------------------- */

/* Each word goes between two NULs of its own; which of them belong to the pattern is for the needle to say. */
static void
matcher_add_run(GroupMatcher *m, guint8 *out, Span word, gboolean is_start_fixed, gboolean is_end_fixed)
{
        out[0] = 0;
        memcpy(out + 1, word.data, word.len);
        out[word.len + 1] = 0;

        Run run = {.word = span_make(out + 1, word.len)};
        run.pattern =
                span_make(is_start_fixed ? out : out + 1, word.len + (is_start_fixed ? 1 : 0) + (is_end_fixed ? 1 : 0));
        g_array_append_val(m->runs, run);
}

/* Long words first: they are seldom, and where one is not nothing else is looked for. */
static gint
compare_runs(gconstpointer a, gconstpointer b)
{
        gsize x = ((const Run *) a)->word.len, y = ((const Run *) b)->word.len;

        return (x < y) - (x > y);
}

GroupMatcher *
group_matcher_new(Span needle)
{
        GroupMatcher *m = g_new0(GroupMatcher, 1);
        gsize at = 0, used = 0;

        g_assert(needle.len > 0 && needle.len <= 65536);
        m->needle = g_malloc(3 * needle.len);
        m->runs = g_array_new(FALSE, FALSE, sizeof(Run));
        m->unpacker = ZSTD_createDCtx();
        if (m->unpacker == NULL)
                g_error("search: out of memory");
        while (at < needle.len) {
                gsize from = at;
                while (at < needle.len && octet_is_word(needle.data[at]))
                        at++;
                if (at > from) {
                        matcher_add_run(m, m->needle + used, span_slice(needle, from, at), from > 0, at < needle.len);
                        used += at - from + 2;
                }
                at++;
        }
        g_array_sort(m->runs, compare_runs);
        m->is_one_word = m->runs->len == 1 && g_array_index(m->runs, Run, 0).word.len == needle.len;
        return m;
}

void
group_matcher_free(GroupMatcher *m)
{
        if (m == NULL)
                return;
        ZSTD_freeDCtx(m->unpacker);
        g_array_unref(m->runs);
        g_free(m->needle);
        g_free(m->words);
        g_free(m->lists);
        g_free(m);
}

/* Reading a record --------------------------------------------------------------------------------------------------
 */

static gboolean
take_size(Scan *s, gsize max, gsize *ret)
{
        guint64 number;

        if (!scan_varint(s, max, &number))
                return FALSE;
        *ret = (gsize) number;
        return TRUE;
}

static gboolean
take_documents(Scan *s, Record *ret)
{
        gsize signature_octets = 0;

        for (guint i = 0; i < 2 * ret->n_slots; i++) {
                gsize *own = &ret->own_octets[doc_number(i)];
                if (!take_size(s, GROUP_WORDS_MAX, own))
                        return FALSE;
                ret->own_total += *own;
        }
        for (guint i = 0; i < 2 * ret->n_slots; i++) {
                guint8 *log2 = &ret->signature_log2[doc_number(i)];
                if (!scan_u8(s, log2) || (*log2 != 0 && (*log2 < SIGNATURE_LOG2_MIN || *log2 > SIGNATURE_LOG2_MAX)))
                        return FALSE;
                signature_octets += *log2 != 0 ? (gsize) 1 << (*log2 - 3) : 0;
        }
        ret->signatures.len = signature_octets;
        return ret->own_total <= GROUP_WORDS_MAX;
}

static gboolean
record_open(Span octets, Record *ret)
{
        Scan s = scan_from(octets);
        Span content, unknown;
        guint64 checksum, n_slots;
        guint8 version;
        gsize words = 0, lists = 0;

        if (octets.len < 8 || !scan_take(&s, octets.len - 8, &content) || !scan_u64(&s, &checksum) ||
            checksum != XXH3_64bits(content.data, content.len))
                return FALSE;
        s = scan_from(content);
        memset(ret, 0, sizeof(*ret));
        if (!scan_u8(&s, &version) || version != GROUP_VERSION || !scan_varint(&s, GROUP_SLOTS_MAX, &n_slots) ||
            n_slots == 0 || !scan_take(&s, (n_slots + 7) / 8, &unknown))
                return FALSE;
        ret->n_slots = (guint) n_slots;
        memcpy(ret->unknown, unknown.data, unknown.len);
        return take_size(&s, GROUP_WORDS_MAX, &ret->n_shared) && take_size(&s, GROUP_WORDS_MAX, &ret->shared_octets) &&
               take_documents(&s, ret) && take_size(&s, octets.len, &words) && take_size(&s, octets.len, &lists) &&
               scan_take(&s, words, &ret->words) && scan_take(&s, lists, &ret->lists) &&
               scan_take(&s, ret->signatures.len, &ret->signatures) && scan_at_end(&s);
}

/* A frame that must unpack to exactly `size` octets; without a size, to what the frame itself says. */
static gboolean
frame_unpack(GroupMatcher *m, Span frame, gsize size, guint8 **room, gsize *room_octets)
{
        if (size > *room_octets) {
                g_free(*room);
                *room = g_malloc(size);
                *room_octets = size;
        }
        return ZSTD_decompressDCtx(m->unpacker, *room, size, frame.data, frame.len) == size;
}

static gboolean
words_unpack(GroupMatcher *m, const Record *record, Span *ret)
{
        gsize size = 1 + record->shared_octets + record->own_total;

        if (size > GROUP_WORDS_MAX || !frame_unpack(m, record->words, size, &m->words, &m->words_room))
                return FALSE;
        *ret = span_make(m->words, size);
        return m->words[0] == 0 && m->words[size - 1] == 0;
}

static gboolean
lists_unpack(GroupMatcher *m, const Record *record, Span *ret)
{
        unsigned long long size = ZSTD_getFrameContentSize(record->lists.data, record->lists.len);

        if (size > GROUP_LISTS_MAX || !frame_unpack(m, record->lists, (gsize) size, &m->lists, &m->lists_room))
                return FALSE;
        *ret = span_make(m->lists, (gsize) size);
        return size >= record->n_shared;
}

/* Looking in the words ----------------------------------------------------------------------------------------------
 */

static void
doc_set_add(DocSet *set, guint doc)
{
        set->bits[doc / 64] |= (guint64) 1 << (doc % 64);
}

/* How many NULs there are; in blocks whose loop the compiler turns into vectors. */
static gsize
count_nuls(const guint8 *at, const guint8 *end)
{
        gsize n = 0;

        for (; end - at >= 128; at += 128) {
                guint8 block = 0;
                for (int i = 0; i < 128; i++)
                        block = (guint8) (block + (at[i] == 0));
                n += block;
        }
        for (; at < end; at++)
                n += *at == 0;
        return n;
}

/* Walks through the lists in step with the words. */
typedef struct Lists {
        Span all;
        gsize n;     /* lists there are                       */
        gsize at;    /* number of the list that comes next    */
        gsize place; /* its first octet                       */
} Lists;

static gsize
list_octets(guint8 n)
{
        return n != 0 ? n : GROUP_DOCS_MAX / 8;
}

/* Add the documents of list `number`, which is not before the last one asked for. */
static gboolean
lists_add(Lists *lists, gsize number, DocSet *docs)
{
        if (number >= lists->n)
                return FALSE;
        for (; lists->at < number; lists->at++)
                lists->place += list_octets(lists->all.data[lists->at]);

        guint8 n = lists->all.data[number];
        Span list = span_slice(lists->all, lists->place, lists->place + list_octets(n));
        if (list.len != list_octets(n))
                return FALSE;
        for (guint i = 0; n != 0 && i < n; i++)
                doc_set_add(docs, list.data[i]);
        for (guint i = 0; n == 0 && i < GROUP_DOCS_MAX; i++)
                if ((list.data[i / 8] >> (i % 8)) & 1)
                        doc_set_add(docs, i);
        return TRUE;
}

/* Sixteen places at once are compared by two octets of the pattern: its words are short and the octets around them
 * many, so that this is twice as fast as memmem(). */
typedef gint8 Sixteen __attribute__((vector_size(16)));

static inline guint64
any_of(Sixteen set)
{
        guint64 halves[2];

        memcpy(halves, &set, sizeof(halves));
        return halves[0] | halves[1];
}

/* The next place of the pattern. Its first octet may be the NUL before a word. */
static const guint8 *
find(const guint8 *at, const guint8 *end, Span pattern)
{
        gsize first = pattern.data[0] == 0 && pattern.len > 1 ? 1 : 0;
        gsize last = pattern.len - (pattern.data[pattern.len - 1] == 0 && pattern.len > first + 1 ? 2 : 1);
        Sixteen a = (Sixteen){0} + (gint8) pattern.data[first], b = (Sixteen){0} + (gint8) pattern.data[last];

        for (; at < end && (gsize) (end - at) >= pattern.len + sizeof(Sixteen); at += sizeof(Sixteen)) {
                Sixteen x, y;
                memcpy(&x, at + first, sizeof(x));
                memcpy(&y, at + last, sizeof(y));
                if (any_of((x == a) & (y == b)) == 0)
                        continue;
                const guint8 *hit = memmem(at, sizeof(Sixteen) - 1 + pattern.len, pattern.data, pattern.len);
                if (hit != NULL)
                        return hit;
        }
        return at < end ? memmem(at, (gsize) (end - at), pattern.data, pattern.len) : NULL;
}

/* Go on behind the word of this hit: at the NUL that ends it, where a pattern with a fixed start may begin. */
static const guint8 *
word_end(const guint8 *hit, const guint8 *end, Span pattern)
{
        const guint8 *in_word = hit + (pattern.data[0] == 0 ? 1 : 0);
        const guint8 *found = memchr(in_word, 0, (gsize) (end - in_word));

        return found != NULL ? found : end;
}

/* From the first list on; they are unpacked once. */
static gboolean
lists_begin(GroupMatcher *m, const Record *record, Lists *lists)
{
        lists->n = lists->place = record->n_shared;
        lists->at = 0;
        return lists->all.data != NULL || lists_unpack(m, record, &lists->all);
}

static gboolean
find_shared(GroupMatcher *m, const Record *record, Span words, Span pattern, Lists *lists, DocSet *docs)
{
        const guint8 *start = words.data, *end = start + 1 + record->shared_octets, *counted = start + 1;
        const guint8 *hit = find(start, end, pattern);
        gsize number = 0;

        if (hit == NULL)
                return TRUE;
        if (!lists_begin(m, record, lists))
                return FALSE;
        for (; hit != NULL; hit = find(word_end(hit, end, pattern), end, pattern)) {
                const guint8 *in_word = hit + (pattern.data[0] == 0 ? 1 : 0);
                number += count_nuls(counted, in_word);
                counted = in_word;
                if (!lists_add(lists, number, docs))
                        return FALSE;
        }
        return TRUE;
}

/* Own words lie document by document, each section begun by the NUL before it. */
static void
find_own(const Record *record, Span words, Span pattern, DocSet *docs)
{
        const guint8 *section = words.data + record->shared_octets, *end = words.data + words.len;
        const guint8 *hit = find(section, end, pattern);

        for (guint i = 0; i < 2 * record->n_slots && hit != NULL; i++) {
                const guint8 *section_end = section + record->own_octets[doc_number(i)];
                /* What begins at the section's last NUL is the next one's first word. */
                if (hit < section_end) {
                        doc_set_add(docs, doc_number(i));
                        hit = find(section_end, end, pattern);
                }
                section = section_end;
        }
}

/* Signatures --------------------------------------------------------------------------------------------------------
 */

static gboolean
signature_has(const guint8 *bits, guint log2, Span word)
{
        guint32 mask = ((guint32) 1 << log2) - 1;

        for (gsize i = 0; i + 2 < word.len; i++) {
                guint32 bit = triple_hash(word.data[i], word.data[i + 1], word.data[i + 2]) & mask;
                if (!((bits[bit / 8] >> (bit % 8)) & 1))
                        return FALSE;
        }
        return TRUE;
}

static void
find_signatures(const Record *record, Span word, DocSet *docs)
{
        const guint8 *bits = record->signatures.data;

        for (guint i = 0; i < 2 * record->n_slots; i++) {
                guint log2 = record->signature_log2[doc_number(i)];
                if (log2 == 0)
                        continue;
                if (signature_has(bits, log2, word))
                        doc_set_add(docs, doc_number(i));
                bits += (gsize) 1 << (log2 - 3);
        }
}

/* The answer --------------------------------------------------------------------------------------------------------
 */

static void
doc_set_intersect(DocSet *set, const DocSet *other)
{
        for (guint i = 0; i < G_N_ELEMENTS(set->bits); i++)
                set->bits[i] &= other->bits[i];
}

static gboolean
doc_set_is_empty(const DocSet *set)
{
        for (guint i = 0; i < G_N_ELEMENTS(set->bits); i++)
                if (set->bits[i] != 0)
                        return FALSE;
        return TRUE;
}

/* Slots of the bodies or of the headers. */
static SlotSet
slots_of(const DocSet *docs, GroupText text)
{
        SlotSet set;

        for (guint i = 0; i < G_N_ELEMENTS(set.bits); i++)
                set.bits[i] = docs->bits[i + (text == GROUP_HEADER ? GROUP_SLOTS_MAX / 64 : 0)];
        return set;
}

static GroupAnswer
answer_of(const Record *record, const DocSet *certain, const DocSet *possible, GroupText text)
{
        GroupAnswer answer = {slots_of(certain, text), slots_of(possible, text)};

        for (guint slot = 0; slot < GROUP_SLOTS_MAX; slot++)
                if (slot >= record->n_slots || ((record->unknown[slot / 8] >> (slot % 8)) & 1))
                        answer.maybe.bits[slot / 64] |= (guint64) 1 << (slot % 64);
        for (guint i = 0; i < G_N_ELEMENTS(answer.yes.bits); i++)
                answer.maybe.bits[i] &= ~answer.yes.bits[i];
        return answer;
}

gboolean
group_match(GroupMatcher *m, Span octets, GroupAnswer *ret_body, GroupAnswer *ret_header)
{
        Record record;
        DocSet certain = {{0}}, possible;
        Lists lists = {.n = 0};
        Span words;

        if (!record_open(octets, &record) || !words_unpack(m, &record, &words))
                return FALSE;
        memset(&possible, 0xff, sizeof(possible));
        for (guint i = 0; i < m->runs->len && !doc_set_is_empty(&possible); i++) {
                const Run *run = &g_array_index(m->runs, Run, i);
                DocSet found = {{0}};
                if (!find_shared(m, &record, words, run->pattern, &lists, &found))
                        return FALSE;
                find_own(&record, words, run->pattern, &found);
                if (m->is_one_word)
                        certain = found;
                find_signatures(&record, run->word, &found);
                doc_set_intersect(&possible, &found);
        }
        if (ret_body != NULL)
                *ret_body = answer_of(&record, &certain, &possible, GROUP_BODY);
        if (ret_header != NULL)
                *ret_header = answer_of(&record, &certain, &possible, GROUP_HEADER);
        return TRUE;
}
