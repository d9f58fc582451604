/* maildir_test.c -- names in maildirs, what Dovecot keeps beside them, and what is not followed. */
#include "transfer/internal.h"

#include "base/testing.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void
file_names_test(void)
{
        static const struct {
                const char *name, *base;
                guint64 flags;
                guint32 letters;
                gboolean is_forwarded, is_as_is;
        } ROWS[] = {
                {"1700.M1P2.host", "1700.M1P2.host", 0, 0, FALSE, FALSE},
                {"1700.M1P2.host,S=12,W=13:2,S", "1700.M1P2.host,S=12,W=13", FLAG_SEEN, 0, FALSE, FALSE},
                {"a:2,DFPRSTab", "a", FLAG_SYSTEM, 3, TRUE, FALSE},
                {"a!2,F", "a", FLAG_FLAGGED, 0, FALSE, FALSE},
                {"a;2,", "a", 0, 0, FALSE, FALSE},
                {"a:1,S", "a", 0, 0, FALSE, FALSE},
                {"a:2,Sz,foo=F", "a", FLAG_SEEN, 1 << 25, FALSE, FALSE},
                {"a,E=1:2,S", "a,E=1", FLAG_SEEN, 0, FALSE, TRUE},
                {"a,E=1,S=4:2,", "a,E=1,S=4", 0, 0, FALSE, TRUE},
                {"a,E=12:2,", "a,E=12", 0, 0, FALSE, FALSE},
                {"wow!", "wow!", 0, 0, FALSE, FALSE},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
                MaildirName name;
                maildir_name_parse(span_of(ROWS[i].name), &name);
                g_autofree char *base = span_dup(name.base);
                g_assert_cmpstr(base, ==, ROWS[i].base);
                g_assert_cmpuint(name.flags, ==, ROWS[i].flags);
                g_assert_cmpuint(name.letters, ==, ROWS[i].letters);
                g_assert_cmpint(name.is_forwarded, ==, ROWS[i].is_forwarded);
                g_assert_cmpint(name.is_as_is, ==, ROWS[i].is_as_is);
        }
}

static void
expect_name(const char *directory, const char *wanted)
{
        g_autoptr(GPtrArray) levels = maildir_levels(span_of(directory));
        g_autofree char *name = name_join(levels);

        g_assert_cmpstr(name, ==, wanted);
}

static void
folder_names_test(void)
{
        expect_name(".Work.2026", "Work/2026");
        expect_name(".INBOX.Old", "INBOX/Old");
        expect_name(".inbox", "INBOX");
        expect_name(".Entw&APw-rfe", "Entw\xc3\xbcrfe");
        expect_name(".caf\xc3\xa9", "caf\xc3\xa9"); /* UTF-8, as some programs write it */
        expect_name(".broken&\xff", "broken&\xef\xbf\xbd");
        expect_name(".v1\\2e2.a\\5cb", "v1.2/a\\b"); /* Dovecot's listescape */
        expect_name(".a..b", "a/b");
        expect_name("~joe", "_joe"); /* our names of others' mailboxes */
        expect_name("%x", "_x");
        expect_name(".a\x01\x7f", "a__");
        static const char *const NAMES[] = {"Work/2026", "v1.2/a\\b", "Entw\xc3\xbcrfe", "a & b",
                                            "\xe6\x97\xa5\xe6\x9c\xac"};
        for (gsize i = 0; i < G_N_ELEMENTS(NAMES); i++) {
                g_autofree char *directory = maildir_directory(NAMES[i]);
                expect_name(directory, NAMES[i]);
        }
        g_autofree char *inbox = maildir_directory("INBOX");
        g_assert_cmpstr(inbox, ==, "");
        g_autofree char *long_name = g_strnfill(300, 'x');
        g_assert_null(maildir_directory(long_name));
}

static guint
uid_of(const UidList *list, const char *base)
{
        return GPOINTER_TO_UINT(g_hash_table_lookup(list->uids, base));
}

static void
uidlist_test(void)
{
        UidList list;

        uidlist_parse(span_of("3 V1275660208 N30 G3085\n7 :a,S=1:2,S\n8 W4 S5 :b:2,\n0 :c\nx\n25 d\n"), &list);
        g_assert_cmpuint(list.uid_validity, ==, 1275660208);
        g_assert_cmpuint(list.uid_next, ==, 30);
        g_assert_cmpuint(uid_of(&list, "a,S=1"), ==, 7);
        g_assert_cmpuint(uid_of(&list, "b"), ==, 8);
        g_assert_cmpuint(uid_of(&list, "c"), ==, 0);
        g_assert_cmpuint(uid_of(&list, "d"), ==, 25);
        uidlist_done(&list);
        uidlist_parse(span_of("1 1275660208 3\n1 a\n9 b:2,S\n"), &list);
        g_assert_cmpuint(list.uid_next, ==, 10); /* the head was written before */
        g_assert_cmpuint(uid_of(&list, "b"), ==, 9);
        uidlist_done(&list);
        uidlist_parse(span_of("3 V99999999999 N1\n1 :a\n"), &list);
        g_assert_cmpuint(list.uid_validity, ==, 0);
        uidlist_done(&list);
}

static void
letters_test(void)
{
        LetterNames names;

        letters_parse(span_of("0 $Forwarded\n1 a b\n26 x\n25 \xc3\xa9\n2 \n"), &names);
        g_assert_cmpstr(names.at[0], ==, "$Forwarded");
        g_assert_cmpstr(names.at[1], ==, "a_b"); /* no IMAP keyword otherwise (RFC 9051 §9) */
        g_assert_null(names.at[2]);
        g_assert_cmpstr(names.at[25], ==, "__");
        letters_done(&names);
}

static void
subscriptions_test(void)
{
        g_autoptr(GHashTable) old = subscriptions_parse(span_of("INBOX\nWork.2026\n\n"), '.');
        g_autoptr(GHashTable) new = subscriptions_parse(span_of("V\t2\n\nWork\t2026\nv1.2\n"), '.');

        g_assert_cmpuint(g_hash_table_size(old), ==, 2);
        g_assert_true(g_hash_table_contains(old, "Work/2026"));
        g_assert_cmpuint(g_hash_table_size(new), ==, 2);
        g_assert_true(g_hash_table_contains(new, "Work/2026"));
        g_assert_true(g_hash_table_contains(new, "v1.2"));
}

static void
expect_lines(const char *in, const char *wanted)
{
        for (gsize piece = 1; piece < 8; piece++) {
                g_autoptr(GByteArray) out = g_byte_array_new();
                Lines lines = {0};

                for (gsize at = 0; at < strlen(in); at += piece)
                        lines_feed(&lines, span_slice(span_of(in), at, at + piece), out);
                g_byte_array_append(out, (const guint8 *) "", 1);
                g_assert_cmpstr((const char *) out->data, ==, wanted);
        }
}

static void
lines_test(void)
{
        expect_lines("a\nb\n\nc", "a\r\nb\r\n\r\nc");
        expect_lines("a\r\nb\nc\r\n", "a\r\nb\nc\r\n"); /* begins with CRLF: as it is */
        expect_lines("a\nb\r\nc\rd\n", "a\r\nb\r\nc\rd\r\n");
        expect_lines("\n", "\r\n");
        expect_lines("", "");
}

/* A directory of our own, with links out of it ------------------------------------------------------------------------
 */

static void
put(const char *dir, const char *name, const char *text)
{
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_autofree char *parent = g_path_get_dirname(path);

        g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
count_warning(const char *text, gpointer data)
{
        ++*(guint *) data;
}

static char *
octets_of(Source *source)
{
        g_autoptr(GString) s = g_string_new(NULL);
        char piece[7];
        gssize n;

        while ((n = source_read(source, piece, sizeof(piece), NULL)) > 0)
                g_string_append_len(s, piece, n);
        g_assert_cmpint(n, ==, 0);
        return g_strdup(s->str);
}

static void
nothing_is_followed(void)
{
        g_autofree char *dir = test_dir_make();
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) folders = NULL;
        g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
        TransferMessage message;
        guint warnings = 0;
        char *why = NULL;

        put(dir, "md/cur/1:2,S", "Subject: x\n\n");
        put(dir, "secret/cur/2:2,", "Subject: secret\n\n");
        g_autofree char *link_to_file = g_build_filename(dir, "md/cur/0link:2,", NULL);
        g_autofree char *link_to_folder = g_build_filename(dir, "md/.Stolen", NULL);
        g_autofree char *link_to_self = g_build_filename(dir, "md/loop", NULL);
        g_autofree char *pipe_name = g_build_filename(dir, "md/cur/0pipe", NULL);
        g_assert_cmpint(symlink("../../secret/cur/2:2,", link_to_file), ==, 0);
        g_assert_cmpint(symlink("../secret", link_to_folder), ==, 0);
        g_assert_cmpint(symlink(".", link_to_self), ==, 0);
        g_assert_cmpint(mkfifo(pipe_name, 0600), ==, 0);
        g_autofree char *md = g_build_filename(dir, "md", NULL);
        g_autoptr(Source) source = source_maildir(md, &error);
        g_assert_no_error(error);
        g_assert_true(source_list(source, &folders, count_warning, &warnings, &error));
        g_assert_cmpuint(folders->len, ==, 1);
        g_assert_cmpuint(warnings, ==, 2);
        TransferFolder *folder = g_ptr_array_index(folders, 0);
        g_assert_cmpstr(folder->name, ==, "INBOX");
        g_assert_true(source_open(source, folder, &error) && source_choose(source, folder, known, &error));
        for (guint i = 0; i < 2; i++) {
                g_assert_cmpint(source_next(source, &message, &why, &error), ==, SOURCE_SKIPPED);
                g_clear_pointer(&why, g_free);
        }
        g_assert_cmpint(source_next(source, &message, &why, &error), ==, SOURCE_MESSAGE);
        g_assert_cmpstr(message.key, ==, "1");
        g_autofree char *octets = octets_of(source);
        g_assert_cmpstr(octets, ==, "Subject: x\r\n\r\n");
        g_assert_cmpint(source_next(source, &message, &why, &error), ==, SOURCE_END);
        test_dir_remove(dir);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/transfer/maildir/file-names-tell-flags", file_names_test);
        g_test_add_func("/transfer/maildir/directories-tell-names", folder_names_test);
        g_test_add_func("/transfer/maildir/dovecot-uidlist", uidlist_test);
        g_test_add_func("/transfer/maildir/dovecot-keywords", letters_test);
        g_test_add_func("/transfer/maildir/subscriptions", subscriptions_test);
        g_test_add_func("/transfer/maildir/line-ends", lines_test);
        g_test_add_func("/transfer/maildir/links-and-pipes-are-not-followed", nothing_is_followed);
        return g_test_run();
}
