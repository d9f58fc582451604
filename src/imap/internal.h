/* internal.h -- what the files of the IMAP door share.
 *
 *      session.c    the loop: gathers a command with its literals, looks it up in the table, runs it, tells what changed, answers
 *      args.c       the arguments of a command: atoms, strings, literals, lists, sets, dates, mailbox names
 *      write.c      what goes out: strings, flags, dates, response codes
 *      login.c      greeting, CAPABILITY, ID, ENABLE, STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE, COMPRESS
 *      select.c     SELECT, EXAMINE, CLOSE, UNSELECT, QRESYNC
 *      telling.c    telling a session what changed; IDLE
 *      recent.c     \Recent
 *      entries.c    sets of numbers and UIDs -> places in the view; flags
 *      capability.c the table of capabilities (capability.h); offers.c: CAPABILITY, ENABLE, what is switched off
 *      list*.c, mailboxes.c, status.c, acl.c, metadata.c, quota.c (names.h), notify*.c (notify.h)
 *      fetch*.c, flags.c (STORE), copy.c (COPY, MOVE, EXPUNGE), append.c (APPEND, CATENATE, REPLACE)
 *      search*.c, sort.c, thread.c, context*.c
 *
 * A command is a function that reads its arguments, does its work and ends with exactly one of imap_ok/imap_no/imap_bad; or, when its work or output is long, starts a task and
 * leaves the answer to it. Tasks run in pieces: they return IMAP_TASK_AGAIN when stream_is_full() or after some 50 ms, and go on from their position later. Nothing
 * is kept on the stack. While a task is there no other command begins (RFC 9051 §5.5 lets us answer one after the other).
 */
#pragma once

#include "auth/exchange.h"
#include "base/log.h"
#include "base/scan.h"
#include "imap/imap.h"
#include "imap/utf7.h"
#include "store/change.h"
#include "store/mailbox.h"
#include "store/search.h"
#include "store/view.h"

#include <netinet/in.h>

typedef struct ImapSession ImapSession;

/* States of RFC 9051 §3, as bits for the command table. */
typedef enum ImapState {
        IMAP_STATE_NONE = 1 << 0,               /* not authenticated */
        IMAP_STATE_AUTHENTICATED = 1 << 1,
        IMAP_STATE_SELECTED = 1 << 2,
} ImapState;
#define IMAP_STATE_IN  (IMAP_STATE_AUTHENTICATED | IMAP_STATE_SELECTED)
#define IMAP_STATE_ANY (IMAP_STATE_NONE | IMAP_STATE_IN)

/* What ENABLE (and commands that imply it) switched on. */
typedef enum ImapEnabled {
        IMAP_ENABLED_REV2 = 1 << 0,             /* IMAP4rev2: UTF-8 names, no RECENT, ESEARCH answers      */
        IMAP_ENABLED_UTF8 = 1 << 1,             /* UTF8=ACCEPT: UTF-8 in quoted strings                    */
        IMAP_ENABLED_CONDSTORE = 1 << 2,
        IMAP_ENABLED_QRESYNC = 1 << 3,          /* VANISHED instead of EXPUNGE                             */
        IMAP_ENABLED_UIDONLY = 1 << 4,          /* RFC 9586: UIDFETCH, VANISHED, no sequence numbers       */
} ImapEnabled;

/* Arguments --------------------------------------------------------------------------------------------------------- */

/* A command as gathered: one buffer in which each literal's octets follow its "{n}" and CRLF. Results point into the buffer or the arena. Each function moves on
 * and says TRUE, or leaves the cursor and says FALSE. */
typedef struct ImapArgs {
        Scan scan;
        Arena *arena;
        guint enabled;          /* ImapEnabled: quoted strings may hold UTF-8 */
        const guint64 *off;     /* ImapSession.capabilities_off; NULL: nothing is off */
        const GArray *recent;   /* UidRange: messages that are \Recent; NULL: none */
} ImapArgs;
ImapArgs imap_args(const ImapSession *s, Arena *arena, Span text);       /* session.c */
/* One of these capabilities (names of capability.c, a space between two) is on. NULL: TRUE. Tables of arguments name what they belong to. */
gboolean args_has(const ImapArgs *a, const char *capabilities);
gboolean args_space(ImapArgs *a);                               /* exactly one SP */
gboolean args_end(const ImapArgs *a);
gboolean args_open(ImapArgs *a);                                /* "(" */
gboolean args_close(ImapArgs *a);                               /* ")" */
gboolean args_word(ImapArgs *a, const char *word);              /* exactly this atom, ASCII case apart; what follows is no atom character */
gboolean args_atom(ImapArgs *a, Span *ret);
gboolean args_string(ImapArgs *a, Span *ret);                   /* quoted or literal; NUL only in literal8 */
gboolean args_literal8(ImapArgs *a, Span *ret, gboolean *ret_is_binary);
gboolean args_astring(ImapArgs *a, Span *ret);
gboolean args_nstring(ImapArgs *a, Span *ret, gboolean *ret_is_nil);
gboolean args_number(ImapArgs *a, guint64 max, guint64 *ret);
gboolean args_flag(ImapArgs *a, guint64 *ret_system, Span *ret_keyword);         /* one flag: system bit or keyword; \Recent is refused */
gboolean args_flag_list(ImapArgs *a, guint64 *ret_system, const Span **ret_keywords, gsize *ret_n);  /* parenthesized, or bare (STORE) */
gboolean args_is_astring_octet(guint8 octet);                   /* may stand in an atom that is an astring */
gboolean args_date(ImapArgs *a, Usec *ret_midnight_utc);        /* SEARCH: 1-Feb-1994 or quoted */
gboolean args_date_time(ImapArgs *a, Usec *ret);                /* APPEND: " 1-Feb-1994 12:00:00 +0100" */
/* A mailbox name: astring in modified UTF-7, or UTF-8 when enabled; *ret is UTF-8. FALSE also when it is neither (then "BAD" would be wrong: *ret_is_bad TRUE -> NO [CANNOT]). */
gboolean args_mailbox(ImapArgs *a, Span *ret, gboolean *ret_is_bad);
gboolean args_list_mailbox(ImapArgs *a, Span *ret, gboolean *ret_is_bad);        /* with wildcards */

/* Sets of numbers: "1:5,7,*" or "$". As given: '*' is G_MAXUINT32, and the number 4294967295, which no message has, the one below it. Ranges are put in order (first <= last unless '*'), at most 10,000. */
typedef struct ImapSet {
        const UidRange *ranges;
        gsize n;
        gboolean is_saved;      /* "$" (RFC 5182) */
} ImapSet;
gboolean args_set(ImapArgs *a, ImapSet *ret);


/* Answers ----------------------------------------------------------------------------------------------------------- */

/* The tagged answer of the running command; code: "" or "TRYCREATE", without brackets. Each may be called once. */
void imap_ok(ImapSession *s, const char *code, const char *text);
void imap_no(ImapSession *s, const char *code, const char *text);
void imap_bad(ImapSession *s, const char *text);                 /* counts as an error of the client's: too many close */
void imap_bad_syntax(ImapSession *s);                            /* the same, with the form of the running command */
void imap_bad_arguments(ImapSession *s, gboolean is_bad_name);   /* NO [CANNOT] for a name that none can have, otherwise imap_bad_syntax() */
void imap_no_fault(ImapSession *s, const char *doing, const GError *error);      /* NO [SERVERBUG]/[UNAVAILABLE] by fault code, and the log */
void imap_no_mailbox(ImapSession *s, MailboxAnswer answer, const GError *error, const char *doing);      /* every MailboxAnswer but DONE */
void imap_no_change(ImapSession *s, ChangeAnswer answer, const GError *error, const char *doing);        /* every ChangeAnswer but DONE; NO_MAILBOX: [TRYCREATE] */

/* Untagged and pieces, straight to the stream. */
static inline void imap_put(ImapSession *s, const char *text);
void imap_printf(ImapSession *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
void imap_put_span(ImapSession *s, Span octets);
void imap_put_number(ImapSession *s, guint64 number);
void imap_put_string(ImapSession *s, Span octets);               /* quoted if it can be, else literal */
void imap_put_nstring(ImapSession *s, Span octets, gboolean is_nil);
void imap_put_astring(ImapSession *s, Span octets);
void imap_put_literal(ImapSession *s, Span octets, gboolean is_binary);  /* "{n}\r\n" octets, NUL as 0x80; is_binary: "~{n}" with NULs */
void imap_put_literal_head(ImapSession *s, guint64 octets, gboolean is_binary);  /* the octets come behind it */
void imap_put_without_nuls(ImapSession *s, Span octets);         /* those of a literal can't have any (RFC 9051 §4.3.1) */
void imap_put_mailbox(ImapSession *s, Span utf8_name);           /* in the form this client knows */
void imap_put_flags(ImapSession *s, const View *view, guint64 flags);    /* "(\\Seen $Forwarded)" */
void imap_put_date_time(ImapSession *s, Usec when);              /* quoted INTERNALDATE, UTC */
void imap_put_ranges(ImapSession *s, const UidRange *ranges, gsize n);   /* "1:3,7" */
gboolean imap_is_full(const ImapSession *s);                     /* stream_is_full(): return IMAP_TASK_AGAIN */

/* The same into room of the caller's (stream_reserve()), for answers of many short pieces; where the next piece begins. */
#define IMAP_NUMBER_OCTETS 20
#define IMAP_DATE_TIME_OCTETS 28
guint8 *imap_write_number(guint8 *at, guint64 number);           /* at most IMAP_NUMBER_OCTETS */
guint8 *imap_write_date_time(guint8 *at, Usec when);             /* IMAP_DATE_TIME_OCTETS */
gsize imap_flags_octets(guint64 flags);                          /* the most that these flags take */
guint8 *imap_write_flags(guint8 *at, const View *view, guint64 flags);
void imap_replace_nuls(guint8 *octets, gsize len);               /* by 0x80: no literal has any (RFC 9051 §4.3.1) */
static inline guint8 *
imap_write_span(guint8 *at, Span octets)
{
        if (octets.len > 0)
                memcpy(at, octets.data, octets.len);
        return at + octets.len;
}

/* Tasks ------------------------------------------------------------------------------------------------------------- */

typedef enum ImapTaskStep {
        IMAP_TASK_AGAIN = 0,    /* come back when output has drained or after others had their turn */
        IMAP_TASK_DONE,         /* it has answered */
} ImapTaskStep;
typedef struct ImapTask {
        ImapTaskStep (*run)(ImapSession *s, struct ImapTask *task);
        void (*free)(struct ImapTask *task);
} ImapTask;
/* Takes it; the first run is as soon as the command's function has returned. The command's arena (s->arena) and buffer stay until the task is over. */
void imap_start_task(ImapSession *s, ImapTask *task);
/* From a task, as often as it likes: done of total (0: unknown). What takes longer than 5 s tells its client so, every 5 s (RFC 9585). Between untagged answers only. */
void imap_progress(ImapSession *s, guint64 done, guint64 total);
/* For what works without a task: it begins now. */
void imap_begin_progress(ImapSession *s);

/* A command with streamed literals (APPEND, REPLACE): gets each piece as it comes. Set by the command table for its word. */
typedef enum ImapLiteral {
        IMAP_LITERAL_GATHER = 0,        /* keep it in the command's buffer, within the ledger */
        IMAP_LITERAL_STREAM,            /* octets go to literal_octets() */
        IMAP_LITERAL_REFUSED,           /* a tagged answer has been given: synchronizing literals are not asked for, others are passed over */
} ImapLiteral;

typedef struct ImapCommand {
        const char *word;
        guint states;
        void (*run)(ImapSession *s, ImapArgs *args);
        gboolean has_uid;               /* also "UID word": s->is_uid */
        gboolean is_numberless;         /* with has_uid: the plain form names no sequence numbers (EXPUNGE): allowed with UIDONLY (RFC 9586) */
        gboolean may_expunge;           /* EXPUNGE/VANISHED may be told before its answer (RFC 9051 §7.5.1); the UID forms always may */
        const char *capability;         /* known only while this one is on (imap_has), or NULL */
        const char *form, *rfc, *manual;
        /* APPEND and the like: is asked for each literal as it is announced. gathered: the arguments from their beginning (a space), or from
         * the end of the last literal that was streamed, up to "{" or "~{", with gathered literals in their places. Of these too run() gets only what
         * stands behind the last streamed one. size is at most G_MAXINT64. is_sync: the client waits for our "+", which is sent
         * when the answer is not IMAP_LITERAL_REFUSED. literal_octets() is not called for an empty literal. */
        ImapLiteral (*literal)(ImapSession *s, Span gathered, guint64 size, gboolean is_binary, gboolean is_sync);
        void (*literal_octets)(ImapSession *s, Span octets);
} ImapCommand;
extern const ImapCommand IMAP_COMMANDS[];       /* commands.c: the one table; word NULL ends it */

/* Sessions ---------------------------------------------------------------------------------------------------------- */

typedef struct ImapSelected {
        char *name;             /* as the client named it, UTF-8 */
        gint64 mailbox;
        guint rights;           /* Right */
        guint64 rights_stamp;   /* store_rights_stamp() from before they were looked up */
        gboolean is_examined;
        gboolean is_read_only;  /* EXAMINE, or nothing of it may be changed */
        gboolean is_alias;      /* opened by a name that stands for it */
        View *view;             /* what the client has been told */
        View *latest;           /* when `view` keeps what has vanished already (view_keeping): the one it was made of; otherwise NULL */
        Watch *watch;
        GArray *recent;         /* recent.c: UidRange, rising: what is \Recent here; NULL: nothing */
        guint32 recent_known;   /* UIDs below it are in there or are not \Recent here */
        guint32 recent_told;    /* the number last told */
        GArray *saved;          /* SEARCHRES: UidRange, NULL: empty */
        gpointer contexts;      /* context.c: live searches (CONTEXT=SEARCH), NULL: none */
        void (*contexts_free)(gpointer contexts);
        /* What live searches say of changes: of what has gone, in the numbers of the older view; then, in pieces of time, what has come, changed or stays
         * no longer (FALSE: `until` has come, call again). contexts_write() writes it; FALSE: the output is full, call again. */
        void (*contexts_leave)(struct ImapSession *s, const View *older);
        gboolean (*contexts_update)(struct ImapSession *s, Usec until);
        gboolean (*contexts_is_behind)(const struct ImapSession *s); /* something is to be done or written */
        gboolean (*contexts_write)(struct ImapSession *s);
} ImapSelected;

/* What a session waits for. Nothing of it is on the stack. */
typedef enum ImapPhase {
        IMAP_PHASE_COMMAND = 0, /* a line: of a command                            */
        IMAP_PHASE_LITERAL,     /* the octets of a literal                         */
        IMAP_PHASE_SASL,        /* the client's next SASL message                  */
        IMAP_PHASE_IDLE,        /* DONE, or news                                   */
        IMAP_PHASE_TASK,        /* room for more of its output, or its next turn   */
        IMAP_PHASE_HANDSHAKE,   /* TLS                                             */
        IMAP_PHASE_COMPRESS,    /* the OK of COMPRESS, when it stands in the output */
        IMAP_PHASE_DELAY,       /* the time that a wrong password costs            */
        IMAP_PHASE_CLOSE,
} ImapPhase;

/* What becomes of the lines and literals that come. */
typedef enum ImapGathering {
        IMAP_GATHERING_NOTHING = 0, /* the next line begins a command                              */
        IMAP_GATHERING_ARGS,        /* they belong to s->command                                   */
        IMAP_GATHERING_REFUSED,     /* the command has been answered: the rest of it is passed over */
} ImapGathering;

struct ImapSession {
        Session session;                /* first */
        guint8 phase;                   /* ImapPhase */
        guint8 gathering;               /* ImapGathering */
        guint8 errors;
        gboolean is_loopback;
        gboolean is_streaming;          /* the literal that comes goes to literal_octets() */
        guint16 n_literals;             /* of this command */
        guint16 n_strange;              /* commands before login */
        guint64 literal_left;           /* octets of the literal that are still to come */
        char client[INET6_ADDRSTRLEN];  /* address of the peer */
        gboolean is_uid;                /* the running command came as UID ... */
        guint state;                    /* one ImapState */
        guint enabled;
        char tag[64];
        const ImapCommand *command;     /* running */
        gboolean is_answered;
        GByteArray *gathered;           /* the command's octets so far, NULL between commands */
        Arena *arena;                   /* of the running command, NULL between commands */
        ImapTask *task;
        Usec progress_due;              /* monotonic: when the client is told how far the task is */
        Usec progress_span;             /* then again after this; tests have less of it */
        gpointer telling;               /* telling.c: what has changed and is not told in whole yet, NULL: none */
        gpointer append;                /* append.c: between literals; freed by append_free */
        SaslExchange *exchange;         /* AUTHENTICATE under way, else NULL */
        Viewer who;                     /* after login */
        char *address;                  /* who.address */
        AuthHold *hold;                 /* on that account; NULL before login */
        char *client_id;                /* of ID: "Thunderbird/115", NULL */
        guint64 capabilities_off[2];    /* bits by index of imap_capability(), for this client and account */
        ImapSelected *selected;
        gpointer notify;                /* notify.c: NOTIFY SET, NULL: none */
        Watch *tree_watch;
        gint woken;                     /* atomic: a watch has fired since the last look */
        gint wants_wake;                /* atomic: news are told at once (IDLE, NOTIFY): watches call session_wake() */
};

/* Here, so that the length of a constant is one. */
static inline void
imap_put(ImapSession *s, const char *text)
{
        stream_write(s->session.stream, span_of(text));
}

ImapDoor *imap_door(const ImapSession *s);
Store *imap_store(const ImapSession *s);
const ImapDoorSettings *imap_settings(const ImapSession *s);
/* One of these capabilities (names of capability.c, a space between two) is on for this client and account. */
gboolean imap_has(const ImapSession *s, const char *capabilities);
const char *imap_code(const ImapSession *s, const char *capabilities, const char *code);  /* the response code if one of them is on, otherwise "" */
guint imap_message_limit(const ImapSession *s);  /* MESSAGELIMIT: messages of one command; 0: no limit, or it is switched off */

/* telling.c: what changed. Takes the newest view and sends EXISTS, VANISHED or EXPUNGE, FETCH (FLAGS [MODSEQ] [UID]) as far as allowed; the session's view moves on. Without
 * may_expunge what has vanished keeps its place and its number. What does not fit into the output goes out later, before anything else of this session, so
 * a caller writes nothing behind it. FALSE: the mailbox is gone, the session has been told (BYE). imap_ok, imap_no and imap_bad call it before the tagged
 * line, with may_expunge of the command's row: what a command has changed is told there too (STORE, EXPUNGE, MOVE, COPY and APPEND to the selected mailbox need no answers of their own). */
gboolean imap_tell_changes(ImapSession *s, gboolean may_expunge);
/* For commands that change and answer themselves (STORE): the session's view moves on to the newest one, in which what has vanished keeps its place. New messages are told; changed
 * flags are the caller's affair. STORE_NO_MAILBOX: it is gone. */
StoreAnswer imap_move_on(ImapSession *s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Whether the message has vanished and the client does not know yet. */
gboolean imap_has_gone(const ImapSession *s, guint32 index);
/* select.c: closes the mailbox; the state is AUTHENTICATED then. */
void imap_unselect(ImapSession *s);
/* [CLOSED], where the client may know it. */
void imap_put_closed(ImapSession *s, const char *text);
/* May the selected mailbox (if there is one) still be read? Asked before a command begins or news are told; costs something only when rights have changed
 * somewhere. What may be done with it is as granted now, and the client is told: READ-ONLY or READ-WRITE, PERMANENTFLAGS, CLOSED. */
typedef enum ImapAccess {
        IMAP_ACCESS_FAILED = 0, /* could not look: nothing of it is told */
        IMAP_ACCESS_HELD,
        IMAP_ACCESS_LOST,       /* it has just been closed */
} ImapAccess;
ImapAccess imap_ask_access(ImapSession *s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same between commands: a fault is logged. FALSE: no news may be told. */
gboolean imap_has_access(ImapSession *s);
/* Numbers of the running command (sequence numbers, or UIDs after UID) -> indexes in s->selected->view, as ranges of indexes; '*' and '$' resolved. FALSE: a sequence number that is
 * not there (BAD) - for UIDs never. MESSAGELIMIT is the caller's affair. */
typedef struct IndexRange {
        guint32 first, last;
} IndexRange;
gboolean imap_indexes(ImapSession *s, const ImapSet *set, const IndexRange **ret, gsize *ret_n) G_GNUC_WARN_UNUSED_RESULT;
/* The same as UIDs, for the functions of change.h. */
UidSet imap_uids(ImapSession *s, const IndexRange *ranges, gsize n);

/* The door ---------------------------------------------------------------------------------------------------------- */

struct ImapDoor {
        ImapDoorSettings settings;      /* its strings are the door's own */
        Store *store;
        Auth *auth;
        Directory *directory;
        char *hostname;
        char **off;
};

typedef enum ImapEvent {
        IMAP_EVENT_LOGIN = 0,
        IMAP_EVENT_AUTH_FAILED,
        IMAP_EVENT_LOGOUT,
        IMAP_EVENT_TLS_FAILED,
        IMAP_EVENT_INJECTION,
        IMAP_EVENT_CLOSED,
        IMAP_EVENT_FAULT,
} ImapEvent;

/* session.c ---------------------------------------------------------------------------------------------------------- */

typedef enum ImapStep {
        IMAP_STEP_AGAIN = 0,    /* park until something comes               */
        IMAP_STEP_DONE,         /* go on, in whatever phase it is now       */
} ImapStep;

gboolean imap_session_open(Session *session);
SessionNext imap_session_run(Session *session);
void imap_session_close(Session *session);
gboolean imap_session_is_amid(const Session *session);           /* a command is coming or running */
void imap_bye(ImapSession *s, const char *text);                 /* "* BYE", and the end */
void imap_count_error(ImapSession *s);                           /* of the client's: too many close */
void imap_log_fault(const ImapSession *s, const char *doing, const GError *error);

/* offers.c */
const char *imap_capabilities(const ImapSession *s, Arena *arena);        /* "CAPABILITY IMAP4rev1 ..." as they are now */
void imap_put_capabilities(ImapSession *s, Arena *arena);         /* untagged */
gboolean imap_apply_off(ImapSession *s);                         /* the client's ID or its account have become known; TRUE: something else is on or off now */
void imap_capability_command(ImapSession *s, ImapArgs *args);
void imap_enable(ImapSession *s, ImapArgs *args);

/* login.c */
#define IMAP_IDLE_BEFORE_LOGIN USEC_PER_MINUTE
#define IMAP_IDLE_AFTER_LOGIN  (30 * USEC_PER_MINUTE)            /* RFC 9051 §5.4: at least */
gboolean imap_allows_password(const ImapSession *s);
gboolean imap_offers_mechanism(const ImapSession *s, SaslMechanism mechanism);
gboolean imap_offers_tls(const ImapSession *s);
void imap_noop(ImapSession *s, ImapArgs *args);
void imap_logout(ImapSession *s, ImapArgs *args);
void imap_id(ImapSession *s, ImapArgs *args);
void imap_starttls(ImapSession *s, ImapArgs *args);
void imap_login(ImapSession *s, ImapArgs *args);
void imap_authenticate(ImapSession *s, ImapArgs *args);
void imap_unauthenticate(ImapSession *s, ImapArgs *args);
ImapStep imap_step_sasl(ImapSession *s);
ImapStep imap_step_handshake(ImapSession *s);
void imap_end_delay(ImapSession *s);
void imap_forget_login(ImapSession *s);                          /* everything that a login made */

/* compress.c */
void imap_compress(ImapSession *s, ImapArgs *args);
ImapStep imap_step_compress(ImapSession *s);

/* telling.c */
ImapStep imap_step_telling(ImapSession *s);
void imap_end_telling_with(ImapSession *s, const char *line);    /* the tagged line that comes behind it */
void imap_stop_telling(ImapSession *s);
void imap_watch_fired(gpointer session);                         /* for watches of this session */
void imap_idle(ImapSession *s, ImapArgs *args);
ImapStep imap_step_idle(ImapSession *s);

/* select.c */
void imap_select(ImapSession *s, ImapArgs *args);
void imap_examine(ImapSession *s, ImapArgs *args);
void imap_close(ImapSession *s, ImapArgs *args);
void imap_unselect_command(ImapSession *s, ImapArgs *args);
void imap_put_flag_lists(ImapSession *s);                        /* FLAGS and PERMANENTFLAGS */

/* entries.c */
void imap_put_bare_flags(ImapSession *s, const View *view, guint64 flags);      /* without parentheses */

/* recent.c */
void imap_recent_look(ImapSession *s);                           /* the session's view is another: what is \Recent of what has come */
const GArray *imap_recent(const ImapSession *s);                 /* UidRange, rising; NULL: nothing, or IMAP4rev2 */
gboolean imap_is_recent(const ImapSession *s, guint32 uid);
guint32 imap_recent_count(const ImapSession *s);
void imap_put_entry_flags(ImapSession *s, const View *view, guint32 index);      /* of one message, with \Recent */
guint8 *imap_write_entry_flags(guint8 *at, const View *view, guint64 flags, gboolean is_recent); /* at most 8 octets more than imap_flags_octets() */
void imap_put_recent(ImapSession *s, gboolean is_first);         /* "* n RECENT": at SELECT, or when the number is another */

/* fetch.c, flags.c, copy.c */
void imap_fetch(ImapSession *s, ImapArgs *args);
void imap_store_flags(ImapSession *s, ImapArgs *args);           /* STORE */
void imap_copy(ImapSession *s, ImapArgs *args);
void imap_move(ImapSession *s, ImapArgs *args);
void imap_expunge(ImapSession *s, ImapArgs *args);

/* append.c */
void imap_append(ImapSession *s, ImapArgs *args);
void imap_replace(ImapSession *s, ImapArgs *args);
ImapLiteral imap_append_literal(ImapSession *s, Span gathered, guint64 size, gboolean is_binary, gboolean is_sync);
ImapLiteral imap_replace_literal(ImapSession *s, Span gathered, guint64 size, gboolean is_binary, gboolean is_sync);
void imap_append_octets(ImapSession *s, Span octets);
void imap_append_free(ImapSession *s);                           /* of a command that has ended, whatever it was */

/* search.c */
void imap_search(ImapSession *s, ImapArgs *args);
void imap_sort(ImapSession *s, ImapArgs *args);
void imap_thread(ImapSession *s, ImapArgs *args);
void imap_esearch(ImapSession *s, ImapArgs *args);

/* mailboxes.c, list.c, status.c */
void imap_create(ImapSession *s, ImapArgs *args);
void imap_delete(ImapSession *s, ImapArgs *args);
void imap_rename(ImapSession *s, ImapArgs *args);
void imap_subscribe(ImapSession *s, ImapArgs *args);
void imap_unsubscribe(ImapSession *s, ImapArgs *args);
void imap_namespace(ImapSession *s, ImapArgs *args);
void imap_list(ImapSession *s, ImapArgs *args);
void imap_lsub(ImapSession *s, ImapArgs *args);
void imap_status(ImapSession *s, ImapArgs *args);

/* acl.c, metadata.c, quota.c */
void imap_setacl(ImapSession *s, ImapArgs *args);
void imap_deleteacl(ImapSession *s, ImapArgs *args);
void imap_getacl(ImapSession *s, ImapArgs *args);
void imap_listrights(ImapSession *s, ImapArgs *args);
void imap_myrights(ImapSession *s, ImapArgs *args);
void imap_getmetadata(ImapSession *s, ImapArgs *args);
void imap_setmetadata(ImapSession *s, ImapArgs *args);
void imap_getquota(ImapSession *s, ImapArgs *args);
void imap_getquotaroot(ImapSession *s, ImapArgs *args);
void imap_setquota(ImapSession *s, ImapArgs *args);

/* notify.c */
void imap_notify(ImapSession *s, ImapArgs *args);
ImapStep imap_step_notify(ImapSession *s);                       /* between commands and in IDLE: tells something; AGAIN: nothing is new */
gboolean imap_notify_is_busy(const ImapSession *s);              /* in the middle of an answer: no command may begin */
void imap_notify_unselected(ImapSession *s);
void imap_notify_own(ImapSession *s, gint64 mailbox, guint32 first, guint32 last);       /* UIDs that this session has just made */
void imap_notify_end(ImapSession *s);

/* context.c, batches.c */
void imap_cancelupdate(ImapSession *s, ImapArgs *args);
void imap_uidbatches(ImapSession *s, ImapArgs *args);
