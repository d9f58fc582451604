/* housekeeping.c -- background work, task by task. */
#include "app/housekeeping.h"
#include "app/events.h"
#include "base/thread.h"
#include "intake/trace.h"
#include "store/change.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TICK USEC_PER_SEC
#define RESERVE_OCTETS ((guint64) 128 * 1024 * 1024) /* twice the bound of the WAL */
#define RESERVE_PART_MIN ((guint64) 512 * 1024)
#define COMPACT_PIECES 16 /* segments in a row */
#define PURGE_PIECES 100
#define TIDY_SPAN (200 * USEC_PER_MS) /* of a second */

struct Housekeeping {
        Site *site;
        Mutex mutex;
        Cond wake;
        SiteRooms *rooms;
        gboolean is_stopping;
        Thread *thread;
        gboolean is_full;
        guint64 reserve; /* octets of the file; less than disk_reserve(): what is missing is kept from mail all the same
                          */
        Usec last[16];   /* by task */
};

typedef struct Task {
        const char *name;
        Usec interval;
        gboolean (*run)(Housekeeping *keeping, const SiteRooms *rooms, GError **error);
} Task;

guint64
disk_limit(guint64 total, guint64 minimum, gboolean is_reserve_short)
{
        return MAX(minimum, total / 50) + (is_reserve_short ? disk_reserve(total) : 0);
}

guint64
disk_reserve(guint64 total)
{
        return MIN(RESERVE_OCTETS, total / 16);
}

guint64
disk_reserve_there(const char *data)
{
        g_autofree char *path = g_build_filename(data, DISK_RESERVE_NAME, NULL);
        struct stat st;

        return stat(path, &st) == 0 ? (guint64) st.st_size : 0;
}

void
disk_give_room(const char *data)
{
        g_autofree char *path = g_build_filename(data, DISK_RESERVE_NAME, NULL);
        guint64 reserve = disk_reserve_there(data);
        struct statvfs v;

        if (reserve == 0 || statvfs(data, &v) < 0 || (guint64) v.f_bavail * v.f_frsize >= reserve / 8)
                return;
        if (unlink(path) == 0)
                log_event(&APP_EVENTS[EVENT_DISK_RESERVE_GIVEN], "octets=%" G_GUINT64_FORMAT, reserve);
}

/* Octets set aside, so that a checkpoint and deletions work when nothing is left. A file that is there grows. */
static void
reserve_make(const char *data, guint64 octets)
{
        g_autofree char *path = g_build_filename(data, DISK_RESERVE_NAME, NULL);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        gboolean is_made = fd >= 0 && posix_fallocate(fd, 0, (off_t) octets) == 0;

        if (fd >= 0)
                close(fd);
        if (!is_made)
                unlink(path);
}

/* Given up when nearly nothing is left. Of a disk that is too full for all of it, half of what is left is set aside:
 * somebody else may go on filling it, and then there is something again. */
static void
reserve_keep(Housekeeping *keeping, const Settings *settings, guint64 total, guint64 available)
{
        guint64 whole = disk_reserve(total), before = keeping->reserve;

        if (before > 0 && available < before / 8)
                disk_give_room(settings->data);
        else if (before < whole && available > disk_limit(total, settings->disk_minimum, TRUE) + whole)
                reserve_make(settings->data, whole);
        else if (before == 0 && keeping->is_full && available / 2 >= RESERVE_PART_MIN)
                reserve_make(settings->data, MIN(whole, available / 2));
        keeping->reserve = disk_reserve_there(settings->data);
        if (keeping->reserve > before)
                log_event(&APP_EVENTS[EVENT_DISK_RESERVE], "octets=%" G_GUINT64_FORMAT " of=%" G_GUINT64_FORMAT,
                          keeping->reserve, whole);
}

static gboolean
task_disk(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        struct statvfs v;

        if (statvfs(rooms->settings->data, &v) < 0)
                return fault_errno(error, "%s", rooms->settings->data);
        guint64 total = (guint64) v.f_blocks * v.f_frsize, available = (guint64) v.f_bavail * v.f_frsize;
        gboolean is_short = keeping->reserve < disk_reserve(total);
        gboolean is_low = available < disk_limit(total, rooms->settings->disk_minimum, is_short);

        if (is_low != keeping->is_full) {
                db_set_full(keeping->site->db, is_low);
                log_event(&APP_EVENTS[is_low ? EVENT_DISK_LOW : EVENT_DISK_ENOUGH],
                          "free=%" G_GUINT64_FORMAT " of=%" G_GUINT64_FORMAT, available, total);
                keeping->is_full = is_low;
        }
        reserve_keep(keeping, rooms->settings, total, available);
        return TRUE;
}

static gboolean
task_unknown(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        return directory_flush_unknown(keeping->site->directory, error);
}

static gboolean
housekeeping_is_stopping(Housekeeping *keeping)
{
        MUTEX_SCOPE(&keeping->mutex);
        return keeping->is_stopping;
}

static gboolean
task_trace(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        Usec before = clock_real() - (Usec) rooms->settings->trace_days * USEC_PER_DAY;
        gboolean more = TRUE;

        for (guint i = 0; i < PURGE_PIECES && more && !housekeeping_is_stopping(keeping); i++)
                if (!trace_purge(keeping->site->db, before, &more, error))
                        return FALSE;
        return TRUE;
}

static gboolean
task_compact(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        guint64 freed = 1;

        for (guint i = 0; i < COMPACT_PIECES && freed > 0 && !housekeeping_is_stopping(keeping); i++)
                if (!blob_compact(keeping->site->blob, &freed, error))
                        return FALSE;
        return TRUE;
}

static gboolean
task_bodies(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        return blob_settle(keeping->site->blob, error);
}

/* What was expunged is kept for a time, unless its room is needed. */
static gboolean
task_store(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        Usec now = clock_real(), until = clock_in(TIDY_SPAN);
        Usec before = keeping->is_full ? now : now - (Usec) rooms->settings->undelete_days * USEC_PER_DAY;
        gboolean more = TRUE;

        while (more && clock_monotonic() < until && !housekeeping_is_stopping(keeping))
                if (!store_tidy(keeping->site->store, before, &more, error))
                        return FALSE;
        return TRUE;
}

static gboolean
may_go_on(gpointer data)
{
        return !housekeeping_is_stopping(data);
}

static gboolean
task_packs(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        return store_pack(keeping->site->store, may_go_on, keeping, error);
}

static gboolean
task_recent(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        return store_recent_keep(keeping->site->store, error);
}

static gboolean
task_local(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        return intake_retry_local(rooms->intake, error);
}

static gboolean
task_certificate(Housekeeping *keeping, const SiteRooms *rooms, GError **error)
{
        g_autoptr(TlsContext) tls = site_tls(rooms->settings, error);

        if (tls == NULL)
                return FALSE;
        Usec left = tls_not_after(tls) * USEC_PER_SEC - clock_real();
        if (left < 14 * USEC_PER_DAY)
                log_event(&APP_EVENTS[EVENT_CERTIFICATE], "days=%d", (int) (left / USEC_PER_DAY));
        return TRUE;
}

static const Task TASKS[] = {
        {"disk", USEC_PER_SEC, task_disk},
        {"unknown names", 10 * USEC_PER_SEC, task_unknown},
        {"trace", 10 * USEC_PER_SEC, task_trace},
        {"compaction", 30 * USEC_PER_SEC, task_compact},
        {"bodies", USEC_PER_MINUTE, task_bodies},
        {"local retry", USEC_PER_MINUTE, task_local},
        {"certificate", USEC_PER_DAY, task_certificate},
        {"mailboxes", USEC_PER_SEC, task_store},
        {"packs", USEC_PER_SEC, task_packs},
        {"recent messages", USEC_PER_MINUTE, task_recent},
};
G_STATIC_ASSERT(G_N_ELEMENTS(TASKS) <= G_N_ELEMENTS(((Housekeeping *) 0)->last));

static void
housekeeping_pass(Housekeeping *keeping, const SiteRooms *rooms, Usec now)
{
        for (gsize i = 0; i < G_N_ELEMENTS(TASKS) && !housekeeping_is_stopping(keeping); i++) {
                g_autoptr(GError) error = NULL;

                if (now - keeping->last[i] < TASKS[i].interval)
                        continue;
                keeping->last[i] = now;
                if (!TASKS[i].run(keeping, rooms, &error))
                        log_event(&APP_EVENTS[EVENT_HOUSEKEEPING], "task=%s reason=%s",
                                  log_text(span_of(TASKS[i].name)),
                                  log_text(span_of(error != NULL ? error->message : "unknown")));
        }
}

static void
housekeeping_run(gpointer data)
{
        Housekeeping *keeping = data;

        for (;;) {
                mutex_lock(&keeping->mutex);
                Usec until = clock_in(TICK);
                while (!keeping->is_stopping && cond_wait_until(&keeping->wake, &keeping->mutex, until))
                        continue;
                gboolean is_stopping = keeping->is_stopping;
                const SiteRooms *rooms = keeping->rooms;
                mutex_unlock(&keeping->mutex);
                if (is_stopping)
                        return;
                housekeeping_pass(keeping, rooms, clock_monotonic());
        }
}

Housekeeping *
housekeeping_new(Site *site, GError **error)
{
        Housekeeping *keeping = g_new0(Housekeeping, 1);
        Usec now = clock_monotonic();

        keeping->site = site;
        keeping->rooms = site->rooms;
        keeping->reserve = disk_reserve_there(site->rooms->settings->data);
        mutex_init(&keeping->mutex, "housekeeping");
        cond_init(&keeping->wake);
        for (gsize i = 0; i < G_N_ELEMENTS(TASKS); i++)
                keeping->last[i] = now;
        keeping->last[0] = now - TASKS[0].interval; /* the disk at once, before the first message */
        keeping->last[4] = now - TASKS[4].interval; /* what waited for the start */
        if (!task_disk(keeping, site->rooms, error) ||
            (keeping->thread = thread_new("housekeeping", housekeeping_run, keeping, error)) == NULL)
                g_clear_pointer(&keeping, housekeeping_free);
        return keeping;
}

void
housekeeping_set_rooms(Housekeeping *keeping, SiteRooms *rooms)
{
        MUTEX_SCOPE(&keeping->mutex);
        keeping->rooms = rooms;
}

void
housekeeping_free(Housekeeping *keeping)
{
        if (keeping == NULL)
                return;
        mutex_lock(&keeping->mutex);
        keeping->is_stopping = TRUE;
        cond_signal(&keeping->wake);
        mutex_unlock(&keeping->mutex);
        thread_take_join(keeping->thread);
        cond_done(&keeping->wake);
        mutex_done(&keeping->mutex);
        g_free(keeping);
}
