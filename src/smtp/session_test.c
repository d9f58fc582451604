#include "smtp/harness.h"

/* Conversations ---------------------------------------------------------------------------------------------------- */

/* Send text, and the answer must be this. */
static void
expect(Harness *h, const char *say, const char *answer)
{
        harness_say(h, span_of(say));
        g_assert_cmpstr(h->output->str, ==, answer);
}

static void
expect_message(const Harness *h, const char *text)
{
        g_assert_cmpuint(h->messages->len, >, 0);
        g_assert_cmpstr(g_ptr_array_index(h->messages, h->messages->len - 1), ==, text);
}

#define ACCEPTED "250 2.0.0 accepted as 0000000000001\r\n"
#define SENDER "250 2.1.0 sender ok\r\n"
#define RCPT "250 2.1.5 recipient ok\r\n"
#define GO "354 send the message, end with CRLF.CRLF\r\n"
#define UNKNOWN "550 5.1.1 no such mailbox\r\n"

static void
test_one_message(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        g_assert_cmpstr(h.output->str, ==, "220 mx.ex.org ESMTP Restante\r\n");
        expect(&h, "EHLO pc.example\r\n",
               "250-mx.ex.org\r\n250-PIPELINING\r\n250-SIZE 5000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
               "250-ENHANCEDSTATUSCODES\r\n250 CHUNKING\r\n");
        expect(&h, "MAIL FROM:<a@b.example> BODY=8BITMIME\r\n", SENDER);
        expect(&h, "RCPT TO:<joe@ex.org>\r\n", RCPT);
        expect(&h, "DATA\r\n", GO);
        g_assert_cmpuint(h.rate, ==, 500);
        expect(&h, "Subject: x\r\n\r\n..dot\r", "");
        expect(&h, "\n.\r\n", ACCEPTED);
        g_assert_cmpuint(h.rate, ==, 0);
        expect_message(&h, "ESMTP <a@b.example> joe Subject: x\r\n\r\n.dot\r\n");
        g_assert_cmpuint(h.accepted, ==, 1);
        expect(&h, "QUIT\r\n", "221 2.0.0 goodbye\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

static void
test_pipelining(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        expect(&h, "HELO pc.example\r\n", "250 mx.ex.org\r\n");
        expect(&h, "MAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nRCPT TO:<no@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nDATA\r\n",
               SENDER RCPT UNKNOWN RCPT GO);
        expect(&h, "x\r\n.\r\nMAIL FROM:<>\r\nQUIT\r\nNOOP\r\n", ACCEPTED SENDER "221 2.0.0 goodbye\r\n");
        expect_message(&h, "SMTP <> joe,ann x\r\n");
        harness_close(&h);
}

static void
test_octet_by_octet(void)
{
        static const char text[] =
                "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@ex.org>\r\nDATA\r\na\r\n..\r\n.\r\n"
                "MAIL FROM:<>\r\nRCPT TO:<ann@ex.org>\r\nBDAT 3\r\na\r\nBDAT 4 LAST\r\n.\r\n.QUIT\r\n";
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        for (gsize i = 0; i + 1 < sizeof(text); i++)
                harness_say(&h, span_make(text + i, 1));
        g_assert_true(h.is_closed);
        g_assert_cmpuint(h.messages->len, ==, 2);
        g_assert_cmpstr(g_ptr_array_index(h.messages, 0), ==, "ESMTP <a@b.example> joe a\r\n.\r\n");
        g_assert_cmpstr(g_ptr_array_index(h.messages, 1), ==, "ESMTP <> ann a\r\n.\r\n.\r\n");
        harness_close(&h);
}

static void
test_errors(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        expect(&h, "MAIL FROM:<>\r\n", "503 5.5.1 say hello first\r\n");
        expect(&h, "HELO\r\n", "501 5.5.4 say who you are: a domain or an address literal\r\n");
        expect(&h, "LHLO x\r\n", "500 5.5.2 unknown command\r\n");
        expect(&h, "EHLO x\r\nRCPT TO:<joe@ex.org>\r\n",
               "250-mx.ex.org\r\n250-PIPELINING\r\n250-SIZE "
               "5000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
               "250 CHUNKING\r\n503 5.5.1 MAIL first\r\n");
        expect(&h, "AUTH PLAIN\r\n", "502 5.5.1 not offered here\r\n");
        expect(&h, "STARTTLS\r\n", "502 5.5.1 not offered here\r\n");
        expect(&h, "VRFY joe\r\nEXPN list\r\n",
               "252 2.1.5 not verified, try to send\r\n252 2.1.5 not verified, try to send\r\n");
        expect(&h, "DATA now\r\n", "501 5.5.4 this command takes no arguments\r\n");
        expect(&h, "RSET\nQUIT\r\n", "501 5.5.2 control characters in the command\r\n");
        expect(&h, "MAIL FROM:<a@b.example> SIZE=5001\r\n", "552 5.3.4 message too big\r\n");
        expect(&h, "MAIL FROM:<a@b.example> SIZE=5000\r\nMAIL FROM:<>\r\n",
               SENDER "503 5.5.1 a transaction is under way\r\n");
        expect(&h, "DATA\r\n", "554 5.5.1 no valid recipients\r\n");
        expect(&h, "RCPT TO:<later@ex.org>\r\n", "451 4.3.0 later\r\n");
        harness_close(&h);
}

static void
test_long_lines(void)
{
        g_autofree char *name = g_strnfill(COMMAND_LINE_MAX, 'a');
        g_autofree char *line = g_strdup_printf("NOOP %s\r\nNOOP\r\n", name);
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        expect(&h, line, "500 5.5.6 line too long\r\n250 2.0.0 ok\r\n");
        harness_close(&h);
        harness_open(&h, SMTP_SUBMISSION);
        expect(&h, line, "500 5.5.6 line too long\r\n250 2.0.0 ok\r\n");
        harness_close(&h);
}

static void
test_many_errors(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        for (int i = 0; i < 19; i++)
                expect(&h, "WHAT\r\n", "500 5.5.2 unknown command\r\n");
        expect(&h, "WHAT\r\nNOOP\r\n", "500 5.5.2 unknown command\r\n421 4.7.0 too many errors, closing\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

static void
test_bare_newlines(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nDATA\r\n"));
        expect(&h, "a\nb\r\n.\r\n", "554 5.6.0 bare CR or LF in the message: lines end with CRLF\r\n");
        g_assert_cmpuint(h.messages->len, ==, 0);
        expect(&h, "RCPT TO:<joe@ex.org>\r\n", "503 5.5.1 MAIL first\r\n");
        harness_close(&h);
}

static void
test_size(void)
{
        g_autofree char *much = g_strnfill(HARNESS_MAX_SIZE + 1, 'a');
        g_autofree char *data = g_strdup_printf("%s\r\n.\r\nNOOP\r\n", much);
        g_autofree char *chunk = g_strdup_printf("BDAT %u\r\n%sBDAT 0 LAST\r\n", HARNESS_MAX_SIZE + 1, much);
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nDATA\r\n"));
        harness_say(&h, span_of(data));
        g_assert_true(g_str_has_suffix(h.output->str, "250 2.0.0 ok\r\n"));
        g_assert_cmpuint(h.messages->len, ==, 0);
        harness_say(&h, span_of("MAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\n"));
        harness_say(&h, span_of(chunk));
        g_assert_cmpstr(h.output->str, ==, "552 5.3.4 message too big\r\n503 5.5.1 MAIL first\r\n");
        g_assert_cmpuint(h.messages->len, ==, 0);
        harness_close(&h);
}

static void
test_chunks(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@ex.org>\r\n"));
        expect(&h, "BDAT 6\r\na\r\nRSEBDAT 5\r\nT\r\n.\r",
               "250 2.0.0 6 octets so far\r\n250 2.0.0 11 octets so far\r\n");
        expect(&h, "DATA\r\nMAIL FROM:<>\r\n",
               "503 5.5.1 the message has begun, go on with BDAT\r\n503 5.5.1 the message has begun, go on with "
               "BDAT\r\n");
        expect(&h, "BDAT 1 LAST\r\n\nNOOP\r\n", ACCEPTED "250 2.0.0 ok\r\n");
        expect_message(&h, "ESMTP <a@b.example> joe a\r\nRSET\r\n.\r\n");

        /* One that is refused is passed over all the same. */
        expect(&h, "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1 MAIL first\r\n250 2.0.0 ok\r\n");
        expect(&h, "MAIL FROM:<>\r\nBDAT 6\r\nQUIT\r\nRSET\r\n",
               SENDER "554 5.5.1 no valid recipients\r\n250 2.0.0 forgotten\r\n");
        harness_say(&h, span_of("BDAT some\r\nNOOP\r\n"));
        g_assert_true(g_str_has_prefix(h.output->str, "501 5.5.4 ") && h.is_closed);
        harness_close(&h);
}

static void
test_lmtp(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_LMTP);
        g_assert_cmpstr(h.output->str, ==, "220 mx.ex.org LMTP Restante\r\n");
        expect(&h, "EHLO x\r\nHELO x\r\n", "500 5.5.2 unknown command\r\n500 5.5.2 unknown command\r\n");
        harness_say(&h, span_of("LHLO x\r\nMAIL FROM:<>\r\n"));
        expect(&h, "RCPT TO:<no@ex.org>\r\nDATA\r\n", UNKNOWN "503 5.5.1 no valid recipients\r\n");
        g_assert_cmpuint(h.unknown, ==, 0); /* it guesses nothing: a server of ours hands in */
        expect(&h, "RCPT TO:<joe@ex.org>\r\nRCPT TO:<quota@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nDATA\r\n",
               RCPT RCPT RCPT GO);
        expect(&h, "x\r\n.\r\n", ACCEPTED "552 5.2.2 mailbox full\r\n" ACCEPTED);
        expect_message(&h, "LMTP <> joe,quota,ann x\r\n");
        expect(&h, "MAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nBDAT 1\r\nx",
               SENDER RCPT RCPT "250 2.0.0 1 octets so far\r\n");
        expect(&h, "BDAT 0 LAST\r\n", ACCEPTED ACCEPTED);
        h.has_fault = FALSE;
        harness_say(&h, span_of("MAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nDATA\r\n"));
        expect(&h, "a\rb\r\n.\r\n",
               "554 5.6.0 bare CR or LF in the message: lines end with CRLF\r\n554 5.6.0 bare CR or LF in the message: "
               "lines end with CRLF\r\n");
        harness_close(&h);
}

static void
test_faults(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nDATA\r\n"));
        h.has_fault = TRUE;
        expect(&h, "x\r\n.\r\n", "451 4.3.0 something is wrong here, try again later\r\n");
        expect(&h, "MAIL FROM:<>\r\n", "452 4.3.1 no room here, try again later\r\n");
        expect(&h, "RCPT TO:<joe@ex.org>\r\n", "503 5.5.1 MAIL first\r\n");
        harness_close(&h);
}

static void
test_too_many_recipients(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nRCPT TO:<joe@ex.org>\r\nRCPT "
                                "TO:<ann@ex.org>\r\n"));
        expect(&h, "RCPT TO:<ann@ex.org>\r\nDATA\r\n",
               "452 4.5.3 too many recipients, send the rest in another transaction\r\n" GO);
        harness_close(&h);
}

/* Guessing ----------------------------------------------------------------------------------------------------------
 */

static void
test_guessing(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\n"));
        expect(&h, "RCPT TO:<a@ex.org>\r\nRCPT TO:<b@ex.org>\r\n", UNKNOWN UNKNOWN);
        g_string_truncate(h.output, 0);
        g_assert_cmpint(write(h.fd, "RCPT TO:<c@ex.org>\r\nNOOP\r\n", 26), ==, 26);
        harness_run(&h, FALSE);
        g_assert_cmpstr(h.output->str, ==, ""); /* parked with its answer */
        g_assert_cmpint(h.delay, ==, 2 * USEC_PER_SEC);
        harness_run(&h, FALSE);
        g_assert_cmpstr(h.output->str, ==, UNKNOWN "250 2.0.0 ok\r\n");
        expect(&h, "RCPT TO:<d@ex.org>\r\n", UNKNOWN);
        expect(&h, "RCPT TO:<e@ex.org>\r\nNOOP\r\n", "421 4.7.0 too many unknown recipients, come back later\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

static void
test_refused_at_connect(void)
{
        Harness h = {.is_refused = TRUE};

        harness_open(&h, SMTP_MX);
        g_assert_cmpstr(h.output->str, ==, "421 4.7.0 too many unknown recipients, come back later\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

/* Submission --------------------------------------------------------------------------------------------------------
 */

#define PLAIN_RIGHT "AGpvZQByaWdodA==" /* NUL joe NUL right */
#define PLAIN_WRONG "AGpvZQB3cm9uZw=="

static void
test_submission(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_SUBMISSION);
        expect(&h, "AUTH PLAIN " PLAIN_RIGHT "\r\n", "503 5.5.1 say hello first\r\n");
        harness_say(&h, span_of("EHLO x\r\n"));
        g_assert_nonnull(strstr(h.output->str, "250-AUTH PLAIN LOGIN\r\n"));
        expect(&h, "MAIL FROM:<joe@ex.org>\r\n", "530 5.7.0 authenticate first\r\n");
        expect(&h, "AUTH CRAM-MD5\r\n", "504 5.5.4 mechanism not supported\r\n");
        expect(&h, "AUTH PLAIN !!!\r\n", "501 5.5.2 malformed response\r\n");
        expect(&h, "AUTH PLAIN\r\n", "334 \r\n");
        expect(&h, "*\r\n", "501 5.7.0 authentication cancelled\r\n");
        expect(&h, "AUTH LOGIN\r\nam9l\r\ncmlnaHQ=\r\n",
               "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 welcome\r\n");
        expect(&h, "AUTH PLAIN " PLAIN_RIGHT "\r\n", "503 5.5.1 already authenticated\r\n");
        expect(&h, "MAIL FROM:<ann@ex.org>\r\n", "553 5.7.1 this sender address is not yours\r\n");
        expect(&h, "MAIL FROM:<joe@ex.org> SMTPUTF8\r\nRCPT TO:<no@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nDATA\r\n",
               SENDER UNKNOWN RCPT GO);
        g_assert_cmpuint(h.unknown, ==, 0);
        expect(&h, "a\nb\r\n.\r\n", ACCEPTED);
        expect_message(&h, "UTF8SMTPA <joe@ex.org> ann a\r\nb\r\n");
        expect(&h, "MAIL FROM:<>\r\nRCPT TO:<ann@ex.org>\r\n", SENDER RCPT);
        harness_say(&h, span_of("EHLO again\r\n"));
        g_assert_null(strstr(h.output->str, "AUTH"));
        expect(&h, "RCPT TO:<ann@ex.org>\r\n", "503 5.5.1 MAIL first\r\n");
        expect(&h, "MAIL FROM:<joe@ex.org>\r\n", SENDER);
        harness_close(&h);
}

static void
test_wrong_password(void)
{
        static const char say[] = "AUTH PLAIN " PLAIN_WRONG "\r\nNOOP\r\n";
        Harness h = {0};

        harness_open(&h, SMTP_SUBMISSION);
        harness_say(&h, span_of("EHLO x\r\n"));
        g_string_truncate(h.output, 0);
        g_assert_cmpint(write(h.fd, say, sizeof(say) - 1), ==, sizeof(say) - 1);
        harness_run(&h, FALSE);
        g_assert_cmpstr(h.output->str, ==, "");
        g_assert_cmpint(h.delay, ==, USEC_PER_SEC);
        harness_run(&h, FALSE);
        g_assert_cmpstr(h.output->str, ==, "535 5.7.8 wrong name or password\r\n250 2.0.0 ok\r\n");
        expect(&h, "MAIL FROM:<joe@ex.org>\r\n", "530 5.7.0 authenticate first\r\n");
        expect(&h, "AUTH LOGIN YnVzeQ==\r\nYQ==\r\n",
               "334 UGFzc3dvcmQ6\r\n454 4.7.0 can't check that now, try again later\r\n");
        harness_close(&h);
}

static void
test_long_auth_line(void)
{
        g_autofree char *much = g_strnfill(SASL_LINE_MAX + 1, 'A');
        g_autofree char *line = g_strdup_printf("AUTH PLAIN\r\n%s\r\nNOOP\r\n", much);
        Harness h = {0};

        harness_open(&h, SMTP_SUBMISSION);
        harness_say(&h, span_of("EHLO x\r\n"));
        harness_say(&h, span_of(line));
        g_assert_true(g_str_has_suffix(h.output->str, "500 5.5.6 line too long\r\n250 2.0.0 ok\r\n"));
        harness_close(&h);
}

/* An account that is removed or disabled sends nothing more, not even what has begun. */
static void
test_account_gone(void)
{
        static const char *const says[] = {"", "MAIL FROM:<joe@ex.org>\r\nRCPT TO:<ann@ex.org>\r\n",
                                           "MAIL FROM:<joe@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nDATA\r\nx\r\n",
                                           "MAIL FROM:<joe@ex.org>\r\nRCPT TO:<ann@ex.org>\r\nBDAT 9 LAST\r\nabc"};
        static const char *const then[] = {"NOOP\r\n", "DATA\r\n", ".\r\n", "defghi"};

        for (gsize i = 0; i < G_N_ELEMENTS(says); i++) {
                Harness h = {0};

                harness_open(&h, SMTP_SUBMISSION);
                h.session->is_loopback = TRUE;
                harness_say(&h, span_of("EHLO x\r\nAUTH PLAIN AGpvZQByaWdodA==\r\n"));
                harness_say(&h, span_of(says[i]));
                h.is_ended = TRUE;
                expect(&h, then[i], "421 4.7.0 " AUTH_ENDED_TEXT "\r\n");
                g_assert_true(h.is_closed);
                g_assert_cmpuint(h.messages->len, ==, 0);
                harness_close(&h);
        }
}

static void
test_stopping(void)
{
        Harness h = {0};

        harness_open(&h, SMTP_MX);
        harness_say(&h, span_of("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@ex.org>\r\nDATA\r\n"));
        h.is_stopping = TRUE;
        expect(&h, "x\r\n.\r\nNOOP\r\n", ACCEPTED "250 2.0.0 ok\r\n421 4.3.2 shutting down, come back soon\r\n");
        g_assert_true(h.is_closed);
        harness_close(&h);
}

/* All sequences -----------------------------------------------------------------------------------------------------
 */

typedef enum Say {
        SAY_HELO,
        SAY_EHLO,
        SAY_MAIL,
        SAY_RCPT,
        SAY_NOBODY,
        SAY_DATA,
        SAY_CHUNK,
        SAY_LAST,
        SAY_RSET,
        SAY_QUIT,
        SAY_N
} Say;
enum { DEPTH = 5 };

/* The model: what RFC 5321 §4.1.4 and RFC 3030 say about order, and nothing else. */
typedef struct Model {
        gboolean hello, mail, chunks, over;
        guint recipients, messages;
} Model;

static void
model_reset(Model *m)
{
        m->mail = m->chunks = FALSE;
        m->recipients = 0;
}

static guint
model_chunk(Model *m, gboolean last)
{
        if (!m->mail)
                return 503;
        if (m->recipients == 0)
                return 554;
        m->chunks = TRUE;
        if (last) {
                model_reset(m);
                m->messages++;
        }
        return 250;
}

static guint
model_say(Model *m, Say say)
{
        switch (say) {
        case SAY_HELO:
        case SAY_EHLO:
                m->hello = TRUE;
                model_reset(m);
                return 250;
        case SAY_MAIL:
                if (!m->hello || m->mail)
                        return 503;
                m->mail = TRUE;
                return 250;
        case SAY_RCPT:
        case SAY_NOBODY:
                if (!m->mail || m->chunks)
                        return 503;
                m->recipients += say == SAY_RCPT;
                return say == SAY_RCPT ? 250 : 550;
        case SAY_DATA:
                if (!m->mail || m->chunks)
                        return 503;
                return m->recipients == 0 ? 554 : 354;
        case SAY_CHUNK:
        case SAY_LAST:
                return model_chunk(m, say == SAY_LAST);
        case SAY_RSET:
                model_reset(m);
                return 250;
        case SAY_QUIT:
                m->over = TRUE;
                return 221;
        case SAY_N:
                break;
        }
        g_assert_not_reached();
}

static const char *const SAYINGS[SAY_N] = {
        "HELO x\r\n",
        "EHLO x\r\n",
        "MAIL FROM:<a@b.example>\r\n",
        "RCPT TO:<joe@ex.org>\r\n",
        "RCPT TO:<no@ex.org>\r\n",
        "DATA\r\n",
        "BDAT 6\r\nQUIT\r\n",
        "BDAT 6 LAST\r\nRSET\r\n",
        "RSET\r\n",
        "QUIT\r\n",
};

/* The codes of all replies, one word each. */
static void
codes_of(const GString *output, GString *ret)
{
        g_string_truncate(ret, 0);
        for (const char *line = output->str; *line != '\0'; line = strchr(line, '\n') + 1)
                if (line[3] == ' ')
                        g_string_append_len(ret, line, 4);
}

static void
check_sequence(guint number, guint depth, GString *input, GString *want, GString *got)
{
        Model m = {0};
        Harness h = {0};

        g_string_truncate(input, 0);
        g_string_truncate(want, 0);
        for (guint i = 0; i < depth && !m.over; i++, number /= SAY_N) {
                Say say = (Say) (number % SAY_N);
                guint code = model_say(&m, say);
                g_string_append(input, SAYINGS[say]);
                g_string_append_printf(want, "%u ", code);
                if (code != 354)
                        continue;
                g_string_append(input, "QUIT\r\n.\r\n");
                g_string_append(want, "250 ");
                model_reset(&m);
                m.messages++;
        }
        harness_open(&h, SMTP_MX);
        harness_say(&h, span_make(input->str, input->len));
        codes_of(h.output, got);
        if (!g_string_equal(want, got))
                g_test_message("%s", input->str);
        g_assert_cmpstr(got->str, ==, want->str);
        g_assert_cmpuint(h.messages->len, ==, m.messages);
        g_assert_true(h.is_closed == m.over);
        harness_close(&h);
}

static void
test_sequences(void)
{
        g_autoptr(GString) input = g_string_new(NULL), want = g_string_new(NULL), got = g_string_new(NULL);
        guint n = 1;

        for (guint i = 0; i < DEPTH; i++)
                n *= SAY_N;
        for (guint number = 0; number < n; number++)
                check_sequence(number, DEPTH, input, want, got);
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        log_set_level(LOG_ERROR);
        g_test_add_func("/smtp/session/one message", test_one_message);
        g_test_add_func("/smtp/session/commands in one packet are answered together RFC 2920", test_pipelining);
        g_test_add_func("/smtp/session/it may park between any two octets", test_octet_by_octet);
        g_test_add_func("/smtp/session/each error has its code RFC 5321 §4.3.2", test_errors);
        g_test_add_func("/smtp/session/a line that is too long is passed over", test_long_lines);
        g_test_add_func("/smtp/session/too many errors close", test_many_errors);
        g_test_add_func("/smtp/session/bare newlines are refused at the end RFC 5321 §2.3.8", test_bare_newlines);
        g_test_add_func("/smtp/session/what is too big is read, dropped and refused RFC 1870", test_size);
        g_test_add_func("/smtp/session/chunks RFC 3030", test_chunks);
        g_test_add_func("/smtp/session/LMTP answers for each recipient RFC 2033 §4.2", test_lmtp);
        g_test_add_func("/smtp/session/faults are temporary", test_faults);
        g_test_add_func("/smtp/session/too many recipients RFC 5321 §4.5.3.1.10", test_too_many_recipients);
        g_test_add_func("/smtp/session/guessing is slowed down, then ended", test_guessing);
        g_test_add_func("/smtp/session/who guessed too much is refused at once", test_refused_at_connect);
        g_test_add_func("/smtp/session/submission wants AUTH, and one's own address RFC 6409 §4.3", test_submission);
        g_test_add_func("/smtp/session/a wrong password is answered after a delay RFC 4954 §6", test_wrong_password);
        g_test_add_func("/smtp/session/a response may have 12288 octets RFC 4954 §4", test_long_auth_line);
        g_test_add_func("/smtp/session/421 when the account is gone", test_account_gone);
        g_test_add_func("/smtp/session/what is under way is finished before it stops", test_stopping);
        g_test_add_func("/smtp/session/all sequences of five commands RFC 5321 §4.1.4", test_sequences);
        return g_test_run();
}
