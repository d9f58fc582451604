#include "imap/internal.h"

static const struct {
        const char *utf7, *utf8;
} PAIRS[] = {
        {"", ""},
        {"INBOX", "INBOX"},
        {"a&-b", "a&b"},
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
        {"Entw&APw-rfe", "Entw\xc3\xbcrfe"},
        {"&2D3eAA-", "\xf0\x9f\x98\x80"},
        {"&AAE-", "\x01"},
        {"&AH8-", "\x7f"},
        {"&AOkA6Q-&-", "\xc3\xa9\xc3\xa9&"},
};

static void
test_pairs(void)
{
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(PAIRS); i++) {
                Span decoded = SPAN_EMPTY;
                g_assert_true(utf7_to_utf8(arena, span_of(PAIRS[i].utf7), &decoded));
                g_assert_true(span_equal(decoded, span_of(PAIRS[i].utf8)));
                g_assert_true(span_equal(utf7_from_utf8(arena, span_of(PAIRS[i].utf8)), span_of(PAIRS[i].utf7)));
        }
}

static void
test_malformed(void)
{
        static const char *const wrong[] = {
                "&",
                "a&",
                "&U,BTFw",
                "&AGEA-",
                "&AGE-",              /* printable ASCII */
                "&U,BTFw-&ZeVnLIqe-", /* two shifts in a row */
                "&Jjo!",
                "&Jjo-!&\r",
                "caf\xc3\xa9",
                "&2D0-",
                "&3gA-",
                "&2D0AYQ-", /* halves of pairs */
                "&AOl-",
                "&AOkA-",
                "&AO-",
                "&A-",
                "&==-",
                "&AO/-",
                "tab\there",
        };
        g_autoptr(Arena) arena = arena_new(65536);

        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
                Span decoded = span_of("untouched");
                if (utf7_to_utf8(arena, span_of(wrong[i]), &decoded))
                        g_error("taken: %s", wrong[i]);
                g_assert_true(span_is(decoded, "untouched"));
        }
}

/* Whatever can be written is read back as it was. */
static void
test_every_character(void)
{
        g_autoptr(Arena) arena = arena_new(65536);

        for (gunichar c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 61) {
                char text[16];
                if (c >= 0xd800 && c < 0xe000)
                        continue;
                gsize n = (gsize) g_unichar_to_utf8(c, text);
                text[n++] = 'a';
                n += (gsize) g_unichar_to_utf8(c, text + n);
                Span decoded = SPAN_EMPTY, name = span_make(text, n);
                arena_reset(arena);
                Span encoded = utf7_from_utf8(arena, name);
                g_assert_true(utf7_to_utf8(arena, encoded, &decoded));
                g_assert_true(span_equal(decoded, name));
        }
}

static void
test_limits(void)
{
        g_autoptr(Arena) arena = arena_new(4096);
        g_autofree char *name = g_strnfill(100000, 'x');
        Span decoded;

        g_assert_false(utf7_to_utf8(arena, span_of(name), &decoded));
        g_assert_cmpuint(utf7_from_utf8(arena, span_of(name)).len, ==, 0);
        arena_reset(arena);
        g_assert_cmpuint(utf7_from_utf8(arena, span_of("caf\xe9")).len, ==, 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/utf7/RFC 3501 5.1.3: both ways", test_pairs);
        g_test_add_func("/imap/utf7/RFC 3501 5.1.3: no other form is well-formed", test_malformed);
        g_test_add_func("/imap/utf7/every character comes back", test_every_character);
        g_test_add_func("/imap/utf7/too long for the arena", test_limits);
        return g_test_run();
}
