#include "mail/span_test.h"
#include "mail/text.h"

/* The octets decoded, given `step` at a time. */
static GString *
decode(TransferEncoding encoding, Span text, gsize step, gboolean *ret_is_exact)
{
        GString *out = g_string_new(NULL);
        guint8 room[TRANSFER_ROOM_MIN];
        TransferDecoder d;

        transfer_decoder_init(&d, encoding);
        for (gsize at = 0; at < text.len; at += step) {
                Scan in = scan_from(span_slice(text, at, at + step));

                while (!scan_at_end(&in))
                        g_string_append_len(out, (char *) room, (gssize) transfer_decode(&d, &in, room, sizeof(room)));
        }
        g_string_append_len(out, (char *) room, (gssize) transfer_decode_end(&d, room, sizeof(room)));
        *ret_is_exact = transfer_is_exact(&d);
        return out;
}

static void
check(TransferEncoding encoding, const char *text, const char *expected, gboolean is_exact)
{
        for (gsize step = 1; step < 12; step++) {
                gboolean found_exact;
                g_autoptr(GString) found = decode(encoding, span_of(text), step, &found_exact);

                g_assert_cmpstr(found->str, ==, expected);
                g_assert_cmpuint(found->len, ==, strlen(expected));
                g_assert_cmpint(found_exact, ==, is_exact);
        }
}

static void
test_quoted_printable(void)
{
        static const struct {
                const char *text, *octets;
        } good[] = {
                {"", ""},
                {"plain", "plain"},
                {"a=3Db=c3=C3", "a=b\xc3\xc3"},
                {"soft=\r\nline=\nends=", "softlineends"},
                {"soft= \t\r\nwith white space", "softwith white space"},
                {"Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
                 "Now's the time for all folk to come to the aid of their country."},
                {"white space  \t\r\nat the end \n", "white space\r\nat the end\n"},
                {"kept =20\r\n", "kept  \r\n"},
                {"a\rb\r\rc\r\n", "a\rb\r\rc\r\n"},
                {"\xc3\xa4 =", "\xc3\xa4 "},
                {"end   ", "end"},
                {"end \r", "end\r"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
                check(TRANSFER_QUOTED_PRINTABLE, good[i].text, good[i].octets, TRUE);
}

/* What is no quoted-printable stays as it is, and the answer says so. */
static void
test_broken_quoted_printable(void)
{
        static const struct {
                const char *text, *octets;
        } broken[] = {
                {"a=b", "a=b"},           {"a=xy", "a=xy"}, {"a=4", "a=4"},     {"a==3D", "a=="},
                {"a=4\r\nb", "a=4\r\nb"}, {"a= b", "a= b"}, {"a=\rb", "a=\rb"}, {"=4=41", "=4A"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(broken); i++)
                check(TRANSFER_QUOTED_PRINTABLE, broken[i].text, broken[i].octets, FALSE);
}

static void
test_base64(void)
{
        static const struct {
                const char *text, *octets;
        } good[] = {
                {"", ""},
                {"Zg==", "f"},
                {"Zm8=", "fo"},
                {"Zm9v", "foo"},
                {"Zm9vYmFy\r\n", "foobar"},
                {"Zm\r\n9v\t YmE=\r\n\r\n", "fooba"},
                {"Zm8", "fo"}, /* padding was forgotten */
                {"Zg", "f"},
                {"+/+/", "\xfb\xff\xbf"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
                check(TRANSFER_BASE64, good[i].text, good[i].octets, TRUE);
}

/* What is no base64 is passed over; what stands behind the padding is somebody's footer (RFC 2045 §6.8). */
static void
test_broken_base64(void)
{
        static const struct {
                const char *text, *octets;
        } broken[] = {
                {"Zm9v!Ym.Fy", "foobar"}, {"Zm9vZ", "foo"}, {"Zg==\r\n__ list footer", "f"}, {"=Zm9v", ""},
                {"\xffZm9v", "foo"},
        };

        for (gsize i = 0; i < G_N_ELEMENTS(broken); i++)
                check(TRANSFER_BASE64, broken[i].text, broken[i].octets, FALSE);
}

static void
test_identity(void)
{
        check(TRANSFER_7BIT, "a=3D\r\n Zg==", "a=3D\r\n Zg==", TRUE);
        check(TRANSFER_8BIT, "\xff", "\xff", TRUE);
        check(TRANSFER_BINARY, "x", "x", TRUE);
        check(TRANSFER_UNKNOWN, "begin 644 x", "begin 644 x", FALSE);
}

/* White space without end is held only so far. */
static void
test_long_white_space(void)
{
        g_autofree char *spaces = g_strnfill(1000, ' ');
        g_autofree char *text = g_strconcat(spaces, "x=", spaces, "y", NULL);
        g_autofree char *soft = g_strconcat("=", spaces, "\r\n", NULL);
        gboolean is_exact;

        check(TRANSFER_QUOTED_PRINTABLE, text, text, FALSE);
        g_autoptr(GString) found = decode(TRANSFER_QUOTED_PRINTABLE, span_of(soft), 7, &is_exact);
        g_assert_cmpuint(found->str[0], ==, '=');
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/mail/transfer/quoted-printable RFC 2045 §6.7", test_quoted_printable);
        g_test_add_func("/mail/transfer/broken-quoted-printable-stays RFC 2045 §6.7", test_broken_quoted_printable);
        g_test_add_func("/mail/transfer/base64 RFC 2045 §6.8", test_base64);
        g_test_add_func("/mail/transfer/broken-base64-is-passed-over RFC 2045 §6.8", test_broken_base64);
        g_test_add_func("/mail/transfer/identity RFC 2045 §6.2", test_identity);
        g_test_add_func("/mail/transfer/white-space-without-end", test_long_white_space);
        return g_test_run();
}
