/* internal.h -- private to fetch.
 *
 *      recipe.c, multidrop.c, received.c       whom is it for (pure)
 *      source.c, source_rows.c, seal.c         what administrators set, and its rows
 *      seen.c                                  what was done with each remote message
 *      outcome.c                               one message's recipients, asked of intake
 *      run.c, batch.c                          one session
 *      fetch.c                                 threads and schedule
 */
#pragma once

#include "base/log.h"
#include "base/thread.h"
#include "fetch/fetch.h"
#include "mail/message.h"
#include "pop3/pop3.h"

/* Multidrop ---------------------------------------------------------------------------------------------------------- */

/* multidrop_find() on a header that is parsed already. */
MultidropAnswer multidrop_find_in(Arena *arena, const Header *header, const MultidropSettings *settings, const Address **ret,
                                  gsize *ret_n, const char **ret_reason);

/* The envelope sender: the topmost Return-Path of the delivery block; the null sender when it is missing or can't be read. */
void multidrop_sender(Arena *arena, const Header *header, guint hops, Address *ret);

/* Host of `by` and address of the `for` clause behind it, in <> or not; empty where there is none. */
void received_read(Span body, Span *ret_by, Span *ret_for);

/* Sources ------------------------------------------------------------------------------------------------------------ */

typedef enum SourceKey {
        KEY_TYPE = 0, KEY_HOST, KEY_PORT, KEY_TLS, KEY_USER, KEY_FOLDERS, KEY_POLL, KEY_OWNER, KEY_DOMAINS, KEY_RECIPE, KEY_HOPS,
        KEY_MAX_RECIPIENTS, KEY_UNKNOWN, KEY_FALLBACK, KEY_FOREIGN, KEY_KEEP, KEY_MAX_SIZE, KEY_ALLOW_PLAINTEXT, SOURCE_KEYS,
} SourceKey;

#define SOURCE_RECIPES_MAX 16

/* A source as it was set: text, NULL where nothing is. recipes stand for KEY_RECIPE. */
typedef struct SourceText {
        gint64 id;
        const char *name;
        const char *values[SOURCE_KEYS];
        const char *recipes[SOURCE_RECIPES_MAX];
        gsize n_recipes;
        Span secret;            /* sealed */
        const char *stopped, *last_result;
        Usec last_run;
} SourceText;

typedef enum SourceUnknown { UNKNOWN_POSTMASTER = 0, UNKNOWN_POLICY, UNKNOWN_LEAVE, UNKNOWN_DISCARD } SourceUnknown;
typedef enum SourceFallback { FALLBACK_POSTMASTER = 0, FALLBACK_LEAVE, FALLBACK_ADDRESS } SourceFallback;
typedef enum SourceKeep { KEEP_OFF = 0, KEEP_FOREVER, KEEP_DAYS } SourceKeep;
typedef enum SourceOversize { OVERSIZE_LEAVE = 0, OVERSIZE_DELETE, OVERSIZE_HEADERS } SourceOversize;

typedef struct Source {
        gint64 id;
        const char *name, *host, *user;
        guint16 port;
        Pop3Tls tls;
        gboolean allow_plaintext;
        Span secret;
        guint poll_seconds;
        const Address *owner;           /* NULL: multidrop */
        MultidropSettings multidrop;
        SourceUnknown unknown;
        SourceFallback fallback;
        Address fallback_address;
        gboolean foreign_to_postmaster;
        SourceKeep keep;
        guint keep_days;
        guint64 max_size;               /* 0: none of its own */
        SourceOversize oversize;
} Source;

/* What a source may not point at. */
typedef struct SourceHouse {
        const char *hostname;
        const guint16 *own_ports;       /* 0-terminated */
} SourceHouse;

/* Text -> meaning; checks everything that can be checked without the database. FAULT_INPUT says what would be right. */
gboolean source_parse(Arena *arena, const SourceHouse *house, const SourceText *text, Source *ret, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
guint16 source_default_port(const char *tls);

/* A row and its recipes. DB_ROW_END: no such source. */
DbStep source_load(Arena *arena, DbTxn *txn, const char *name, SourceText *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Every source, for the schedule: *ret_n rows in order of names. */
typedef struct SourceBrief {
        const char *name, *host, *user;
        guint16 port;
        guint poll_seconds;
        gboolean is_stopped;
} SourceBrief;
gboolean source_briefs(Db *db, Arena *arena, SourceBrief **ret, gsize *ret_n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How a run ended, into the row. is_told: the login was tried; stopped then says why it polls no more, or NULL: it does. */
gboolean source_set_result(Db *db, gint64 id, const char *result, gboolean is_told, const char *stopped, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Secrets: sealed with the site's key and bound to the source's name (XChaCha20-Poly1305). */
#define SEAL_KEY_OCTETS 32
Span secret_seal(Arena *arena, const guint8 key[SEAL_KEY_OCTETS], const char *name, const char *password);
/* Wipe it after use. */
char *secret_open(const guint8 key[SEAL_KEY_OCTETS], const char *name, Span sealed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Seen messages ------------------------------------------------------------------------------------------------------ */

/* Hash of the header block as received, up to the empty line and at most MESSAGE_HEADER_MAX octets, so that RETR and TOP n 0 agree;
 * fields that servers rewrite between sessions (Status, X-UIDL, ...) do not count. */
guint64 seen_header_hash(Span text);

typedef enum SeenState {
        SEEN_DONE = 0,  /* committed: may be deleted at the provider as `keep` says */
        SEEN_LEFT,      /* not taken; not asked for again before a day has passed   */
        SEEN_WAIT,      /* not taken for the moment: minutes                        */
        SEEN_HEADERS,   /* its header was taken, the rest stays                     */
} SeenState;

typedef struct SeenRow {
        struct SeenRow *next;   /* of the same unique-id */
        char *key;              /* "UIDL", or "UIDL SIZE-HASH/N" where that was doubled or missing */
        guint64 size, hash;     /* LIST's size; 0: the header was not seen */
        Usec first_seen;        /* LEFT, WAIT: last tried */
        SeenState state;
        gboolean is_claimed;    /* by a message of the present listing */
} SeenRow;

typedef struct Seen Seen;
/* All rows of a source. */
Seen *seen_load(Db *db, gint64 source, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void seen_free(Seen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Seen, seen_free)
guint seen_n_rows(const Seen *seen);
/* The unclaimed row of this unique-id ("" for none) and size, also of this hash if it is given. */
SeenRow *seen_find(const Seen *seen, const char *uidl, guint64 size, const guint64 *hash);
/* A key for a message that gets a row; a plain unique-id takes over a row of the same key. The row is claimed. */
SeenRow *seen_add(Seen *seen, const Pop3Message *message, gboolean is_plain, guint64 hash, SeenState state);
gboolean seen_put(DbTxn *txn, gint64 source, const SeenRow *row, const char *outcome, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Rows that no message of a whole listing has claimed are of messages that are gone. In slices. */
gboolean seen_drop_unclaimed(Db *db, gint64 source, const Seen *seen, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One message's recipients ------------------------------------------------------------------------------------------- */

typedef enum OutcomeKind {
        OUTCOME_TAKEN = 0,      /* at least one recipient: bring it to intake       */
        OUTCOME_LEAVE,          /* stays at the provider, by setting or for good    */
        OUTCOME_WAIT,           /* stays for the moment                             */
} OutcomeKind;
typedef struct Outcome {
        OutcomeKind kind;
        const char *recipient, *word, *reason;  /* for FetchReport, in the arena; reason NULL: nothing to say */
} Outcome;
/* Adds recipients to the submission, or says why there are none. */
void outcome_decide(Fetch *fetch, const Source *source, Arena *arena, const Header *header, const Address *sender, Submission *sub,
                    Outcome *ret);

/* One session -------------------------------------------------------------------------------------------------------- */

typedef void (*FetchReporter)(const FetchReport *report, gpointer data);

/* What is remembered of a source between its runs (under Fetch.lock). */
typedef struct RunMemory {
        guint64 suspect;        /* size and id of the message at which the connection broke */
        guint n_breaks;
        gboolean is_careful;    /* the last batch failed as a whole: one message at a time */
} RunMemory;

typedef struct RunJob {
        Fetch *fetch;
        const Source *source;
        gboolean is_manual;     /* an administrator waits: what was left is tried again */
        FetchReporter report;   /* or NULL */
        gpointer data;
        RunMemory *memory;
        FetchSummary summary;
} RunJob;

typedef enum RunEnd {
        RUN_FAILED = 0,         /* the error says why; later again */
        RUN_DONE,
        RUN_BUSY,               /* somebody else reads that mailbox: at the next poll; the error says so */
        RUN_AUTH_FAILED,        /* stop; the error says so */
} RunEnd;
RunEnd run_source(RunJob *job, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The room ----------------------------------------------------------------------------------------------------------- */

struct Fetch {
        Db *db;
        Directory *directory;
        Router *router;
        Intake *intake;
        char *hostname;
        guint16 *own_ports;
        guint8 key[SEAL_KEY_OCTETS];
        guint64 max_size;
        guint max_parallel;
        TlsContext *tls;
        gint is_stopping;       /* atomic; written under lock */
        gint is_abandoned;      /* atomic: nothing that still runs may commit, somebody else fetches the same accounts now */

        Mutex lock;             /* "fetch": everything below */
        Cond changed;
        GHashTable *states;     /* name -> SourceState */
        GHashTable *hosts;      /* host:port -> HostState */
        GPtrArray *threads;
        GPtrArray *clients;     /* Pop3Client: connections under way, to be interrupted at the end */
        guint n_idle;
        guint n_running;
        gboolean is_started, must_reload;
};

/* A connection begins and ends. FALSE: the room is closing, do not begin. */
gboolean fetch_note_client(Fetch *fetch, Pop3Client *client) G_GNUC_WARN_UNUSED_RESULT;
void fetch_forget_client(Fetch *fetch, Pop3Client *client);
/* After a committed change of this source. */
void fetch_note_change(Fetch *fetch, DbTxn *txn, const char *name);
/* When it polls next (real time), 0: unknown. */
Usec fetch_next_run(Fetch *fetch, const char *name);

typedef enum FetchEvent {
        EVENT_FETCH_DONE = 0, EVENT_FETCH_FAILED, EVENT_FETCH_BUSY, EVENT_FETCH_AUTH_FAILED, EVENT_FETCH_LEFT, EVENT_FETCH_DROPPED,
} FetchEvent;
