/* The arguments of the QUOTA commands (RFC 9208 §4.1). */
#include "imap/harness.h"
#include "imap/names.h"

static const struct {
        const char *text;
        QuotaForm form;
        const char *name; /* NULL: wrong */
        gboolean is_bad_name;
} ROWS[] = {
        {" joe@ex.org", QUOTA_FORM_ROOT, "joe@ex.org"},
        {" \"\"", QUOTA_FORM_ROOT, ""},
        {" a b", QUOTA_FORM_ROOT, NULL},
        {"", QUOTA_FORM_ROOT, NULL},
        {" INBOX", QUOTA_FORM_MAILBOX, "INBOX"},
        {" {5}\r\nINBOX", QUOTA_FORM_MAILBOX, "INBOX"},
        {" INBOX ", QUOTA_FORM_MAILBOX, NULL},
        {" &x", QUOTA_FORM_MAILBOX, NULL, TRUE},
        {" root ()", QUOTA_FORM_LIMITS, "root"},
        {" root (STORAGE 512)", QUOTA_FORM_LIMITS, "root"},
        {" root (STORAGE 512 MESSAGE 9223372036854775807)", QUOTA_FORM_LIMITS, "root"},
        {" root", QUOTA_FORM_LIMITS, NULL},
        {" root (STORAGE)", QUOTA_FORM_LIMITS, NULL},
        {" root (STORAGE -1)", QUOTA_FORM_LIMITS, NULL},
        {" root (STORAGE 9223372036854775808)", QUOTA_FORM_LIMITS, NULL},
        {" root (STORAGE 1 )", QUOTA_FORM_LIMITS, NULL},
        {" root () x", QUOTA_FORM_LIMITS, NULL},
};

static void
test_forms(void)
{
        for (gsize i = 0; i < G_N_ELEMENTS(ROWS); i++) {
                ImapArgs args = harness_args(span_of(ROWS[i].text), 0);
                gboolean is_bad;
                Span name;
                g_test_message("%s", ROWS[i].text);
                g_assert_cmpint(imap_quota_parse(&args, ROWS[i].form, &name, &is_bad), ==, ROWS[i].name != NULL);
                g_assert_cmpint(is_bad, ==, ROWS[i].is_bad_name);
                g_assert_true(ROWS[i].name == NULL || span_equal(name, span_of(ROWS[i].name)));
                arena_free(args.arena);
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/quota_parse/arguments (RFC 9208 §4.1)", test_forms);
        return g_test_run();
}
