/* settings.h -- restante.conf: the table of its settings with their manual, and its values.
 *
 * Everything at process level stands here (DESIGN.md §4): host name, listeners, TLS, data directory, limits. All but the data
 * directory and the user can be reloaded. A wrong file is FAULT_INPUT "FILE:LINE: what is wrong and what would be right".
 *
 * Threads  a Settings never changes after settings_load().
 * Memory   everything in it belongs to it.
 */
#pragma once

#include "base/conf.h"
#include "base/error.h"
#include "base/log.h"
#include "router/router.h"

typedef enum DoorKind {
        DOOR_SMTP = 0,
        DOOR_SUBMISSION,
        DOOR_SUBMISSIONS,
        DOOR_LMTP,
        DOOR_IMAP,
        DOOR_IMAPS,
        DOOR_POP3,
        DOOR_POP3S,
        DOOR_KINDS,
} DoorKind;
extern const char *const DOOR_NAMES[DOOR_KINDS];
extern const guint16 DOOR_PORTS[DOOR_KINDS];            /* the registered ones; LMTP has none: 0 */
extern const guint16 DOOR_LOOPBACK_PORTS[DOOR_KINDS];   /* DESIGN.md §6 */

typedef struct ListenAddress {
        char *address;          /* "127.0.0.1", "::", "unix:/PATH" */
        guint16 port;           /* 0 for unix */
} ListenAddress;

#define LISTEN_MAX 8
typedef struct ListenList {
        ListenAddress at[LISTEN_MAX];
        guint n;
        guint line;             /* in the file; 0: not there */
} ListenList;

#define SETTINGS_MAX 64 /* rows of the table */

typedef struct Settings {
        char *path;             /* of the file */
        char *text;             /* what stood in it */
        char *dir;              /* where it stands; relative paths count from here */
        char *hostname, *data, *control, *user, *postmaster, *smart_host;
        gboolean is_loopback;
        ListenList doors[DOOR_KINDS];
        char *certificate, *key, *authorities;
        guint tls_line;         /* of [tls] certificate, for messages */
        guint64 message_size, recipients;
        guint64 connections, connections_per_address, connections_per_second, workers, disk_minimum;
        gboolean bare_newline_normalise;
        char *resolver_server;
        char *oauth_issuer;     /* NULL: no tokens are taken; else audience and keys are there */
        char *oauth_audience, *oauth_keys, *oauth_account_claim, *oauth_scope, *oauth_discovery;
        guint oauth_line;       /* of [oauth] keys, for messages */
        char *imap_off;         /* rules of imap/imap.h, comma separated */
        guint64 imap_message_limit;
        guint64 fetch_parallel;
        guint64 trace_days;
        guint64 undelete_days;
        LogLevel log_level;
        guint lines[SETTINGS_MAX];      /* where each stands in the file, in the table's order; 0: not there */
} Settings;

typedef struct Setting Setting;
struct Setting {
        const char *section, *key;
        const char *form;               /* of the value, for people */
        const char *standard;           /* value when it is not there; NULL: none */
        const char *manual;
        /* private to settings.c */
        gboolean (*set)(const Setting *setting, Settings *settings, const ConfEntry *entry, GError **error);
        gsize offset;
        guint64 min, max;
};
extern const Setting SETTINGS[];        /* key NULL ends it; settings of a section stand together */

Settings *settings_load(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
Settings *settings_parse(Span text, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One's own, equal in all. */
Settings *settings_copy(const Settings *settings) G_GNUC_WARN_UNUSED_RESULT;
void settings_free(Settings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Settings, settings_free)

/* Settings that need another process or directory stay as they are until a restart; later(NAME) is called for those that differ. */
void settings_keep_fixed(const Settings *now, Settings *fresh, void (*later)(const char *name));

/* What differs, one line "[section] key: old -> new" each, by the table; NULL-terminated (g_strfreev). */
char **settings_differences(const Settings *before, const Settings *after);

/* The text of a new file: every setting with its manual as comment; values as "section.key=value" words, the others
 * commented out with their standard. */
char *settings_template(const char *const *values);

/* A line of the file for messages: "FILE:LINE". */
char *settings_place(const Settings *settings, guint line);
/* The same of a setting, wherever it stands: "FILE:LINE: [SECTION] KEY", or "FILE: [SECTION] KEY" when it does not. */
char *settings_where(const Settings *settings, const char *section, const char *key);

/* What the router is told: names and addresses of this server, and where it takes mail. In the arena or the settings. FALSE: no room. */
gboolean settings_router(const Settings *settings, Arena *arena, RouterSettings *ret) G_GNUC_WARN_UNUSED_RESULT;
