/* fetch.h -- mail from elsewhere: external accounts, multidrop recipes, schedules (ROUTING.md §5).
 *
 * A source is fetched by one thread of fetch's own pool (never the doors' workers), one session per remote account. Each message goes
 * RETR -> recipe -> intake (routed and committed, its UIDL's outcome in the same transaction) -> DELE -> QUIT. A crash anywhere repeats
 * or finishes, and never doubles or drops.
 *
 * Threads  any. Disk: tables source, source_recipe, source_seen. Secrets are sealed with a key file outside the database.
 * RFC      1939 (through pop3/), 5322 §3.6.7 (Received).
 */
#pragma once

#include "base/arena.h"
#include "base/log.h"
#include "directory/directory.h"
#include "intake/intake.h"
#include "net/tls.h"

typedef struct Fetch Fetch;

extern const LogEvent FETCH_EVENTS[];   /* ends with a row whose name is NULL */

typedef struct FetchSettings {
        const char *hostname;
        gboolean is_loopback_site;      /* private and loopback hosts are fine then; elsewhere only when the source names the host */
        Span seal_key;                  /* 32 octets: DIR/data/secret.key */
        guint max_parallel;             /* default 8 */
        const char *ca_path;            /* additional CA file, or NULL */
        const guint16 *own_ports;       /* 0-terminated: a loopback source on one of these is this very server, refused */
        guint64 max_size;               /* of one message, as intake's */
} FetchSettings;

Fetch *fetch_new(Db *db, Directory *directory, Router *router, Intake *intake, const FetchSettings *settings, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
/* Begin polling by schedule (serve only). */
gboolean fetch_start(Fetch *fetch, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void fetch_stop(Fetch *fetch, Usec deadline);   /* running sessions end after their current batch */
void fetch_free(Fetch *fetch);

/* Sources: keys of DESIGN §6 with their manual. */
extern const KeyManual FETCH_KEYS[];
Change fetch_source_add(Fetch *fetch, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, const char *password, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;
Change fetch_source_set(Fetch *fetch, DbTxn *txn, const char *name, const KeyValue *pairs, gsize n, const char *password, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;      /* password NULL: unchanged. Clears `stopped`. */
Change fetch_source_remove(Fetch *fetch, DbTxn *txn, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct SourceRow {
        const char *name;
        const KeyValue *pairs;          /* as set, no secrets */
        gsize n_pairs;
        const char *stopped, *last_result;
        Usec last_run, next_run;
} SourceRow;
gboolean fetch_sources(Fetch *fetch, Arena *arena, const char *name, const SourceRow **ret, gsize *ret_n, GError **error)
        G_GNUC_WARN_UNUSED_RESULT;      /* name NULL: all */

/* One message that came, for people who watch. */
typedef struct FetchReport {
        const char *uidl, *recipient, *outcome, *reason;        /* outcome: deliver joe@..., postmaster, bounce, left, discard, refused */
        Id message;
        guint64 size;
} FetchReport;
typedef struct FetchSummary {
        guint32 seen, fetched, deleted, left;
        guint64 octets;
        Usec took;
} FetchSummary;
typedef enum FetchAnswer {
        FETCH_FAILED = 0,       /* the error says what, in words for an administrator */
        FETCH_DONE,
        FETCH_MISSING,          /* no such source */
        FETCH_RUNNING,          /* the run that was under way did not end within five minutes */
} FetchAnswer;
/* Poll now and wait, first for a run that is under way to end; report() is called from the calling thread's work for every
 * message. FETCH_FAILED once fetch_stop() was called. */
FetchAnswer fetch_run(Fetch *fetch, const char *name, void (*report)(const FetchReport *report, gpointer data), gpointer data,
                      FetchSummary *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Multidrop: the recipient of a fetched message (pure; ROUTING.md §5 and §9). */
typedef enum RecipeKind { RECIPE_HEADER = 0, RECIPE_RECEIVED, RECIPE_GUESS } RecipeKind;
typedef struct Recipe {
        RecipeKind kind;
        const char *name;       /* HEADER: field name without colon */
        guint nth;              /* from 1; 0: any            */
        const char *prefix;     /* qmail prefix, or NULL     */
        const char *const *by;  /* RECEIVED: hosts, NULL-terminated */
        const char *const *fields;      /* GUESS: header fields, NULL-terminated */
} Recipe;
/* "header NAME [nth=N] [prefix=P]", "received by=HOST[,HOST...]", "guess to,cc,resent-to,resent-cc". FALSE and FAULT_INPUT: what would be
 * right. */
gboolean recipe_parse(Arena *arena, const char *text, Recipe *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct DomainMap {
        const char *remote, *local;
} DomainMap;
typedef struct MultidropSettings {
        const Recipe *recipes;
        gsize n_recipes;
        const DomainMap *domains;
        gsize n_domains;
        guint hops, max_recipients;
} MultidropSettings;
typedef enum MultidropAnswer {
        MULTIDROP_NONE = 0,     /* not found: fallback. *ret_reason says why */
        MULTIDROP_FOUND,        /* addresses, already mapped to local domains */
        MULTIDROP_TOO_MANY,     /* more than max_recipients: fallback, with reason */
        MULTIDROP_FOREIGN,      /* an address was there, but none in `domains` */
} MultidropAnswer;
/* header: the message from its start, at least to its empty line. */
MultidropAnswer multidrop_find(Arena *arena, Span header, const MultidropSettings *settings, const Address **ret, gsize *ret_n,
                               const char **ret_reason);
