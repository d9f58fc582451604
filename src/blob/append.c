/* append.c -- the one appender: the active segment, the zeros ahead of its tail, and one sync for all who wait. */
#include "blob/internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPARE_FROM_OCTETS (SEGMENT_MAX_OCTETS / 4 * 3) /* tail at which the next segment is made */

/* Blob.append held: how far zeros should reach now. */
static guint64
fill_goal(const Blob *blob)
{
        guint64 step = CLAMP(blob->tail, FILL_FIRST_OCTETS, FILL_STEP_OCTETS);

        if (blob->filled >= MAX(blob->tail + step / 2, MIN(blob->wanted, SEGMENT_MAX_OCTETS)))
                return blob->filled;
        return MIN(blob->filled + step, SEGMENT_MAX_OCTETS);
}

static gboolean
filler_has_work(const Blob *blob)
{
        if (blob->fill_failed != 0)
                return FALSE; /* an appender clears it when it tries again */
        return fill_goal(blob) > blob->filled || (blob->spare == NULL && blob->tail >= SPARE_FROM_OCTETS);
}

/* Blob.append held, given up while the disk works. */
static void
filler_fill(Blob *blob, guint64 to)
{
        guint64 from = blob->filled;
        int fd = blob->active->fd; /* stays: the active one changes only when nothing is being filled */

        blob->is_filling = TRUE;
        mutex_unlock(&blob->append);
        guint failed = blob_file_zero(fd, from, to) ? 0 : (guint) errno;
        if (failed == 0 && fdatasync(fd) < 0)
                blob_fatal("zeros ahead");
        mutex_lock(&blob->append);
        blob->is_filling = FALSE;
        blob->fill_failed = failed;
        if (failed == 0)
                blob->filled = to;
}

static void
filler_make_spare(Blob *blob)
{
        guint32 number = blob->next_number++;
        g_autoptr(GError) fault = NULL;

        mutex_unlock(&blob->append);
        Segment *spare = segment_create(blob, number, &fault);
        guint failed = fault == NULL ? 0 : g_error_matches(fault, RESTANTE_ERROR, FAULT_FULL) ? ENOSPC : EIO;
        mutex_lock(&blob->append);
        blob->spare = spare;
        blob->fill_failed = failed;
}

static void
filler_run(gpointer data)
{
        Blob *blob = data;

        MUTEX_SCOPE(&blob->append);
        while (!blob->is_closing) {
                if (!filler_has_work(blob)) {
                        cond_wait(&blob->fill_wake, &blob->append);
                        continue;
                }
                guint64 goal = fill_goal(blob);
                if (goal > blob->filled)
                        filler_fill(blob, goal);
                else
                        filler_make_spare(blob);
                cond_broadcast(&blob->fill_done);
        }
}

/* Blob.append held. The old segment keeps its pin until whoever leads the next sync has synced it. */
static void
segment_change(Blob *blob)
{
        Usec *now = g_new(Usec, 1);

        *now = clock_monotonic();
        g_hash_table_insert(blob->sealed_at, GUINT_TO_POINTER(blob->active->number), now);
        g_ptr_array_add(blob->sealed, blob->active);
        blob->active = g_steal_pointer(&blob->spare);
        blob->tail = SEGMENT_HEAD_OCTETS;
        blob->filled = FILL_FIRST_OCTETS;
        blob->wanted = 0;
}

/* Blob.append held: wait for the filler until `stored` octets fit behind the tail. */
static gboolean
room_make(Blob *blob, guint64 stored, GError **error)
{
        gboolean is_first = TRUE;

        for (;;) {
                gboolean fits = blob->tail + stored <= SEGMENT_MAX_OCTETS;
                if (fits && blob->tail + stored <= blob->filled)
                        return TRUE;
                if (!fits && blob->spare != NULL && !blob->is_filling) {
                        segment_change(blob);
                        continue;
                }
                if (blob->fill_failed != 0 && !is_first) {
                        errno = (int) blob->fill_failed;
                        return fault_errno(error, "no room for message bodies in %s", blob->path);
                }
                if (is_first)
                        blob->fill_failed = 0;
                is_first = FALSE;
                blob->wanted = blob->tail + stored;
                cond_signal(&blob->fill_wake);
                cond_wait(&blob->fill_done, &blob->append);
        }
}

/* Put a record behind the last one. head: flags, length, size and id are set; parts make up its `length` octets. */
gboolean
append_record(Blob *blob, RecordHead *head, const Span *parts, guint n_parts, BlobPlace *ret, GError **error)
{
        static const guint8 PADDING[RECORD_ALIGN];
        guint64 stored = record_stored(head->length);
        guint8 octets[RECORD_HEAD_OCTETS];
        struct iovec vector[RECORD_PARTS_MAX + 2] = {{octets, sizeof octets}};

        g_assert(n_parts <= RECORD_PARTS_MAX && stored <= SEGMENT_MAX_OCTETS - SEGMENT_HEAD_OCTETS);
        for (guint i = 0; i < n_parts; i++)
                vector[i + 1] = (struct iovec){(void *) parts[i].data, parts[i].len};
        vector[n_parts + 1] = (struct iovec){(void *) PADDING, (gsize) (stored - RECORD_HEAD_OCTETS - head->length)};
        head->checksum = record_checksum(head, parts, n_parts);
        record_head_write(head, octets);

        MUTEX_SCOPE(&blob->append);
        if (!room_make(blob, stored, error))
                return FALSE;
        if (!blob_file_write(blob->active->fd, blob->tail, vector, (int) n_parts + 2))
                return fault_errno(error, "append to segment %u", blob->active->number);
        *ret = (BlobPlace){.segment = blob->active->number,
                           .offset = blob->tail,
                           .stored = stored,
                           .size = head->size,
                           .id = head->id,
                           .blob = blob,
                           .appended_at = clock_monotonic()};
        blob->tail += stored;
        blob->appends++;
        ret->sequence = blob->appended + 1;
        __atomic_store_n(&blob->appended, ret->sequence, __ATOMIC_RELEASE);
        if (filler_has_work(blob))
                cond_signal(&blob->fill_wake);
        return TRUE;
}

/* The number of a single segment that is about to get its name; from now on it may hold a record not yet named in a
 * row. */
guint32
append_number(Blob *blob)
{
        Usec *now = g_new(Usec, 1);

        *now = clock_monotonic();
        MUTEX_SCOPE(&blob->append);
        guint32 number = blob->next_number++;
        g_hash_table_insert(blob->sealed_at, GUINT_TO_POINTER(number), now);
        return number;
}

/* May a record in this segment still be waiting for its name? */
gboolean
append_may_name(Blob *blob, guint32 number)
{
        MUTEX_SCOPE(&blob->append);
        if (number == blob->active->number || (blob->spare != NULL && number == blob->spare->number))
                return TRUE;
        const Usec *sealed = g_hash_table_lookup(blob->sealed_at, GUINT_TO_POINTER(number));
        if (sealed == NULL && number < blob->first_number)
                return FALSE; /* from an earlier process: its places are gone with it */
        if (sealed == NULL || clock_monotonic() - *sealed < DROP_AGE_MIN)
                return TRUE;
        return FALSE;
}

/* A dropped segment is no more of interest. */
void
append_forget(Blob *blob, guint32 number)
{
        MUTEX_SCOPE(&blob->append);
        g_hash_table_remove(blob->sealed_at, GUINT_TO_POINTER(number));
}

/* Segments with records that may not be on disk, oldest first, each pinned: those sealed since the last sync, and the
 * active one. */
static GPtrArray *
unsynced_take(Blob *blob)
{
        GPtrArray *next = g_ptr_array_new();

        MUTEX_SCOPE(&blob->append);
        GPtrArray *segments = blob->sealed;
        blob->sealed = next;
        g_ptr_array_add(segments, segment_pin(blob, blob->active->number, NULL));
        return segments;
}

static void
unsynced_write(Blob *blob)
{
        g_autoptr(GPtrArray) segments = unsynced_take(blob);

        for (guint i = 0; i < segments->len; i++) {
                Segment *segment = segments->pdata[i];
                if (fdatasync(segment->fd) < 0)
                        blob_fatal("bodies");
                segment_unpin(blob, segment);
        }
}

/* Somebody who waits for the disk, on his own stack: gone when he is woken. */
struct SyncWaiter {
        guint64 sequence;
        gboolean leads;         /* woken to sync for the others, not because it is done */
        Wake wake;
        SyncWaiter *next;
};

/* Those who wait for no more than what is synced. Blob.sync held. */
static SyncWaiter *
waiters_take_done(Blob *blob)
{
        SyncWaiter *done = NULL, **link = &blob->waiters;

        for (SyncWaiter *waiter; (waiter = *link) != NULL;) {
                if (waiter->sequence > blob->synced) {
                        link = &waiter->next;
                        continue;
                }
                *link = waiter->next;
                waiter->next = done;
                done = waiter;
        }
        return done;
}

/* One sync for all who wait. The first of those who came too late for it leads the next one. */
static void
sync_lead(Blob *blob)
{
        guint64 target = __atomic_load_n(&blob->appended, __ATOMIC_ACQUIRE);

        unsynced_write(blob);
        mutex_lock(&blob->sync);
        blob->synced = MAX(blob->synced, target);
        blob->syncs++;
        SyncWaiter *done = waiters_take_done(blob);
        SyncWaiter *leader = blob->waiters;
        blob->is_syncing = leader != NULL;
        if (leader != NULL) {
                blob->waiters = leader->next;
                leader->leads = TRUE;
        }
        mutex_unlock(&blob->sync);

        if (leader != NULL)
                wake_send(&leader->wake);
        for (SyncWaiter *next; done != NULL; done = next) {
                next = done->next;
                wake_send(&done->wake);
        }
}

void
blob_sync(Blob *blob, const BlobPlace *place)
{
        SyncWaiter self = {.sequence = place->sequence, .wake = WAKE_INIT};

        mutex_lock(&blob->sync);
        gboolean is_done = blob->synced >= place->sequence;
        gboolean leads = !is_done && !blob->is_syncing;
        if (leads) {
                blob->is_syncing = TRUE;
        } else if (!is_done) {
                self.next = blob->waiters;
                blob->waiters = &self;
        }
        mutex_unlock(&blob->sync);
        if (is_done)
                return;
        if (!leads)
                wake_wait(&self.wake);
        if (leads || self.leads)
                sync_lead(blob);
}

/* ---- start and end ---- */

DB_SQL(LAST_NAMED, "SELECT offset + stored FROM body WHERE segment = ? ORDER BY offset DESC LIMIT 1");

/* Behind the last record that a row names; `from` when there is none (or no database to ask). */
static gboolean
named_end(Blob *blob, guint32 number, guint64 *ret, GError **error)
{
        gint64 end = (gint64) *ret;

        if (blob->db == NULL)
                return TRUE;
        g_autoptr(DbTxn) txn = db_begin_read(blob->db, error);
        if (txn == NULL || db_get_int(txn, &LAST_NAMED, &end, error, "i", (gint64) number) == DB_ROW_FAILED)
                return FALSE;
        *ret = MAX(*ret, (guint64) end);
        return TRUE;
}

static gboolean
is_shared(const Segment *segment, guint64 *ret_end)
{
        guint8 octets[SEGMENT_HEAD_OCTETS];
        SegmentHead head;
        struct stat st;

        if (!blob_file_read(segment->fd, 0, octets, sizeof octets) ||
            !segment_head_read(span_make(octets, sizeof octets), &head) || head.kind != SEGMENT_SHARED ||
            fstat(segment->fd, &st) < 0)
                return FALSE;
        *ret_end = MIN((guint64) st.st_size, SEGMENT_MAX_OCTETS);
        return TRUE;
}

/* Go on with the newest shared segment, unless it is nearly full. Singles lie between, and files torn at their
 * creation, in which nothing was ever named. FALSE only on a fault. */
static gboolean
active_resume(Blob *blob, const GArray *numbers, GError **error)
{
        Segment *segment = NULL;
        guint64 end = 0, tail = SEGMENT_HEAD_OCTETS;

        for (guint i = numbers->len; i > 0 && segment == NULL; i--) {
                segment = segment_pin(blob, g_array_index(numbers, guint32, i - 1), NULL);
                if (segment != NULL && !is_shared(segment, &end)) {
                        segment_unpin(blob, segment);
                        segment = NULL;
                }
        }
        if (segment == NULL)
                return TRUE;
        gboolean is_known = named_end(blob, segment->number, &tail, error);
        if (is_known && tail <= end)
                tail = segment_walk(segment->fd, tail, end);
        if (!is_known || tail >= MIN(end + 1, SPARE_FROM_OCTETS)) {
                segment_unpin(blob, segment);
                return is_known;
        }
        blob->active = segment;
        blob->tail = tail;
        blob->filled = end;
        return TRUE;
}

static gboolean
active_find(Blob *blob, GError **error)
{
        g_autoptr(GArray) numbers = segments_list(blob, error);

        if (numbers == NULL)
                return FALSE;
        blob->next_number = numbers->len > 0 ? g_array_index(numbers, guint32, numbers->len - 1) + 1 : 1;
        blob->first_number = blob->next_number;
        if (!active_resume(blob, numbers, error))
                return FALSE;
        if (blob->active != NULL)
                return TRUE;
        blob->active = segment_create(blob, blob->next_number++, error);
        blob->tail = SEGMENT_HEAD_OCTETS;
        blob->filled = FILL_FIRST_OCTETS;
        return blob->active != NULL;
}

void
append_init(Blob *blob)
{
        mutex_init(&blob->append, "blob.append");
        mutex_init(&blob->sync, "blob.sync");
        cond_init(&blob->fill_wake);
        cond_init(&blob->fill_done);
        blob->sealed_at = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        blob->sealed = g_ptr_array_new();
}

gboolean
append_open(Blob *blob, GError **error)
{
        if (!active_find(blob, error))
                return FALSE;
        blob->filler = thread_new("blob-fill", filler_run, blob, error);
        return blob->filler != NULL;
}

void
append_done(Blob *blob)
{
        mutex_lock(&blob->append);
        blob->is_closing = TRUE;
        cond_broadcast(&blob->fill_wake);
        mutex_unlock(&blob->append);
        thread_take_join(blob->filler);
        segment_unpin(blob, blob->active);
        segment_unpin(blob, blob->spare);
        for (guint i = 0; i < blob->sealed->len; i++)
                segment_unpin(blob, blob->sealed->pdata[i]);
        g_ptr_array_unref(blob->sealed);
        g_hash_table_unref(blob->sealed_at);
        cond_done(&blob->fill_done);
        cond_done(&blob->fill_wake);
        mutex_done(&blob->sync);
        mutex_done(&blob->append);
}
