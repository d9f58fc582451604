#include "pop3/harness.h"

static void
expect(Harness *h, const char *say, const char *answer)
{
        harness_say(h, span_of(say));
        g_assert_cmpstr(h->output->str, ==, answer);
}

static void
log_in(Harness *h)
{
        harness_say(h, span_of("USER joe@ex.org\r\nPASS right\r\n"));
        g_assert_nonnull(strstr(h->output->str, " octets\r\n"));
}

static void
give(Harness *h, const char *message)
{
        h->messages[h->n++] = span_of(message);
}

static void
test_session(void)
{
        Harness h = {0};

        give(&h, "A: b\r\n\r\none\r\n");
        give(&h, "A: b\r\n\r\n.two");
        harness_open(&h);
        g_assert_cmpstr(h.output->str, ==, "+OK mx.ex.org POP3 Restante\r\n");
        expect(&h, "STAT\r\n", "-ERR log in first\r\n");
        expect(&h, "user joe@ex.org\r\npass right\r\n", "+OK and the password?\r\n+OK 2 messages, 25 octets\r\n");
        expect(&h, "STAT\r\nLIST\r\nUIDL\r\n",
               "+OK 2 25\r\n+OK 2 messages\r\n1 13\r\n2 12\r\n.\r\n+OK 2 messages\r\n1 abc.1\r\n2 abc.2\r\n.\r\n");
        expect(&h, "LIST 2\r\nUIDL 1\r\nLIST 3\r\n", "+OK 2 12\r\n+OK 1 abc.1\r\n-ERR no such message\r\n");
        expect(&h, "RETR 2\r\nDELE 2\r\nRETR 2\r\nSTAT\r\n",
               "+OK 12 octets\r\nA: b\r\n\r\n..two\r\n.\r\n+OK will be deleted at QUIT\r\n-ERR message is "
               "deleted\r\n+OK 1 13\r\n");
        expect(&h, "RSET\r\nSTAT\r\nDELE 1\r\nLIST\r\n",
               "+OK nothing will be deleted\r\n+OK 2 25\r\n+OK will be deleted at QUIT\r\n+OK 1 messages\r\n2 "
               "12\r\n.\r\n");
        expect(&h, "QUIT\r\nSTAT\r\n", "+OK goodbye\r\n");
        g_assert_true(h.is_closed);
        g_assert_cmpuint(h.n_updates, ==, 1);
        harness_close(&h);
}

static void
test_no_quit(void)
{
        Harness h = {0};

        give(&h, "x\r\n");
        harness_open(&h);
        log_in(&h);
        expect(&h, "DELE 1\r\n", "+OK will be deleted at QUIT\r\n");
        POP3_PROTOCOL.close(&h.session->session);
        g_assert_cmpuint(h.n_updates, ==, 0);
        g_assert_cmpuint(h.n_open, ==, 0);
        harness_close(&h);
}

static void
test_account_gone(void)
{
        Harness h = {0};

        give(&h, "x\r\n");
        harness_open(&h);
        log_in(&h);
        expect(&h, "DELE 1\r\n", "+OK will be deleted at QUIT\r\n");
        h.is_ended = TRUE;
        expect(&h, "QUIT\r\n", "-ERR [SYS/PERM] " AUTH_ENDED_TEXT "\r\n");
        g_assert_true(h.is_closed);
        POP3_PROTOCOL.close(&h.session->session);
        g_assert_cmpuint(h.n_updates, ==, 0);
        g_assert_cmpuint(h.n_open, ==, 0);
        harness_close(&h);
}

static void
test_wrong_password(void)
{
        static const char say[] = "USER joe\r\nPASS wrong\r\nCAPA\r\n";
        Harness h = {0};

        harness_open(&h);
        g_string_truncate(h.output, 0);
        g_assert_cmpint(write(h.fd, say, sizeof(say) - 1), ==, sizeof(say) - 1);
        harness_run(&h);
        g_assert_cmpstr(h.output->str, ==, "+OK and the password?\r\n");
        g_assert_cmpint(h.delay, ==, USEC_PER_SEC);
        harness_run(&h);
        g_assert_true(g_str_has_prefix(
                h.output->str, "+OK and the password?\r\n-ERR [AUTH] wrong name or password\r\n+OK\r\nTOP\r\n"));
        expect(&h, "USER busy\r\nPASS x\r\n",
               "+OK and the password?\r\n-ERR [SYS/TEMP] can't check that now, try again later\r\n");
        h.is_in_use = TRUE;
        expect(&h, "USER joe\r\nPASS right\r\n",
               "+OK and the password?\r\n-ERR [IN-USE] another session has this maildrop\r\n");
        harness_close(&h);
}

static void
test_faults(void)
{
        Harness h = {0};

        give(&h, "x\r\n");
        give(&h, "y\r\n");
        h.has_fault = TRUE;
        harness_open(&h);
        expect(&h, "USER joe\r\nPASS right\r\n",
               "+OK and the password?\r\n-ERR [SYS/TEMP] can't open the maildrop now\r\n");
        h.has_fault = FALSE;
        log_in(&h);
        h.has_fault = TRUE;
        expect(&h, "RETR 1\r\nDELE 1\r\n",
               "-ERR [SYS/TEMP] can't read this message\r\n+OK will be deleted at QUIT\r\n");
        expect(&h, "QUIT\r\n", "-ERR [SYS/TEMP] some messages were not removed\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);

        give(&h, "x\r\n");
        harness_open(&h);
        log_in(&h);
        h.reads_end_early = TRUE;
        harness_say(&h, span_of("RETR 1\r\nNOOP\r\n"));
        g_assert_true(h.is_closed);
        g_assert_null(strstr(h.output->str, "\r\n.\r\n")); /* never taken for whole */
        harness_close(&h);
}

/* A message of 300,000 octets with dots, to a client that reads a few hundred octets a time; memory stays at a buffer
 * and a piece. */
static void
test_slow_reader(void)
{
        g_autoptr(GString) message = g_string_new(NULL), want = g_string_new("+OK 300000 octets\r\n");
        Harness h = {0};

        while (message->len < 300000)
                g_string_append(message, message->len % 3 == 0 ? ".dotty.\r\n" : "plain\r\n\n.");
        g_string_truncate(message, 300000);
        for (gsize i = 0; i < message->len; i++) {
                if (message->str[i] == '.' && (i == 0 || message->str[i - 1] == '\n'))
                        g_string_append_c(want, '.');
                g_string_append_c(want, message->str[i]);
        }
        g_string_append(want, g_str_has_suffix(want->str, "\r\n") ? ".\r\n" : "\r\n.\r\n");
        g_string_append(want, "+OK nothing done\r\n");

        h.messages[h.n++] = span_make(message->str, message->len);
        harness_open(&h);
        log_in(&h);
        h.output_max = 700;
        h.reads_at_most = 5000;
        harness_say(&h, span_of("RETR 1\r\nNOOP\r\n"));
        g_assert_cmpuint(h.output->len, ==, want->len);
        g_assert_cmpstr(h.output->str, ==, want->str);
        harness_close(&h);
}

static void
test_long_list(void)
{
        g_autoptr(GString) want = g_string_new(NULL);
        Harness h = {0};

        for (guint32 i = 0; i < HARNESS_MESSAGES_MAX; i++)
                give(&h, "x\r\n");
        harness_open(&h);
        log_in(&h);
        h.output_max = 100;
        g_string_printf(want, "+OK %u messages\r\n", h.n - 1);
        for (guint32 i = 0; i < h.n; i++)
                if (i != 6)
                        g_string_append_printf(want, "%u 3\r\n", i + 1);
        g_string_append(want, ".\r\n");
        harness_say(&h, span_of("DELE 7\r\n"));
        harness_say(&h, span_of("LIST\r\n"));
        g_assert_cmpstr(h.output->str, ==, want->str);
        harness_close(&h);
}

static void
test_many_in_one_packet(void)
{
        g_autoptr(GString) say = g_string_new(NULL), want = g_string_new(NULL);
        Harness h = {0};

        for (guint32 i = 0; i < 500; i++) {
                give(&h, "A: b\r\n\r\nbody\r\n");
                g_string_append_printf(say, "RETR %u\r\nDELE %u\r\n", i + 1, i + 1);
                g_string_append(want, "+OK 14 octets\r\nA: b\r\n\r\nbody\r\n.\r\n+OK will be deleted at QUIT\r\n");
        }
        harness_open(&h);
        log_in(&h);
        h.output_max = 3000;
        harness_say(&h, span_of(say->str));
        g_assert_cmpstr(h.output->str, ==, want->str);
        harness_close(&h);
}

static void
test_stopping(void)
{
        Harness h = {0};

        harness_open(&h);
        log_in(&h);
        h.is_stopping = TRUE;
        expect(&h, "NOOP\r\nNOOP\r\n", "+OK nothing done\r\n-ERR [SYS/TEMP] shutting down, come back soon\r\n");
        g_assert_cmpuint(h.n_updates, ==, 0);
        harness_close(&h);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/pop3/session/a whole session RFC 1939", test_session);
        g_test_add_func("/pop3/session/nothing is removed without QUIT RFC 1939 §6", test_no_quit);
        g_test_add_func("/pop3/session/an account that is gone ends its session, and QUIT removes nothing",
                        test_account_gone);
        g_test_add_func("/pop3/session/a wrong password is answered after a delay RFC 3206", test_wrong_password);
        g_test_add_func("/pop3/session/faults are temporary, half a message is none", test_faults);
        g_test_add_func("/pop3/session/a message goes at its reader's pace", test_slow_reader);
        g_test_add_func("/pop3/session/so does a long list", test_long_list);
        g_test_add_func("/pop3/session/many commands in one packet RFC 2449 §6.6", test_many_in_one_packet);
        g_test_add_func("/pop3/session/stopping removes nothing", test_stopping);
        return g_test_run();
}
