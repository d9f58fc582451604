/* The arguments of the ACL commands (RFC 4314 §3, §4). */
#include "imap/harness.h"
#include "imap/names.h"

static gboolean
parse(const char *text, AclForm form, const guint64 *off, AclRequest *ret, gboolean *ret_is_bad)
{
        ImapArgs args = harness_args(span_of(text), 0);

        g_test_message("%s", text);
        args.off = off;
        gboolean is_good = imap_acl_parse(&args, form, ret, ret_is_bad);
        arena_free(args.arena);
        return is_good;
}

static void
test_rights(void)
{
        static const struct {
                const char *text;
                AclAction action;
                guint rights;
        } rows[] = {
                {" INBOX joe lr", ACL_REPLACE, RIGHT_LOOKUP | RIGHT_READ},
                {" INBOX joe +te", ACL_ADD, RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE},
                {" INBOX joe -a", ACL_REMOVE, RIGHT_ADMINISTER},
                {" {5}\r\nINBOX \"joe\" \"\"", ACL_REPLACE, 0},
                {" INBOX joe +", ACL_ADD, 0},
        };
        AclRequest r;
        gboolean is_bad;

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_assert_true(parse(rows[i].text, ACL_FORM_RIGHTS, NULL, &r, &is_bad));
                g_assert_true(r.mailbox.len == 5 && r.identifier.len == 3);
                g_assert_cmpint(r.action, ==, rows[i].action);
                g_assert_cmpuint(r.rights, ==, rows[i].rights);
        }
}

static void
test_forms(void)
{
        AclRequest r;
        gboolean is_bad;

        g_assert_true(parse(" a/b", ACL_FORM_MAILBOX, NULL, &r, &is_bad));
        g_assert_true(parse(" a/b -joe", ACL_FORM_IDENTIFIER, NULL, &r, &is_bad));
        g_assert_true(r.action == ACL_REPLACE && r.rights == 0); /* what DELETEACL wants */
}

static void
test_wrong(void)
{
        static const struct {
                const char *text;
                AclForm form;
                gboolean is_bad_name;
        } rows[] = {
                {"", ACL_FORM_MAILBOX, FALSE},
                {" ", ACL_FORM_MAILBOX, FALSE},
                {" a b", ACL_FORM_MAILBOX, FALSE},
                {" &x", ACL_FORM_MAILBOX, TRUE},
                {" a", ACL_FORM_IDENTIFIER, FALSE},
                {" a \"\"", ACL_FORM_IDENTIFIER, FALSE},
                {" a \"\xe9\"", ACL_FORM_IDENTIFIER, FALSE},
                {" a joe lr", ACL_FORM_IDENTIFIER, FALSE},
                {" a joe", ACL_FORM_RIGHTS, FALSE},
                {" a joe lz", ACL_FORM_RIGHTS, FALSE},
                {" a joe l+r", ACL_FORM_RIGHTS, FALSE},
                {" a joe lr x", ACL_FORM_RIGHTS, FALSE},
        };
        AclRequest r;

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                gboolean is_bad;
                g_assert_false(parse(rows[i].text, rows[i].form, NULL, &r, &is_bad));
                g_assert_cmpint(is_bad, ==, rows[i].is_bad_name);
        }
}

/* RIGHTS=kxte off: who knows RFC 2086 only. */
static void
test_old_rights(void)
{
        static const guint64 everything[2] = {G_MAXUINT64, G_MAXUINT64};
        AclRequest r;
        gboolean is_bad;

        g_assert_true(parse(" a joe lrswipcda", ACL_FORM_RIGHTS, everything, &r, &is_bad));
        g_assert_cmpuint(r.rights, ==, RIGHTS_ALL);
        for (const char *letter = "kxte"; *letter != '\0'; letter++) {
                g_autofree char *text = g_strdup_printf(" a joe +%c", *letter);
                g_assert_true(parse(text, ACL_FORM_RIGHTS, NULL, &r, &is_bad));
                g_assert_false(parse(text, ACL_FORM_RIGHTS, everything, &r, &is_bad));
        }
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/imap/acl_parse/rights (RFC 4314 §3.1)", test_rights);
        g_test_add_func("/imap/acl_parse/other forms", test_forms);
        g_test_add_func("/imap/acl_parse/what is wrong", test_wrong);
        g_test_add_func("/imap/acl_parse/without RIGHTS= there are those of RFC 2086 (RFC 4314 §2.2)", test_old_rights);
        return g_test_run();
}
