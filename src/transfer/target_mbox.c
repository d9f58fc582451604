/* target_mbox.c -- an export as mbox files (RFC 4155, mboxrd): one a mailbox, those below it in NAME.sbd.
 *
 *      From MAILER-DAEMON Sat Jan 31 12:34:56 2026            the date it was received, UTC
 *      Status: RO                                             R: seen
 *      X-Status: AFDT                                         answered, flagged, deleted, draft
 *      X-Keywords: $Forwarded Work
 *      X-UID: 17
 *      X-Restante-Export: octets=1234 lines=crlf              octets of the message; lines=as-is: its line ends are not
 * all CRLF, and not touched
 *      ...the message, with LF for CRLF; in its body lines that begin with any number of > and "From " have one > more
 *      (an empty line)
 *
 * A file is written beside its place and renamed when it is synced: what is there is whole.
 */
#include "transfer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#define OUT_OCTETS (256 * 1024)
#define LEVEL_CUT 180

typedef struct MboxTarget {
        Target target; /* first */
        int dir;
        GHashTable *paths; /* name -> path */
        GHashTable *taken; /* paths */
        /* of the folder that is open: */
        int parent, file;
        char *base;
        GByteArray *out;
        /* of the message that is open: */
        int spool;
        guint64 size;
        gboolean was_cr, is_clean;
        GString *head;
        guint8 last;
} MboxTarget;

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

/* A level as a file name: not hidden, not long, and with no suffix that says something else. */
static char *
level_file(const char *level)
{
        GString *s = g_string_new(*level == '.' ? "_" : "");

        g_string_append(s, level);
        if (s->len > 2 * LEVEL_CUT - 150) {
                guint64 hash = XXH3_64bits(level, strlen(level));
                const char *end;

                g_utf8_validate(s->str, LEVEL_CUT, &end);
                g_string_truncate(s, (gsize) (end - s->str));
                g_string_append_printf(s, "-%016" G_GINT64_MODIFIER "x", hash);
        }
        if (mbox_is_passed_over(s->str) || g_str_has_suffix(s->str, ".sbd") || g_str_has_suffix(s->str, ".mbox"))
                g_string_append_c(s, '_');
        return g_string_free(s, FALSE);
}

/* "Work/2026" -> "Work.sbd/2026", no two alike. */
static char *
mbox_path(Target *target, const char *name)
{
        MboxTarget *m = (MboxTarget *) target;
        const char *before = g_hash_table_lookup(m->paths, name);
        g_auto(GStrv) levels = g_strsplit(name, "/", -1);
        g_autoptr(GString) path = g_string_new(NULL);

        if (before != NULL)
                return g_strdup(before);
        for (gsize i = 0; levels[i] != NULL; i++) {
                g_autofree char *file = level_file(levels[i]);
                g_string_append_printf(path, "%s%s%s", i > 0 ? "/" : "", file, levels[i + 1] != NULL ? ".sbd" : "");
        }
        while (!g_hash_table_add(m->taken, g_strdup(path->str)))
                g_string_append_c(path, '_');
        g_hash_table_insert(m->paths, g_strdup(name), g_strdup(path->str));
        return g_strdup(path->str);
}

/* The directory of a path, made level by level. */
static int
make_parents(int dir, const char *path)
{
        g_auto(GStrv) levels = g_strsplit(path, "/", -1);
        int fd = file_open_path(dir, "");

        for (gsize i = 0; fd >= 0 && levels[i + 1] != NULL; i++) {
                int next = mkdirat(fd, levels[i], 0700) < 0 && errno != EEXIST ? -1 : file_open_dir(fd, levels[i]);
                int why = errno;

                close(fd);
                errno = why;
                fd = next;
        }
        return fd;
}

static void
folder_close(MboxTarget *m)
{
        close_fd(&m->file);
        close_fd(&m->parent);
        g_clear_pointer(&m->base, g_free);
        g_byte_array_set_size(m->out, 0);
}

static gboolean
mbox_open(Target *target, const TransferFolder *folder, guint32 *ret_first, GError **error)
{
        MboxTarget *m = (MboxTarget *) target;
        g_autofree char *path = mbox_path(target, folder->name);

        folder_close(m);
        m->base = g_path_get_basename(path);
        m->parent = make_parents(m->dir, path);
        g_autofree char *beside = g_strconcat(m->base, ".new", NULL);
        if (m->parent >= 0)
                m->file = openat(m->parent, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        *ret_first = 1;
        return m->file >= 0 || fault_errno(error, "%s", path);
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* asctime() without the zone and in no language. */
static void
put_from_line(GString *s, Usec received)
{
        static const char DAYS[] = "SunMonTueWedThuFriSat", MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t seconds = (time_t) (received / USEC_PER_SEC);
        struct tm tm = {0};

        gmtime_r(&seconds, &tm);
        g_string_append_printf(s, "From MAILER-DAEMON %.3s %.3s %2d %02d:%02d:%02d %d\n", DAYS + 3 * tm.tm_wday,
                               MONTHS + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

static void
put_states(GString *s, guint64 flags)
{
        static const char LETTERS[] = "AFDT";
        static const EntryFlag FLAGS[] = {FLAG_ANSWERED, FLAG_FLAGGED, FLAG_DELETED, FLAG_DRAFT};

        g_string_append_printf(s, "Status: %sO\n", (flags & FLAG_SEEN) != 0 ? "R" : "");
        if ((flags & (FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DELETED | FLAG_DRAFT)) == 0)
                return;
        g_string_append(s, "X-Status: ");
        for (guint i = 0; i < G_N_ELEMENTS(FLAGS); i++)
                if ((flags & FLAGS[i]) != 0)
                        g_string_append_c(s, LETTERS[i]);
        g_string_append_c(s, '\n');
}

static gboolean
mbox_begin(Target *target, const TransferMessage *message, GError **error)
{
        MboxTarget *m = (MboxTarget *) target;

        g_string_truncate(m->head, 0);
        put_from_line(m->head, message->received);
        put_states(m->head, message->flags);
        for (gsize i = 0; message->keywords[i] != NULL; i++)
                g_string_append_printf(m->head, "%s%s", i == 0 ? "X-Keywords: " : " ", message->keywords[i]);
        if (message->keywords[0] != NULL)
                g_string_append_c(m->head, '\n');
        g_string_append_printf(m->head, "X-UID: %u\n", message->uid);
        m->size = 0;
        m->was_cr = FALSE;
        m->is_clean = TRUE;
        m->last = '\0';
        if (m->spool < 0)
                m->spool = openat(m->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (m->spool < 0 || ftruncate(m->spool, 0) < 0 || lseek(m->spool, 0, SEEK_SET) < 0)
                return fault_errno(error, "a file for messages");
        return TRUE;
}

static gboolean
mbox_write(Target *target, Span octets, GError **error)
{
        MboxTarget *m = (MboxTarget *) target;

        for (gsize i = 0; i < octets.len && m->is_clean; i++) {
                guint8 c = octets.data[i];

                m->is_clean = m->was_cr == (c == '\n');
                m->was_cr = c == '\r';
        }
        if (octets.len > 0)
                m->last = octets.data[octets.len - 1];
        m->size += octets.len;
        return file_write_all(m->spool, octets) || fault_errno(error, "a file for messages");
}

static gboolean
out_flush(MboxTarget *m, gsize keep, GError **error)
{
        if (m->out->len <= keep)
                return TRUE;
        if (!file_write_all(m->file, span_make(m->out->data, m->out->len)))
                return fault_errno(error, "%s", m->base);
        g_byte_array_set_size(m->out, 0);
        return TRUE;
}

static void
out_put(MboxTarget *m, Span octets)
{
        if (octets.len > 0)
                g_byte_array_append(m->out, octets.data, (guint) octets.len);
}

static gssize
read_spool(guint64 offset, void *buffer, gsize len, gpointer data)
{
        for (;;) {
                ssize_t n = pread(((MboxTarget *) data)->spool, buffer, len, (off_t) offset);
                if (n >= 0 || errno != EINTR)
                        return n;
        }
}

/* Lines of the message: CRLF into LF when all of them are, bodies quoted. */
static gboolean
copy_lines(MboxTarget *m, GError **error)
{
        gboolean is_whole = TRUE, was_whole = TRUE, in_body = FALSE, is_done = TRUE;
        MboxCursor cursor;
        Span line;

        mbox_cursor_init(&cursor, read_spool, m);
        while (is_done && mbox_cursor_line(&cursor, &line, &is_whole)) {
                gboolean ends_lf = line.data[line.len - 1] == '\n';

                if (was_whole && in_body && mbox_is_quoted(line))
                        out_put(m, span_of(">"));
                in_body |= was_whole && mbox_is_empty_line(line);
                if (m->is_clean && ends_lf)
                        line.len--;
                if (m->is_clean && line.len > 0 && line.data[line.len - 1] == '\r')
                        line.len--;
                out_put(m, line);
                if (m->is_clean && ends_lf)
                        out_put(m, span_of("\n"));
                was_whole = is_whole;
                is_done = out_flush(m, OUT_OCTETS, error);
        }
        mbox_cursor_done(&cursor);
        return is_done && (!cursor.has_failed || fault(error, FAULT_IO, "a message can't be read back"));
}

static gboolean
mbox_end(Target *target, GError **error)
{
        MboxTarget *m = (MboxTarget *) target;

        m->is_clean &= !m->was_cr;
        g_string_append_printf(m->head, "X-Restante-Export: octets=%" G_GUINT64_FORMAT " lines=%s\n", m->size,
                               m->is_clean ? "crlf" : "as-is");
        out_put(m, span_of(m->head->str));
        if (!copy_lines(m, error))
                return FALSE;
        out_put(m, span_of(m->last == '\n' ? "\n" : "\n\n"));
        return out_flush(m, OUT_OCTETS, error);
}

static gboolean
mbox_close(Target *target, GError **error)
{
        MboxTarget *m = (MboxTarget *) target;
        g_autofree char *beside = g_strconcat(m->base, ".new", NULL);

        if (!out_flush(m, 0, error))
                return FALSE;
        if (fsync(m->file) < 0 || renameat(m->parent, beside, m->parent, m->base) < 0 || fsync(m->parent) < 0)
                return fault_errno(error, "%s", m->base);
        folder_close(m);
        return TRUE;
}

static gboolean
mbox_finish(Target *target, const GPtrArray *folders, GError **error)
{
        g_autofree char *manifest = manifest_text(folders);

        return file_save(((MboxTarget *) target)->dir, MANIFEST_NAME, span_of(manifest), error);
}

static void
mbox_free(Target *target)
{
        MboxTarget *m = (MboxTarget *) target;

        folder_close(m);
        close_fd(&m->spool);
        close_fd(&m->dir);
        g_hash_table_unref(m->paths);
        g_hash_table_unref(m->taken);
        g_byte_array_unref(m->out);
        g_string_free(m->head, TRUE);
        g_free(m);
}

static const TargetClass MBOX_TARGET = {mbox_path, mbox_open,  mbox_begin,  mbox_write,
                                        mbox_end,  mbox_close, mbox_finish, mbox_free};

Target *
target_mbox(const char *path, GError **error)
{
        int dir = target_directory(path, error);

        if (dir < 0)
                return NULL;
        MboxTarget *m = g_new0(MboxTarget, 1);
        m->target.class = &MBOX_TARGET;
        m->dir = dir;
        m->parent = m->file = m->spool = -1;
        m->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        m->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        m->out = g_byte_array_new();
        m->head = g_string_new(NULL);
        return &m->target;
}
