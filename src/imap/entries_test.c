#include "imap/internal.h"

#include <sys/socket.h>
#include <unistd.h>

/* A view of our own: UIDs 10, 20, 30, ... */
struct View {
        guint32 n;
        ViewEntry entries[20];
};

guint32
view_count(const View *view)
{
        return view->n;
}

const ViewEntry *
view_entry(const View *view, guint32 index)
{
        g_assert(index < view->n);
        return &view->entries[index];
}

guint32
view_index_of(const View *view, guint32 uid)
{
        guint32 i = 0;

        while (i < view->n && view->entries[i].uid < uid)
                i++;
        return i;
}

const char *
view_keyword(const View *view, guint bit)
{
        return bit == FLAG_KEYWORD_FIRST ? "$Forwarded" : bit == 63 ? "last" : NULL;
}

typedef struct Fixture {
        ImapSession session;
        ImapSelected selected;
        View view;
} Fixture;

static void
fixture_init(Fixture *f, guint32 n)
{
        *f = (Fixture){.session.selected = &f->selected, .selected.view = &f->view, .view.n = n};
        f->session.arena = arena_new(1 << 20);
        for (guint32 i = 0; i < n; i++)
                f->view.entries[i].uid = (i + 1) * 10;
}

/* "1-3,5" of the places that a set means, "-" when it is refused. */
static char *
places(Fixture *f, const char *text, gboolean is_uid)
{
        ImapArgs a = {.scan = scan_from(span_of(text)), .arena = f->session.arena};
        GString *out = g_string_new(NULL);
        const IndexRange *ranges;
        ImapSet set;
        gsize n;

        g_assert_true(args_set(&a, &set) && args_end(&a));
        f->session.is_uid = is_uid;
        if (!imap_indexes(&f->session, &set, &ranges, &n))
                return g_string_free(g_string_assign(out, "-"), FALSE);
        for (gsize i = 0; i < n; i++)
                g_string_append_printf(out, "%s%u-%u", i > 0 ? "," : "", ranges[i].first, ranges[i].last);
        return g_string_free(out, FALSE);
}

static void
check(guint32 n, gboolean is_uid, const char *text, const char *expected)
{
        Fixture f;

        fixture_init(&f, n);
        g_autofree char *got = places(&f, text, is_uid);
        g_assert_cmpstr(got, ==, expected);
        arena_free(f.session.arena);
}

static void
test_numbers(void)
{
        check(5, FALSE, "1", "0-0");
        check(5, FALSE, "1:5", "0-4");
        check(5, FALSE, "5:1", "0-4");
        check(5, FALSE, "*", "4-4");
        check(5, FALSE, "3:*", "2-4");
        check(5, FALSE, "*:3", "2-4");
        check(5, FALSE, "9:*", "4-4");
        check(5, FALSE, "6", "-");
        check(5, FALSE, "1:6", "-");
        check(5, FALSE, "1,3,5", "0-0,2-2,4-4");
        check(5, FALSE, "5,4,1,2:3", "0-4");
        check(5, FALSE, "3,1:4,2", "0-3");
        check(0, FALSE, "1", "-");
        check(0, FALSE, "1:*", "");
        check(0, FALSE, "*", "");
}

static void
test_uids(void)
{
        check(5, TRUE, "10", "0-0");
        check(5, TRUE, "11:19", "");
        check(5, TRUE, "11:20", "1-1");
        check(5, TRUE, "1:4294967295", "0-4");
        check(5, TRUE, "1:100", "0-4");
        check(5, TRUE, "*", "4-4");
        check(5, TRUE, "559:*", "4-4");
        check(5, TRUE, "*:25", "2-4");
        check(5, TRUE, "51:60,10,30:20", "0-2");
        check(5, TRUE, "60", "");
        check(0, TRUE, "1:*", "");
}

static void
test_saved(void)
{
        static const UidRange saved[] = {{20, 20}, {35, 45}};
        Fixture f;

        fixture_init(&f, 5);
        g_autofree char *none = places(&f, "$", FALSE);
        g_assert_cmpstr(none, ==, "");
        f.selected.saved = g_array_new(FALSE, FALSE, sizeof(UidRange));
        g_array_append_vals(f.selected.saved, saved, G_N_ELEMENTS(saved));
        for (gboolean is_uid = FALSE; is_uid <= TRUE; is_uid++) {
                g_autofree char *got = places(&f, "$", is_uid);
                g_assert_cmpstr(got, ==, "1-1,3-3");
        }
        g_array_unref(f.selected.saved);
        arena_free(f.session.arena);
}

static void
test_back_to_uids(void)
{
        static const IndexRange ranges[] = {{0, 1}, {3, 3}};
        Fixture f;

        fixture_init(&f, 5);
        UidSet uids = imap_uids(&f.session, ranges, G_N_ELEMENTS(ranges));
        g_assert_cmpuint(uids.n, ==, 2);
        g_assert_true(uids.ranges[0].first == 10 && uids.ranges[0].last == 20);
        g_assert_true(uids.ranges[1].first == 40 && uids.ranges[1].last == 40);
        arena_free(f.session.arena);
}

static void
test_flags(void)
{
        static const struct {
                guint64 flags;
                const char *text;
        } rows[] = {
                {0, "()"},
                {FLAG_SEEN, "(\\Seen)"},
                {FLAG_SYSTEM, "(\\Seen \\Answered \\Flagged \\Deleted \\Draft)"},
                {FLAG_DRAFT | 1u << FLAG_KEYWORD_FIRST, "(\\Draft $Forwarded)"},
                {(guint64) 1 << 63 | 1u << FLAG_KEYWORD_FIRST, "($Forwarded last)"},
                {(guint64) 1 << 62, "()"}, /* a bit without a name */
        };
        int fds[2];
        Fixture f;

        fixture_init(&f, 0);
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
        f.session.session.stream = stream_take_fd(fds[0]);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                char text[200] = "";
                imap_put_flags(&f.session, &f.view, rows[i].flags);
                g_assert_true(stream_flush(f.session.session.stream));
                g_assert_cmpint(read(fds[1], text, sizeof(text) - 1), >, 0);
                g_assert_cmpstr(text, ==, rows[i].text);
        }
        stream_free(f.session.session.stream);
        (void) close(fds[1]);
        arena_free(f.session.arena);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/entries/RFC 9051 9: sequence numbers", test_numbers);
        g_test_add_func("/imap/entries/RFC 9051 9: UIDs", test_uids);
        g_test_add_func("/imap/entries/RFC 5182: what SEARCH has saved", test_saved);
        g_test_add_func("/imap/entries/places to UIDs", test_back_to_uids);
        g_test_add_func("/imap/entries/RFC 9051 2.3.2: flags", test_flags);
        return g_test_run();
}
