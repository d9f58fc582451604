/* operations_test.c -- what an administrator can do, on a real site without its server. */
#include "admin/site_test.h"

static TestSite site;

/* Does it, and says whether the answer is as expected; what it answered is thrown away. */
static void
expect(AdminResult result, const char *reason, const char *password, const char *noun, const char *verb,
       const char *const *args)
{
        TestAnswer answer;

        test_call(&site, &answer, password, NULL, noun, verb, args);
        if (answer.result != result || (reason != NULL && strstr(answer.reason, reason) == NULL))
                g_error("%s %s: %d %s", noun, verb, answer.result, answer.reason);
        test_answer_clear(&answer);
}

static void
done(const char *noun, const char *verb, const char *const *args)
{
        expect(ADMIN_DONE, NULL, NULL, noun, verb, args);
}

static gint64
count(const char *sql)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(DbTxn) txn = db_begin_read(site.rooms.db, &error);
        g_autoptr(DbRows) rows = db_query_text(txn, sql, &error, "");

        g_assert_no_error(error);
        g_assert_cmpint(db_rows_next(rows, &error), ==, DB_ROW);
        return db_int(rows, 0);
}

static const char *
text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

static void
domains(void)
{
        TestAnswer answer;

        test_call(&site, &answer, NULL, NULL, "domain", "add",
                  WORDS("Uk.Example.COM", "unknown=deliver:default@uk.example.com"));
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        g_assert_cmpstr(text_of(answer.object, "name"), ==, "uk.example.com");
        g_assert_nonnull(strstr(answer.warnings->str,
                                "default@uk.example.com")); /* saved, with a warning: it does not exist yet */
        test_answer_clear(&answer);

        expect(ADMIN_REFUSED, "uk.example.com", NULL, "domain", "add", WORDS("uk.example.com"));
        expect(ADMIN_REFUSED, "unknown=perhaps", NULL, "domain", "add", WORDS("b.example", "unknown=perhaps"));
        expect(ADMIN_REFUSED, "kind=relay:", NULL, "domain", "add", WORDS("b.example", "kind=relay:a b"));
        expect(ADMIN_REFUSED, "no domain name", NULL, "domain", "show", WORDS("-"));
        expect(ADMIN_USAGE, "nothing to set", NULL, "domain", "set", WORDS("uk.example.com"));
        done("domain", "set", WORDS("uk.example.com", "envelope-header=X-Rcpt-To"));
        test_call(&site, &answer, NULL, NULL, "domain", "show", WORDS("uk.example.com"));
        g_assert_cmpstr(text_of(answer.object, "envelope_header"), ==, "X-Rcpt-To");
        g_assert_cmpstr(text_of(answer.object, "kind"), ==, "local");
        test_answer_clear(&answer);

        done("domain", "add", WORDS("gone.example"));
        done("domain", "remove", WORDS("gone.example"));
        expect(ADMIN_REFUSED, "gone.example", NULL, "domain", "remove", WORDS("gone.example"));
        test_call(&site, &answer, NULL, NULL, "domain", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        test_answer_clear(&answer);
}

static void
accounts(void)
{
        TestAnswer answer;

        done("domain", "add", WORDS("acc.example"));
        expect(ADMIN_DONE, NULL, "secret", "account", "add", WORDS("joe@acc.example", "quota=1000000"));
        expect(ADMIN_REFUSED, NULL, "secret", "account", "add", WORDS("JOE@acc.example"));
        expect(ADMIN_REFUSED, "nowhere.example", "secret", "account", "add", WORDS("joe@nowhere.example"));
        expect(ADMIN_REFUSED, "is no address", NULL, "account", "show", WORDS("joe"));
        expect(ADMIN_REFUSED, "no password came", NULL, "account", "password", WORDS("joe@acc.example"));
        expect(ADMIN_DONE, NULL, "other", "account", "password", WORDS("joe@acc.example"));

        test_call(&site, &answer, NULL, NULL, "account", "add", WORDS("ann@acc.example"));
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        g_assert_nonnull(strstr(answer.warnings->str, "no password"));
        test_answer_clear(&answer);

        done("account", "set", WORDS("joe@acc.example", "may-send=no"));
        test_call(&site, &answer, NULL, NULL, "account", "list", WORDS("acc.example"));
        g_assert_cmpuint(json_array_size(answer.rows), ==, 2);
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 1), "address"), ==, "joe@acc.example");
        g_assert_true(json_is_false(json_object_get(json_array_get(answer.rows, 1), "may_send")));
        test_answer_clear(&answer);

        done("account", "remove", WORDS("ann@acc.example"));
        expect(ADMIN_REFUSED, "there is no account", NULL, "account", "remove", WORDS("ann@acc.example"));
}

/* "name name ..." of the rows, in order; g_free. */
static char *
names_of(const TestAnswer *answer, const char *key)
{
        GString *s = g_string_new(NULL);
        const json_t *row;
        gsize i;

        json_array_foreach(answer->rows, i, row) g_string_append_printf(s, "%s%s", i > 0 ? " " : "", text_of(row, key));
        return g_string_free(s, FALSE);
}

static void
expect_mailboxes(const char *address, const char *option, const char *wanted)
{
        TestAnswer answer;

        test_call(&site, &answer, NULL, NULL, "mailbox", "list", WORDS(address, option));
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        g_autofree char *names = names_of(&answer, "name");
        g_assert_cmpstr(names, ==, wanted);
        test_answer_clear(&answer);
}

static void
templates(void)
{
        TestAnswer answer;

        test_call(&site, &answer, NULL, NULL, "template", "show", WORDS("default"));
        g_assert_cmpuint(json_array_size(json_object_get(answer.object, "mailboxes")), ==, 5);
        test_answer_clear(&answer);
        done("template", "add",
             WORDS("office", "mailboxes=Sent,Work/2026", "special-use=Sent:sent", "subscribe=Sent,~boss/Team",
                   "alias=Team:~boss/Team", "quota=5000"));
        expect(ADMIN_REFUSED, "exists already", NULL, "template", "add", WORDS("office"));
        expect(ADMIN_REFUSED, "no mailbox can be called so", NULL, "template", "set",
               WORDS("office", "mailboxes=a//b"));
        expect(ADMIN_REFUSED, "no mailbox can be called so", NULL, "template", "set",
               WORDS("office", "mailboxes=~ann/b"));
        expect(ADMIN_REFUSED, "no mailbox can be called so", NULL, "template", "set", WORDS("office", "alias=T:.."));
        expect(ADMIN_REFUSED, "there is no template", NULL, "template", "set", WORDS("none", "quota=1"));
        expect(ADMIN_USAGE, "nothing to set", NULL, "template", "set", WORDS("office"));

        done("domain", "add", WORDS("tem.example", "template=office"));
        test_call(&site, &answer, "x", NULL, "account", "add", WORDS("early@tem.example"));
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        g_assert_nonnull(strstr(answer.warnings->str, "Team was not made"));
        g_assert_cmpint(json_integer_value(json_object_get(answer.object, "quota")), ==, 5000);
        g_assert_cmpstr(text_of(answer.object, "template"), ==, "office");
        test_answer_clear(&answer);
        expect_mailboxes("early@tem.example", NULL, "INBOX Sent Work Work/2026");

        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("boss@tem.example", "template=default"));
        expect_mailboxes("boss@tem.example", NULL, "Archive Drafts INBOX Junk Sent Trash");
        done("mailbox", "create", WORDS("boss@tem.example", "Team"));
        done("mailbox", "acl", WORDS("boss@tem.example", "Team", "anyone", "lr"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("late@tem.example"));
        expect_mailboxes("late@tem.example", NULL, "INBOX Sent Team Work Work/2026 ~boss ~boss/Team");
        test_call(&site, &answer, NULL, NULL, "mailbox", "list", WORDS("late@tem.example"));
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 1), "special_use"), ==, "sent");
        g_assert_true(json_is_true(json_object_get(json_array_get(answer.rows, 1), "subscribed")));
        g_assert_true(json_is_true(json_object_get(json_array_get(answer.rows, 2), "alias")));
        g_assert_true(json_is_true(json_object_get(json_array_get(answer.rows, 6), "subscribed")));
        test_answer_clear(&answer);
        done("mailbox", "acl", WORDS("boss@tem.example", "Team", "anyone", "none"));
        expect_mailboxes("late@tem.example", NULL, "INBOX Sent Work Work/2026");
        expect(ADMIN_REFUSED, "1 domain still has the template", NULL, "template", "remove", WORDS("office"));
        expect(ADMIN_REFUSED, "not removed", NULL, "template", "remove", WORDS("default"));
        done("template", "add", WORDS("brief"));
        done("template", "remove", WORDS("brief"));
        test_call(&site, &answer, NULL, NULL, "template", "list", NULL);
        g_autofree char *names = names_of(&answer, "name");
        g_assert_cmpstr(names, ==, "default office");
        test_answer_clear(&answer);
}

static void
mailboxes(void)
{
        TestAnswer answer;

        done("domain", "add", WORDS("box.example"));
        done("template", "add", WORDS("bare"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@box.example", "template=bare"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("ann@box.example", "template=bare"));
        done("mailbox", "create", WORDS("joe@box.example", "Work/2026", "--special-use", "archive"));
        expect(ADMIN_REFUSED, "stands there already", NULL, "mailbox", "create", WORDS("joe@box.example", "Work"));
        expect(ADMIN_REFUSED, "archive, drafts", NULL, "mailbox", "create",
               WORDS("joe@box.example", "X", "--special-use=everything"));
        expect(ADMIN_REFUSED, "not possible", NULL, "mailbox", "create", WORDS("joe@box.example", "a//b"));
        expect(ADMIN_REFUSED, "no account", NULL, "mailbox", "list", WORDS("max@box.example"));
        expect(ADMIN_REFUSED, "is no address", NULL, "mailbox", "list", WORDS("max"));
        done("mailbox", "rename", WORDS("joe@box.example", "Work", "Old"));
        expect_mailboxes("joe@box.example", NULL, "INBOX Old Old/2026");
        done("mailbox", "delete", WORDS("joe@box.example", "Old/2026"));
        expect(ADMIN_REFUSED, "no mailbox", NULL, "mailbox", "delete", WORDS("joe@box.example", "Old/2026"));
        expect(ADMIN_REFUSED, "always there", NULL, "mailbox", "delete", WORDS("joe@box.example", "inbox"));
        expect_mailboxes("joe@box.example", "--deleted", "Old/2026");
        done("mailbox", "restore", WORDS("joe@box.example", "Old/2026"));
        expect_mailboxes("joe@box.example", "--deleted", "");
        done("mailbox", "delete", WORDS("joe@box.example", "Old/2026"));
        done("mailbox", "create", WORDS("joe@box.example", "Old/2026"));
        expect(ADMIN_REFUSED, "Old/2026 stands there already: give another name by --as", NULL, "mailbox", "restore",
               WORDS("joe@box.example", "Old/2026"));
        expect(ADMIN_REFUSED, "no deleted mailbox Old/2026 with the id m0-0", NULL, "mailbox", "restore",
               WORDS("joe@box.example", "Old/2026", "--id", "m0-0"));
        expect(ADMIN_REFUSED, "no deleted mailbox None can be restored", NULL, "mailbox", "restore",
               WORDS("joe@box.example", "None", "--as", "New"));
        done("mailbox", "restore", WORDS("joe@box.example", "Old/2026", "--as", "Old/Again"));
        expect_mailboxes("joe@box.example", NULL, "INBOX Old Old/2026 Old/Again");
        expect_mailboxes("joe@box.example", "--deleted", "");

        done("mailbox", "undelete", WORDS("joe@box.example", "Old", "--since", "2026-01-31T12:00Z"));
        done("mailbox", "undelete", WORDS("joe@box.example", "Old", "--since", "2h"));
        expect(ADMIN_USAGE, "--since", NULL, "mailbox", "undelete", WORDS("joe@box.example", "Old", "--since", "noon"));
        expect(ADMIN_REFUSED, "no mailbox", NULL, "mailbox", "undelete", WORDS("joe@box.example", "None"));
        expect(ADMIN_REFUSED, "there is no mailbox ~joe/Old, or this account may not see it", NULL, "mailbox", "alias",
               WORDS("ann@box.example", "J", "~joe/Old"));
        expect(ADMIN_REFUSED, "there is no mailbox J,", NULL, "mailbox", "alias",
               WORDS("ann@box.example", "J", "none"));
        test_call(&site, &answer, NULL, NULL, "mailbox", "acl",
                  WORDS("joe@box.example", "Old", "ann@box.example", "lrs"));
        g_autofree char *who = names_of(&answer, "identifier");
        g_assert_cmpstr(who, ==, "joe@box.example ann@box.example");
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 1), "rights"), ==, "lrs");
        test_answer_clear(&answer);
        done("mailbox", "acl", WORDS("joe@box.example", "Old", "--", "-ann", "s"));
        expect(ADMIN_USAGE, "letters", NULL, "mailbox", "acl", WORDS("joe@box.example", "Old", "ann", "xyz"));
        expect(ADMIN_USAGE, "RIGHTS are missing", NULL, "mailbox", "acl", WORDS("joe@box.example", "Old", "ann"));
        expect(ADMIN_REFUSED, "no account or group", NULL, "mailbox", "acl",
               WORDS("joe@box.example", "Old", "max", "l"));
        done("mailbox", "alias", WORDS("ann@box.example", "J", "~joe/Old"));
        done("mailbox", "subscribe", WORDS("ann@box.example", "J", "yes"));
        expect(ADMIN_USAGE, "yes or no", NULL, "mailbox", "subscribe", WORDS("ann@box.example", "J", "maybe"));
        expect_mailboxes("ann@box.example", NULL, "INBOX J ~joe ~joe/Old");
        done("mailbox", "acl", WORDS("joe@box.example", "Old", "ann", "none"));
        expect_mailboxes("ann@box.example", NULL, "INBOX");
        done("mailbox", "alias", WORDS("ann@box.example", "J", "none"));
        g_assert_cmpint(count("SELECT count(*) FROM history WHERE operation LIKE 'mailbox %'"), >=, 8);
}

/* Who comes after somebody of the same name gets nothing that was granted to him. */
static void
grants_end(void)
{
        done("domain", "add", WORDS("end.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("own@end.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@end.example"));
        done("alias", "add group", WORDS("team@end.example", "joe@end.example"));
        done("alias", "add bouncer", WORDS("joe@end.example"));
        done("mailbox", "create", WORDS("own@end.example", "M"));
        done("mailbox", "acl", WORDS("own@end.example", "M", "joe", "lr"));
        done("mailbox", "acl", WORDS("own@end.example", "M", "team", "lr"));
        done("alias", "remove", WORDS("joe@end.example")); /* the bouncer: the account keeps what it has */
        g_assert_cmpint(count("SELECT count(*) FROM acl WHERE identifier LIKE '%@end.example'"), ==, 2);
        done("alias", "remove", WORDS("Team@end.example"));
        g_assert_cmpint(count("SELECT count(*) FROM acl WHERE identifier LIKE '%@end.example'"), ==, 1);
        done("account", "remove", WORDS("Joe@end.example"));
        g_assert_cmpint(count("SELECT count(*) FROM acl WHERE identifier LIKE '%@end.example'"), ==, 0);
}

static void
administrators(void)
{
        TestAnswer answer;

        done("domain", "add", WORDS("adm.example"));
        expect(ADMIN_REFUSED, "admin-rights says", "x", "account", "add",
               WORDS("a@adm.example", "admin-rights=read-mail"));
        test_call(&site, &answer, "x", NULL, "account", "add",
                  WORDS("a@adm.example", "admin=server", "admin-rights=read-mail"));
        g_assert_cmpstr(json_string_value(json_array_get(json_object_get(answer.object, "admin"), 0)), ==, "server");
        g_assert_cmpstr(text_of(answer.object, "admin_rights"), ==, "read-mail");
        test_answer_clear(&answer);
}

static void
aliases(void)
{
        TestAnswer answer;

        done("domain", "add", WORDS("ali.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@ali.example"));
        done("alias", "add", WORDS("sales@ali.example", "joe@ali.example", "else@where.example"));
        done("alias", "add group", WORDS("team@ali.example", "joe@ali.example", "a=b@c.example", "post=members"));
        done("alias", "add bouncer", WORDS("john@ali.example", "text=John has left"));
        expect(ADMIN_REFUSED, "code", NULL, "alias", "add bouncer", WORDS("jim@ali.example", "code=200"));

        test_call(&site, &answer, NULL, NULL, "alias", "add", WORDS("typo@ali.example", "jo@ali.example"));
        g_assert_nonnull(strstr(answer.warnings->str, "jo@ali.example does not exist yet"));
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "alias", "list", WORDS("ali.example"));
        g_assert_cmpuint(json_array_size(answer.rows), ==, 4);
        test_answer_clear(&answer);
        done("alias", "remove", WORDS("john@ali.example"));
        expect(ADMIN_REFUSED, "john@ali.example", NULL, "alias", "remove", WORDS("john@ali.example"));
}

static void
routes(void)
{
        TestAnswer answer;
        json_t *decision;

        done("domain", "add", WORDS("rou.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@rou.example"));
        done("route", "add", WORDS("<*@old.example>", "=", "*@rou.example"));
        expect(ADMIN_REFUSED, NULL, NULL, "route", "add", WORDS("nonsense"));
        expect(ADMIN_USAGE, "--at", NULL, "route", "add", WORDS("a.example = b.example", "--at", "0"));

        test_call(&site, &answer, NULL, NULL, "route", "explain", WORDS("joe@old.example"));
        decision = json_object_get(answer.object, "decision");
        g_assert_cmpstr(text_of(answer.object, "origin"), ==, "stranger");
        g_assert_cmpstr(text_of(decision, "kind"), ==, "deliver");
        g_assert_cmpstr(text_of(decision, "account"), ==, "joe@rou.example");
        g_assert_cmpuint(json_array_size(json_object_get(answer.object, "steps")), >, 0);
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "route", "explain", WORDS("joe@elsewhere.example"));
        decision = json_object_get(answer.object, "decision");
        g_assert_cmpstr(text_of(decision, "kind"), ==, "reject");
        g_assert_cmpstr(text_of(decision, "status"), ==, "5.7.1");
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "route", "explain", WORDS("joe@elsewhere.example", "--origin", "client"));
        g_assert_cmpstr(text_of(json_object_get(answer.object, "decision"), "kind"), ==, "relay");
        test_answer_clear(&answer);
        expect(ADMIN_USAGE, "--origin", NULL, "route", "explain", WORDS("joe@rou.example", "--origin", "friend"));

        test_call(&site, &answer, NULL, NULL, "route", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        test_answer_clear(&answer);
        done("route", "remove", WORDS("1"));
        expect(ADMIN_REFUSED, NULL, NULL, "route", "remove", WORDS("1"));
}

static void
inject(void)
{
        TestAnswer answer;
        static const char MESSAGE[] =
                "From: joe@inj.example\nMessage-ID: <one@inj.example>\nSubject: x\n\nhello\nworld";

        done("domain", "add", WORDS("inj.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@inj.example"));
        test_call(&site, &answer, NULL, MESSAGE, "inject", NULL,
                  WORDS("-f", "joe@inj.example", "joe@inj.example", "nobody@inj.example", "far@away.example"));
        if (answer.result != ADMIN_DONE)
                g_error("%s", answer.reason);
        g_assert_nonnull(strstr(answer.warnings->str, "nobody@inj.example: 550 5.1.1"));
        g_assert_cmpuint(json_array_size(json_object_get(answer.object, "recipients")), ==, 3);
        g_autofree char *id = g_strdup(text_of(answer.object, "id"));
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "queue", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        const json_t *row = json_array_get(answer.rows, 0);
        g_assert_cmpstr(text_of(row, "recipient"), ==, "far@away.example");
        g_assert_cmpstr(text_of(row, "sender"), ==, "joe@inj.example");
        g_assert_true(json_is_null(json_object_get(row, "held")));
        g_autofree char *number =
                g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "id")));
        test_answer_clear(&answer);
        done("queue", "show", WORDS(number));
        expect(ADMIN_REFUSED, "no row 999999", NULL, "queue", "show", WORDS("999999"));

        test_call(&site, &answer, NULL, NULL, "account", "show", WORDS("joe@inj.example"));
        g_assert_cmpint(json_integer_value(json_object_get(answer.object, "messages")), ==, 1);
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "trace", NULL, WORDS(id));
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 0), "message_id"), !=, NULL);
        test_answer_clear(&answer);
        done("trace", NULL, WORDS("<one@inj.example>"));
        done("trace", NULL, WORDS("--to", "joe@inj.example", "--since", "1h"));
        done("trace", NULL, WORDS("--max", "5"));
        expect(ADMIN_REFUSED, "no trace of", NULL, "trace", NULL, WORDS("<two@inj.example>"));
        expect(ADMIN_USAGE, "which message", NULL, "trace", NULL, NULL);
        expect(ADMIN_USAGE, "--since", NULL, "trace", NULL, WORDS("--since", "soon"));

        test_call(&site, &answer, NULL, MESSAGE, "inject", NULL, WORDS("nobody@inj.example"));
        g_assert_cmpint(answer.result, ==, ADMIN_REFUSED);
        g_assert_nonnull(strstr(answer.reason, "no recipient was accepted: 550 5.1.1"));
        test_answer_clear(&answer);

        test_call(&site, &answer, NULL, NULL, "verify", NULL, NULL);
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        g_assert_cmpint(json_integer_value(json_object_get(answer.object, "complaints")), ==, 0);
        g_assert_cmpint(json_integer_value(json_object_get(answer.object, "entries")), >=, 1);
        test_answer_clear(&answer);
}

static void
fetches(void)
{
        TestAnswer answer;

        done("domain", "add", WORDS("fet.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@fet.example"));
        expect(ADMIN_USAGE, "no key nonsense", "canary-password", "fetch", "add", WORDS("one", "nonsense=1"));
        expect(ADMIN_REFUSED, "this very server", "canary-password", "fetch", "add",
               WORDS("one", "host=127.0.0.1", "port=2110", "tls=none", "user=joe", "owner=joe@fet.example"));
        expect(ADMIN_DONE, NULL, "canary-password", "fetch", "add",
               WORDS("one", "host=127.0.0.1", "port=1", "tls=none", "user=joe", "owner=joe@fet.example",
                     "max-recipients=3"));
        expect(ADMIN_REFUSED, "one", "canary-password", "fetch", "add",
               WORDS("one", "host=127.0.0.1", "port=1", "tls=none", "user=joe", "owner=joe@fet.example"));

        test_call(&site, &answer, NULL, NULL, "fetch", "show", WORDS("one"));
        g_assert_cmpstr(text_of(answer.object, "user"), ==, "joe");
        g_assert_cmpstr(text_of(answer.object, "max_recipients"), ==, "3");
        g_autofree char *shown = json_dumps(answer.object, 0);
        g_assert_null(strstr(shown, "canary"));
        test_answer_clear(&answer);
        test_call(&site, &answer, NULL, NULL, "fetch", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        test_answer_clear(&answer);

        expect(ADMIN_USAGE, "nothing to set", NULL, "fetch", "set", WORDS("one"));
        expect(ADMIN_REFUSED, "no password came", NULL, "fetch", "set", WORDS("one", "--password"));
        done("fetch", "set", WORDS("one", "poll=900"));
        g_assert_cmpint(count("SELECT count(*) FROM history WHERE operation = 'fetch set' AND after LIKE '%900%'"), ==,
                        1);
        expect(ADMIN_REFUSED, NULL, NULL, "fetch", "run", WORDS("one")); /* nobody listens there */
        expect(ADMIN_REFUSED, "there is no source two", NULL, "fetch", "run", WORDS("two"));
        done("fetch", "remove", WORDS("one"));
        expect(ADMIN_REFUSED, "there is no source one", NULL, "fetch", "remove", WORDS("one"));
        /* a password is asked for when all else is right */
        expect(ADMIN_REFUSED, "host", NULL, "fetch", "add", WORDS("one", "user=joe", "owner=joe@fet.example"));
        expect(ADMIN_REFUSED, "password is wanted", NULL, "fetch", "add",
               WORDS("one", "host=127.0.0.1", "port=1", "tls=none", "user=joe", "owner=joe@fet.example"));
        g_assert_cmpint(
                count("SELECT count(*) FROM history WHERE coalesce(before, '') || coalesce(after, '') LIKE '%canary%'"),
                ==, 0);
}

/* What was stored is what came, with every line end CRLF, wherever the pieces were cut. */
static void
inject_line_ends(void)
{
        static const char *const BODIES[] = {"a: b\n\nx\ny\n", "a: b\r\n\r\nx\r\ny\r\n", "a: b\n\r\nx\r\ny",
                                             "a: b\n\nxxxx\nyyyyy\r\n"};
        gint64 sizes[G_N_ELEMENTS(BODIES)];

        done("domain", "add", WORDS("crlf.example"));
        expect(ADMIN_DONE, NULL, "x", "account", "add", WORDS("joe@crlf.example"));
        for (gsize i = 0; i < G_N_ELEMENTS(BODIES); i++) {
                TestAnswer answer;
                test_call(&site, &answer, NULL, BODIES[i], "inject", NULL, WORDS("-f", "", "joe@crlf.example"));
                g_assert_cmpint(answer.result, ==, ADMIN_DONE);
                sizes[i] = json_integer_value(json_object_get(answer.object, "size"));
                test_answer_clear(&answer);
        }
        g_assert_cmpint(sizes[0], ==, strlen("a: b\r\n\r\nx\r\ny\r\n"));
        g_assert_cmpint(sizes[1], ==, sizes[0]);
        g_assert_cmpint(sizes[2], ==, sizes[0]);
        g_assert_cmpint(sizes[3], ==, strlen("a: b\r\n\r\nxxxx\r\nyyyyy\r\n"));
}

/* Every change leaves a row with what was and what is; what was refused leaves none; passwords never. */
static void
history(void)
{
        gint64 before = count("SELECT count(*) FROM history");

        done("domain", "add", WORDS("his.example"));
        expect(ADMIN_DONE, NULL, "canary-password", "account", "add", WORDS("joe@his.example"));
        expect(ADMIN_DONE, NULL, "canary-password", "account", "password", WORDS("joe@his.example"));
        done("domain", "set", WORDS("his.example", "unknown=discard"));
        expect(ADMIN_REFUSED, NULL, NULL, "domain", "add", WORDS("his.example"));
        done("domain", "list", NULL);
        g_assert_cmpint(count("SELECT count(*) FROM history") - before, ==, 4);
        g_assert_cmpint(
                count("SELECT count(*) FROM history WHERE operation = 'domain set' AND object = 'his.example' AND"
                      " before LIKE '%reject%' AND after LIKE '%discard%'"),
                ==, 1);
        g_assert_cmpint(count("SELECT count(*) FROM history WHERE coalesce(before, '') || coalesce(after, '') || "
                              "object LIKE '%canary%'"),
                        ==, 0);
}

static void
checks(void)
{
        TestAnswer answer;
        gboolean is_warned = FALSE;
        const json_t *row;
        gsize i;

        done("domain", "add", WORDS("chk.example", "unknown=discard"));
        test_call(&site, &answer, NULL, NULL, "check", NULL, NULL);
        g_assert_cmpint(answer.result, ==, ADMIN_DONE);
        json_array_foreach(answer.rows, i, row) is_warned |= strstr(text_of(row, "text"), "chk.example") != NULL;
        g_assert_true(is_warned); /* a policy that takes mail for unknown names is a standing warning */
        test_answer_clear(&answer);
}

/* One call: its answer, and what is in its reason or warnings. */
static void
says(AdminResult result, const char *part, const char *noun, const char *verb, const char *const *args)
{
        TestAnswer answer;

        test_call(&site, &answer, NULL, NULL, noun, verb, args);
        g_assert_cmpint(answer.result, ==, result);
        const char *said = answer.reason != NULL ? answer.reason : answer.warnings->str;
        if (part == NULL ? answer.warnings->len > 0 : strstr(said, part) == NULL)
                g_error("%s %s %s: said '%s', not '%s'", noun, verb, args[0], said, part != NULL ? part : "");
        test_answer_clear(&answer);
}

/* What must go in a circle is refused when it is saved; what may is told. */
static void
loops(void)
{
        static const char ROUND[] = "this server: its mail would go round and round", ITSELF[] = "would lead to itself";

        done("domain", "add", WORDS("lp.example"));
        says(ADMIN_REFUSED, ROUND, "domain", "set", WORDS("lp.example", "kind=relay:[127.0.0.1]:2525"));
        says(ADMIN_REFUSED, ROUND, "domain", "set", WORDS("lp.example", "kind=relay:localhost:2525"));
        says(ADMIN_REFUSED, ROUND, "domain", "set", WORDS("lp.example", "next-hop=mx(mx.test.example)"));
        says(ADMIN_REFUSED, ROUND, "domain", "add", WORDS("lp2.example", "kind=relay:mx.test.example"));
        says(ADMIN_REFUSED, ROUND, "route", "add", WORDS("lp3.example = lp3.example@localhost:2525.via"));
        says(ADMIN_REFUSED, "rewrites an address to itself", "route", "add", WORDS("<*@lp3.example> = *@lp3.example"));

        says(ADMIN_REFUSED, ITSELF, "alias", "add", WORDS("x@lp.example", "X@lp.example"));
        says(ADMIN_REFUSED, ITSELF, "alias", "add", WORDS("x@lp.example", "x+news@lp.example"));
        says(ADMIN_REFUSED, ITSELF, "alias", "add group", WORDS("x@lp.example", "x@lp.example"));
        says(ADMIN_DONE, "does not exist yet", "alias", "add", WORDS("a@lp.example", "b@lp.example"));
        says(ADMIN_DONE, "does not exist yet", "alias", "add", WORDS("b@lp.example", "c@lp.example"));
        says(ADMIN_REFUSED, ITSELF, "alias", "add", WORDS("c@lp.example", "a@lp.example", "c@lp.example"));
        says(ADMIN_DONE, NULL, "alias", "add", WORDS("c@lp.example", "a@lp.example", "joe@elsewhere.example"));

        /* beside an account of its own name it delivers there */
        done("account", "add", WORDS("d@lp.example"));
        says(ADMIN_DONE, NULL, "alias", "add", WORDS("d@lp.example", "d@lp.example", "joe@elsewhere.example"));
        says(ADMIN_DONE, NULL, "alias", "add", WORDS("e@lp.example", "d@lp.example"));
}

static gboolean
check_says(const char *part)
{
        TestAnswer answer;
        gboolean is_said = FALSE;
        const json_t *row;
        gsize i;

        test_call(&site, &answer, NULL, NULL, "check", NULL, NULL);
        json_array_foreach(answer.rows, i, row) is_said |= strstr(text_of(row, "text"), part) != NULL;
        test_answer_clear(&answer);
        return is_said;
}

/* A catch-all is announced, whether a policy or an alias (ROUTING 1, 3); a circle that came about later is told by
 * check. */
static void
announced(void)
{
        static const char CATCH_ALL[] = "ca.example takes mail for every name (alias *@ca.example)";

        done("domain", "add", WORDS("ca.example"));
        g_assert_false(check_says(CATCH_ALL));
        says(ADMIN_DONE, CATCH_ALL, "alias", "add", WORDS("*@ca.example", "joe@elsewhere.example"));
        g_assert_true(check_says(CATCH_ALL));

        done("account", "add", WORDS("g@ca.example"));
        done("alias", "add", WORDS("f@ca.example", "g@ca.example"));
        says(ADMIN_DONE, "f@ca.example leads back to itself", "alias", "add", WORDS("g@ca.example", "f@ca.example"));
        g_assert_true(check_says("f@ca.example leads back to itself"));
        g_assert_false(check_says("g@ca.example leads back to itself")); /* its account gets it */
        done("account", "remove", WORDS("g@ca.example"));
        g_assert_true(check_says("g@ca.example leads back to itself"));

        says(ADMIN_DONE, "gone.example is no domain here", "account", "set",
             WORDS("joe@fet.example", "admin=gone.example"));
        says(ADMIN_DONE, NULL, "account", "set", WORDS("joe@fet.example", "admin=fet.example"));
        says(ADMIN_DONE, NULL, "account", "set", WORDS("joe@fet.example", "admin=server"));

        done("domain", "add", WORDS("cb.example"));
        says(ADMIN_DONE, "leads back to itself", "alias", "add", WORDS("*@cb.example", "nobody@cb.example"));
        g_assert_true(check_says("*@cb.example leads back to itself"));
}

/* The work list: most frequent first, of one domain when asked, what was counted a moment ago included. */
static void
unknown_names(void)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        static const char *const SEEN[] = {"rare@unk.example", "often@unk.example", "often@unk.example",
                                           "else@other.example"};
        TestAnswer answer;

        for (gsize i = 0; i < G_N_ELEMENTS(SEEN); i++) {
                Address address;
                g_assert_cmpint(address_parse(arena, span_of(SEEN[i]), TRUE, &address), ==, ADDRESS_OK);
                directory_count_unknown(site.rooms.directory, &address, NULL);
        }
        test_call(&site, &answer, NULL, NULL, "unknown", "list", WORDS("UNK.example"));
        g_assert_cmpuint(json_array_size(answer.rows), ==, 2);
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 0), "address"), ==, "often@unk.example");
        g_assert_cmpint(json_integer_value(json_object_get(json_array_get(answer.rows, 0), "times")), ==, 2);
        test_answer_clear(&answer);
        expect(ADMIN_REFUSED, "there is no domain none.example", NULL, "unknown", "list", WORDS("none.example"));
        expect(ADMIN_REFUSED, "there is no domain none.example", NULL, "account", "list", WORDS("none.example"));
        expect(ADMIN_REFUSED, "'notip' is no address of a client", NULL, "guess", "release", WORDS("notip"));
        test_call(&site, &answer, NULL, NULL, "unknown", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), >=, 3);
        test_answer_clear(&answer);
}

static void
guesses(void)
{
        TestAnswer answer;
        guint in_session = 0;
        Usec delay;

        for (guint i = 0; i < 15; i++) {
                g_autofree char *name = g_strdup_printf("g%u@x.example", i);
                (void) guesses_unknown(site.rooms.guesses, "192.0.2.7", span_of(name), &in_session, &delay);
        }
        test_call(&site, &answer, NULL, NULL, "guess", "list", NULL);
        g_assert_cmpuint(json_array_size(answer.rows), ==, 1);
        g_assert_cmpstr(text_of(json_array_get(answer.rows, 0), "client"), ==, "192.0.2.7");
        g_assert_cmpint(json_integer_value(json_object_get(json_array_get(answer.rows, 0), "unknown")), ==, 15);
        test_answer_clear(&answer);
        expect(ADMIN_USAGE, "which client", NULL, "guess", "release", NULL);
        expect(ADMIN_REFUSED, "192.0.2.8 is not counted", NULL, "guess", "release", WORDS("192.0.2.8"));
        done("guess", "release", WORDS("192.0.2.7"));
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        test_site_open(&site);
        g_test_add_func("/admin/operations/domains", domains);
        g_test_add_func("/admin/operations/accounts", accounts);
        g_test_add_func("/admin/operations/templates", templates);
        g_test_add_func("/admin/operations/mailboxes", mailboxes);
        g_test_add_func("/admin/operations/what-was-granted-ends-with-the-account", grants_end);
        g_test_add_func("/admin/operations/administrators", administrators);
        g_test_add_func("/admin/operations/aliases-groups-bouncers", aliases);
        g_test_add_func("/admin/operations/routes-and-explain", routes);
        g_test_add_func("/admin/operations/inject-queue-trace-verify", inject);
        g_test_add_func("/admin/operations/fetch-sources-without-their-secrets", fetches);
        g_test_add_func("/admin/operations/inject-makes-every-line-end-crlf", inject_line_ends);
        g_test_add_func("/admin/operations/every-change-has-its-history-without-secrets", history);
        g_test_add_func("/admin/operations/unknown-names-most-frequent-first", unknown_names);
        g_test_add_func("/admin/operations/guesses-are-shown-and-released ROUTING 7", guesses);
        g_test_add_func("/admin/operations/check-names-standing-warnings", checks);
        g_test_add_func("/admin/operations/circles-are-refused-when-saved ROUTING 3", loops);
        g_test_add_func("/admin/operations/catch-alls-and-circles-are-announced ROUTING 1, 3", announced);
        int status = g_test_run();
        test_site_close(&site);
        return status;
}
