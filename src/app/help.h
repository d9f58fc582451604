/* help.h -- what --help says and what the man pages hold, made from the tables of operations and settings. */
#pragma once

#include "admin/admin.h"

#include <stdio.h>

/* The words of the command line that are no operations: init, serve, ... */
typedef struct Command {
        const char *name, *usage, *summary, *manual, *example;
        const OperationOption *options; /* name NULL ends it */
        int (*run)(int argc, char **argv, const char *config, gboolean as_json);
        gboolean is_hidden;
} Command;
extern const Command COMMANDS[];        /* name NULL ends it */

void help_program(FILE *out);
void help_noun(FILE *out, const char *noun);            /* FALSE words of it are the caller's affair */
void help_operation(FILE *out, const Operation *operation);
void help_command(FILE *out, const Command *command);

/* roff: page is "restante.1" or "restante.conf.5"; FALSE: there is no such page. */
gboolean man_page(FILE *out, const char *page);

/* Words of a text set to at most `columns`, each line behind `indent` blanks; paragraphs are kept. */
void help_paragraphs(FILE *out, const char *text, guint indent, guint columns);
