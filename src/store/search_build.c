/* search_build.c -- making the record of a group.
 *
 *      octets -> words -> table of the group's words, with pairs (word, document)
 *                      \-> words that are not kept: triples for the document's signature
 *
 * Only when all documents are there is it known which words several of them have. A document most of whose octets
 * are words of its own gives them to its signature then.
 */
#include "store/search_group.h"
#include "store/search_record.h"

#include <xxhash.h>
#include <zstd.h>

#define TABLE_LOG2_MIN 12
#define PAIRS_MAX (1u << 20)
#define TRIPLES_MAX (32u << 10) /* gathered one by one; then in a bitmap           */
#define BITMAP_OCTETS ((gsize) 1 << (SIGNATURE_LOG2_MAX - 3))
#define OWN_OCTETS_MIN 512 /* fewer words of one's own are always kept        */
#define OWN_PART 4         /* at most 1/4 of a text is kept as words of its own */
#define LIST_MAX 31        /* longer ones are sets                             */
#define ZSTD_LEVEL 1

typedef struct Word {
        guint32 at; /* in the pool: the word and a NUL */
        guint32 n_docs;
        guint32 number; /* among the shared ones */
        guint16 first_doc, last_doc;
        guint8 len;
} Word;

typedef struct Place { /* of the table: open, 0 in both is empty */
        guint32 hash;
        guint32 word; /* number + 1 */
} Place;

/* Numbers that are gathered; g_array_append_val() is a call and a copy. */
typedef struct Numbers {
        guint32 *at;
        gsize n, room;
} Numbers;

typedef struct Doc {
        gboolean is_there;
        gboolean keeps_own; /* words of its own stand in the words */
        guint64 octets;     /* of its text                         */
        gsize own_octets;   /* of the words of its own, NULs and all */
        guint8 *signature;
        guint signature_log2;
} Doc;

struct GroupBuilder {
        Doc docs[GROUP_DOCS_MAX];
        guint doc; /* the one that text comes for */
        gboolean is_in_doc;
        guint n_slots;
        guint8 unknown[GROUP_SLOTS_MAX / 8];

        guint8 word[WORD_OCTETS_MAX]; /* that the last piece ended in */
        gsize n_word;
        gboolean is_long; /* it is longer: its last two octets are in `last` */
        guint8 last[2];

        guint8 *pool;
        gsize pool_octets, pool_room;
        Word *words; /* in order of their first document */
        guint32 n_words, words_room;
        Place *table;
        guint table_log2;
        guint64 seed;     /* of the table: nobody shall choose words that meet in one place */
        Numbers pairs;    /* word << 8 | document, document by document */
        gsize doc_octets; /* in words that this document brought    */

        gboolean has_left_out; /* of this document: some words are not kept */
        Numbers triples;
        gboolean has_bitmap;
        guint8 *bitmap;

        ZSTD_CCtx *packer;
        GByteArray *record;
};

static inline void
numbers_add(Numbers *numbers, guint32 number)
{
        if (numbers->n == numbers->room) {
                numbers->room = MAX(4096, 2 * numbers->room);
                numbers->at = g_renew(guint32, numbers->at, numbers->room);
        }
        numbers->at[numbers->n++] = number;
}

GroupBuilder *
group_builder_new(void)
{
        GroupBuilder *b = g_new0(GroupBuilder, 1);

        b->table_log2 = TABLE_LOG2_MIN;
        b->table = g_new0(Place, (gsize) 1 << b->table_log2);
        b->seed = (guint64) g_random_int() << 32 | g_random_int();
        b->bitmap = g_malloc0(BITMAP_OCTETS);
        b->record = g_byte_array_new();
        b->packer = ZSTD_createCCtx();
        if (b->packer == NULL)
                g_error("search: out of memory");
        return b;
}

void
group_builder_free(GroupBuilder *b)
{
        if (b == NULL)
                return;
        for (guint i = 0; i < GROUP_DOCS_MAX; i++)
                g_free(b->docs[i].signature);
        ZSTD_freeCCtx(b->packer);
        g_byte_array_unref(b->record);
        g_free(b->pool);
        g_free(b->words);
        g_free(b->pairs.at);
        g_free(b->triples.at);
        g_free(b->table);
        g_free(b->bitmap);
        g_free(b);
}

/* Signatures --------------------------------------------------------------------------------------------------------
 */

static gboolean
bit_set(guint8 *bits, guint32 bit)
{
        guint8 mask = (guint8) (1u << (bit % 8));
        gboolean is_new = (bits[bit / 8] & mask) == 0;

        bits[bit / 8] |= mask;
        return is_new;
}

static gsize
bits_count(const guint8 *bits, gsize octets)
{
        gsize n = 0;

        g_assert(octets % sizeof(guint64) == 0);
        for (gsize i = 0; i < octets; i += sizeof(guint64)) {
                guint64 word;
                memcpy(&word, bits + i, sizeof(word));
                n += (gsize) __builtin_popcountll(word);
        }
        return n;
}

static void
triple_add(GroupBuilder *b, guint8 x, guint8 y, guint8 z)
{
        guint32 hash = triple_hash(x, y, z);

        if (b->has_bitmap) {
                bit_set(b->bitmap, hash);
                return;
        }
        numbers_add(&b->triples, hash);
        if (b->triples.n < TRIPLES_MAX)
                return;
        for (gsize i = 0; i < b->triples.n; i++)
                bit_set(b->bitmap, b->triples.at[i]);
        b->has_bitmap = TRUE;
}

static void
triples_add(GroupBuilder *b, Span word)
{
        for (gsize i = 0; i + 2 < word.len; i++)
                triple_add(b, word.data[i], word.data[i + 1], word.data[i + 2]);
}

static void
signature_halve(Doc *doc)
{
        gsize half = (gsize) 1 << (doc->signature_log2 - 4);

        for (gsize i = 0; i < half; i++)
                doc->signature[i] |= doc->signature[half + i];
        doc->signature_log2--;
}

/* Room for so many triples: three bits each. */
static void
signature_make(Doc *doc, gsize triples)
{
        doc->signature_log2 = SIGNATURE_LOG2_MIN;
        while (doc->signature_log2 < SIGNATURE_LOG2_MAX && (gsize) 1 << doc->signature_log2 < 3 * triples)
                doc->signature_log2++;
        doc->signature = g_malloc0((gsize) 1 << (doc->signature_log2 - 3));
}

static void
signature_add(Doc *doc, guint32 hash)
{
        bit_set(doc->signature, hash & (((guint32) 1 << doc->signature_log2) - 1));
}

static void
signature_add_word(Doc *doc, Span word)
{
        for (gsize i = 0; i + 2 < word.len; i++)
                signature_add(doc, triple_hash(word.data[i], word.data[i + 1], word.data[i + 2]));
}

/* As small as leaves at most two bits of five set. */
static void
signature_shrink(Doc *doc)
{
        while (doc->signature_log2 > SIGNATURE_LOG2_MIN) {
                gsize octets = (gsize) 1 << (doc->signature_log2 - 3);
                if (bits_count(doc->signature, octets) * 10 > octets * 8 / 2 * 4)
                        return;
                signature_halve(doc);
        }
}

/* What was gathered becomes the signature of the document, with room for the words of its own. */
static void
signature_gather(GroupBuilder *b, Doc *doc)
{
        gsize gathered = b->has_bitmap ? bits_count(b->bitmap, BITMAP_OCTETS) : b->triples.n;

        signature_make(doc, gathered + b->doc_octets);
        for (gsize i = 0; !b->has_bitmap && i < b->triples.n; i++)
                signature_add(doc, b->triples.at[i]);
        for (guint32 i = 0; b->has_bitmap && i < (guint32) 1 << SIGNATURE_LOG2_MAX; i++)
                if ((b->bitmap[i / 8] >> (i % 8)) & 1)
                        signature_add(doc, i);
}

/* Words -------------------------------------------------------------------------------------------------------------
 */

static void
table_grow(GroupBuilder *b)
{
        g_autofree Place *old = b->table;
        gsize n_old = (gsize) 1 << b->table_log2++;
        guint32 mask = ((guint32) 1 << b->table_log2) - 1;

        b->table = g_new0(Place, (gsize) 1 << b->table_log2);
        for (gsize i = 0; i < n_old; i++) {
                guint32 at = old[i].hash & mask;
                if (old[i].word == 0)
                        continue;
                while (b->table[at].word != 0)
                        at = (at + 1) & mask;
                b->table[at] = old[i];
        }
}

/* The word's place in the table, or the empty one where it would go. */
static Place *
table_find(GroupBuilder *b, Span word, guint32 hash)
{
        guint32 mask = ((guint32) 1 << b->table_log2) - 1, at = hash & mask;

        for (; b->table[at].word != 0; at = (at + 1) & mask) {
                if (b->table[at].hash != hash)
                        continue;
                const Word *w = &b->words[b->table[at].word - 1];
                if (w->len == word.len && memcmp(b->pool + w->at, word.data, word.len) == 0)
                        break;
        }
        return &b->table[at];
}

static void
word_leave_out(GroupBuilder *b, Span word)
{
        b->has_left_out = TRUE;
        triples_add(b, word);
}

static void
pool_add(GroupBuilder *b, Span word)
{
        if (b->pool_room - b->pool_octets < word.len + 1) {
                b->pool_room = MAX(64u << 10, 2 * b->pool_room);
                b->pool = g_realloc(b->pool, b->pool_room);
        }
        memcpy(b->pool + b->pool_octets, word.data, word.len);
        b->pool_octets += word.len;
        b->pool[b->pool_octets++] = 0;
}

/* Its number. */
static guint32
word_new(GroupBuilder *b, Span word)
{
        if (b->n_words == b->words_room) {
                b->words_room = MAX(4096, 2 * b->words_room);
                b->words = g_renew(Word, b->words, b->words_room);
        }
        b->words[b->n_words] = (Word){
                .at = (guint32) b->pool_octets,
                .first_doc = (guint16) b->doc,
                .last_doc = G_MAXUINT16,
                .len = (guint8) word.len,
        };
        pool_add(b, word);
        b->doc_octets += word.len + 1;
        return b->n_words++;
}

static void
word_add(GroupBuilder *b, Span word)
{
        guint32 hash = (guint32) XXH3_64bits_withSeed(word.data, word.len, b->seed);
        Place *place = table_find(b, word, hash);

        if (place->word != 0 && b->words[place->word - 1].last_doc == b->doc)
                return;
        /* One octet is the NUL at the start of the words. */
        gboolean has_room = place->word != 0 || b->pool_octets + word.len + 2 <= GROUP_WORDS_MAX;
        if (!has_room || b->pairs.n == PAIRS_MAX) {
                word_leave_out(b, word);
                return;
        }
        if (place->word == 0)
                *place = (Place){hash, word_new(b, word) + 1};
        guint32 number = place->word - 1;
        Word *w = &b->words[number];
        w->last_doc = (guint16) b->doc;
        w->n_docs++;
        numbers_add(&b->pairs, number << 8 | b->doc);
        if (b->n_words > ((gsize) 1 << b->table_log2) / 2)
                table_grow(b);
}

/* Text --------------------------------------------------------------------------------------------------------------
 */

/* Octets that go on with the word at hand. */
static void
word_continue(GroupBuilder *b, Span more)
{
        gsize i = 0;

        if (!b->is_long) {
                if (b->n_word + more.len <= WORD_OCTETS_MAX) {
                        memcpy(b->word + b->n_word, more.data, more.len);
                        b->n_word += more.len;
                        return;
                }
                i = WORD_OCTETS_MAX - b->n_word;
                memcpy(b->word + b->n_word, more.data, i);
                word_leave_out(b, span_make(b->word, WORD_OCTETS_MAX));
                memcpy(b->last, b->word + WORD_OCTETS_MAX - 2, 2);
                b->n_word = WORD_OCTETS_MAX;
                b->is_long = TRUE;
        }
        for (; i < more.len; i++) {
                triple_add(b, b->last[0], b->last[1], more.data[i]);
                b->last[0] = b->last[1];
                b->last[1] = more.data[i];
        }
}

void
group_builder_break(GroupBuilder *b)
{
        if (b->n_word > 0 && !b->is_long)
                word_add(b, span_make(b->word, b->n_word));
        b->n_word = 0;
        b->is_long = FALSE;
}

static void
doc_end(GroupBuilder *b)
{
        Doc *doc = &b->docs[b->doc];

        if (!b->is_in_doc)
                return;
        group_builder_break(b);
        if (b->has_left_out)
                signature_gather(b, doc);
        if (b->has_bitmap)
                memset(b->bitmap, 0, BITMAP_OCTETS);
        b->triples.n = 0;
        b->has_bitmap = b->has_left_out = b->is_in_doc = FALSE;
        b->doc_octets = 0;
}

void
group_builder_begin(GroupBuilder *b, guint slot, GroupText text)
{
        g_assert(slot < GROUP_SLOTS_MAX);
        doc_end(b);
        b->doc = slot + (text == GROUP_HEADER ? GROUP_SLOTS_MAX : 0);
        g_assert(!b->docs[b->doc].is_there);
        b->docs[b->doc].is_there = TRUE;
        b->is_in_doc = TRUE;
        b->n_slots = MAX(b->n_slots, slot + 1);
}

void
group_builder_add(GroupBuilder *b, Span folded)
{
        const guint8 *at = folded.data, *end = at + folded.len;

        g_assert(b->is_in_doc);
        b->docs[b->doc].octets += folded.len;
        while (at < end) {
                const guint8 *from = at;
                while (at < end && octet_is_word(*at))
                        at++;
                Span run = span_make(from, (gsize) (at - from));
                if (b->n_word == 0 && run.len > 0 && run.len <= WORD_OCTETS_MAX && at < end)
                        word_add(b, run); /* whole, as most are */
                else {
                        if (run.len > 0)
                                word_continue(b, run);
                        if (at < end)
                                group_builder_break(b);
                }
                while (at < end && !octet_is_word(*at))
                        at++;
        }
}

void
group_builder_unknown(GroupBuilder *b, guint slot)
{
        g_assert(slot < GROUP_SLOTS_MAX);
        b->unknown[slot / 8] |= (guint8) (1u << (slot % 8));
        b->n_slots = MAX(b->n_slots, slot + 1);
}

/* The record --------------------------------------------------------------------------------------------------------
 */

static void
put_varint(GByteArray *out, guint64 number)
{
        guint8 octets[10];
        guint n = 0;

        for (; number >= 0x80; number >>= 7)
                octets[n++] = (guint8) (number | 0x80);
        octets[n++] = (guint8) number;
        g_byte_array_append(out, octets, n);
}

static Span
word_text(const GroupBuilder *b, const Word *w)
{
        return span_make(b->pool + w->at, w->len);
}

/* Which documents keep the words of their own; the others' go to signatures. */
static void
own_settle(GroupBuilder *b)
{
        for (guint i = 0; i < b->n_words; i++) {
                const Word *w = &b->words[i];
                if (w->n_docs == 1)
                        b->docs[w->first_doc].own_octets += word_text(b, w).len + 1;
        }
        for (guint i = 0; i < GROUP_DOCS_MAX; i++) {
                Doc *doc = &b->docs[i];
                doc->keeps_own = doc->own_octets <= OWN_OCTETS_MIN || doc->own_octets <= doc->octets / OWN_PART;
                if (!doc->keeps_own && doc->signature == NULL)
                        signature_make(doc, doc->own_octets);
        }
        for (guint i = 0; i < b->n_words; i++) {
                const Word *w = &b->words[i];
                if (w->n_docs == 1 && !b->docs[w->first_doc].keeps_own)
                        signature_add_word(&b->docs[w->first_doc], word_text(b, w));
        }
        for (guint i = 0; i < GROUP_DOCS_MAX; i++) {
                Doc *doc = &b->docs[i];
                if (!doc->keeps_own)
                        doc->own_octets = 0;
                if (doc->signature != NULL)
                        signature_shrink(doc);
        }
}

/* Words of two and more documents, then those of one, which come document by document as they were met. */
static GByteArray *
words_gather(GroupBuilder *b, guint *ret_n_shared, gsize *ret_shared_octets)
{
        GByteArray *out = g_byte_array_sized_new((guint) b->pool_octets + 1);
        const guint8 nul = 0;
        guint n_shared = 0;

        g_byte_array_append(out, &nul, 1);
        for (guint i = 0; i < b->n_words; i++) {
                Word *w = &b->words[i];
                if (w->n_docs < 2)
                        continue;
                w->number = n_shared++;
                g_byte_array_append(out, b->pool + w->at, (guint) word_text(b, w).len + 1);
        }
        *ret_n_shared = n_shared;
        *ret_shared_octets = out->len - 1;
        return out;
}

/* Documents come in any order, the sections of the record in theirs: each starts where those before it end. */
static void
own_gather(GroupBuilder *b, GByteArray *out)
{
        gsize place[GROUP_DOCS_MAX], at = out->len;

        for (guint i = 0; i < GROUP_DOCS_MAX; i++) {
                place[doc_number(i)] = at;
                at += b->docs[doc_number(i)].own_octets;
        }
        g_byte_array_set_size(out, (guint) at);
        for (guint i = 0; i < b->n_words; i++) {
                const Word *w = &b->words[i];
                if (w->n_docs != 1 || !b->docs[w->first_doc].keeps_own)
                        continue;
                gsize octets = word_text(b, w).len + 1;
                memcpy(out->data + place[w->first_doc], b->pool + w->at, octets);
                place[w->first_doc] += octets;
        }
}

static GByteArray *
lists_gather(GroupBuilder *b, guint n_shared)
{
        g_autofree guint32 *place = g_new(guint32, MAX(n_shared, 1));
        GByteArray *out = g_byte_array_new();
        guint32 at = n_shared;

        for (guint i = 0; i < b->n_words; i++) {
                const Word *w = &b->words[i];
                if (w->n_docs < 2)
                        continue;
                guint8 n = w->n_docs <= LIST_MAX ? (guint8) w->n_docs : 0;
                g_byte_array_append(out, &n, 1);
                place[w->number] = at;
                at += n != 0 ? n : GROUP_DOCS_MAX / 8;
        }
        g_byte_array_set_size(out, at);
        for (guint32 i = n_shared; i < at; i++)
                out->data[i] = 0;
        for (gsize i = 0; i < b->pairs.n; i++) {
                const Word *w = &b->words[b->pairs.at[i] >> 8];
                guint8 doc = (guint8) b->pairs.at[i];
                if (w->n_docs >= 2 && w->n_docs <= LIST_MAX)
                        out->data[place[w->number]++] = doc;
                else if (w->n_docs >= 2)
                        bit_set(out->data + place[w->number], doc);
        }
        return out;
}

static void
put_head(GroupBuilder *b, guint n_shared, gsize shared_octets)
{
        const guint8 version = GROUP_VERSION;

        g_byte_array_append(b->record, &version, 1);
        put_varint(b->record, b->n_slots);
        g_byte_array_append(b->record, b->unknown, (b->n_slots + 7) / 8);
        put_varint(b->record, n_shared);
        put_varint(b->record, shared_octets);
        for (guint i = 0; i < 2 * b->n_slots; i++)
                put_varint(b->record, b->docs[doc_number(i)].own_octets);
        for (guint i = 0; i < 2 * b->n_slots; i++) {
                guint8 log2 = (guint8) b->docs[doc_number(i)].signature_log2;
                g_byte_array_append(b->record, &log2, 1);
        }
}

static gsize
pack(GroupBuilder *b, const GByteArray *octets, guint8 *out, gsize room)
{
        gsize n = ZSTD_compressCCtx(b->packer, out, room, octets->data, octets->len, ZSTD_LEVEL);

        if (ZSTD_isError(n))
                g_error("search: %s", ZSTD_getErrorName(n)); /* only memory can be missing */
        return n;
}

static void
put_frames(GroupBuilder *b, const GByteArray *words, const GByteArray *lists)
{
        gsize words_room = ZSTD_compressBound(words->len), lists_room = ZSTD_compressBound(lists->len);
        g_autofree guint8 *packed = g_malloc(words_room + lists_room);
        gsize words_octets = pack(b, words, packed, words_room);
        gsize lists_octets = pack(b, lists, packed + words_octets, lists_room);

        put_varint(b->record, words_octets);
        put_varint(b->record, lists_octets);
        g_byte_array_append(b->record, packed, (guint) (words_octets + lists_octets));
}

static void
put_signatures(GroupBuilder *b)
{
        for (guint i = 0; i < 2 * b->n_slots; i++) {
                const Doc *doc = &b->docs[doc_number(i)];
                if (doc->signature != NULL)
                        g_byte_array_append(b->record, doc->signature, 1u << (doc->signature_log2 - 3));
        }
}

static void
put_checksum(GroupBuilder *b)
{
        guint64 checksum = GUINT64_TO_LE(XXH3_64bits(b->record->data, b->record->len));

        g_byte_array_append(b->record, (const guint8 *) &checksum, sizeof(checksum));
}

static void
builder_reset(GroupBuilder *b)
{
        for (guint i = 0; i < GROUP_DOCS_MAX; i++)
                g_free(b->docs[i].signature);
        memset(b->docs, 0, sizeof(b->docs));
        memset(b->unknown, 0, sizeof(b->unknown));
        b->n_slots = 0;
        b->pool_octets = 0;
        b->n_words = 0;
        b->pairs.n = 0;
        memset(b->table, 0, sizeof(Place) << b->table_log2);
}

Span
group_builder_end(GroupBuilder *b)
{
        guint n_shared;
        gsize shared_octets;

        g_assert(b->n_slots > 0);
        doc_end(b);
        own_settle(b);
        g_autoptr(GByteArray) words = words_gather(b, &n_shared, &shared_octets);
        own_gather(b, words);
        g_autoptr(GByteArray) lists = lists_gather(b, n_shared);

        g_byte_array_set_size(b->record, 0);
        put_head(b, n_shared, shared_octets);
        put_frames(b, words, lists);
        put_signatures(b);
        put_checksum(b);
        builder_reset(b);
        return span_make(b->record->data, b->record->len);
}
