/* site.h -- the rooms of one site, opened and wired: what lasts while the process does, and what follows the settings.
 *
 * A reload makes new settings-dependent rooms (SiteRooms) over the same core and swaps them; sessions that began with the old ones
 * end with them, so old SiteRooms live until site_close().
 *
 * Threads  site_open, site_renew, site_close: the main thread.
 */
#pragma once

#include "admin/admin.h"
#include "app/settings.h"
#include "auth/auth.h"
#include "auth/oauth.h"
#include "net/resolver.h"
#include "net/tls.h"

typedef struct SiteRooms {
        Settings *settings;
        Resolver *resolver;             /* NULL: a loopback site without [resolver] server */
        Router *router;
        Auth *auth;
        Intake *intake;
        Fetch *fetch;
        guint16 own_ports[DOOR_KINDS * LISTEN_MAX + 1];         /* 0-terminated: a source there is this very server */
        AdminRooms admin;
} SiteRooms;

typedef struct Site {
        Db *db;
        Blob *blob;
        Directory *directory;
        Store *store;
        Queue *queue;
        Guesses *guesses;
        guint8 loop_key[32], seal_key[32];
        SiteRooms *rooms;               /* in force */
        GPtrArray *old_rooms;
} Site;

/* The empty database of a new site. */
gboolean site_make_database(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* FALSE, with an error that says what to do: the database is missing, or has no octets. Such a site is not opened: a new one would refuse the mail of
 * all who were there. */
gboolean site_has_database(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* FAULT_BUSY: another process has it open. settings are taken over in any case. */
Site *site_open(Settings *take_settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Rooms for other settings, not in force yet. */
SiteRooms *site_rooms_new(Site *site, Settings *take_settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void site_rooms_free(SiteRooms *rooms);
void site_swap(Site *site, SiteRooms *take_rooms);
void site_close(Site *site);

/* The data directory's secret, 32 random octets, made once. */
#define SITE_SECRET "secret.key"
#define SITE_DATABASE "restante.db"

/* Root becomes whoever owns the data directory, for good, so that no file of root's gets in between. */
gboolean site_become_owner(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Certificate and key as the settings name them; the error names file and line. */
TlsContext *site_tls(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Can [tls] authorities be read, if there are any? */
gboolean site_authorities(const Settings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is to be said when nobody is there who gets mail for postmaster (RFC 5321 §4.5.1), or NULL. Free with g_free(). */
char *site_postmaster_warning(const SiteRooms *rooms) G_GNUC_WARN_UNUSED_RESULT;
/* Whose tokens log in; *ret NULL: nobody's, by the settings. The error names file and line. */
gboolean site_oauth(const Settings *settings, Oauth **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
