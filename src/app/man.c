/* man.c -- manual pages in roff, from the tables. */
#include "app/events.h"
#include "app/help.h"
#include "app/settings.h"
#include "imap/imap.h"
#include "pop3/pop3.h"
#include "smtp/smtp.h"
#include "store/mailbox.h"

/* Text of ours for roff: backslashes and dashes escaped, no line begins with a control character. */
static void
roff_text(FILE *out, const char *text)
{
        gboolean at_start = TRUE;

        for (; *text != '\0'; text++) {
                if (at_start && (*text == '.' || *text == '\''))
                        fputs("\\&", out);
                at_start = *text == '\n';
                if (*text == '\\')
                        fputs("\\e", out);
                else if (*text == '-')
                        fputs("\\-", out);
                else
                        fputc(*text, out);
        }
}

static void
roff_paragraphs(FILE *out, const char *text)
{
        g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

        for (gsize i = 0; paragraphs[i] != NULL; i++) {
                if (i > 0)
                        fputs(".PP\n", out);
                roff_text(out, paragraphs[i]);
                fputc('\n', out);
        }
}

static void
roff_item(FILE *out, const char *name, const char *text)
{
        fputs(".TP\n.B \"", out);
        roff_text(out, name);
        fputs("\"\n", out);
        roff_paragraphs(out, text);
}

static void
roff_options(FILE *out, const OperationOption *options, gsize max)
{
        for (gsize i = 0; options != NULL && i < max && options[i].name != NULL; i++) {
                g_autofree char *name = options[i].value != NULL
                                                ? g_strconcat(options[i].name, " ", options[i].value, NULL)
                                                : g_strdup(options[i].name);
                roff_item(out, name, options[i].manual);
        }
}

static void
roff_example(FILE *out, const char *example)
{
        fputs(".PP\n.nf\n.RS\n", out);
        roff_text(out, example);
        fputs("\n.RE\n.fi\n", out);
}

static void
roff_operation(FILE *out, const Operation *operation)
{
        g_autofree char *usage = operation_usage(operation);

        fputs(".SS \"restante ", out);
        roff_text(out, usage);
        fputs("\"\n", out);
        roff_paragraphs(out, operation->manual);
        fputs(".RS\n", out);
        for (gsize i = 0; i < OPERATION_ARGS && operation->args[i].name != NULL; i++)
                roff_item(out, operation->args[i].name, operation->args[i].manual);
        roff_options(out, operation->options, OPERATION_OPTIONS);
        for (const KeyManual *k = operation->keys; k != NULL && k->key != NULL; k++) {
                g_autofree char *name = g_strdup_printf("%s=%s", k->key, k->form);
                roff_item(out, name, k->manual);
        }
        fputs(".RE\n", out);
        roff_example(out, operation->example);
}

static void
roff_title(FILE *out, const char *name, const char *section, const char *what)
{
        fprintf(out, ".TH %s %s \"\" \"restante " RESTANTE_VERSION "\"\n.SH NAME\n%s \\- %s\n", name, section, name,
                what);
}

static void
roff_events(FILE *out)
{
        static const LogEvent *const TABLES[] = {APP_EVENTS,  ADMIN_EVENTS, SMTP_EVENTS, IMAP_EVENTS,
                                                 POP3_EVENTS, FETCH_EVENTS, STORE_EVENTS};
        static const char *const LEVELS[] = {"error", "warning", "info", "debug"};

        fputs(".SH \"LOG\"\n", out);
        roff_paragraphs(out, "One line an event on standard error: time (UTC), level, name, and key=value pairs. What "
                             "strangers sent is escaped and cut. Lines of level error want somebody to act.");
        for (gsize t = 0; t < G_N_ELEMENTS(TABLES); t++)
                for (const LogEvent *e = TABLES[t]; e->name != NULL; e++) {
                        g_autofree char *name = g_strdup_printf("%s (%s)", e->name, LEVELS[e->level]);
                        roff_item(out, name, e->manual);
                }
}

static void
page_restante(FILE *out)
{
        roff_title(out, "restante", "1", "a mail server");
        fputs(".SH SYNOPSIS\n.B restante\n[\\fB\\-c\\fR \\fICONF\\fR] \\fICOMMAND\\fR ... [\\fB\\-\\-json\\fR]\n.SH "
              "DESCRIPTION\n",
              out);
        roff_paragraphs(out,
                        "Restante receives, routes, keeps and serves mail. What this page describes is one program: "
                        "the server itself (`restante serve`), and the commands that make a site and look after it. "
                        "Commands talk to the running server through its control socket, wait up to 10 seconds for one "
                        "that is starting, and open the site themselves when none is running.");
        fputs(".SH OPTIONS\n", out);
        roff_item(out, "-c CONF",
                  "The site's restante.conf; may stand before or behind the command. RESTANTE_CONFIG is its default.");
        roff_item(out, "--json",
                  "Answer as JSON: an array for lists, otherwise an object. Times are ISO 8601 in UTC, sizes octets.");
        roff_item(out, "--help", "Tell about the program, a noun or one command.");
        roff_item(out, "--version", "Print the version.");
        fputs(".SH \"A SITE\"\n", out);
        for (const Command *c = COMMANDS; c->name != NULL; c++) {
                fputs(".SS \"restante ", out);
                roff_text(out, c->usage);
                fputs("\"\n", out);
                roff_paragraphs(out, c->manual);
                fputs(".RS\n", out);
                roff_options(out, c->options, G_MAXSIZE);
                fputs(".RE\n", out);
                roff_example(out, c->example);
        }
        fputs(".SH \"ITS ADMINISTRATION\"\n", out);
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++)
                roff_operation(out, ADMIN_OPERATIONS[i]);
        roff_events(out);
        fputs(".SH \"EXIT STATUS\"\n", out);
        roff_item(out, "0", "Done.");
        roff_item(out, "1", "Refused or failed; one line on standard error says why.");
        roff_item(out, "2", "The command line is wrong.");
        fputs(".SH \"SEE ALSO\"\n.BR restante.conf (5)\n", out);
}

static void
page_conf(FILE *out)
{
        const char *section = "";

        roff_title(out, "restante.conf", "5", "settings of a Restante site");
        fputs(".SH DESCRIPTION\n", out);
        roff_paragraphs(out, "Lines of key = value in [sections]; whole lines that begin with # are comments. Relative "
                             "paths count from the file's own directory. SIGHUP makes a running server read the file "
                             "again: the difference is logged, and a file with a mistake changes nothing. Domains, "
                             "accounts and routes are not here; restante(1) changes them.");
        for (const Setting *s = SETTINGS; s->key != NULL; s++) {
                if (strcmp(section, s->section) != 0)
                        fprintf(out, ".SH \"[%s]\"\n", s->section);
                section = s->section;
                g_autofree char *name = g_strdup_printf("%s = %s", s->key, s->form);
                g_autofree char *text = s->standard != NULL
                                                ? g_strdup_printf("%s Without it: %s.", s->manual, s->standard)
                                                : g_strdup(s->manual);
                roff_item(out, name, text);
        }
        fputs(".SH EXAMPLE\n", out);
        roff_example(
                out,
                "[site]\nhostname = mail.example.com\n\n[listen]\nsmtp = 0.0.0.0:25, [::]:25\nimaps = 0.0.0.0:993");
        fputs(".SH \"SEE ALSO\"\n.BR restante (1)\n", out);
}

gboolean
man_page(FILE *out, const char *page)
{
        if (strcmp(page, "restante") == 0 || strcmp(page, "restante.1") == 0)
                page_restante(out);
        else if (strcmp(page, "restante.conf") == 0 || strcmp(page, "restante.conf.5") == 0)
                page_conf(out);
        else
                return FALSE;
        return TRUE;
}
