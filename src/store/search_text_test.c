/* search_text_test.c -- what of a copy is searched: its prefix, the header without what is cut, the body. */
#include "store/search_text.h"

#include "mail/message.h"
#include "store/fixture.h"

#define MESSAGE                                                                                                        \
        "Received: from elsewhere\r\n"                                                                                 \
        "X-Rcpt-To: forged@ex.org\r\n"                                                                                 \
        "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n"                                                                      \
        "Content-Type: text/plain; charset=utf-8\r\n"                                                                  \
        "\r\n"                                                                                                         \
        "The BODY of\r\n it.\r\n"

static gint64
body_make(Site *site, const char *text)
{
        g_autoptr(GError) error = NULL;
        BlobPlace place = append(site, text);
        gint64 id;

        g_autoptr(DbTxn) txn = db_begin(site->db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &id, &error));
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
        return id;
}

static Span
structure_of(Site *site, const char *text)
{
        Structure structure;
        Summary summary;

        g_assert_true(message_parse(site->arena, span_of(text), &structure));
        g_assert_true(summary_make(site->arena, span_of(text), &structure, &summary));
        return summary.structure;
}

typedef struct Gathered {
        GString *text;
        guint left; /* pieces to take */
} Gathered;

static gboolean
gather(gpointer to, const TextPiece *piece)
{
        Gathered *gathered = to;

        if (piece->is_first)
                g_string_append_c(gathered->text, '|');
        g_string_append_len(gathered->text, (const char *) piece->text.data, (gssize) piece->text.len);
        return --gathered->left > 0;
}

/* Texts with a bar before each. */
static void
check_walk(Site *site, const SearchCopy *copy, guint what, const char *expected)
{
        g_autoptr(GError) error = NULL;
        Gathered gathered = {g_string_new(NULL), G_MAXUINT};

        g_assert_cmpint(search_text_walk(site->blob, copy, what, gather, &gathered, &error), ==, COPY_TEXT_WALKED);
        g_assert_no_error(error);
        g_assert_cmpstr(g_strstrip(gathered.text->str), ==, expected);
        g_string_free(gathered.text, TRUE);
}

static void
test_header_and_body(Site *site, gconstpointer data)
{
        SearchCopy copy = {
                .body = body_make(site, MESSAGE),
                .structure = structure_of(site, MESSAGE),
                .prefix = span_of("Return-Path: <Joe@ex.org>\r\nDelivered-To:\r\n =?utf-8?Q?M=C3=84RZ?=\r\n"),
        };

        check_walk(site, &copy, TEXT_OF_BODY, "|the body of it.");
        check_walk(site, &copy, TEXT_OF_HEADER | TEXT_OF_BODY,
                   "|return-path: <joe@ex.org>|delivered-to: ma\xcc\x88rz|received: from elsewhere|x-rcpt-to: "
                   "forged@ex.org"
                   "|subject: gru\xcc\x88sse|content-type: text/plain; charset=utf-8|the body of it.");
}

static void
test_cuts(Site *site, gconstpointer data)
{
        static const Cut CUTS[] = {
                {sizeof("Received: from elsewhere\r\n") - 1, sizeof("X-Rcpt-To: forged@ex.org\r\n") - 1}};
        SearchCopy copy = {
                .body = body_make(site, MESSAGE),
                .structure = structure_of(site, MESSAGE),
                .cuts = CUTS,
                .n_cuts = 1,
        };

        check_walk(site, &copy, TEXT_OF_HEADER,
                   "|received: from elsewhere|subject: gru\xcc\x88sse|content-type: text/plain; charset=utf-8");
}

static void
test_no_structure(Site *site, gconstpointer data)
{
        SearchCopy copy = {.body = body_make(site, MESSAGE)};

        check_walk(site, &copy, TEXT_OF_BODY, "|the body of it.");
        copy.structure = span_of("\xff\xff\xff");
        check_walk(site, &copy, TEXT_OF_BODY, "|the body of it.");
}

static void
test_enough(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        SearchCopy copy = {.body = body_make(site, MESSAGE),
                           .structure = structure_of(site, MESSAGE),
                           .prefix = span_of("A: 1\r\nB: 2\r\n")};

        for (guint n = 1; n < 7; n++) {
                Gathered gathered = {g_string_new(NULL), n};
                g_assert_cmpint(
                        search_text_walk(site->blob, &copy, TEXT_OF_HEADER | TEXT_OF_BODY, gather, &gathered, &error),
                        ==, COPY_TEXT_STOPPED);
                g_assert_no_error(error);
                g_assert_cmpuint(gathered.left, ==, 0);
                g_string_free(gathered.text, TRUE);
        }
}

static void
test_gone(Site *site, gconstpointer data)
{
        g_autoptr(GError) error = NULL;
        Gathered gathered = {g_string_new(NULL), G_MAXUINT};
        SearchCopy copy = {.body = 4711, .structure = structure_of(site, MESSAGE)};

        g_assert_cmpint(search_text_walk(site->blob, &copy, TEXT_OF_BODY, gather, &gathered, &error), ==,
                        COPY_TEXT_GONE);
        g_assert_error(error, RESTANTE_ERROR, FAULT_INTERNAL);
        g_string_free(gathered.text, TRUE);
}

#define site_test(path, fn) g_test_add(path, Site, NULL, site_init, fn, site_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        site_test("/store/search-text/header is prefix and header, decoded and folded (RFC 9051 6.4.4)",
                  test_header_and_body);
        site_test("/store/search-text/what a copy does not show is not found", test_cuts);
        site_test("/store/search-text/a missing or damaged structure is made again", test_no_structure);
        site_test("/store/search-text/ends when there is enough", test_enough);
        site_test("/store/search-text/a body that has gone is told", test_gone);
        return g_test_run();
}
