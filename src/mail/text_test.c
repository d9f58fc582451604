#include "mail/span_test.h"
#include "mail/summary_test.h"
#include "mail/text.h"

static const char *const KINDS[] = {"", "field", "inner", "name", "body"};

typedef struct Seen {
        GString *text;
        guint n, stop_after;
} Seen;

/* One line a text: kind, part and what it says; pieces of one text run on. */
static gboolean
take(gpointer to, const TextPiece *piece)
{
        Seen *seen = to;

        g_assert_cmpuint(piece->text.len, >, 0);
        if (piece->is_first)
                g_string_append_printf(seen->text, "%s%s %u: ", seen->text->len > 0 ? "\n" : "", KINDS[piece->kind],
                                       piece->part);
        g_string_append_len(seen->text, (const char *) piece->text.data, (gssize) piece->text.len);
        return ++seen->n != seen->stop_after;
}

/* A message in memory that is given few octets at a time, and never backwards. */
typedef struct Slow {
        Span message;
        gsize step;
        guint64 last;
        gboolean fails;
} Slow;

static gssize
read_slowly(gpointer from, guint64 offset, guint8 *buffer, gsize len, GError **error)
{
        Slow *slow = from;

        g_assert_cmpuint(offset, >=, slow->last);
        slow->last = offset;
        if (slow->fails) {
                g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_IO, "no disk");
                return -1;
        }
        return mail_text_read_span(&slow->message, offset, buffer, MIN(len, slow->step), error);
}

static void
check_cut(const char *message, guint what, const SummaryCut *cuts, gsize n_cuts, const char *expected)
{
        static const gsize steps[] = {1, 7, 65536};

        for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
                g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
                g_autoptr(GString) text = g_string_new(NULL);
                Seen seen = {.text = text};
                Slow slow = {.message = span_of(message), .step = steps[i]};
                Span structure = summary_of(arena, message).structure;

                g_assert_cmpint(mail_text_walk(structure, what, cuts, n_cuts, read_slowly, &slow, take, &seen, NULL),
                                ==, TEXT_WALKED);
                g_assert_cmpstr(text->str, ==, expected);
        }
}

static void
check(const char *message, const char *expected)
{
        check_cut(message, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, expected);
}

static void
test_plain(void)
{
        check("Subject: =?utf-8?q?J=C3=B6rg?=\r\n says\r\nX-Empty:\r\n\r\nHello\r\n  WORLD\r\n",
              "field 0: subject: jo\xcc\x88rg says\nfield 0: x-empty: \nbody 0: hello world ");
        check("Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
              "quoted-printable\r\n\r\nJ=F6=\r\nrg",
              "field 0: content-type: text/plain; charset=iso-8859-1\n"
              "field 0: content-transfer-encoding: quoted-printable\nbody 0: jo\xcc\x88rg");
        check("Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+SGk8L2I+ITxicj4mYW1w",
              "field 0: content-type: text/html\nfield 0: content-transfer-encoding: base64\nbody 0: hi! &");
        check("", "");
}

static void
test_parts(void)
{
        static const char message[] =
                "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
                "--b\r\nContent-Type: text/plain\r\n\r\none\r\n"
                "--b\r\nContent-Type: application/pdf; name=\"old.pdf\"\r\n"
                "Content-Disposition: attachment; filename*=utf-8''R%C3%A9sum%C3%A9.PDF\r\n\r\nnot searched\r\n"
                "--b\r\nContent-Type: image/png; name=Picture.png\r\n\r\nnot searched\r\n"
                "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\nepilogue\r\n";

        check_cut(message, TEXT_OF_BODY, NULL, 0,
                  "body 1: one\nname 2: re\xcc\x81sume\xcc\x81.pdf\nname 3: picture.png\ninner 5: subject: inner\n"
                  "body 5: inside");
        check_cut(message, TEXT_OF_HEADER, NULL, 0,
                  "field 0: subject: outer\nfield 0: content-type: multipart/mixed; boundary=b");
        check("Content-Type: multipart/mixed\r\n\r\nlost\r\n", "field 0: content-type: multipart/mixed\nbody 1: lost ");
}

/* Forms of Unicode that are no plain text, and plain text that has their label. */
static void
test_unicode(void)
{
        check_cut("Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                  "//5HAHIA/ADfAGUADQAKAA0APdgA3g0ACgA=\r\n",
                  TEXT_OF_BODY, NULL, 0, "body 0: gru\xcc\x88sse \xf0\x9f\x98\x80 ");
        check_cut("Content-Type: text/html; charset=\"UTF-16BE\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                  "ADwAYgA+AEcAcgD8ADwALwBiAD4A3wBl\r\n",
                  TEXT_OF_BODY, NULL, 0, "body 0: gru\xcc\x88sse");
        check_cut("Content-Type: text/plain; charset=utf-7\r\n\r\nGr+APw-\r\n  +AN8-e 1 +- 1\r\n", TEXT_OF_BODY, NULL,
                  0, "body 0: gru\xcc\x88 sse 1 + 1 ");
        check_cut("Content-Type: text/plain; charset=utf-16\r\n\r\nPlain text\r\n", TEXT_OF_BODY, NULL, 0,
                  "body 0: plain text ");
        check("Subject: =?utf-16?B?/v8ARwByAPw=?= =?utf-7?Q?+AN8-?=\r\n\r\n", "field 0: subject: gru\xcc\x88ss");
}

/* What a copy does not show is not found. */
static void
test_cuts(void)
{
        static const char message[] = "A: 1\r\nB: 2\r\nC: 3\r\n\r\nx";
        const SummaryCut cuts[] = {{6, 6}};

        check_cut(message, TEXT_OF_HEADER, cuts, 1, "field 0: a: 1\nfield 0: c: 3");
}

static gboolean
take_value(gpointer to, const TextPiece *piece)
{
        assert_span(piece->name, "X-NAME");
        assert_span(piece->value, "some value");
        assert_span(piece->text, "x-name: some value");
        return TRUE;
}

static void
test_value(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span message = span_of("X-NAME:  Some\r\n Value\r\n\r\n");

        g_assert_cmpint(mail_text_walk(summary_of_octets(arena, message).structure, TEXT_OF_HEADER, NULL, 0,
                                       mail_text_read_span, &message, take_value, NULL, NULL),
                        ==, TEXT_WALKED);
}

static void
test_answers(void)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        const char *message = "A: 1\r\nB: 2\r\n\r\nx";
        Slow slow = {.message = span_of(message), .step = 100};
        Seen seen = {.text = text, .stop_after = 2};
        Span structure = summary_of(arena, message).structure;

        g_assert_cmpint(mail_text_walk(structure, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, read_slowly, &slow, take,
                                       &seen, NULL),
                        ==, TEXT_STOPPED);
        g_assert_cmpstr(text->str, ==, "field 0: a: 1\nfield 0: b: 2");
        g_assert_cmpint(mail_text_walk(SPAN_EMPTY, TEXT_OF_BODY, NULL, 0, read_slowly, &slow, take, &seen, NULL), ==,
                        TEXT_DAMAGED);
        slow = (Slow){.message = span_of(message), .fails = TRUE};
        g_assert_cmpint(mail_text_walk(structure, TEXT_OF_BODY, NULL, 0, read_slowly, &slow, take, &seen, &error), ==,
                        TEXT_FAILED);
        g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
        /* A message that is shorter than its structure says just ends. */
        slow = (Slow){.message = span_of("A: 1\r\n"), .step = 100};
        g_assert_cmpint(mail_text_walk(structure, TEXT_OF_BODY, NULL, 0, read_slowly, &slow, take, &seen, NULL), ==,
                        TEXT_WALKED);
}

typedef struct Search {
        TextFinder finder;
        gboolean is_found;
} Search;

static gboolean
take_search(gpointer to, const TextPiece *piece)
{
        Search *search = to;

        if (piece->is_first)
                text_finder_restart(&search->finder);
        search->is_found = text_find(&search->finder, piece->text);
        return !search->is_found;
}

static gboolean
is_found(Span message, const char *query)
{
        g_autoptr(Arena) arena = arena_new(TEST_BUDGET);
        Span structure = summary_of_octets(arena, message).structure;
        Search search = {.is_found = FALSE};

        g_assert_true(text_finder_init(&search.finder, arena, text_fold(arena, span_of(query), TEXT_NEEDLE_MAX)));
        g_assert_cmpint(mail_text_walk(structure, TEXT_OF_HEADER | TEXT_OF_BODY, NULL, 0, mail_text_read_span, &message,
                                       take_search, &search, NULL),
                        ==, search.is_found ? TEXT_STOPPED : TEXT_WALKED);
        return search.is_found;
}

/* A text that is longer than any buffer, with something to find at its end, in every encoding. */
static void
test_large(void)
{
        static const struct {
                const char *header, *line, *end;
        } cases[] = {
                {"", "nothing to see in this line, nor in the next one\r\n", "the NEEDLE\r\n is here"},
                {"Content-Type: text/html\r\n", "<p>nothing <b>to</b> see</p>\r\n", "the <i>nee</i>dle is&nbsp;here"},
                {"Content-Transfer-Encoding: base64\r\n",
                 "bm90aGluZyB0byBzZWUgaW4gdGhpcyBsaW5lLCBub3IgaW4gdGhlIG5leHQgb25l\r\n", "dGhlIG5lZWRsZSBpcyBoZXJl"},
                {"Content-Type: text/plain; charset=shift_jis\r\n", "\x83\x65\x83\x58\x83\x67", "the needle is here"},
                {"Content-Type: text/plain; charset=utf-7\r\n", "nothing to see+AGEAYgBj-, nor here ",
                 "the nee+AGQ-le is here"},
                {"Content-Transfer-Encoding: quoted-printable\r\n", "nothing to see, =\r\nnor here=20\r\n",
                 "the nee=\r\ndle is here"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GString) message = g_string_new(cases[i].header);

                g_string_append(message, "\r\n");
                while (message->len < 300000)
                        g_string_append(message, cases[i].line);
                g_assert_false(is_found(span_make(message->str, message->len), "needle"));
                g_string_append(message, cases[i].end);
                g_assert_true(is_found(span_make(message->str, message->len), "The Needle is here"));
        }
}

/* Two octets a letter, in pieces that fall between them. */
static void
test_large_utf16(void)
{
        g_autoptr(GString) message = g_string_new("Content-Type: text/plain; charset=utf-16le\r\n\r\n ");
        const char *needle = "the needle";

        while (message->len < 300000)
                g_string_append_len(message, "\0n\0o\0", 6);
        g_string_append_c(message, 0);
        for (const char *at = needle; *at != '\0'; at++) {
                g_string_append_c(message, *at);
                g_string_append_c(message, 0);
        }
        g_assert_true(is_found(span_make(message->str, message->len), needle));
        g_assert_false(is_found(span_make(message->str, message->len), "another"));
}

/* However large a header, so much of it is looked at; what follows is read all the same. */
static void
test_large_header(void)
{
        g_autoptr(GString) message = g_string_new("A: early\r\nB: ");

        for (guint i = 0; i < 100000; i++)
                g_string_append(message, "\xef\xb7\xba"); /* U+FDFA folds to 33 octets */
        g_string_append(message, "\r\nC: late\r\n\r\nbody");
        g_assert_true(is_found(span_make(message->str, message->len), "early"));
        g_assert_false(is_found(span_make(message->str, message->len), "late"));
        g_assert_true(is_found(span_make(message->str, message->len), "body"));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/text/fields-and-text-are-decoded-and-folded", test_plain);
        g_test_add_func("/mail/text/parts-in-the-order-of-the-message", test_parts);
        g_test_add_func("/mail/text/utf-16-and-utf-7 RFC 2781, 2152", test_unicode);
        g_test_add_func("/mail/text/cuts-are-left-out", test_cuts);
        g_test_add_func("/mail/text/name-and-value-of-a-field", test_value);
        g_test_add_func("/mail/text/answers", test_answers);
        g_test_add_func("/mail/text/large-texts-are-searched-to-their-end RFC 9051 §6.4.4", test_large);
        g_test_add_func("/mail/text/large-texts-in-utf-16-too", test_large_utf16);
        g_test_add_func("/mail/text/large-headers-are-searched-in-part", test_large_header);
        return g_test_run();
}
