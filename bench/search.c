/* search.c -- what an index of message text costs: ours beside FTS5's trigrams and beside a signature a message.
 *
 *      search words|letters MESSAGES [OCTETS]     words as frequent as in prose, or letters of chance
 *      search files LIST                          a file with one path a line, each of a message: its text
 *
 * Prints for each index: microseconds of CPU a message to make it, octets of it for one of text, and milliseconds for
 * questions (the text is not read again: hits of a signature would still have to be verified). It needs no server; it
 * writes to a directory of its own and removes it.
 */
#include "base/testing.h"
#include "mail/message.h"
#include "mail/text.h"
#include "store/search_group.h"

#include "prose.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GROUP GROUP_SLOTS_MAX

static GPtrArray *texts; /* GString */
static guint64 octets;

static double
cpu_now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static const GString *
text(guint i)
{
        return texts->pdata[i];
}

/* Texts -------------------------------------------------------------------------------------------------------------
 */

static void
make_words(guint messages, gsize size)
{
        Prose *prose = prose_new();

        for (guint m = 0; m < messages; m++) {
                GString *t = g_string_new(NULL);
                prose_add(prose, t, m, size, 0);
                g_ptr_array_add(texts, t);
        }
        prose_free(prose);
}

static void
make_letters(guint messages, gsize size)
{
        GRand *rand = g_rand_new_with_seed(2);

        for (guint m = 0; m < messages; m++) {
                GString *t = g_string_new("everywhere ");
                if (m % 1000 == 500)
                        g_string_append(t, "needleinahaystack ");
                if (m % 10 == 3)
                        g_string_append(t, "inside out ");
                while (t->len < size)
                        g_string_append_c(t, "abcdefghijklmnopqrstuvwxyz      "[g_rand_int(rand) & 31]);
                g_ptr_array_add(texts, t);
        }
}

static double walking;

static gboolean
gather(gpointer to, const TextPiece *piece)
{
        if (piece->is_first)
                g_string_append_c(to, '\n');
        g_string_append_len(to, (const char *) piece->text.data, (gssize) piece->text.len);
        return TRUE;
}

static GString *
message_text(Span message)
{
        Arena *arena = arena_new(64u << 20);
        GString *out = g_string_new(NULL);
        Structure structure;
        Summary summary;

        if (!message_parse(arena, message, &structure) || !summary_make(arena, message, &structure, &summary))
                g_error("a message is too complex");
        double start = cpu_now();
        if (mail_text_walk(summary.structure, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, mail_text_read_span, &message,
                           gather, out, NULL) != TEXT_WALKED)
                g_error("a message can't be read");
        walking += cpu_now() - start;
        arena_free(arena);
        return out;
}

static void
read_files(const char *list)
{
        g_autofree char *names = NULL;
        g_autoptr(GError) error = NULL;

        if (!g_file_get_contents(list, &names, NULL, &error))
                g_error("%s", error->message);
        g_auto(GStrv) paths = g_strsplit(g_strstrip(names), "\n", -1);
        for (guint i = 0; paths[i] != NULL; i++) {
                g_autofree char *content = NULL;
                gsize len;
                if (!g_file_get_contents(paths[i], &content, &len, &error))
                        g_error("%s", error->message);
                g_ptr_array_add(texts, message_text(span_make(content, len)));
        }
}

/* Ours --------------------------------------------------------------------------------------------------------------
 */

static void
ask_groups(GPtrArray *records, const char *needle)
{
        guint yes = 0, maybe = 0;
        double start = cpu_now();
        g_autoptr(GroupMatcher) matcher = group_matcher_new(span_of(needle));

        for (guint i = 0; i < records->len; i++) {
                const GString *record = records->pdata[i];
                GroupAnswer answer;
                if (!group_match(matcher, span_make(record->str, record->len), &answer, NULL))
                        g_error("a record is damaged");
                for (guint slot = 0; slot < GROUP && i * GROUP + slot < texts->len; slot++) {
                        yes += slot_set_has(&answer.yes, slot);
                        maybe += slot_set_has(&answer.maybe, slot);
                }
        }
        printf("  %-20s %8.2f ms  %u for certain, %u to read\n", needle, (cpu_now() - start) * 1e3, yes, maybe);
}

static void
bench_groups(const char *const *needles)
{
        GroupBuilder *builder = group_builder_new();
        GPtrArray *records = g_ptr_array_new();
        guint64 size = 0;
        double start = cpu_now();

        for (guint i = 0; i < texts->len; i++) {
                group_builder_begin(builder, i % GROUP, GROUP_BODY);
                group_builder_add(builder, span_make(text(i)->str, text(i)->len));
                if (i % GROUP != GROUP - 1 && i != texts->len - 1)
                        continue;
                Span record = group_builder_end(builder);
                g_ptr_array_add(records, g_string_new_len((const char *) record.data, (gssize) record.len));
                size += record.len;
        }
        printf("records of groups: %.1f us a message, %.3f of the text\n", (cpu_now() - start) * 1e6 / texts->len,
               (double) size / (double) octets);
        for (guint i = 0; needles[i] != NULL; i++)
                ask_groups(records, needles[i]);
        group_builder_free(builder);
}

/* FTS5 --------------------------------------------------------------------------------------------------------------
 */

static void
run(sqlite3 *db, const char *sql)
{
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                g_error("%s: %s", sql, sqlite3_errmsg(db));
}

static void
ask_fts(sqlite3 *db, const char *needle)
{
        sqlite3_stmt *ask;
        guint n = 0;
        g_autofree char *quoted = g_strdup_printf("\"%s\"", needle);
        g_autoptr(GString) phrase = g_string_new(NULL);
        double start = cpu_now();

        /* without positions a phrase can't be asked for: its triples instead */
        for (gsize i = 0; i + 3 <= strlen(needle); i++)
                g_string_append_printf(phrase, "%s\"%.3s\"", i > 0 ? " AND " : "", needle + i);
        if (sqlite3_prepare_v2(db, "SELECT rowid FROM t WHERE t MATCH ?", -1, &ask, NULL) != SQLITE_OK)
                g_error("%s", sqlite3_errmsg(db));
        sqlite3_bind_text(ask, 1, quoted, -1, SQLITE_STATIC);
        int rc = sqlite3_step(ask);
        if (rc == SQLITE_ERROR) {
                sqlite3_reset(ask);
                sqlite3_bind_text(ask, 1, phrase->str, -1, SQLITE_STATIC);
                rc = sqlite3_step(ask);
        }
        for (; rc == SQLITE_ROW; rc = sqlite3_step(ask))
                n++;
        sqlite3_finalize(ask);
        printf("  %-20s %8.2f ms  %u\n", needle, (cpu_now() - start) * 1e3, n);
}

static void
bench_fts(const char *detail, const char *const *needles)
{
        g_autofree char *dir = test_dir_make(), *path = g_build_filename(dir, "fts.db", NULL);
        g_autofree char *table = g_strdup_printf(
                "CREATE VIRTUAL TABLE t USING fts5(b, content='', tokenize='trigram', detail=%s)", detail);
        sqlite3 *db;
        sqlite3_stmt *add;
        GStatBuf st;

        sqlite3_open(path, &db);
        run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536");
        run(db, table);
        sqlite3_prepare_v2(db, "INSERT INTO t (rowid, b) VALUES (?, ?)", -1, &add, NULL);
        double start = cpu_now();
        for (guint i = 0; i < texts->len; i++) {
                if (i % GROUP == 0)
                        run(db, "BEGIN");
                sqlite3_bind_int64(add, 1, i);
                sqlite3_bind_text(add, 2, text(i)->str, (int) text(i)->len, SQLITE_STATIC);
                if (sqlite3_step(add) != SQLITE_DONE)
                        g_error("%s", sqlite3_errmsg(db));
                sqlite3_reset(add);
                if (i % GROUP == GROUP - 1 || i == texts->len - 1)
                        run(db, "COMMIT");
        }
        double spent = cpu_now() - start;
        run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        g_stat(path, &st);
        printf("FTS5 trigrams, detail=%s: %.1f us a message, %.3f of the text\n", detail, spent * 1e6 / texts->len,
               (double) st.st_size / (double) octets);
        for (guint i = 0; needles[i] != NULL; i++)
                ask_fts(db, needles[i]);
        sqlite3_finalize(add);
        sqlite3_close(db);
        test_dir_remove(dir);
}

/* A signature a message ---------------------------------------------------------------------------------------------
 */

static guint32
triple_of(const char *at)
{
        return ((guint32) (guint8) at[0] << 16 | (guint32) (guint8) at[1] << 8 | (guint8) at[2]) * 0x9e3779b1u;
}

static void
ask_signatures(const guint8 *bits, gsize each, const char *needle)
{
        guint n = 0;
        double start = cpu_now();

        for (guint i = 0; i < texts->len; i++) {
                const guint8 *s = bits + i * each;
                gboolean has = TRUE;
                for (const char *at = needle; has && at[2] != '\0'; at++) {
                        guint32 bit = (triple_of(at) >> 8) & (guint32) (each * 8 - 1);
                        has = (s[bit / 8] >> (bit % 8)) & 1;
                }
                n += has;
        }
        printf("  %-20s %8.2f ms  %u to read\n", needle, (cpu_now() - start) * 1e3, n);
}

static void
bench_signatures(gsize each, const char *const *needles)
{
        g_autofree guint8 *bits = g_malloc0(texts->len * each);
        double start = cpu_now();

        for (guint i = 0; i < texts->len; i++)
                for (gsize at = 0; at + 2 < text(i)->len; at++) {
                        guint32 bit = (triple_of(text(i)->str + at) >> 8) & (guint32) (each * 8 - 1);
                        bits[i * each + bit / 8] |= (guint8) (1u << (bit % 8));
                }
        printf("signatures of %zu octets: %.1f us a message, %.3f of the text\n", each,
               (cpu_now() - start) * 1e6 / texts->len, (double) (texts->len * each) / (double) octets);
        for (guint i = 0; needles[i] != NULL; i++)
                ask_signatures(bits, each, needles[i]);
}

int
main(int argc, char **argv)
{
        static const char *const NEEDLES[] = {"qzxjkvoid", "needleinahaystack", "everywhere", "where",
                                              "ing",       "inside out",        NULL};

        texts = g_ptr_array_new();
        if (argc == 3 && strcmp(argv[1], "files") == 0)
                read_files(argv[2]);
        else if (argc >= 3 && strcmp(argv[1], "letters") == 0)
                make_letters((guint) atoi(argv[2]), argc > 3 ? (gsize) atoi(argv[3]) : 4096);
        else if (argc >= 3 && strcmp(argv[1], "words") == 0)
                make_words((guint) atoi(argv[2]), argc > 3 ? (gsize) atoi(argv[3]) : 4096);
        else {
                fputs("usage: search words|letters MESSAGES [OCTETS] | files LIST\n", stderr);
                return 2;
        }
        for (guint i = 0; i < texts->len; i++)
                octets += text(i)->len;
        printf("%u texts, %.1f KiB each", texts->len, (double) octets / texts->len / 1024);
        if (walking > 0)
                printf(", %.1f us each to take them out of their messages", walking * 1e6 / texts->len);
        printf("\n");
        bench_groups(NEEDLES);
        bench_signatures(512, NEEDLES);
        bench_signatures(1024, NEEDLES);
        bench_fts("none", NEEDLES);
        bench_fts("full", NEEDLES);
        return 0;
}
