/* check.c -- settings and certificate, looked at by `restante check`. */
#include "app/check.h"
#include "app/housekeeping.h"
#include "app/settings.h"
#include "app/site.h"
#include "base/clock.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

typedef void (*AddFinding)(const char *level, const char *text, gpointer data);

static void G_GNUC_PRINTF(4, 5) add_finding(AddFinding add, gpointer data, const char *level, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        add(level, text, data);
}

static void
check_certificate(const Settings *settings, AddFinding add, gpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(TlsContext) tls = site_tls(settings, &error);

        if (tls == NULL) {
                add("error", error->message, data);
                return;
        }
        Usec left = tls_not_after(tls) * USEC_PER_SEC - clock_real();
        if (left < 0)
                add_finding(add, data, "error", "%s: the certificate has expired: clients refuse it",
                            settings->certificate);
        else if (left < 14 * USEC_PER_DAY)
                add_finding(add, data, "warning", "%s: the certificate expires in %d days", settings->certificate,
                            (int) (left / USEC_PER_DAY));
}

static void
check_doors(const Settings *settings, AddFinding add, gpointer data)
{
        guint n = 0;

        for (guint i = 0; i < DOOR_KINDS; i++)
                n += settings->doors[i].n;
        if (n == 0)
                add_finding(add, data, "error", "%s: [listen] names no address: nothing comes in", settings->path);
        for (guint i = 0; i < DOOR_KINDS && settings->is_loopback; i++)
                for (guint j = 0; j < settings->doors[i].n; j++) {
                        const char *address = settings->doors[i].at[j].address;
                        if (!g_str_has_prefix(address, "127.") && strcmp(address, "::1") != 0 &&
                            !g_str_has_prefix(address, "unix:"))
                                add_finding(add, data, "warning",
                                            "%s:%u: [listen] %s = %s: a loopback site that listens to the network",
                                            settings->path, settings->doors[i].line, DOOR_NAMES[i], address);
                }
}

/* Secrets that others may read are none. */
static void
check_secrecy(const char *path, AddFinding add, gpointer data)
{
        struct stat st;

        if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
                add_finding(add, data, "warning", "%s: other users have rights on it (chmod go= %s)", path, path);
}

static void
check_oauth(const Settings *settings, AddFinding add, gpointer data)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Oauth) oauth = NULL;

        if (!site_oauth(settings, &oauth, &error))
                add("error", error->message, data);
        else if (oauth != NULL && oauth_has_secret(oauth))
                check_secrecy(settings->oauth_keys, add, data);
}

static void
check_disk(const Settings *settings, AddFinding add, gpointer data)
{
        guint64 reserve = disk_reserve_there(settings->data);
        struct statvfs v;

        if (statvfs(settings->data, &v) < 0)
                return;
        guint64 total = (guint64) v.f_blocks * v.f_frsize, free = (guint64) v.f_bavail * v.f_frsize;
        gboolean is_short = reserve < disk_reserve(total);
        guint64 limit = disk_limit(total, settings->disk_minimum, is_short);
        if (free < limit)
                add_finding(add, data, "error",
                            "%s: the disk is nearly full: %" G_GUINT64_FORMAT " octets are free, and mail is refused "
                            "with 452 below %" G_GUINT64_FORMAT,
                            settings->data, free, limit);
        if (is_short && free <= disk_limit(total, settings->disk_minimum, TRUE) + disk_reserve(total))
                add_finding(add, data, "warning",
                            "%s/%s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                            " octets are set aside for deleting on "
                            "a full disk; the server makes it whole when there is room",
                            settings->data, DISK_RESERVE_NAME, reserve, disk_reserve(total));
}

void
check_settings(AddFinding add, gpointer data, gpointer app)
{
        const SiteRooms *rooms = app;
        const Settings *settings = rooms->settings;
        g_autofree char *secret = g_build_filename(settings->data, SITE_SECRET, NULL);

        g_autofree char *postmaster = site_postmaster_warning(rooms);

        if (postmaster != NULL)
                add("warning", postmaster, data);
        check_certificate(settings, add, data);
        check_doors(settings, add, data);
        check_disk(settings, add, data);
        check_secrecy(settings->key, add, data);
        check_secrecy(secret, add, data);
        check_oauth(settings, add, data);
        if (log_dropped() > 0)
                add_finding(add, data, "warning",
                            "%" G_GUINT64_FORMAT " lines of the log were lost: stderr did not take them",
                            log_dropped());
}
