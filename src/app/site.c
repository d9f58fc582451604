/* site.c -- the rooms of one site, lowest floor first. */
#include "app/site.h"
#include "app/check.h"
#include "app/housekeeping.h"
#include "base/text.h"
#include "store/search.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

/* One secret in the data directory; each use has a key of its own. */
static void
key_derive(const guint8 secret[32], const char *use, guint8 ret[32])
{
        g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, secret, 32);
        gsize size = 32;

        g_hmac_update(hmac, (const guchar *) use, (gssize) strlen(use));
        g_hmac_get_digest(hmac, ret, &size);
}

static gboolean
site_keys(Site *site, const char *data, GError **error)
{
        g_autofree char *path = g_build_filename(data, SITE_SECRET, NULL);
        guint8 secret[33];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, secret, sizeof(secret)) : -1;
        int number = errno;

        if (fd >= 0)
                close(fd);
        errno = number;
        if (n < 0)
                return fault_errno(error, "%s", path);
        if (n != 32)
                return fault(error, FAULT_INPUT, "%s: should be 32 octets; take it back from a backup", path);
        key_derive(secret, "restante loop", site->loop_key);
        key_derive(secret, "restante seal", site->seal_key);
        text_wipe(secret, sizeof(secret));
        return TRUE;
}

TlsContext *
site_tls(const Settings *settings, GError **error)
{
        TlsContext *tls = tls_server_new(settings->certificate, settings->key, error);

        if (tls == NULL) {
                g_autofree char *place = settings_place(settings, settings->tls_line);
                fault_prefix(error, "%s: [tls] certificate, key: ", place);
        }
        return tls;
}

gboolean
site_authorities(const Settings *settings, GError **error)
{
        g_autoptr(TlsContext) tls = NULL;

        if (settings->authorities == NULL || (tls = tls_client_new(TRUE, settings->authorities, error)) != NULL)
                return TRUE;
        g_autofree char *where = settings_where(settings, "tls", "authorities");
        fault_prefix(error, "%s: ", where);
        return FALSE;
}

char *
site_postmaster_warning(const SiteRooms *rooms)
{
        g_autoptr(Arena) arena = arena_new(4 * 1024 * 1024);
        const char *postmaster = rooms->settings->postmaster;
        gboolean is_there = FALSE;

        if (!router_has_postmaster(rooms->router, arena, &is_there, NULL) || is_there)
                return NULL;
        g_autofree char *where = settings_where(rooms->settings, "site", "postmaster");
        return g_strdup_printf("%s = %s: nobody is there, so mail for postmaster and abuse waits outside (451); "
                               "`restante account add %s`, or name an account that exists",
                               where, postmaster, postmaster);
}

static gboolean
rooms_router(Site *site, SiteRooms *rooms, GError **error)
{
        g_autoptr(Arena) arena = arena_new(256 * 1024);
        RouterSettings settings;

        if (!settings_router(rooms->settings, arena, &settings))
                return fault(error, FAULT_FULL, "no room for the addresses of this server");
        rooms->router = router_new(site->directory, site->db, &settings);
        return TRUE;
}

gboolean
site_oauth(const Settings *settings, Oauth **ret, GError **error)
{
        const OauthSettings oauth = {.issuer = settings->oauth_issuer,
                                     .audience = settings->oauth_audience,
                                     .scope = settings->oauth_scope,
                                     .account_claim = settings->oauth_account_claim,
                                     .discovery = settings->oauth_discovery,
                                     .keys = settings->oauth_keys};

        *ret = NULL;
        if (settings->oauth_issuer == NULL)
                return TRUE;
        *ret = oauth_new(&oauth, error);
        if (*ret == NULL) {
                g_autofree char *place = settings_place(settings, settings->oauth_line);
                fault_prefix(error, "%s: [oauth] keys: ", place);
        }
        return *ret != NULL;
}

static gboolean
rooms_fetch(Site *site, SiteRooms *rooms, GError **error)
{
        const Settings *s = rooms->settings;
        guint n = 0;

        for (guint door = 0; door < DOOR_KINDS; door++)
                for (guint i = 0; i < s->doors[door].n; i++)
                        if (s->doors[door].at[i].port != 0)
                                rooms->own_ports[n++] = s->doors[door].at[i].port;
        FetchSettings settings = {.hostname = s->hostname,
                                  .is_loopback_site = s->is_loopback,
                                  .seal_key = span_make(site->seal_key, sizeof(site->seal_key)),
                                  .max_parallel = (guint) s->fetch_parallel,
                                  .ca_path = s->authorities,
                                  .own_ports = rooms->own_ports,
                                  .max_size = s->message_size};
        rooms->fetch = fetch_new(site->db, site->directory, rooms->router, rooms->intake, &settings, error);
        return rooms->fetch != NULL;
}

SiteRooms *
site_rooms_new(Site *site, Settings *take_settings, GError **error)
{
        SiteRooms *rooms = g_new0(SiteRooms, 1);
        Settings *s = take_settings;

        rooms->settings = s;
        if ((!s->is_loopback || s->resolver_server != NULL) &&
            (rooms->resolver = resolver_new(s->resolver_server, error)) == NULL) {
                site_rooms_free(rooms);
                return NULL;
        }
        if (!rooms_router(site, rooms, error)) {
                site_rooms_free(rooms);
                return NULL;
        }
        AuthSettings auth = {.is_loopback_site = s->is_loopback};
        rooms->auth = auth_new(site->directory, &auth);
        IntakeRooms intake = {site->db, site->blob, site->directory, rooms->router, site->store, site->queue};
        IntakeSettings intake_settings = {.hostname = s->hostname,
                                          .max_size = s->message_size,
                                          .max_recipients = (guint) s->recipients,
                                          .max_received = 100,
                                          .loop_key = span_make(site->loop_key, sizeof(site->loop_key))};
        rooms->intake = intake_new(&intake, &intake_settings);
        if (!rooms_fetch(site, rooms, error)) {
                site_rooms_free(rooms);
                return NULL;
        }
        rooms->admin = (AdminRooms){.db = site->db,
                                    .blob = site->blob,
                                    .directory = site->directory,
                                    .router = rooms->router,
                                    .store = site->store,
                                    .queue = site->queue,
                                    .intake = rooms->intake,
                                    .fetch = rooms->fetch,
                                    .guesses = site->guesses,
                                    .resolver = rooms->resolver,
                                    .hostname = s->hostname,
                                    .is_loopback_site = s->is_loopback,
                                    .check = check_settings,
                                    .app = rooms};
        return rooms;
}

void
site_rooms_free(SiteRooms *rooms)
{
        if (rooms == NULL)
                return;
        if (rooms->fetch != NULL)
                fetch_free(rooms->fetch);
        intake_free(rooms->intake);
        auth_free(rooms->auth);
        router_free(rooms->router);
        if (rooms->resolver != NULL)
                resolver_free(rooms->resolver);
        settings_free(rooms->settings);
        g_free(rooms);
}

void
site_swap(Site *site, SiteRooms *take_rooms)
{
        g_ptr_array_add(site->old_rooms, site->rooms);
        site->rooms = take_rooms;
        directory_set_postmaster(site->directory, take_rooms->settings->postmaster);
        log_set_level(take_rooms->settings->log_level);
}

/* Nothing is made in its place: who has message bodies and no mailboxes has lost something. One without octets is as
 * good as none. */
gboolean
site_has_database(const Settings *settings, GError **error)
{
        g_autofree char *path = g_build_filename(settings->data, SITE_DATABASE, NULL);
        struct stat st;

        if (stat(path, &st) == 0 && st.st_size > 0)
                return TRUE;
        return fault(
                error, FAULT_INPUT,
                "%s is missing or empty, and with it all accounts and mailboxes: restore it from a backup, or remove "
                "%s and the site's settings and begin anew with `restante init`",
                path, settings->data);
}

gboolean
site_make_database(const Settings *settings, GError **error)
{
        Db *db = db_open(settings->data, error);

        db_close(db);
        return db != NULL;
}

static gboolean
site_open_core(Site *site, const Settings *settings, GError **error)
{
        if (!site_keys(site, settings->data, error) || !site_has_database(settings, error))
                return FALSE;
        disk_give_room(settings->data);
        if ((site->db = db_open(settings->data, error)) == NULL ||
            (site->blob = blob_open(settings->data, site->db, error)) == NULL)
                return FALSE;
        site->directory = directory_new(site->db);
        directory_set_postmaster(site->directory, settings->postmaster);
        site->store = store_new(site->db, site->blob, site->directory);
        store_keep_search_index(site->store, settings->data);
        site->queue = queue_new(site->db, site->blob);
        site->guesses = guesses_new();
        return TRUE;
}

Site *
site_open(Settings *take_settings, GError **error)
{
        Site *site = g_new0(Site, 1);

        site->old_rooms = g_ptr_array_new_with_free_func((GDestroyNotify) site_rooms_free);
        log_set_level(take_settings->log_level);
        if (!site_open_core(site, take_settings, error)) {
                settings_free(take_settings);
                g_clear_pointer(&site, site_close);
                return NULL;
        }
        site->rooms = site_rooms_new(site, take_settings, error);
        if (site->rooms == NULL)
                g_clear_pointer(&site, site_close);
        return site;
}

void
site_close(Site *site)
{
        if (site == NULL)
                return;
        if (site->directory != NULL)
                (void) !directory_flush_unknown(site->directory, NULL);
        if (site->store != NULL)
                (void) !store_recent_keep(site->store, NULL);
        site_rooms_free(site->rooms);
        g_ptr_array_unref(site->old_rooms);
        if (site->guesses != NULL)
                guesses_free(site->guesses);
        if (site->queue != NULL)
                queue_free(site->queue);
        if (site->store != NULL)
                store_free(site->store);
        directory_free(site->directory);
        blob_close(site->blob);
        db_close(site->db);
        text_wipe(site->loop_key, sizeof(site->loop_key));
        text_wipe(site->seal_key, sizeof(site->seal_key));
        g_free(site);
}

gboolean
site_become_owner(const Settings *settings, GError **error)
{
        struct stat st;

        if (stat(settings->data, &st) < 0)
                return fault_errno(error, "%s", settings->data);
        if (geteuid() != 0 || st.st_uid == 0)
                return TRUE;
        if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
            setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
                return fault_errno(error, "becoming the owner of %s", settings->data);
        return TRUE;
}
