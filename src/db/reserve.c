/* reserve.c -- DIR/reserve: room kept for the day the disk is full.
 *
 * Deleting needs room too: rows of deletions go to the WAL, and the WAL into the database. So as much as two full WALs
 * is held back, and given up when the disk is called full. Where there is little room to begin with, or the disk is
 * memory, none is held.
 */
#include "db/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_OCTETS (2ll * WAL_HARD_OCTETS)
#define ROOM_MIN_OCTETS (16ull * RESERVE_OCTETS)
#define TMPFS_KIND 0x01021994

static gboolean
is_affordable(int fd)
{
        struct statvfs room;
        struct statfs kind;

        return fstatvfs(fd, &room) == 0 && fstatfs(fd, &kind) == 0 && kind.f_type != TMPFS_KIND &&
               (guint64) room.f_bavail * room.f_frsize >= ROOM_MIN_OCTETS;
}

/* Never an error: a site without it works until its disk is full. */
void
reserve_take(Db *db)
{
        if (db->has_reserve)
                return;
        int fd = open(db->reserve, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return;
        if (!is_affordable(fd) || fallocate(fd, 0, 0, RESERVE_OCTETS) < 0)
                unlink(db->reserve);
        db->has_reserve = TRUE; /* or can't have it: no reason to try each minute */
        close(fd);
}

/* TRUE: there was something to give up. */
gboolean
reserve_give_up(Db *db)
{
        db->has_reserve = FALSE;
        return unlink(db->reserve) == 0;
}
