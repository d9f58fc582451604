/* help.c -- help for the terminal. */
#include "app/help.h"

#define COLUMNS 96
#define USAGE_INDENT 6 /* of its second line */

void
help_paragraphs(FILE *out, const char *text, guint indent, guint columns)
{
        g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

        for (gsize p = 0; paragraphs[p] != NULL; p++) {
                g_auto(GStrv) words = g_strsplit_set(paragraphs[p], " \n", -1);
                gsize column = 0;

                if (p > 0)
                        fputc('\n', out);
                for (gsize i = 0; words[i] != NULL; i++) {
                        gsize width = (gsize) g_utf8_strlen(words[i], -1);

                        if (width == 0)
                                continue;
                        if (column > indent && column + 1 + width > columns) {
                                fputc('\n', out);
                                column = 0;
                        }
                        if (column == 0)
                                column = (gsize) fprintf(out, "%*s", (int) indent, "");
                        else
                                column += (gsize) fprintf(out, " ");
                        fputs(words[i], out);
                        column += width;
                }
                fputc('\n', out);
        }
}

/* "  NAME      what it is", wrapped. */
static void
help_row(FILE *out, const char *name, const char *text, guint width)
{
        if (strlen(name) + 4 > width) { /* two blanks between both */
                fprintf(out, "  %s\n", name);
                help_paragraphs(out, text, width, COLUMNS);
                return;
        }
        g_autofree char *wrapped = NULL;
        gsize size;
        FILE *memory = open_memstream(&wrapped, &size);
        help_paragraphs(memory, text, width, COLUMNS);
        fclose(memory);
        fprintf(out, "  %-*s%s", (int) width - 2, name, wrapped + width);
}

#define NAMES 22

static void
help_options(FILE *out, const OperationOption *options, gsize max)
{
        if (options == NULL || options[0].name == NULL)
                return;
        fputs("\nOptions\n", out);
        for (gsize i = 0; i < max && options[i].name != NULL; i++) {
                g_autofree char *name = options[i].value != NULL
                                                ? g_strconcat(options[i].name, " ", options[i].value, NULL)
                                                : g_strdup(options[i].name);
                help_row(out, name, options[i].manual, NAMES);
        }
}

/* Where this word of a usage ends: "[--into FOLDER]" is one. */
static gsize
usage_word(const char *at)
{
        const char *end = strchr(at, *at == '[' ? ']' : ' ');

        return end != NULL ? (gsize) (end - at) + (*end == ']') : strlen(at);
}

/* "usage: " and these words, wrapped. */
static void
help_usage(FILE *out, const char *words)
{
        gsize column = (gsize) fprintf(out, "usage:");

        for (const char *at = words; *at != '\0';) {
                gsize len = usage_word(at);
                if (column + 1 + len > COLUMNS)
                        column = (gsize) fprintf(out, "\n%*s", USAGE_INDENT, "") - 1;
                column += (gsize) fprintf(out, " %.*s", (int) len, at);
                at += len;
                at += strspn(at, " ");
        }
        fputs("\n\n", out);
}

void
help_operation(FILE *out, const Operation *operation)
{
        g_autofree char *usage = operation_usage(operation);
        g_autofree char *line = g_strdup_printf("restante [-c CONF] %s [--json]", usage);

        help_usage(out, line);
        help_paragraphs(out, operation->manual, 0, COLUMNS);
        if (operation->args[0].name != NULL)
                fputs("\nArguments\n", out);
        for (gsize i = 0; i < OPERATION_ARGS && operation->args[i].name != NULL; i++)
                help_row(out, operation->args[i].name, operation->args[i].manual, NAMES);
        help_options(out, operation->options, OPERATION_OPTIONS);
        if (operation->keys != NULL)
                fputs("\nKeys\n", out);
        for (const KeyManual *k = operation->keys; k != NULL && k->key != NULL; k++) {
                g_autofree char *name = g_strdup_printf("%s=%s", k->key, k->form);
                help_row(out, name, k->manual, NAMES);
        }
        fprintf(out, "\nExample\n  %s\n", operation->example);
}

void
help_command(FILE *out, const Command *command)
{
        fprintf(out, "usage: restante %s\n\n", command->usage);
        help_paragraphs(out, command->manual, 0, COLUMNS);
        help_options(out, command->options, G_MAXSIZE);
        fprintf(out, "\nExample\n  %s\n", command->example);
}

void
help_noun(FILE *out, const char *noun)
{
        fprintf(out, "usage: restante [-c CONF] %s VERB ...\n\n", noun);
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++)
                if (strcmp(ADMIN_OPERATIONS[i]->noun, noun) == 0)
                        help_row(out, ADMIN_OPERATIONS[i]->verb, ADMIN_OPERATIONS[i]->summary, NAMES);
        fputs("\nExamples\n", out);
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++)
                if (strcmp(ADMIN_OPERATIONS[i]->noun, noun) == 0)
                        fprintf(out, "  %s\n", ADMIN_OPERATIONS[i]->example);
        fprintf(out, "\n`restante %s VERB --help` tells more.\n", noun);
}

void
help_program(FILE *out)
{
        fputs("restante " RESTANTE_VERSION
              ", a mail server\n\nusage: restante [-c CONF] COMMAND ... [--json]\n\nA site\n",
              out);
        for (const Command *c = COMMANDS; c->name != NULL; c++)
                if (!c->is_hidden)
                        help_row(out, c->name, c->summary, NAMES);
        fputs("\nIts administration\n", out);
        for (gsize i = 0; ADMIN_OPERATIONS[i] != NULL; i++) {
                char name[64];
                help_row(out, operation_name(ADMIN_OPERATIONS[i], name, sizeof(name)), ADMIN_OPERATIONS[i]->summary,
                         NAMES);
        }
        fputs("\n-c CONF names the site's restante.conf; RESTANTE_CONFIG is its default. --json answers for "
              "machines.\nExit status: 0 done, 1 refused or failed (one line why on stderr), 2 usage.\n`restante "
              "COMMAND --help` tells more.\n",
              out);
}
