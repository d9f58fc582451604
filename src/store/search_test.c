/* search_test.c -- SEARCH BODY and TEXT give what a plain look at the plain texts gives (RFC 9051 §6.4.4), whatever the
 * charset and the encoding, with the index, without it, and while it is behind. */
#include "store/search.h"

#include "store/pack_testing.h"

/* Texts and what they become on the wire ----------------------------------------------------------------------------
 */

/* One message as a person sees it: texts of which none runs into the next. */
typedef struct Plain {
        GPtrArray *fields; /* "name: value" */
        GPtrArray *texts;
        GPtrArray *folded_fields, *folded_texts;
} Plain;

static Plain *
plain_new(void)
{
        Plain *plain = g_new0(Plain, 1);

        plain->fields = g_ptr_array_new_with_free_func(g_free);
        plain->texts = g_ptr_array_new_with_free_func(g_free);
        plain->folded_fields = g_ptr_array_new_with_free_func(g_free);
        plain->folded_texts = g_ptr_array_new_with_free_func(g_free);
        return plain;
}

static void
plain_free(gpointer data)
{
        Plain *plain = data;

        g_ptr_array_unref(plain->fields);
        g_ptr_array_unref(plain->texts);
        g_ptr_array_unref(plain->folded_fields);
        g_ptr_array_unref(plain->folded_texts);
        g_free(plain);
}

/* The naive model: normalised and case-folded by GLib, white space single. */
static char *
fold_plainly(const char *text)
{
        g_autofree char *folded = g_utf8_casefold(text, -1);
        g_autofree char *normal = g_utf8_normalize(folded, -1, G_NORMALIZE_NFKD);
        g_autofree char *again = g_utf8_casefold(normal, -1);
        GString *out = g_string_new(NULL);

        for (const char *at = again; *at != '\0'; at = g_utf8_next_char(at)) {
                gunichar c = g_utf8_get_char(at);
                if (!g_unichar_isspace(c))
                        g_string_append_unichar(out, c);
                else if (out->len == 0 || out->str[out->len - 1] != ' ')
                        g_string_append_c(out, ' ');
        }
        return g_string_free(out, FALSE);
}

static void
texts_fold(const GPtrArray *texts, GPtrArray *ret_folded)
{
        for (guint i = 0; i < texts->len; i++)
                g_ptr_array_add(ret_folded, fold_plainly(texts->pdata[i]));
}

static gboolean
texts_have(const GPtrArray *folded, const char *folded_needle)
{
        for (guint i = 0; i < folded->len; i++)
                if (strstr(folded->pdata[i], folded_needle) != NULL)
                        return TRUE;
        return FALSE;
}

static gboolean
plain_has(const Plain *plain, SearchPart part, const char *folded_needle)
{
        return texts_have(plain->folded_texts, folded_needle) ||
               (part == SEARCH_TEXT && texts_have(plain->folded_fields, folded_needle));
}

static const char *const WORDS[] = {
        "rechnung",
        "Grüße",
        "Straße",
        "café",
        "CAFÉ",
        "naïve",
        "Ωmega",
        "Привет",
        "мир",
        "日本語",
        "東京",
        "invoice",
        "quarterly",
        "Report",
        "zebra",
        "QUAGGA",
        "a",
        "of",
        "2026",
        "e-mail",
        "so-and-so",
        "x@y.example",
        "ﬁnance",
        "İstanbul",
        "ǅ",
        "wörkshop",
        "abcdefghijklmnopqrstuvwxyz0123456789abcdefg",
        "50%",
        "=3D",
        "<tag>",
        "&amp;",
        "o'clock",
        "no\u00a0break",
        "Zu\u0308rich",
        "한국어",
        "ｆｕｌｌ",
};
static const char *const LATIN[] = {"rechnung", "Grüße", "Straße", "café",  "naïve", "invoice",
                                    "of",       "2026",  "ÿ",      "Ñandú", "=20",   "zebra"};
static const char *const ASCII[] = {"invoice", "quarterly", "report", "zebra", "of", "the", "end", "2026", "plain"};
static const char *const CYRILLIC[] = {"Привет", "мир", "письмо", "СЧЁТ", "zebra", "2026"};

typedef struct Charset {
        const char *name;
        const char *const *words;
        gsize n_words;
} Charset;

static const Charset CHARSETS[] = {
        {"utf-8", WORDS, G_N_ELEMENTS(WORDS)},
        {"iso-8859-1", LATIN, G_N_ELEMENTS(LATIN)},
        {"us-ascii", ASCII, G_N_ELEMENTS(ASCII)},
        {"koi8-r", CYRILLIC, G_N_ELEMENTS(CYRILLIC)},
        {"windows-1251", CYRILLIC, G_N_ELEMENTS(CYRILLIC)},
};

/* Words with single spaces and, in a body, line ends between them. */
static char *
text_of_chance(GRand *rand, const Charset *charset, guint n, gboolean has_lines)
{
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < n; i++) {
                if (i > 0)
                        g_string_append(text, has_lines && g_rand_int_range(rand, 0, 6) == 0 ? "\r\n" : " ");
                g_string_append(text, charset->words[g_rand_int_range(rand, 0, (gint) charset->n_words)]);
        }
        return g_string_free(text, FALSE);
}

static void
put_base64(GString *out, const guint8 *data, gsize len)
{
        for (gsize at = 0; at < len; at += 45) {
                g_autofree char *line = g_base64_encode(data + at, MIN(45, len - at));
                g_string_append_printf(out, "%s\r\n", line);
        }
}

static void
put_quoted_printable(GString *out, const guint8 *data, gsize len)
{
        guint column = 0;

        for (gsize i = 0; i < len; i++) {
                if (data[i] == '\r' || data[i] == '\n') {
                        g_string_append_c(out, (char) data[i]);
                        column = 0;
                        continue;
                }
                if (column >= 60) {
                        g_string_append(out, "=\r\n");
                        column = 0;
                }
                gboolean is_last = i + 1 == len || data[i + 1] == '\r';
                if (data[i] < 0x20 || data[i] > 0x7e || data[i] == '=' || (data[i] == ' ' && is_last))
                        g_string_append_printf(out, "=%02X", data[i]);
                else
                        g_string_append_c(out, (char) data[i]);
                column += 3;
        }
        g_string_append(out, "\r\n");
}

static void
put_html(GString *out, const char *text)
{
        g_string_append(out, "<html><head><style>p { color: quagga }</style></head><body><p>");
        for (const char *at = text; *at != '\0'; at++)
                switch (*at) {
                case '<':
                        g_string_append(out, "&lt;");
                        break;
                case '>':
                        g_string_append(out, "&gt;");
                        break;
                case '&':
                        g_string_append(out, "&amp;");
                        break;
                default:
                        g_string_append_c(out, *at);
                }
        g_string_append(out, "</p></body></html>");
}

/* A text part: its header, an empty line, its body. */
static void
put_text_part(GString *out, GRand *rand, Plain *plain)
{
        const Charset *charset = &CHARSETS[g_rand_int_range(rand, 0, G_N_ELEMENTS(CHARSETS))];
        char *text = text_of_chance(rand, charset, (guint) g_rand_int_range(rand, 1, 60), TRUE);
        gboolean is_html = g_rand_int_range(rand, 0, 3) == 0;
        g_autoptr(GString) marked = g_string_new(NULL);
        gsize len;

        if (is_html)
                put_html(marked, text);
        else
                g_string_append(marked, text);
        g_ptr_array_add(plain->texts, text);
        g_autofree char *octets =
                g_convert(marked->str, (gssize) marked->len, charset->name, "utf-8", NULL, &len, NULL);
        g_assert_nonnull(octets);
        g_string_append_printf(out, "Content-Type: text/%s; charset=%s\r\n", is_html ? "html" : "plain", charset->name);
        switch (g_rand_int_range(rand, 0, 3)) {
        case 0:
                g_string_append(out, "Content-Transfer-Encoding: base64\r\n\r\n");
                put_base64(out, (guint8 *) octets, len);
                break;
        case 1:
                g_string_append(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
                put_quoted_printable(out, (guint8 *) octets, len);
                break;
        default:
                g_string_append(out, "Content-Transfer-Encoding: 8bit\r\n\r\n");
                g_string_append_len(out, octets, (gssize) len);
                g_string_append(out, "\r\n");
        }
        g_string_free(g_steal_pointer(&marked), TRUE);
}

/* "Subject: ..." in encoded words, folded; or in UTF-8 as it is (RFC 6532). */
static void
put_subject(GString *out, GRand *rand, GPtrArray *fields)
{
        g_autofree char *text = text_of_chance(rand, &CHARSETS[0], (guint) g_rand_int_range(rand, 1, 8), FALSE);

        g_ptr_array_add(fields, g_strdup_printf("Subject: %s", text));
        if (g_rand_int_range(rand, 0, 3) == 0) {
                g_string_append_printf(out, "Subject: %s\r\n", text);
                return;
        }
        g_string_append(out, "Subject:");
        for (const char *at = text, *end; *at != '\0'; at = end) {
                end = at;
                for (guint n = 0; n < 10 && *end != '\0'; n++)
                        end = g_utf8_next_char(end);
                g_autofree char *encoded = g_base64_encode((const guchar *) at, (gsize) (end - at));
                g_string_append_printf(out, "%s =?utf-8?B?%s?=", at > text ? "\r\n" : "", encoded);
        }
        g_string_append(out, "\r\n");
}

static void put_entity(GString *out, GRand *rand, Plain *plain, guint depth);

/* A header and what belongs to it. fields: where its fields are counted. */
static void
put_message(GString *out, GRand *rand, Plain *plain, GPtrArray *fields, guint depth)
{
        put_subject(out, rand, fields);
        gsize from = out->len;
        g_string_append(out, "MIME-Version: 1.0\r\n");
        put_entity(out, rand, plain, depth);
        for (const char *line = out->str + from, *end; *line != '\r'; line = end + 2) {
                end = strstr(line, "\r\n");
                g_ptr_array_add(fields, g_strndup(line, (gsize) (end - line)));
        }
}

static void
put_multipart(GString *out, GRand *rand, Plain *plain, guint depth)
{
        g_autofree char *boundary = g_strdup_printf("b%u-%u", depth, g_rand_int(rand));

        g_string_append_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n", boundary);
        for (gint n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
                g_string_append_printf(out, "--%s\r\n", boundary);
                put_entity(out, rand, plain, depth + 1);
        }
        g_string_append_printf(out, "--%s--\r\n", boundary);
}

/* Fields of a message in a message are part of the outer one's body. */
static void
put_inner_message(GString *out, GRand *rand, Plain *plain, guint depth)
{
        g_string_append(out, "Content-Type: message/rfc822\r\n\r\n");
        put_message(out, rand, plain, plain->texts, depth + 1);
}

static void
put_attachment(GString *out, GRand *rand, Plain *plain)
{
        guint8 junk[300];

        for (gsize i = 0; i < sizeof(junk); i++)
                junk[i] = (guint8) g_rand_int(rand);
        char *name = g_strdup_printf("%s%u.bin", ASCII[g_rand_int_range(rand, 0, G_N_ELEMENTS(ASCII))],
                                     g_rand_int(rand) % 100);
        g_ptr_array_add(plain->texts, name);
        g_string_append_printf(
                out,
                "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"%s\"\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n",
                name);
        put_base64(out, junk, sizeof(junk));
}

static void
put_entity(GString *out, GRand *rand, Plain *plain, guint depth)
{
        gint kind = g_rand_int_range(rand, 0, 10);

        if (depth < 3 && kind < 2)
                put_multipart(out, rand, plain, depth);
        else if (depth > 0 && depth < 3 && kind == 2)
                put_inner_message(out, rand, plain, depth);
        else if (depth > 0 && kind == 3)
                put_attachment(out, rand, plain);
        else
                put_text_part(out, rand, plain);
}

static char *
message_of_chance(GRand *rand, Plain *plain)
{
        GString *out = g_string_new(NULL);

        put_message(out, rand, plain, plain->fields, 0);
        return g_string_free(out, FALSE);
}

/* Searching ---------------------------------------------------------------------------------------------------------
 */

typedef struct Mail {
        Site site;
        SearchFill *fill;
        GRand *rand;
        GPtrArray *plains; /* of account 1's INBOX, by index */
} Mail;

static void
mail_init(Mail *mail, gconstpointer data)
{
        site_init(&mail->site, NULL);
        store_keep_search_index(mail->site.store, mail->site.dir);
        mail->fill = store_search_fill_new(mail->site.store);
        mail->rand = g_rand_new_with_seed(42);
        mail->plains = g_ptr_array_new_with_free_func(plain_free);
}

static void
mail_done(Mail *mail, gconstpointer data)
{
        g_ptr_array_unref(mail->plains);
        g_rand_free(mail->rand);
        search_fill_free(mail->fill);
        site_done(&mail->site, NULL);
}

/* One message of which the first `cut` octets are not shown. */
static void
deliver_copy(Mail *mail, const char *prefix, const char *text, guint cut)
{
        g_autoptr(GError) error = NULL;
        BlobPlace place = append(&mail->site, text);
        Cut cuts[] = {{0, cut}};
        Copy copy = {.body_size = place.size, .prefix = span_of(prefix), .cuts = cuts, .n_cuts = cut > 0};
        StoreDelivery delivery = {.account = 1, .mailbox = "INBOX", .copy = &copy, .message = 7, .received = 1000};
        gint64 uid;

        g_autoptr(DbTxn) txn = db_begin(mail->site.db, &error);
        g_assert_true(blob_name(txn, &place, 1, SPAN_EMPTY, &copy.body, &error));
        g_assert_cmpint(store_deliver(mail->site.store, txn, &delivery, &uid, &error), ==, STORE_DONE);
        g_assert_cmpint(db_take_commit(g_steal_pointer(&txn), &error), ==, DB_COMMITTED);
}

/* Each has a prefix of its own; of some the Subject, which comes first, is cut out. */
static void
mail_deliver(Mail *mail, guint n)
{
        for (guint i = 0; i < n; i++) {
                Plain *plain = plain_new();
                g_autofree char *text = message_of_chance(mail->rand, plain);
                g_autofree char *to = g_strdup_printf("Delivered-To: user%u@copies.example", i % 7);
                g_autofree char *prefix = g_strconcat(to, "\r\n", NULL);
                guint cut = i % 5 == 0 ? (guint) (strstr(text, "MIME-Version") - text) : 0;

                if (cut > 0)
                        g_ptr_array_remove_index(plain->fields, 0);
                g_ptr_array_add(plain->fields, g_steal_pointer(&to));
                texts_fold(plain->fields, plain->folded_fields);
                texts_fold(plain->texts, plain->folded_texts);
                g_ptr_array_add(mail->plains, plain);
                deliver_copy(mail, prefix, text, cut);
        }
}

/* Make records until so many packs have theirs. */
static void
mail_fill(Mail *mail, guint packs)
{
        g_autoptr(GError) error = NULL;
        SearchProgress progress = {.packs_done = 0};

        while (progress.packs_done < packs) {
                g_assert_cmpint(search_fill_step(mail->fill, 1, &error), !=, SEARCH_FILL_FAILED);
                g_assert_true(store_search_progress(mail->site.store, &progress, &error));
        }
        g_assert_cmpuint(progress.packs_done, ==, packs);
}

static SearchTask *
search(Mail *mail, View *view, SearchPart part, const char *needle, const guint8 *wanted, Usec span)
{
        g_autoptr(GError) error = NULL;
        SearchTask *task = store_search_new(mail->site.store, view, part, span_of(needle), wanted);
        SearchStep step;

        while ((step = search_task_step(task, span, &error)) == SEARCH_AGAIN)
                continue;
        g_assert_no_error(error);
        g_assert_cmpint(step, ==, SEARCH_DONE);
        g_assert_cmpuint(search_task_looked_at(task), ==, view_count(view));
        return task;
}

static void
check_needle(Mail *mail, View *view, const char *needle, Usec span)
{
        g_autofree char *folded = fold_plainly(needle);

        for (SearchPart part = SEARCH_BODY; part <= SEARCH_TEXT; part++) {
                g_autoptr(SearchTask) task = search(mail, view, part, needle, NULL, span);
                for (guint32 i = 0; i < view_count(view); i++) {
                        const Plain *plain = mail->plains->pdata[view_entry(view, i)->uid - 1];
                        if (search_task_matches(task, i) != plain_has(plain, part, folded))
                                g_error("%s '%s' in UID %u: should be %d", part == SEARCH_BODY ? "BODY" : "TEXT",
                                        needle, view_entry(view, i)->uid, plain_has(plain, part, folded));
                }
        }
}

/* Some characters of some text, in the other case now and then. */
static char *
needle_of_chance(Mail *mail)
{
        const Plain *plain = mail->plains->pdata[g_rand_int_range(mail->rand, 0, (gint) mail->plains->len)];
        const GPtrArray *texts = g_rand_int_range(mail->rand, 0, 4) == 0 ? plain->fields : plain->texts;
        if (texts->len == 0)
                return g_strdup("zebra");
        const char *text = texts->pdata[g_rand_int_range(mail->rand, 0, (gint) texts->len)];
        glong len = g_utf8_strlen(text, -1), from = g_rand_int_range(mail->rand, 0, (gint) len);
        glong end = from + g_rand_int_range(mail->rand, 1, 20);
        g_autofree char *needle = g_utf8_substring(text, from, MIN(len, end));
        g_strstrip(needle); /* the end of a text may or may not be the end of a line */
        g_autofree char *folded = fold_plainly(needle);

        /* half of a letter that folding takes apart is not for this model */
        if (g_unichar_ismark(g_utf8_get_char(folded)) || folded[0] == '\0')
                return g_strdup("zebra");
        return g_rand_int_range(mail->rand, 0, 3) == 0 ? g_utf8_strup(needle, -1) : g_steal_pointer(&needle);
}

static void
check_all(Mail *mail, guint n_needles)
{
        g_autoptr(View) view = open_view(&mail->site, inbox_of(&mail->site, 1), 1);

        for (gsize i = 0; i < G_N_ELEMENTS(WORDS); i++)
                check_needle(mail, view, WORDS[i], USEC_PER_SEC);
        check_needle(mail, view, "user3@copies", USEC_PER_SEC);
        check_needle(mail, view, "delivered-to: user3", USEC_PER_SEC);
        check_needle(mail, view, "nowhere at all", USEC_PER_SEC);
        for (guint i = 0; i < n_needles; i++) {
                g_autofree char *needle = needle_of_chance(mail);
                check_needle(mail, view, needle, i % 10 == 0 ? 1 : USEC_PER_SEC);
        }
}

static void
test_exact(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 200);
        check_all(mail, 60);
        tidy(&mail->site);
        check_all(mail, 40);
        mail_deliver(mail, 40);
        check_all(mail, 40);
}

/* The same answers whatever the index knows: half of the packs, all, and all but what came since. */
static void
test_indexed(Mail *mail, gconstpointer data)
{
        mail_deliver(mail, 256);
        g_assert_cmpuint(pack_all(&mail->site, inbox_of(&mail->site, 1)), ==, 2);
        mail_fill(mail, 1);
        check_all(mail, 60);
        mail_fill(mail, 2);
        check_all(mail, 300);
        mail_deliver(mail, 30);
        check_all(mail, 10);
        (void) pack_all(&mail->site, inbox_of(&mail->site, 1));
        check_all(mail, 0);
        mail_fill(mail, 3);
        check_all(mail, 50);
}

/* Only what is wanted is looked at; what was expunged is not in the view. */
static void
test_wanted(Mail *mail, gconstpointer data)
{
        g_autoptr(GError) error = NULL;

        mail_deliver(mail, 60);
        g_autoptr(View) view = open_view(&mail->site, inbox_of(&mail->site, 1), 1);
        guint8 wanted[60];
        for (guint i = 0; i < 60; i++)
                wanted[i] = i % 3 == 0;
        g_autoptr(SearchTask) task = search(mail, view, SEARCH_TEXT, "delivered-to", wanted, USEC_PER_SEC);
        for (guint i = 0; i < 60; i++)
                g_assert_cmpint(search_task_matches(task, i), ==, i % 3 == 0);

        UidRange range = {1, 30};
        UidSet set = {&range, 1};
        guint64 modseq;
        g_assert_cmpint(store_remove(mail->site.store, view_mailbox(view), &set, &modseq, &error), ==, CHANGED_DONE);
        tidy(&mail->site);
        check_all(mail, 10);
        /* an older view still shows them, but there is nothing to read any more */
        g_autoptr(SearchTask) late = search(mail, view, SEARCH_TEXT, "delivered-to", NULL, USEC_PER_SEC);
        for (guint i = 0; i < 60; i++)
                g_assert_cmpint(search_task_matches(late, i), ==, i >= 30);
}

static void
test_needles(Mail *mail, gconstpointer data)
{
        g_autofree char *huge = g_strnfill(1000, 'x');

        mail_deliver(mail, 3);
        g_autoptr(View) view = open_view(&mail->site, inbox_of(&mail->site, 1), 1);
        g_autoptr(SearchTask) all = search(mail, view, SEARCH_BODY, "", NULL, USEC_PER_SEC);
        g_autoptr(SearchTask) none = search(mail, view, SEARCH_BODY, huge, NULL, USEC_PER_SEC);
        for (guint i = 0; i < 3; i++) {
                g_assert_true(search_task_matches(all, i));
                g_assert_false(search_task_matches(none, i));
        }
}

#define mail_test(path, fn) g_test_add(path, Mail, NULL, mail_init, fn, mail_done)

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        mail_test("/store/search/is what a plain look at plain texts finds (RFC 9051 6.4.4)", test_exact);
        mail_test("/store/search/is the same with an index, half of one and none (RFC 9051 6.4.4)", test_indexed);
        mail_test("/store/search/looks at what is wanted and still there", test_wanted);
        mail_test("/store/search/an empty text is in every message, a huge one in none", test_needles);
        return g_test_run();
}
