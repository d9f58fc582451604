/* main.c -- which command, and with which site. */
#include "app/command.h"
#include "app/help.h"
#include "app/init.h"
#include "app/keeper.h"
#include "app/sendmail.h"

#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static int
man_run(int argc, char **argv, const char *config, gboolean as_json)
{
        const char *page = argc > 0 ? argv[0] : "restante.1";

        if (man_page(stdout, page))
                return fflush(stdout) == 0 ? 0 : 1;
        command_complain("there is no page %s; there are restante and restante.conf", page);
        return ADMIN_USAGE;
}

static const OperationOption INIT_OPTIONS[] = {
        {"--hostname", "NAME", "name of the server: in greetings, Received lines and its certificate"},
        {"--loopback", NULL, "a site for this machine only: high ports on 127.0.0.1, plaintext logins from there"},
        {"--port-base", "N", "with --loopback: added to each port, so that several sites run side by side"},
        {NULL},
};

const Command COMMANDS[] = {
        {"init", "init DIR --hostname NAME [--loopback [--port-base N]]", "make a site",
         "Makes DIR/restante.conf, DIR/data, a self-signed certificate, the local domain NAME and in it the account "
         "postmaster@NAME with a random password, which is printed once; root@NAME is an alias of it. A site that "
         "exists is never touched. Started "
         "by root, a site without --loopback belongs to the user restante, which must exist.",
         "restante init /srv/mail --hostname mail.example.com", INIT_OPTIONS, init_run, FALSE},
        {"serve", "serve -c DIR/restante.conf", "run the site in the foreground",
         "Binds all ports, prints one line `ready` on standard output when they are open, and serves. The log goes to "
         "standard error. SIGTERM lets running commands and messages that are coming end (10 s) and exits 0; SIGHUP "
         "reads restante.conf again: the "
         "difference is logged, and a wrong file changes nothing. A server process that dies is started again within a "
         "second.",
         "restante serve -c /srv/mail/restante.conf", NULL, keeper_run, FALSE},
        {"sendmail", "sendmail [-t] [-i] [-f SENDER] [RECIPIENT...]", "send a message as programs expect of sendmail",
         "Also installed as sendmail. -t takes recipients from To, Cc and Bcc (Bcc is removed); -i lets a line with a "
         "single dot stand. A name without a domain is a user of this machine, NAME@ the host name. Missing From, Date "
         "and Message-ID fields are added. The site is RESTANTE_CONFIG's, or "
         "/etc/restante/restante.conf.",
         "printf 'Subject: hello\\n\\nhello\\n' | restante sendmail joe@uk.example.com", NULL, sendmail_run, FALSE},
        {"man", "man [restante|restante.conf]", "print a manual page in roff",
         "The pages are made from the same tables as the help texts.", "restante man restante.conf | man -l -", NULL,
         man_run, FALSE},
        {NULL},
};

/* Words behind the options that belong to the whole program, which may stand anywhere. */
typedef struct Line {
        char **words;
        int n;
        const char *config;
        gboolean as_json, wants_help, wants_version;
} Line;

static gboolean
line_read(int argc, char **argv, Line *ret)
{
        gboolean only_words = FALSE;

        ret->config = g_getenv("RESTANTE_CONFIG");
        for (int i = 1; i < argc; i++) {
                char *word = argv[i];

                if (strcmp(word, "--") == 0)
                        only_words = TRUE; /* kept: the operation's own options end here too */
                if (only_words || word[0] != '-') {
                        ret->words[ret->n++] = word;
                } else if (strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0) {
                        if (i + 1 == argc)
                                return FALSE;
                        ret->config = argv[++i];
                } else if (g_str_has_prefix(word, "--config=")) {
                        ret->config = word + strlen("--config=");
                } else if (strcmp(word, "--json") == 0) {
                        ret->as_json = TRUE;
                } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
                        ret->wants_help = TRUE;
                } else if (strcmp(word, "--version") == 0) {
                        ret->wants_version = TRUE;
                } else {
                        ret->words[ret->n++] = word;
                }
        }
        return TRUE;
}

static const Command *
command_find(const char *name)
{
        for (const Command *c = COMMANDS; c->name != NULL; c++)
                if (strcmp(c->name, name) == 0)
                        return c;
        return NULL;
}

static gboolean
noun_exists(const char *noun)
{
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++)
                if (strcmp(ADMIN_OPERATIONS[i]->noun, noun) == 0)
                        return TRUE;
        return FALSE;
}

/* The longest name: `alias add group` before `alias add`. *ret_words: how many words it has. */
static const Operation *
operation_find(char **words, int n, int *ret_words)
{
        if (n >= 3) {
                g_autofree char *verb = g_strconcat(words[1], " ", words[2], NULL);
                const Operation *o = admin_find(words[0], verb);
                *ret_words = 3;
                if (o != NULL)
                        return o;
        }
        *ret_words = 2;
        const Operation *o = n >= 2 ? admin_find(words[0], words[1]) : NULL;
        if (o != NULL)
                return o;
        *ret_words = 1;
        return admin_find(words[0], NULL);
}

static char *
verbs_text(const char *noun)
{
        GString *s = g_string_new(NULL);

        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++)
                if (strcmp(ADMIN_OPERATIONS[i]->noun, noun) == 0 && strchr(ADMIN_OPERATIONS[i]->verb, ' ') == NULL)
                        g_string_append_printf(s, "%s%s", s->len > 0 ? ", " : "", ADMIN_OPERATIONS[i]->verb);
        return g_string_free(s, FALSE);
}

static int
operation_run(const Line *line)
{
        int n_words;
        const Operation *operation = operation_find(line->words, line->n, &n_words);

        if (operation != NULL && line->wants_help) {
                help_operation(stdout, operation);
                return 0;
        }
        if (operation != NULL)
                return command_run(operation, (const char *const *) line->words + n_words, line->config, line->as_json,
                                   STDIN_FILENO);
        if (!noun_exists(line->words[0])) {
                command_complain("there is no command %s (`restante --help` lists them)", line->words[0]);
                return ADMIN_USAGE;
        }
        if (line->wants_help) {
                help_noun(stdout, line->words[0]);
                return 0;
        }
        g_autofree char *verbs = verbs_text(line->words[0]);
        if (line->n > 1)
                command_complain("there is no %s %s; there are %s", line->words[0], line->words[1], verbs);
        else
                command_complain("%s what? There are %s", line->words[0], verbs);
        return ADMIN_USAGE;
}

static int
line_run(Line *line)
{
        if (line->wants_version) {
                puts("restante " RESTANTE_VERSION);
                return 0;
        }
        if (line->n > 0 && strcmp(line->words[0], "help") == 0) {
                line->words++;
                line->n--;
                line->wants_help = TRUE;
        }
        if (line->n == 0) {
                help_program(line->wants_help ? stdout : stderr);
                return line->wants_help ? 0 : ADMIN_USAGE;
        }
        const Command *command = command_find(line->words[0]);
        if (command == NULL)
                return operation_run(line);
        if (line->wants_help) {
                help_command(stdout, command);
                return 0;
        }
        return command->run(line->n - 1, line->words + 1, line->config, line->as_json);
}

int
main(int argc, char **argv)
{
        g_autofree char **words = g_new0(char *, argc + 1);
        Line line = {.words = words};

        signal(SIGPIPE, SIG_IGN);
        umask(077);
        mallopt(M_ARENA_MAX, 2);
        mallopt(M_MMAP_THRESHOLD, 128 * 1024);
        mallopt(M_TRIM_THRESHOLD, 256 * 1024);

        const char *name = strrchr(argv[0], '/');
        if (strcmp(name != NULL ? name + 1 : argv[0], "sendmail") == 0)
                return sendmail_run(argc - 1, argv + 1, g_getenv("RESTANTE_CONFIG"), FALSE);
        if (argc > 1 && strcmp(argv[1], "sendmail") == 0 &&
            g_strcmp0(argv[2], "--help") != 0) /* its options are not ours */
                return sendmail_run(argc - 2, argv + 2, g_getenv("RESTANTE_CONFIG"), FALSE);
        if (!line_read(argc, argv, &line)) {
                command_complain("-c needs the path of a restante.conf");
                return ADMIN_USAGE;
        }
        return line_run(&line);
}
