/* housekeeping.h -- the thread that tidies while the server serves.
 *
 * Unknown names and refusals written, trace of old messages dropped, dead segments compacted, mailboxes packed, the disk watched, local retries,
 * expiring certificates announced. Each task has its interval; none holds anything while it waits.
 *
 * Threads  housekeeping_new, _set_rooms, _free: the main thread.
 */
#pragma once

#include "app/site.h"

typedef struct Housekeeping Housekeeping;

Housekeeping *housekeeping_new(Site *site, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The settings have changed; the old rooms live on. */
void housekeeping_set_rooms(Housekeeping *keeping, SiteRooms *rooms);
/* Waits for the task that runs; NULL is fine. */
void housekeeping_free(Housekeeping *keeping);

/* Mail is refused while less than this is free: the setting, at least 2 % of the disk, and what the reserve should have, while that is not whole: its
 * room is for deleting. */
guint64 disk_limit(guint64 total, guint64 minimum, gboolean is_reserve_short);
/* Octets to set aside on a disk of this size, and those that are, in a file of the data directory. */
#define DISK_RESERVE_NAME "reserve"
guint64 disk_reserve(guint64 total);
guint64 disk_reserve_there(const char *data);
/* Gives the reserve up when nearly nothing else is left: without any room not even the database can be opened. */
void disk_give_room(const char *data);
