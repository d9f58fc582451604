/* commands.c -- the table of commands. */
#include "imap/internal.h"

const ImapCommand IMAP_COMMANDS[] = {
        {.word = "NOOP",
         .states = IMAP_STATE_ANY,
         .run = imap_noop,
         .may_expunge = TRUE,
         .form = "NOOP",
         .rfc = "9051 §6.1.2",
         .manual = "does nothing; tells what is new"},
        {.word = "CAPABILITY",
         .states = IMAP_STATE_ANY,
         .run = imap_capability_command,
         .form = "CAPABILITY",
         .rfc = "9051 §6.1.1",
         .manual = "what is offered now"},
        {.word = "LOGOUT",
         .states = IMAP_STATE_ANY,
         .run = imap_logout,
         .form = "LOGOUT",
         .rfc = "9051 §6.1.3",
         .manual = "ends the session"},
        {.word = "ID",
         .states = IMAP_STATE_ANY,
         .run = imap_id,
         .capability = "ID",
         .form = "ID (key value ...)|NIL",
         .rfc = "2971",
         .manual = "client and server tell their names"},
        {.word = "STARTTLS",
         .states = IMAP_STATE_NONE,
         .run = imap_starttls,
         .form = "STARTTLS",
         .rfc = "9051 §6.2.1",
         .manual = "begins TLS"},
        {.word = "AUTHENTICATE",
         .states = IMAP_STATE_NONE,
         .run = imap_authenticate,
         .form = "AUTHENTICATE mechanism [initial-response]",
         .rfc = "9051 §6.2.2",
         .manual = "logs in by SASL"},
        {.word = "LOGIN",
         .states = IMAP_STATE_NONE,
         .run = imap_login,
         .form = "LOGIN name password",
         .rfc = "9051 §6.2.3",
         .manual = "logs in"},
        {.word = "UNAUTHENTICATE",
         .states = IMAP_STATE_IN,
         .run = imap_unauthenticate,
         .capability = "UNAUTHENTICATE",
         .form = "UNAUTHENTICATE",
         .rfc = "8437",
         .manual = "goes back to the state before login"},
        {.word = "ENABLE",
         .states = IMAP_STATE_IN,
         .run = imap_enable,
         .capability = "ENABLE",
         .form = "ENABLE capability...",
         .rfc = "9051 §6.3.1",
         .manual = "switches extensions on"},
        {.word = NULL},
};

gboolean
imap_command(gsize i, ImapCommandRow *ret)
{
        if (i + 1 >= G_N_ELEMENTS(IMAP_COMMANDS))
                return FALSE;
        const ImapCommand *c = &IMAP_COMMANDS[i];
        *ret = (ImapCommandRow){c->word, c->form, c->rfc, c->manual};
        return TRUE;
}
