#include "imap/harness.h"

#define BEFORE "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR AUTH=PLAIN AUTH=LOGIN ID ENABLE IDLE"

static gboolean
has(const Harness *h, const char *text)
{
        return strstr(h->output->str, text) != NULL;
}

static void
test_greeting(void)
{
        Harness h = {0};

        harness_open(&h);
        g_assert_cmpstr(h.output->str, ==, "* OK [CAPABILITY " BEFORE "] mx.ex.org IMAP Restante\r\n");
        harness_expect(&h, "a CAPABILITY\r\n", "* CAPABILITY " BEFORE "\r\na OK that is all\r\n");
        harness_expect(&h, "a noop  \r\n", "a OK nothing done\r\n"); /* as if there were none */
        harness_expect(&h, "b capability x\r\n", "b BAD CAPABILITY has no arguments\r\n");
        harness_expect(&h, "c LOGOUT\r\n", "* BYE goodbye\r\nc OK closed\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

static void
test_tags(void)
{
        static const char *const rows[][2] = {
                {"a.b-1] NOOP\r\n", "a.b-1] OK nothing done\r\n"},
                {"a+b NOOP\r\n", "* BAD a command begins with a tag\r\n"},
                {" NOOP\r\n", "* BAD a command begins with a tag\r\n"},
                {"\r\n", "* BAD a command begins with a tag\r\n"},
                {"a\r\n", "a BAD unknown command\r\n"},
                {"a  NOOP\r\n", "a BAD unknown command\r\n"},
                {"a NOOPS\r\n", "a BAD unknown command\r\n"},
                {"a UID NOOP\r\n", "a BAD unknown command\r\n"},
                {"a UID\r\n", "a BAD unknown command\r\n"},
                {"a noop\n", "a OK nothing done\r\n"},
                {"a NOOP x\r\n", "a BAD no arguments are wanted\r\n"},
                {"a ENABLE X\r\n", "a BAD log in first\r\n"},
        };
        Harness h = {0};

        harness_open(&h);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
                harness_expect(&h, rows[i][0], rows[i][1]);
        g_autofree char *tag = g_strnfill(64, 't');
        g_autofree char *line = g_strconcat(tag, " NOOP\r\n", NULL);
        harness_expect(&h, line, "* BAD a command begins with a tag\r\n");
        harness_close(&h);
}

static void
test_login(void)
{
        Harness h = {0};

        harness_open(&h);
        harness_expect(&h, "a LOGIN joe\r\n", "a BAD syntax: LOGIN name password\r\n");
        harness_expect(&h, "a LOGIN joe wrong\r\n", "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
        harness_expect(&h, "a LOGIN busy x\r\n", "a NO [UNAVAILABLE] can't check that now, try again later\r\n");
        harness_expect(&h, "a LOGIN \"\xe9\" x\r\n", "a BAD name and password are UTF-8\r\n");
        harness_log_in(&h);
        g_assert_true(has(&h, "UNAUTHENTICATE] logged in\r\n") && !has(&h, "AUTH=") && !has(&h, "SASL-IR"));
        g_assert_cmpstr(h.session->who.address, ==, "joe@ex.org");
        g_assert_cmpint(h.session->who.account, ==, 7);
        g_assert_cmpint(h.idle, ==, 30 * USEC_PER_MINUTE);
        harness_expect(&h, "a LOGIN joe right\r\n", "a BAD already logged in\r\n");
        harness_close(&h);
}

/* A wrong password is answered after the delay, and what follows waits with it. */
static void
test_delay(void)
{
        static const char say[] = "a LOGIN joe wrong\r\nb NOOP\r\n";
        Harness h = {0};

        harness_open(&h);
        g_string_truncate(h.output, 0);
        g_assert_cmpint(write(h.fd, say, sizeof(say) - 1), ==, sizeof(say) - 1);
        harness_run(&h);
        g_assert_cmpstr(h.output->str, ==, "");
        g_assert_cmpint(h.delay, ==, USEC_PER_SEC);
        harness_run(&h);
        g_assert_cmpstr(h.output->str, ==,
                        "a NO [AUTHENTICATIONFAILED] wrong name or password\r\nb OK nothing done\r\n");
        harness_close(&h);
}

static void
test_plaintext_refused(void)
{
        Harness h = {.is_stranger = TRUE};

        harness_open(&h);
        harness_expect(&h, "a CAPABILITY\r\n",
                       "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR LOGINDISABLED ID ENABLE IDLE\r\na OK that is "
                       "all\r\n");
        harness_expect(&h, "a LOGIN joe right\r\n",
                       "a NO [PRIVACYREQUIRED] no passwords without TLS: STARTTLS first\r\n");
        harness_expect(&h, "a AUTHENTICATE PLAIN\r\n",
                       "a NO [PRIVACYREQUIRED] no passwords without TLS: STARTTLS first\r\n");
        harness_expect(&h, "a STARTTLS\r\n", "a BAD not offered here\r\n");
        harness_close(&h);
}

static void
test_authenticate(void)
{
        Harness h = {0};

        harness_open(&h);
        harness_expect(&h, "a AUTHENTICATE GSSAPI\r\n", "a NO [CANNOT] mechanism not supported\r\n");
        harness_expect(&h, "a AUTHENTICATE PLAIN\r\n", "+ \r\n");
        harness_expect(&h, "*\r\n", "a BAD authentication cancelled\r\n");
        harness_expect(&h, "a AUTHENTICATE PLAIN !!!\r\n", "a BAD malformed response\r\n");
        harness_expect(&h, "a AUTHENTICATE PLAIN =\r\n", "a BAD malformed response\r\n");
        harness_expect(&h, "a AUTHENTICATE PLAIN AGpvZQB3cm9uZw==\r\n",
                       "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
        harness_expect(&h, "a AUTHENTICATE LOGIN\r\nam9l\r\n", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n");
        harness_say(&h, span_of("cmlnaHQ=\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "a OK [CAPABILITY IMAP4rev1 "));
        harness_say(&h, span_of("b UNAUTHENTICATE\r\n"));
        g_assert_cmpstr(h.output->str, ==, "b OK who are you now?\r\n");
        g_assert_null(h.session->address);
        g_assert_cmpint(h.idle, ==, USEC_PER_MINUTE);
        harness_say(&h, span_of("c AUTHENTICATE PLAIN AGpvZQByaWdodA==\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "c OK [CAPABILITY IMAP4rev1 "));
        harness_close(&h);
}

static void
test_literals(void)
{
        Harness h = {0};

        harness_open(&h);
        harness_expect(&h, "a LOGIN {3}\r\n", "+ OK\r\n");
        harness_expect(&h, "joe {5}\r\n", "+ OK\r\n");
        harness_expect(&h, "wrong\r\n", "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
        harness_expect(&h, "a LOGIN {3+}\r\njoe {5+}\r\nwrong\r\nb NOOP\r\n",
                       "a NO [AUTHENTICATIONFAILED] wrong name or password\r\nb OK nothing done\r\n");
        harness_expect(&h, "a LOGIN {0+}\r\n {0}\r\n", "+ OK\r\n");
        harness_expect(&h, "\r\n", "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
        harness_close(&h);
}

/* No octet of a literal is ever read as a command, whatever becomes of the command. */
static void
test_refused_literals(void)
{
        static const char *const rows[][2] = {
                /* synchronizing: refused instead of "+", the client goes on with another command */
                {"a FOO {10}\r\nb NOOP\r\n", "a BAD unknown command\r\nb OK nothing done\r\n"},
                {"a LOGIN {99999999}\r\nb NOOP\r\n", "a BAD [TOOBIG] literal too large\r\nb OK nothing done\r\n"},
                {"a LOGIN {18446744073709551616}\r\nb NOOP\r\n",
                 "a BAD [TOOBIG] literal too large\r\nb OK nothing done\r\n"},
                {"{10}\r\nb NOOP\r\n", "* BAD a command begins with a tag\r\nb OK nothing done\r\n"},
                /* others: passed over with what follows */
                {"a FOO {10+}\r\nx LOGOUT\r\n tail\r\nb NOOP\r\n", "a BAD unknown command\r\nb OK nothing done\r\n"},
                {"a FOO {10+}\r\nx LOGOUT\r\n {10+}\r\nx LOGOUT\r\n\r\nb NOOP\r\n",
                 "a BAD unknown command\r\nb OK nothing done\r\n"},
                {"{10+}\r\nx LOGOUT\r\n\r\nb NOOP\r\n", "* BAD a command begins with a tag\r\nb OK nothing done\r\n"},
                {"a FOO ~{10+}\r\nx LOGOUT\r\n {5}\r\nb NOOP\r\n", "a BAD unknown command\r\nb OK nothing done\r\n"},
        };
        Harness h = {0};

        harness_open(&h);
        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                h.session->errors = 0;
                harness_expect(&h, rows[i][0], rows[i][1]);
        }
        harness_close(&h);
}

static void
test_huge_literals(void)
{
        static const char *const rows[] = {"a LOGIN {2147483647+}\r\n", "a LOGIN {4294967296+}\r\n",
                                           "a LOGIN {18446744073709551615+}\r\n", "a FOO {18446744073709551617+}\r\n",
                                           "a FOO {99999999999999999999999999999999999999999999+}\r\n"};

        for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
                Harness h = {0};
                harness_open(&h);
                harness_say(&h, span_of(rows[i]));
                g_assert_true(h.is_closed && has(&h, "* BYE literal too large\r\n"));
                harness_close(&h);
        }
}

static void
test_literal_minus(void)
{
        static const char *const off[] = {"LITERAL+ client=Old*", NULL};
        Harness h = {.settings = {.off = off}};
        g_autofree char *longer = g_strnfill(4097, 'x');
        g_autofree char *line = g_strconcat("a LOGIN {4097+}\r\n", longer, " x\r\nb NOOP\r\n", NULL);

        harness_open(&h);
        harness_expect(&h, line, "a NO [AUTHENTICATIONFAILED] wrong name or password\r\nb OK nothing done\r\n");
        harness_say(&h, span_of("a ID (\"name\" \"newer\")\r\n")); /* the rule is not about this one */
        harness_expect(&h, line, "a NO [AUTHENTICATIONFAILED] wrong name or password\r\nb OK nothing done\r\n");
        harness_expect(&h, "a ID (\"name\" \"oldie\" \"version\" \"1\")\r\n",
                       "* ID (\"name\" \"Restante\")\r\n"
                       "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR AUTH=PLAIN AUTH=LOGIN ID ENABLE IDLE\r\n"
                       "a OK pleased to meet you\r\n");
        harness_expect(&h, line, "a BAD [TOOBIG] LITERAL- allows 4096 octets\r\nb OK nothing done\r\n");
        harness_expect(&h, "a LOGIN {3+}\r\njoe x\r\n", "a NO [AUTHENTICATIONFAILED] wrong name or password\r\n");
        harness_close(&h);
}

/* Thousands of literals, and a command that grows without end, stay within the ledger. */
static void
test_many_literals(void)
{
        Harness h = {0};
        g_autoptr(GString) text = g_string_new("a ENABLE");

        harness_open(&h);
        harness_log_in(&h);
        for (guint i = 0; i < 1001; i++)
                g_string_append(text, " {1+}\r\nx");
        g_string_append(text, "\r\nb NOOP\r\n");
        harness_expect(&h, text->str, "a BAD [TOOBIG] too many literals\r\nb OK nothing done\r\n");
        g_string_assign(text, "a ENABLE");
        for (guint i = 0; i < 50; i++) {
                g_autofree char *piece = g_strnfill(20000, 'y');
                g_string_append_printf(text, " {20000+}\r\n%s", piece);
        }
        g_string_append(text, "\r\nb NOOP\r\n");
        harness_expect(&h, text->str, "a BAD [TOOBIG] literal too large\r\nb OK nothing done\r\n");
        harness_close(&h);
}

static void
test_long_lines(void)
{
        g_autofree char *parentheses = g_strnfill(900000, '(');
        Harness h = {0};

        harness_open(&h);
        harness_say(&h, span_of("a ENABLE "));
        harness_say(&h, span_of(parentheses));
        g_assert_false(h.is_closed);
        harness_expect(&h, "\r\n", "* BYE line too long\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
        harness_open(&h);
        harness_log_in(&h);
        for (guint i = 0; i < 3 && !h.is_closed; i++)
                harness_say(&h, span_of(parentheses));
        g_assert_true(h.is_closed);
        harness_close(&h);
}

static void
test_errors(void)
{
        Harness h = {0};

        harness_open(&h);
        for (guint i = 0; i < 19; i++) {
                harness_say(&h, span_of("a FOO\r\nb NOOP\r\n"));
                g_assert_false(h.is_closed);
        }
        harness_expect(&h, "a FOO\r\nb NOOP\r\n", "a BAD unknown command\r\n* BYE too many errors\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
        harness_open(&h);
        harness_log_in(&h);
        for (guint i = 0; i < 100; i++)
                harness_say(&h, span_of("a FOO\r\nb NOOP\r\n"));
        g_assert_false(h.is_closed); /* what goes well makes up for it */
        harness_close(&h);
}

static void
test_flood_before_login(void)
{
        g_autoptr(GString) text = g_string_new(NULL);
        Harness h = {0};

        for (guint i = 0; i < 101; i++)
                g_string_append(text, "a NOOP\r\n");
        harness_open(&h);
        harness_say(&h, span_of(text->str));
        g_assert_true(h.is_closed && g_str_has_suffix(h.output->str, "* BYE too many commands before login\r\n"));
        harness_close(&h);
        harness_open(&h);
        harness_log_in(&h);
        for (guint i = 0; i < 10; i++)
                harness_say(&h, span_of(text->str));
        g_assert_false(h.is_closed);
        harness_close(&h);
}

static void
test_enable(void)
{
        Harness h = {0};

        harness_open(&h);
        harness_log_in(&h);
        harness_expect(&h, "a ENABLE\r\n", "a BAD syntax: ENABLE capability...\r\n");
        harness_expect(&h, "a ENABLE X-FOO ID\r\n", "* ENABLED\r\na OK enabled\r\n");
        harness_expect(&h, "a ENABLE utf8=accept X-FOO\r\n", "* ENABLED UTF8=ACCEPT\r\na OK enabled\r\n");
        harness_expect(&h, "a ENABLE IMAP4rev2 UTF8=ACCEPT\r\n", "* ENABLED IMAP4rev2\r\na OK enabled\r\n");
        g_assert_cmpuint(h.session->enabled, ==, IMAP_ENABLED_REV2 | IMAP_ENABLED_UTF8);
        harness_say(&h, span_of("a UNAUTHENTICATE\r\n"));
        g_assert_cmpuint(h.session->enabled, ==, 0);
        harness_close(&h);
}

static void
test_id(void)
{
        static const char *const wrong[] = {"a ID\r\n", "a ID ()x\r\n", "a ID (\"name\")\r\n", "a ID (name x)\r\n",
                                            "a ID (\"name\" \"x\"\r\n"};
        Harness h = {0};

        harness_open(&h);
        for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
                harness_expect(&h, wrong[i], "a BAD syntax: ID (key value ...) or ID NIL\r\n");
        harness_expect(&h, "a ID NIL\r\n", "* ID (\"name\" \"Restante\")\r\na OK pleased to meet you\r\n");
        g_assert_null(h.session->client_id);
        harness_say(&h, span_of("a ID (\"os\" NIL \"NAME\" \"Thunderbird\" \"version\" {3+}\r\n115)\r\n"));
        g_assert_cmpstr(h.session->client_id, ==, "Thunderbird/115");
        g_autoptr(GString) text = g_string_new("a ID (\"name\" NIL");
        for (guint i = 0; i < 30; i++)
                g_string_append(text, " \"k\" NIL");
        g_string_append(text, ")\r\n");
        harness_expect(&h, text->str, "a BAD syntax: ID (key value ...) or ID NIL\r\n");
        harness_close(&h);
}

static void
test_switched_off(void)
{
        static const char *const off[] = {"IMAP4rev2",
                                          "LITERAL+",
                                          "enable client=Outlook/*",
                                          "UNAUTHENTICATE account=*@EX.org",
                                          "UTF8=ACCEPT account=ann@ex.org",
                                          NULL};
        Harness h = {.settings = {.off = off}};

        harness_open(&h);
        g_assert_false(has(&h, "LITERAL+"));
        harness_log_in(&h);
        g_assert_true(has(&h, " ENABLE") && has(&h, " UTF8=ACCEPT") && !has(&h, "UNAUTHENTICATE"));
        harness_expect(&h, "a UNAUTHENTICATE\r\n", "a BAD unknown command\r\n");
        harness_expect(&h, "a ENABLE IMAP4rev2\r\n", "* ENABLED\r\na OK enabled\r\n");
        harness_say(&h, span_of("a ID (\"name\" \"Outlook\" \"version\" \"16\")\r\n"));
        harness_expect(&h, "a ENABLE UTF8=ACCEPT\r\n", "a BAD unknown command\r\n");
        harness_close(&h);
}

/* An account that is removed or disabled ends its sessions, also within IDLE and before a literal is whole. */
static void
test_account_gone(void)
{
        static const char *const says[] = {"", "b IDLE\r\n", "b CREATE {10+}\r\nabc", "b CREATE {3}\r\n"};

        for (gsize i = 0; i < G_N_ELEMENTS(says); i++) {
                Harness h = {0};

                harness_open(&h);
                harness_log_in(&h);
                harness_say(&h, span_of(says[i]));
                h.is_ended = TRUE;
                harness_expect(&h, "", "* BYE " AUTH_ENDED_TEXT "\r\n");
                g_assert_true(h.is_closed);
                harness_close(&h);
        }
}

static void
test_stopping(void)
{
        Harness h = {0};

        harness_open(&h);
        h.is_stopping = TRUE;
        harness_expect(&h, "a NOOP\r\nb NOOP\r\n", "a OK nothing done\r\n* BYE shutting down, come back soon\r\n");
        harness_close(&h);
}

typedef struct Counting {
        ImapTask task;
        guint i, turns;
        gboolean *is_freed;
} Counting;

static ImapTaskStep
count(ImapSession *s, ImapTask *task)
{
        Counting *c = (Counting *) task;

        c->turns++;
        while (c->i < 20000) {
                if (imap_is_full(s) || c->i % 1000 == 999) {
                        c->i += c->i % 1000 == 999;
                        return IMAP_TASK_AGAIN;
                }
                imap_printf(s, "* %u line\r\n", c->i++);
        }
        imap_ok(s, "", "counted");
        return IMAP_TASK_DONE;
}

static void
count_free(ImapTask *task)
{
        *((Counting *) task)->is_freed = TRUE;
        g_free(task);
}

/* A task of its own over a session that has begun command "t". */
static void
start_counting(Harness *h, gboolean *ret_is_freed)
{
        Counting *c = g_new0(Counting, 1);

        *c = (Counting){.task = {count, count_free}, .is_freed = ret_is_freed};
        g_strlcpy(h->session->tag, "t", sizeof(h->session->tag));
        imap_start_task(h->session, &c->task);
}

static void
test_tasks(void)
{
        gboolean is_freed = FALSE;
        Harness h = {0};

        harness_open(&h);
        harness_log_in(&h);
        start_counting(&h, &is_freed);
        h.output_max = 5000;
        harness_say(&h, span_of("a NOOP\r\n")); /* waits for its turn */
        g_assert_true(g_str_has_prefix(h.output->str, "* 0 line\r\n* 1 line\r\n"));
        g_assert_true(g_str_has_suffix(h.output->str, "* 19998 line\r\nt OK counted\r\na OK nothing done\r\n"));
        g_assert_true(is_freed);
        is_freed = FALSE;
        start_counting(&h, &is_freed);
        harness_run(&h);
        harness_close(&h); /* in the middle */
        g_assert_true(is_freed);
}

static void
test_progress(void)
{
        gboolean is_freed = FALSE;
        Harness h = {0};

        harness_open(&h);
        harness_log_in(&h);
        start_counting(&h, &is_freed);
        g_string_truncate(h.output, 0);
        imap_progress(h.session, 1, 10); /* it has just begun */
        h.session->progress_due = 0;
        imap_progress(h.session, 5, 10);
        imap_progress(h.session, 6, 10);
        h.session->progress_due = 0;
        imap_progress(h.session, 7, 0);
        (void) stream_flush(h.session->session.stream);
        harness_gather(&h);
        g_assert_cmpstr(h.output->str, ==,
                        "* OK [INPROGRESS (\"t\" 5 10)] at work\r\n* OK [INPROGRESS (\"t\" 7 NIL)] at work\r\n");
        harness_close(&h);
}

static void
test_message_limit(void)
{
        Harness h = {.settings = {.message_limit = 500}};

        harness_open(&h);
        g_assert_false(has(&h, "MESSAGELIMIT"));
        harness_log_in(&h);
        g_assert_true(has(&h, " MESSAGELIMIT=500 "));
        harness_close(&h);
}

/* The table is complete: everything that can be asked for has its manual. */
static void
test_tables(void)
{
        ImapCommandRow row;

        for (gsize i = 0; imap_command(i, &row); i++) {
                g_assert_true(row.word != NULL && row.form != NULL && row.rfc != NULL && row.manual != NULL);
                const char *form = g_str_has_prefix(row.form, "[UID] ") ? row.form + strlen("[UID] ") : row.form;
                g_assert_true(g_str_has_prefix(form, row.word));
        }
        for (gsize i = 0; imap_capability(i) != NULL; i++)
                g_assert_true(imap_capability(i)->rfc != NULL && imap_capability(i)->manual != NULL);
        for (const ImapCommand *c = IMAP_COMMANDS; c->word != NULL; c++)
                g_assert_true(c->run != NULL && c->states != 0);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/imap/session/RFC 9051 7.1: greeting with capabilities", test_greeting);
        g_test_add_func("/imap/session/RFC 9051 2.2.1: tags and words", test_tags);
        g_test_add_func("/imap/session/RFC 9051 6.2.3: LOGIN", test_login);
        g_test_add_func("/imap/session/a wrong password costs time", test_delay);
        g_test_add_func("/imap/session/RFC 9051 6.2.3: LOGINDISABLED", test_plaintext_refused);
        g_test_add_func("/imap/session/RFC 9051 6.2.2: AUTHENTICATE", test_authenticate);
        g_test_add_func("/imap/session/RFC 9051 4.3: literals", test_literals);
        g_test_add_func("/imap/session/RFC 7888 4: refused literals are passed over", test_refused_literals);
        g_test_add_func("/imap/session/literals beyond all measure", test_huge_literals);
        g_test_add_func("/imap/session/RFC 7888 5: LITERAL-", test_literal_minus);
        g_test_add_func("/imap/session/literals have a limit", test_many_literals);
        g_test_add_func("/imap/session/lines have a limit", test_long_lines);
        g_test_add_func("/imap/session/errors have a limit", test_errors);
        g_test_add_func("/imap/session/floods before login end", test_flood_before_login);
        g_test_add_func("/imap/session/RFC 5161: ENABLE", test_enable);
        g_test_add_func("/imap/session/RFC 2971: ID", test_id);
        g_test_add_func("/imap/session/capabilities switched off by client and account", test_switched_off);
        g_test_add_func("/imap/session/RFC 9051 7.1.5: BYE when the account is gone", test_account_gone);
        g_test_add_func("/imap/session/a stopping server says so", test_stopping);
        g_test_add_func("/imap/session/tasks go on at the reader's pace", test_tasks);
        g_test_add_func("/imap/session/RFC 9585: INPROGRESS", test_progress);
        g_test_add_func("/imap/session/RFC 9738: MESSAGELIMIT is told", test_message_limit);
        g_test_add_func("/imap/session/tables", test_tables);
        return g_test_run();
}
