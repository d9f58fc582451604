/* mbox_test.c -- mbox files of all kinds (RFC 4155 and what programs write). */
#include "transfer/internal.h"

#include "base/testing.h"

#include <unistd.h>

static void
from_lines(void)
{
        static const struct {
                const char *line;
                gboolean is_one;
                gint64 seconds;
        } ROWS[] = {
                {"From joe@ex.org Sat Jan 31 12:34:56 2026\n", TRUE, 1769862896},
                {"From joe@ex.org  Sat Jan 31 12:34:56 2026 +0100\r\n", TRUE, 1769859296},
                {"From MAILER-DAEMON Thu Jan  1 00:00:00 1998", TRUE, 883612800},
                {"From - Sat Jan 31 12:34:56 2026", TRUE, 1769862896},
                {"From \n", TRUE, 0},
                {"From here on it is 12:30 or so\n", TRUE, 0}, /* as others take it too */
                {"From here on\n", FALSE, 0},
                {"From: joe@ex.org\n", FALSE, 0},
                {"from joe Sat Jan 31 12:34:56 2026\n", FALSE, 0},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
                Usec date = 0;
                g_assert_cmpint(mbox_from_line(span_of(ROWS[i].line), &date), ==, ROWS[i].is_one);
                g_assert_cmpint(date / USEC_PER_SEC, ==, ROWS[i].seconds);
        }
}

static void
fields(void)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        MboxMeta meta;

        mbox_meta_parse(
                span_of("X-IMAPbase: 1275660208 0000000044 $Forwarded\nStatus: RO\nSubject: x\n y\nX-Status: AF\n"
                        "X-Keywords: Foo  b\xc3\xa9\n\tbar\nX-UID: 17\nContent-Length: 12\nX-Mozilla-Keys: Zed   \n"),
                &meta, out);
        g_assert_cmpuint(meta.flags, ==, FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED);
        g_assert_cmpuint(meta.uid, ==, 17);
        g_assert_cmpuint(meta.uid_validity, ==, 1275660208);
        g_assert_cmpuint(meta.uid_next, ==, 45);
        g_assert_cmpint(meta.content_length, ==, 12);
        g_assert_cmpuint(meta.keywords->len, ==, 4);
        g_assert_cmpstr(g_ptr_array_index(meta.keywords, 1), ==, "b__");
        g_assert_cmpstr(g_ptr_array_index(meta.keywords, 3), ==, "Zed");
        g_byte_array_append(out, (const guint8 *) "", 1);
        g_assert_cmpstr((const char *) out->data, ==, "Subject: x\n y\n");
        mbox_meta_done(&meta);

        mbox_meta_parse(span_of("X-Mozilla-Status: 1009\nSubject: x\n"), &meta, NULL);
        g_assert_cmpuint(meta.flags, ==, FLAG_SEEN);
        g_assert_true(meta.is_expunged);
        g_assert_cmpstr(g_ptr_array_index(meta.keywords, 0), ==, "$Forwarded");
        mbox_meta_done(&meta);
}

/* What an export put first is taken out; what the message had itself stays. */
static void
fields_of_export(void)
{
        g_autoptr(GByteArray) out = g_byte_array_new();
        MboxMeta meta;

        mbox_meta_parse(span_of("Status: RO\nX-UID: 3\nX-Restante-Export: octets=99 lines=as-is\nStatus: R\nX-UID: "
                                "9\nSubject: x\n"),
                        &meta, out);
        g_assert_cmpuint(meta.uid, ==, 3);
        g_assert_cmpint(meta.octets, ==, 99);
        g_assert_true(meta.is_as_is);
        g_byte_array_append(out, (const guint8 *) "", 1);
        g_assert_cmpstr((const char *) out->data, ==, "Status: R\nX-UID: 9\nSubject: x\n");
        mbox_meta_done(&meta);
        mbox_meta_parse(span_of("Subject: x\nX-Restante-Export: octets=1 lines=crlf\n"), &meta, NULL);
        g_assert_cmpint(meta.octets, ==, -1);
        mbox_meta_done(&meta);
}

/* Whole files ---------------------------------------------------------------------------------------------------------
 */

/* Messages of a file with "|" between them, and before it their flags in hexadecimal. */
static char *
read_file(const char *text)
{
        g_autofree char *dir = test_dir_make();
        g_autofree char *path = g_build_filename(dir, "Work.mbox", NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) folders = NULL;
        g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
        GString *s = g_string_new(NULL);
        TransferMessage message;
        SourceStep step;
        char *why = NULL, piece[5];
        gssize n;

        g_assert_true(g_file_set_contents(path, text, -1, &error));
        g_autoptr(Source) source = source_mbox(path, "joe", &error);
        g_assert_no_error(error);
        g_assert_true(source_list(source, &folders, NULL, NULL, &error));
        TransferFolder *folder = g_ptr_array_index(folders, 0);
        g_assert_cmpstr(folder->name, ==, "Work");
        if (!source_open(source, folder, &error)) {
                test_dir_remove(dir);
                g_string_assign(s, error->message);
                return g_string_free(s, FALSE);
        }
        g_assert_true(source_choose(source, folder, known, &error));
        while ((step = source_next(source, &message, &why, &error)) != SOURCE_END) {
                g_string_append_printf(s, "%s%x:", s->len > 0 ? "|" : "", (guint) message.flags);
                if (step == SOURCE_SKIPPED) {
                        g_string_append(s, "skipped");
                        g_clear_pointer(&why, g_free);
                        continue;
                }
                g_assert_cmpint(step, ==, SOURCE_MESSAGE);
                while ((n = source_read(source, piece, sizeof(piece), &error)) > 0)
                        g_string_append_len(s, piece, n);
                g_assert_cmpint(n, ==, 0);
        }
        test_dir_remove(dir);
        return g_string_free(s, FALSE);
}

static void
expect(const char *text, const char *wanted)
{
        g_autofree char *is = read_file(text);

        g_assert_cmpstr(is, ==, wanted);
}

#define FROM "From a@b.c Sat Jan 31 12:34:56 2026\n"

static void
splitting(void)
{
        expect("", "");
        expect(FROM "Subject: 1\n\nx\n\n" FROM "Subject: 2\nStatus: R\n\ny\n\n",
               "0:Subject: 1\r\n\r\nx\r\n|1:Subject: 2\r\n\r\ny\r\n");
        expect(FROM "S: 1\n\nx", "0:S: 1\r\n\r\nx"); /* no line end at all */
        expect(FROM "S: 1\n\nx\n" FROM "y\n\n",
               "0:S: 1\r\n\r\nx\r\nFrom a@b.c Sat Jan 31 12:34:56 2026\r\ny\r\n"); /* no empty line */
        expect(FROM "S: 1\n\nx\n\nFrom now on\n\n", "0:S: 1\r\n\r\nx\r\n\r\nFrom now on\r\n");
        expect(FROM "S: 1\n\n>From x\n>>From y\n> From z\n\n",
               "0:S: 1\r\n\r\nFrom x\r\n>From y\r\n> From z\r\n"); /* mboxrd */
        expect("From a Sat Jan 31 12:34:56 2026\r\nS: 1\r\n\r\nx\ny\r\n\r\n",
               "0:S: 1\r\n\r\nx\ny\r\n"); /* CRLF: as it is */
        expect("hello\n", "Work.mbox: this is no mbox file: it does not begin with a From_ line");
        expect(FROM "S: 1\n\n" FROM "S: 2\n\n", "0:S: 1\r\n\r\n|0:S: 2\r\n\r\n"); /* nothing in it */
}

static void
lengths(void)
{
        /* mboxcl2: nothing is quoted, and the length is right */
        expect(FROM "Content-Length: 45\nS: 1\n\nx\n\nFrom a@b.c Sat Jan 31 12:34:56 2026\n>From\n\n" FROM
                    "S: 2\n\ny\n",
               "0:S: 1\r\n\r\nx\r\n\r\nFrom a@b.c Sat Jan 31 12:34:56 2026\r\n>From\r\n|0:S: 2\r\n\r\ny\r\n");
        /* a wrong one is not believed */
        expect(FROM "Content-Length: 4000\nS: 1\n\nx\n\n" FROM "S: 2\n\ny\n",
               "0:S: 1\r\n\r\nx\r\n|0:S: 2\r\n\r\ny\r\n");
        expect(FROM "Content-Length: 1\nS: 1\n\nxyz\n\n" FROM "S: 2\n\ny\n",
               "0:S: 1\r\n\r\nxyz\r\n|0:S: 2\r\n\r\ny\r\n");
        expect(FROM "Content-Length: 9223372036854775807\nS: 1\n\nx\n", "0:S: 1\r\n\r\nx\r\n");
        /* ours: exactly so many octets */
        expect(FROM "X-Restante-Export: octets=9 lines=crlf\nS: 1\n\nx\n\n", "0:S: 1\r\n\r\nx");
        expect(FROM "X-Restante-Export: octets=0 lines=crlf\n\n" FROM
                    "X-Restante-Export: octets=3 lines=as-is\na\nb\n\n",
               "0:|0:a\nb");
}

static void
thunderbird(void)
{
        expect("From - Sat Jan 31 12:34:56 2026\r\nX-Mozilla-Status: 0009\r\nS: 1\r\n\r\nx\r\n\r\nFrom - Sat Jan 31 "
               "12:34:56 2026\r\n"
               "X-Mozilla-Status: 0005\r\nX-Mozilla-Status2: 00000000\r\nS: 2\r\n\r\ny\r\n",
               "0:skipped|5:S: 2\r\n\r\ny\r\n");
        expect(FROM "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nx\n\n" FROM "S: 2\n\n",
               "0:skipped|0:S: 2\r\n\r\n");
}

/* Read from memory --------------------------------------------------------------------------------------------------
 */

static gssize
read_text(guint64 offset, void *buffer, gsize len, gpointer data)
{
        Span some = span_slice(span_of(data), (gsize) offset, (gsize) offset + len);

        if (some.len > 0)
                memcpy(buffer, some.data, some.len);
        return (gssize) some.len;
}

static char *
keys_of(const char *text)
{
        g_autoptr(GArray) entries = NULL;
        GString *s = g_string_new(NULL);

        g_assert_true(mbox_index(read_text, (gpointer) text, &entries, NULL));
        for (guint i = 0; i < entries->len; i++)
                g_string_append_printf(s, "%s ", g_array_index(entries, MboxEntry, i).key);
        return g_string_free(s, FALSE);
}

static void
keys(void)
{
        g_autofree char *before = keys_of(FROM "S: 1\n\nx\n\n" FROM "S: 2\n\nx\n\n" FROM "S: 2\n\nx\n\n");
        g_autofree char *changed = keys_of(FROM "S: 1\nStatus: RO\nX-UID: 4\n\nx\n\n" FROM
                                                "S: 2\nX-Status: D\n\nx\n\n" FROM "S: 2\n\nx\n\n");
        g_autofree char *fewer = keys_of(FROM "S: 2\n\nx\n\n" FROM "S: 2\n\nx\n\n");

        g_assert_cmpstr(before, ==, changed);           /* flags are no part of it */
        g_assert_true(g_str_has_suffix(before, fewer)); /* nor is the place */
        g_assert_true(g_str_has_suffix(before, "#2 "));
}

static void
long_lines(void)
{
        g_autofree char *long_line = g_strnfill(600000, 'x');
        g_autofree char *text = g_strconcat(FROM "S: 1\n\n", long_line, "\nFrom y\n\n" FROM "S: 2\n\ny\n", NULL);
        g_autofree char *wanted = g_strconcat("0:S: 1\r\n\r\n", long_line, "\r\nFrom y\r\n|0:S: 2\r\n\r\ny\r\n", NULL);

        expect(text, wanted);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/transfer/mbox/from-lines RFC 4155", from_lines);
        g_test_add_func("/transfer/mbox/fields-of-other-programs", fields);
        g_test_add_func("/transfer/mbox/fields-of-our-export", fields_of_export);
        g_test_add_func("/transfer/mbox/where-messages-end", splitting);
        g_test_add_func("/transfer/mbox/content-length-is-believed-when-it-is-right", lengths);
        g_test_add_func("/transfer/mbox/thunderbird-and-uw-imap", thunderbird);
        g_test_add_func("/transfer/mbox/keys-outlive-changes", keys);
        g_test_add_func("/transfer/mbox/long-lines", long_lines);
        return g_test_run();
}
