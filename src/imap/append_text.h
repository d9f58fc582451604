/* append_text.h -- the arguments of APPEND and REPLACE, a stretch at a time.
 *
 * The octets of messages are never among them: they go to the store as they come. So what is read here are the
 * stretches between them; each call takes one and gives what it says to do, and the place in the grammar at which the
 * next one goes on.
 *
 * Threads  any. Memory: the arena; spans may point into the text.
 * RFC      9051 §6.3.12; 3502 (several messages); 4469 (CATENATE); 3516 (literal8); 6855 §4 (UTF8); 8508 (REPLACE).
 */
#pragma once

#include "imap/internal.h"

typedef enum AppendPlace {
        APPEND_AT_MAILBOX = 0,
        APPEND_AT_NUMBER,  /* of REPLACE, before the mailbox     */
        APPEND_AT_MESSAGE, /* its flags, date and data, or the end */
        APPEND_AT_PART,    /* of CATENATE                        */
        APPEND_AFTER_PART,
        APPEND_AFTER_OCTETS, /* of a message                       */
        APPEND_AFTER_UTF8,   /* the same, ")" comes                */
} AppendPlace;

typedef enum AppendWants {
        APPEND_WRONG = 0,    /* BAD                                                                              */
        APPEND_WANTS_STRING, /* the literal is an argument: gather it, then call again with the whole stretch    */
        APPEND_WANTS_OCTETS, /* the literal is of the message that has begun                                     */
        APPEND_COMPLETE,     /* the end of the command                                                           */
} AppendWants;

typedef enum AppendDo {
        APPEND_BEGIN = 1, /* a message with these flags and this date */
        APPEND_URL,       /* what this URL names belongs to it        */
        APPEND_END,       /* of the message                           */
} AppendDo;

typedef struct AppendAction {
        AppendDo what;
        guint64 flags;
        const Span *keywords;
        gsize n_keywords;
        Usec received; /* 0: none given; dates before 1970 are its beginning */
        Span url;
} AppendAction;

typedef struct AppendText {
        AppendPlace place; /* where the next stretch begins                              */
        gboolean has_mailbox;
        gboolean is_bad_name; /* NO [CANNOT]                                                */
        Span mailbox;         /* UTF-8                                                      */
        guint32 number;       /* of the message that is replaced; G_MAXUINT32: "*"          */
        const AppendAction *actions;
        gsize n_actions;
} AppendText;
#define APPEND_ACTIONS_MAX 4000

/* has_literal: the stretch ends where a literal is announced; is_binary: by "~{". */
AppendWants append_text_parse(ImapArgs *a, AppendPlace place, gboolean has_literal, gboolean is_binary,
                              AppendText *ret) G_GNUC_WARN_UNUSED_RESULT;
