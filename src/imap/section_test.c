#include "imap/section.h"

#include <glib.h>

/* A stored message: what stands in the body between cut and cut_end is not shown, the prefix is. */
struct StoredMessage {
        GString *shown;
        gsize prefix_len, cut, cut_end;
};

static struct {
        const char *prefix, *body;
        gsize cut, cut_end;
        gsize most;         /* octets a read gives, 0: all        */
        guint64 fails_from; /* reads behind this place are faults */
        guint n_open;
} fake;

static StoredMessage *
fake_message(void)
{
        StoredMessage *m = g_new0(StoredMessage, 1);

        m->shown = g_string_new(fake.prefix);
        m->prefix_len = strlen(fake.prefix);
        m->cut = fake.cut;
        m->cut_end = fake.cut_end;
        g_string_append(m->shown, fake.body);
        g_string_erase(m->shown, (gssize) (m->prefix_len + m->cut), (gssize) (m->cut_end - m->cut));
        fake.n_open++;
        return m;
}

void
stored_message_free(StoredMessage *m)
{
        if (m == NULL)
                return;
        fake.n_open--;
        g_string_free(m->shown, TRUE);
        g_free(m);
}

guint64
stored_message_size(const StoredMessage *m)
{
        return m->shown->len;
}

guint64
stored_message_header_size(const StoredMessage *m)
{
        return (guint64) (strstr(m->shown->str, "\r\n\r\n") + 4 - m->shown->str);
}

guint64
stored_message_offset(const StoredMessage *m, guint64 body_offset)
{
        gsize cut = (gsize) (MIN(body_offset, m->cut_end) - MIN(body_offset, m->cut));

        return m->prefix_len + body_offset - cut;
}

gssize
stored_message_read(StoredMessage *m, guint64 offset, void *buffer, gsize len, GError **error)
{
        len = (gsize) MIN(len, m->shown->len - offset);
        if (fake.most > 0)
                len = MIN(len, fake.most);
        if (offset + len > fake.fails_from) {
                (void) fault(error, FAULT_IO, "disk on fire");
                return -1;
        }
        memcpy(buffer, m->shown->str + offset, len);
        return (gssize) len;
}

static const char MESSAGE[] = "Received: here\r\n"
                              "X-Hidden: secret\r\n"
                              "From: a\r\n"
                              "Content-Type: multipart/mixed; boundary=x\r\n"
                              "\r\n"
                              "preamble\r\n"
                              "--x\r\n"
                              "Content-Type: text/plain\r\n"
                              "Content-Transfer-Encoding: base64\r\n"
                              "\r\n"
                              "aGVsbG8K\r\n"
                              "--x\r\n"
                              "Content-Type: message/rfc822\r\n"
                              "\r\n"
                              "Subject: inner\r\n"
                              "To: b\r\n"
                              "Content-Transfer-Encoding: quoted-printable\r\n"
                              "\r\n"
                              "a=3Db\r\n"
                              "--x\r\n"
                              "Content-Transfer-Encoding: x-uuencode\r\n"
                              "\r\n"
                              "begin\r\n"
                              "--x\r\n"
                              "Content-Transfer-Encoding: base64\r\n"
                              "\r\n"
                              "****\r\n"
                              "--x--\r\n";

static void
set_up(void)
{
        const char *hidden = strstr(MESSAGE, "X-Hidden"), *from = strstr(MESSAGE, "From");

        memset(&fake, 0, sizeof(fake));
        fake.prefix = "Return-Path: <r>\r\n";
        fake.body = MESSAGE;
        fake.cut = (gsize) (hidden - MESSAGE);
        fake.cut_end = (gsize) (from - MESSAGE);
        fake.fails_from = G_MAXUINT64;
}

static Span
structure_of(Arena *arena, const char *message)
{
        Structure structure;
        Summary summary;

        g_assert_true(message_parse(arena, span_of(message), &structure));
        g_assert_true(summary_make(arena, span_of(message), &structure, &summary));
        return summary.structure;
}

/* "section" of BODY[section], or of BINARY. Octets, or NULL with the answer. */
static char *
read_section(Arena *arena, const char *text, SectionForm form, gsize room, SectionAnswer *ret)
{
        ImapArgs a = {.scan = scan_from(span_of(text)), .arena = arena};
        g_autoptr(GString) out = g_string_new(NULL);
        g_autofree guint8 *piece = g_malloc(room);
        g_autoptr(GError) error = NULL;
        Section section;
        SectionReader r;
        gssize got;

        g_assert_true(section_parse(&a, &section) && args_end(&a));
        *ret = section_open(&r, fake_message(), &section, form, structure_of(arena, MESSAGE), &error);
        if (*ret == SECTION_READY)
                while ((*ret = section_measure(&r, &error)) == SECTION_AGAIN)
                        ;
        if (*ret != SECTION_READY) {
                g_assert_cmpint(error != NULL, ==, *ret == SECTION_FAILED);
                g_assert_cmpuint(fake.n_open, ==, 0);
                return NULL;
        }
        guint64 size = r.size;
        while ((got = section_read(&r, piece, room, &error)) > 0)
                g_string_append_len(out, (char *) piece, got);
        g_assert_cmpuint(out->len, ==, size);
        section_close(&r);
        g_assert_cmpuint(fake.n_open, ==, 0);
        return g_strdup(out->str);
}

static void
test_stored(void)
{
        static const struct {
                const char *section, *octets;
        } cases[] = {
                {"HEADER",
                 "Return-Path: <r>\r\nReceived: here\r\nFrom: a\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"},
                {"HEADER.FIELDS (From Return-Path X-Hidden)", "Return-Path: <r>\r\nFrom: a\r\n\r\n"},
                {"HEADER.FIELDS (Nothing)", "\r\n"},
                {"HEADER.FIELDS.NOT (Received Content-Type)", "Return-Path: <r>\r\nFrom: a\r\n\r\n"},
                {"1", "aGVsbG8K"},
                {"1.MIME", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
                {"2.HEADER", "Subject: inner\r\nTo: b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"},
                {"2.HEADER.FIELDS (to)", "To: b\r\n\r\n"},
                {"2.HEADER.FIELDS.NOT (to)", "Subject: inner\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"},
                {"2.TEXT", "a=3Db"},
                {"2.1", "a=3Db"},
                {"3", "begin"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize most = 0; most < 20; most++) {
                        g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
                        SectionAnswer answer;
                        set_up();
                        fake.most = most;
                        g_autofree char *octets = read_section(arena, cases[i].section, SECTION_AS_STORED,
                                                               SECTION_ROOM_MIN + most, &answer);
                        g_assert_cmpint(answer, ==, SECTION_READY);
                        g_assert_cmpstr(octets, ==, cases[i].octets);
                }
}

static void
test_whole(void)
{
        g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
        SectionAnswer answer;

        set_up();
        g_autofree char *whole = read_section(arena, "", SECTION_AS_STORED, 4096, &answer);
        g_autofree char *header = read_section(arena, "HEADER", SECTION_AS_STORED, 4096, &answer);
        g_autofree char *text = read_section(arena, "TEXT", SECTION_AS_STORED, 4096, &answer);
        g_autofree char *both = g_strconcat(header, text, NULL);
        g_autofree char *binary = read_section(arena, "", SECTION_DECODED, 4096, &answer);
        g_assert_cmpstr(whole, ==, both);
        g_assert_cmpstr(whole, ==, binary);
        g_assert_true(g_str_has_prefix(text, "preamble\r\n"));
        g_assert_null(strstr(whole, "secret"));
}

static void
test_decoded(void)
{
        static const struct {
                const char *section;
                SectionAnswer answer;
                const char *octets;
        } cases[] = {
                {"1", SECTION_READY, "hello\n"},
                {"2.1", SECTION_READY, "a=b"},
                /* a message in a message is not encoded, whatever stands in its header */
                {"2", SECTION_READY,
                 "Subject: inner\r\nTo: b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db"},
                {"3", SECTION_UNKNOWN_CTE, NULL},
                {"4", SECTION_UNKNOWN_CTE, NULL},
                {"5", SECTION_NONE, NULL},
                {"1.1", SECTION_NONE, NULL},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
                for (gsize most = 0; most < 20; most++) {
                        g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
                        SectionAnswer answer;
                        set_up();
                        fake.most = most;
                        g_autofree char *octets =
                                read_section(arena, cases[i].section, SECTION_DECODED, SECTION_ROOM_MIN, &answer);
                        g_assert_cmpint(answer, ==, cases[i].answer);
                        g_assert_cmpstr(octets, ==, cases[i].octets);
                }
}

static void
test_faults(void)
{
        static const char *const sections[] = {"HEADER.FIELDS (From)", "2.HEADER.FIELDS.NOT (From)", "1"};
        g_autoptr(Arena) arena = arena_new(64 * 1024 * 1024);
        SectionAnswer answer;

        for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) {
                SectionForm form = i == 2 ? SECTION_DECODED : SECTION_AS_STORED;
                set_up();
                fake.fails_from = 10;
                g_assert_null(read_section(arena, sections[i], form, 4096, &answer));
                g_assert_cmpint(answer, ==, SECTION_FAILED);
        }
}

/* Only octets that are sent as stored can be jumped over. */
static void
test_skip(void)
{
        const Section text = {.part = SECTION_TEXT};
        const Span names[] = {span_of("From")};
        const Section fields = {.part = SECTION_HEADER, .has_names = TRUE, .names = names, .n_names = 1};
        SectionReader r;
        guint8 piece[SECTION_ROOM_MIN];

        set_up();
        g_assert_cmpint(section_open(&r, fake_message(), &text, SECTION_AS_STORED, SPAN_EMPTY, NULL), ==,
                        SECTION_READY);
        g_assert_cmpuint(section_skip(&r, 3), ==, 3);
        g_assert_cmpint(section_read(&r, piece, sizeof(piece), NULL), >, 8);
        g_assert_cmpmem(piece, 8, "amble\r\n-", 8);
        g_assert_cmpuint(section_skip(&r, 100000), ==, 0);
        section_close(&r);
        g_assert_cmpint(section_open(&r, fake_message(), &fields, SECTION_AS_STORED, SPAN_EMPTY, NULL), ==,
                        SECTION_READY);
        g_assert_cmpuint(section_skip(&r, 3), ==, 0);
        section_close(&r);
        section_close(&r);
        g_assert_cmpuint(fake.n_open, ==, 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/section/as stored (RFC 9051 §6.4.5.1)", test_stored);
        g_test_add_func("/imap/section/whole is header and text", test_whole);
        g_test_add_func("/imap/section/decoded (RFC 3516 §4)", test_decoded);
        g_test_add_func("/imap/section/faults", test_faults);
        g_test_add_func("/imap/section/skip", test_skip);
        return g_test_run();
}
