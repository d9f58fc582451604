/* source_mbox.c -- mbox files: one, or a tree of them (Dovecot's and mutt's directories, Thunderbird's NAME.sbd, Apple
 * Mail's NAME.mbox/mbox).
 *
 * The file is read twice: once for where its messages are, then one after the other. One that changes meanwhile is not
 * gone on with.
 */
#include "base/text.h"
#include "transfer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DEPTH_MAX 50

typedef struct Mbox {
        Source source; /* first */
        int dir;       /* the directory, or that of the file */
        char *file;    /* NULL: a tree */
        char *inbox;
        GHashTable *manifest;
        /* of the file that is open: */
        int fd;
        struct stat st;
        GArray *entries;
        MboxCursor cursor;
        GHashTable *known;
        guint next;
        /* of the message that is open: */
        const MboxEntry *entry;
        MboxMeta meta;
        Lines lines;
        GByteArray *ready;
        gsize used;
        guint64 text; /* where in the file that begins which is not in meta */
        guint64 left; /* octets it still has, of an export of ours */
        gboolean is_line_start;
} Mbox;

/* Folders ---------------------------------------------------------------------------------------------------------- */

/* "Archive.mbox" -> "Archive" */
static Span
stem_of(const char *name)
{
        Span s = span_of(name);

        if (g_str_has_suffix(name, ".mbox") || g_str_has_suffix(name, ".sbd"))
                s.len = (gsize) (strrchr(name, '.') - name);
        return s;
}

static gboolean
is_inbox_name(const Mbox *m, const char *level)
{
        return g_ascii_strcasecmp(level, "inbox") == 0 || strcmp(level, "mbox") == 0 ||
               (m->inbox != NULL && g_ascii_strcasecmp(level, m->inbox) == 0);
}

static char *
folder_name(const Mbox *m, const char *path)
{
        const TransferFolder *told = g_hash_table_lookup(m->manifest, path);
        g_auto(GStrv) components = g_strsplit(path, "/", -1);
        g_autoptr(GPtrArray) levels = g_ptr_array_new_with_free_func(g_free);
        guint n = g_strv_length(components);

        if (told != NULL)
                return g_strdup(told->name);
        if (n >= 2 && strcmp(components[n - 1], "mbox") == 0 && g_str_has_suffix(components[n - 2], ".mbox"))
                n--;
        for (guint i = 0; i < n; i++)
                g_ptr_array_add(levels, name_level(stem_of(components[i])));
        if (levels->len == 1 && is_inbox_name(m, g_ptr_array_index(levels, 0)))
                return g_strdup("INBOX");
        return name_join(levels);
}

typedef struct Listing {
        Mbox *m;
        GPtrArray *folders, *todo;
        GHashTable *subscribed; /* NULL: nothing is said of them; most mail programs show nothing else, so all are */
        TransferWarn warn;
        gpointer data;
} Listing;

static void
list_add(Listing *l, const char *path)
{
        const TransferFolder *told = g_hash_table_lookup(l->m->manifest, path);
        g_autofree char *name = folder_name(l->m, path);
        TransferFolder *folder = transfer_folder_new(name, path);

        folder->is_subscribed = told != NULL ? told->is_subscribed
                                             : l->subscribed == NULL || g_hash_table_contains(l->subscribed, name);
        folder->special_use = told != NULL ? g_strdup(told->special_use) : NULL;
        g_ptr_array_add(l->folders, folder);
}

/* Files beside mailboxes that are none. */
gboolean
mbox_is_passed_over(const char *name)
{
        static const char *const SUFFIXES[] = {".msf", ".dat",  ".lock",   ".plist", ".json",
                                               ".new", ".html", ".sqlite", ".log"};

        for (gsize i = 0; i < G_N_ELEMENTS(SUFFIXES); i++)
                if (g_str_has_suffix(name, SUFFIXES[i]))
                        return TRUE;
        return *name == '.' || strcmp(name, "subscriptions") == 0;
}

static gboolean
looks_like_mbox(int dir, const char *name)
{
        struct stat st;
        char head[5];
        int fd = file_open(dir, name, &st);
        ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : -1;

        if (fd >= 0)
                close(fd);
        return n == 0 || (n == sizeof(head) && memcmp(head, "From ", sizeof(head)) == 0);
}

static void
list_warn(Listing *l, const char *path, const char *why)
{
        g_autofree char *text = g_strdup_printf("%s: %s", *path != '\0' ? path : ".", why);

        l->warn(text, l->data);
}

static void
list_entry(Listing *l, int fd, const char *path, const char *name)
{
        g_autofree char *child = *path != '\0' ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        struct stat st;

        if ((mbox_is_passed_over(name) && !g_hash_table_contains(l->m->manifest, child)) ||
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (S_ISLNK(st.st_mode))
                list_warn(l, child, "a symbolic link, which is not followed");
        else if (S_ISDIR(st.st_mode))
                g_ptr_array_add(l->todo, g_steal_pointer(&child));
        else if (!S_ISREG(st.st_mode) || !looks_like_mbox(fd, name))
                list_warn(l, child, "no mbox file");
        else
                list_add(l, child);
}

static void
list_directory(Listing *l, const char *path)
{
        int fd = file_open_path(l->m->dir, path);
        g_autoptr(GPtrArray) names = fd >= 0 ? file_names(fd, SOURCE_MESSAGES_MAX, NULL) : NULL;

        if (names == NULL)
                list_warn(l, path, g_strerror(errno));
        for (guint i = 0; names != NULL && i < names->len && l->todo->len < 4 * SOURCE_FOLDERS_MAX; i++)
                list_entry(l, fd, path, g_ptr_array_index(names, i));
        if (fd >= 0)
                close(fd);
}

static guint
depth_of(const char *path)
{
        guint depth = 0;

        for (; *path != '\0'; path++)
                depth += *path == '/';
        return depth;
}

static gboolean
mbox_list(Source *source, GPtrArray *folders, TransferWarn warn, gpointer data, GError **error)
{
        Mbox *m = (Mbox *) source;
        g_autoptr(GPtrArray) todo = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GByteArray) text = NULL;
        Listing l = {m, folders, todo, NULL, warn, data};

        if (m->file == NULL && (file_load(m->dir, ".subscriptions", KEYWORDS_OCTETS_MAX * 16, &text) ||
                                file_load(m->dir, "subscriptions", KEYWORDS_OCTETS_MAX * 16, &text)))
                l.subscribed = subscriptions_parse(span_make(text->data, text->len), '/');
        if (m->file != NULL)
                list_add(&l, m->file);
        else
                g_ptr_array_add(todo, g_strdup(""));
        for (guint i = 0; i < todo->len && folders->len < SOURCE_FOLDERS_MAX; i++)
                if (depth_of(g_ptr_array_index(todo, i)) < DEPTH_MAX)
                        list_directory(&l, g_ptr_array_index(todo, i));
        g_clear_pointer(&l.subscribed, g_hash_table_unref);
        return folders->len > 0 ||
               fault(error, FAULT_INPUT, "%s: there is no mbox file in it", source->name + strlen("mbox:"));
}

/* One file --------------------------------------------------------------------------------------------------------- */

static gssize
read_at(guint64 offset, void *buffer, gsize len, gpointer data)
{
        for (;;) {
                ssize_t n = pread(((Mbox *) data)->fd, buffer, len, (off_t) offset);
                if (n >= 0 || errno != EINTR)
                        return n;
        }
}

static void
folder_close(Mbox *m)
{
        if (m->fd >= 0)
                close(m->fd);
        m->fd = -1;
        g_clear_pointer(&m->entries, g_array_unref);
        mbox_cursor_done(&m->cursor);
        mbox_meta_done(&m->meta);
        m->next = 0;
}

static gboolean
open_file(Mbox *m, const char *path, GError **error)
{
        g_autofree char *parent = g_path_get_dirname(path);
        g_autofree char *base = g_path_get_basename(path);
        int dir = file_open_path(m->dir, strcmp(parent, ".") == 0 ? "" : parent);

        m->fd = dir >= 0 ? file_open(dir, base, &m->st) : -1;
        if (m->fd < 0)
                fault_errno(error, "%s", path);
        if (dir >= 0)
                close(dir);
        return m->fd >= 0;
}

/* The header, and what it says; whole lines of it when it is very large. Where in the file what was looked at ends. */
static guint64
load_meta(Mbox *m, const MboxEntry *entry, GByteArray *out)
{
        gsize len = (gsize) MIN(entry->header_end - entry->header, MBOX_HEADER_MAX);
        g_autofree guint8 *header = g_malloc(len + 1);
        gsize done = 0;

        while (done < len) {
                gssize n = read_at(entry->header + done, header + done, len - done, m);
                if (n <= 0)
                        break;
                done += (gsize) n;
        }
        while (done > 0 && entry->header + done < entry->header_end && header[done - 1] != '\n')
                done--;
        mbox_meta_done(&m->meta);
        mbox_meta_parse(span_make(header, done), &m->meta, out);
        return entry->header + done;
}

/* UIDs are those of the file when its first message tells UIDVALIDITY, or an export of ours does. */
static void
read_numbers(Mbox *m, TransferFolder *folder)
{
        const TransferFolder *told = g_hash_table_lookup(m->manifest, folder->path);

        folder->uid_validity = told != NULL ? told->uid_validity : 0;
        folder->uid_next = told != NULL ? told->uid_next : 0;
        if (told != NULL || m->entries->len == 0)
                return;
        (void) !load_meta(m, &g_array_index(m->entries, MboxEntry, 0), NULL);
        folder->uid_validity = m->meta.uid_validity;
        folder->uid_next = m->meta.uid_next;
}

static gboolean
mbox_open(Source *source, TransferFolder *folder, GError **error)
{
        Mbox *m = (Mbox *) source;

        folder_close(m);
        if (!open_file(m, folder->path, error))
                return FALSE;
        if (!mbox_index(read_at, m, &m->entries, error)) {
                g_prefix_error(error, "%s: ", folder->path);
                return FALSE;
        }
        mbox_cursor_init(&m->cursor, read_at, m);
        read_numbers(m, folder);
        return TRUE;
}

static gboolean
mbox_choose(Source *source, TransferFolder *folder, GHashTable *known, GError **error)
{
        Mbox *m = (Mbox *) source;

        m->known = known;
        folder->messages = folder->octets = folder->known = 0;
        for (guint i = 0; i < m->entries->len; i++) {
                const MboxEntry *entry = &g_array_index(m->entries, MboxEntry, i);
                if (g_hash_table_contains(known, entry->key)) {
                        folder->known++;
                } else {
                        folder->messages++;
                        folder->octets += entry->end - entry->header;
                }
        }
        return TRUE;
}

/* One message ------------------------------------------------------------------------------------------------------ */

static gboolean
has_changed(const Mbox *m)
{
        struct stat st;

        return fstat(m->fd, &st) < 0 || st.st_size != m->st.st_size || st.st_mtim.tv_sec != m->st.st_mtim.tv_sec ||
               st.st_mtim.tv_nsec != m->st.st_mtim.tv_nsec;
}

static Usec
date_of(Mbox *m)
{
        gboolean is_whole;
        Usec date = 0;
        Span line;

        mbox_cursor_seek(&m->cursor, m->entry->from);
        if (mbox_cursor_line(&m->cursor, &line, &is_whole) && line.len <= MBOX_LINE_MAX &&
            mbox_from_line(line, &date) && date != 0)
                return date;
        return m->meta.date;
}

static void
feed(Mbox *m, Span octets)
{
        lines_feed(&m->lines, octets, m->ready);
}

/* The header without the fields of other programs, and the empty line. */
static void
message_begin(Mbox *m)
{
        g_autoptr(GByteArray) header = g_byte_array_new();

        g_byte_array_set_size(m->ready, 0);
        m->used = 0;
        m->text = load_meta(m, m->entry, header);
        m->lines = (Lines){.is_decided = m->meta.is_as_is, .is_as_is = m->meta.is_as_is};
        m->left = m->meta.octets >= 0 ? (guint64) m->meta.octets : G_MAXUINT64;
        feed(m, span_make(header->data, header->len));
        m->is_line_start = TRUE;
}

static SourceStep
skip(const MboxEntry *entry, const char *why, char **ret_why)
{
        *ret_why = g_strdup_printf("the message at octet %" G_GUINT64_FORMAT ": %s", entry->from, why);
        return SOURCE_SKIPPED;
}

static SourceStep
mbox_next(Source *source, TransferMessage *ret, char **ret_why, GError **error)
{
        Mbox *m = (Mbox *) source;

        do {
                if (m->next == m->entries->len)
                        return SOURCE_END;
                m->entry = &g_array_index(m->entries, MboxEntry, m->next++);
        } while (g_hash_table_contains(m->known, m->entry->key));
        if (has_changed(m)) {
                fault(error, FAULT_BUSY, "the file was changed meanwhile; import again");
                return SOURCE_FAILED;
        }
        message_begin(m);
        if (m->meta.is_expunged)
                return skip(m->entry, "deleted in Thunderbird, and not compacted yet", ret_why);
        if (m->meta.is_internal)
                return skip(m->entry, "data of another program, no message", ret_why);
        Usec received = date_of(m);
        mbox_cursor_seek(&m->cursor, m->text);
        g_ptr_array_add(m->meta.keywords, NULL);
        *ret = (TransferMessage){.key = m->entry->key,
                                 .uid = m->meta.uid,
                                 .flags = m->meta.flags,
                                 .keywords = (const char *const *) m->meta.keywords->pdata,
                                 .received = received,
                                 .size = m->entry->end - m->entry->header};
        return SOURCE_MESSAGE;
}

/* One more line of the body; FALSE at its end. */
static gboolean
message_line(Mbox *m)
{
        guint64 at = mbox_cursor_place(&m->cursor);
        guint64 end = MAX(m->entry->end, m->entry->body);
        gboolean is_whole;
        Span line;

        if (at >= end || !mbox_cursor_line(&m->cursor, &line, &is_whole))
                return FALSE;
        line = span_slice(line, 0, (gsize) MIN(line.len, end - at));
        if (m->is_line_start && at >= m->entry->body && !m->entry->is_unquoted && line.len > 0 && line.data[0] == '>' &&
            mbox_is_quoted(line))
                line = span_slice(line, 1, line.len);
        m->is_line_start = is_whole;
        feed(m, line);
        return TRUE;
}

static gssize
mbox_read(Source *source, void *buffer, gsize len, GError **error)
{
        Mbox *m = (Mbox *) source;

        while (m->used == m->ready->len) {
                g_byte_array_set_size(m->ready, 0);
                m->used = 0;
                if (m->left == 0 || !message_line(m)) {
                        if (m->cursor.has_failed) {
                                fault(error, FAULT_IO, "the file can't be read");
                                return -1;
                        }
                        return 0;
                }
        }
        gsize n = (gsize) MIN(MIN(len, m->ready->len - m->used), m->left);
        memcpy(buffer, m->ready->data + m->used, n);
        m->used += n;
        m->left -= m->left != G_MAXUINT64 ? n : 0;
        return (gssize) n;
}

static void
mbox_free(Source *source)
{
        Mbox *m = (Mbox *) source;

        folder_close(m);
        if (m->dir >= 0)
                close(m->dir);
        g_hash_table_unref(m->manifest);
        g_byte_array_unref(m->ready);
        g_free(m->file);
        g_free(m->inbox);
        g_free(m);
}

static const SourceClass MBOX = {mbox_list, mbox_open, mbox_choose, mbox_next, mbox_read, mbox_free};

Source *
source_mbox(const char *path, const char *inbox, GError **error)
{
        g_autofree char *real = realpath(path, NULL);
        g_autoptr(GByteArray) text = NULL;
        Span manifest = SPAN_EMPTY;
        struct stat st;

        if (real == NULL || stat(real, &st) < 0) {
                fault_errno(error, "%s", path);
                return NULL;
        }
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
                fault(error, FAULT_INPUT, "%s: neither a file nor a directory", path);
                return NULL;
        }
        g_autofree char *parent = S_ISDIR(st.st_mode) ? g_strdup(real) : g_path_get_dirname(real);
        int dir = file_open_dir(AT_FDCWD, parent);
        if (dir < 0) {
                fault_errno(error, "%s", parent);
                return NULL;
        }
        Mbox *m = g_new0(Mbox, 1);
        m->source = (Source){&MBOX, g_strconcat("mbox:", real, NULL)};
        m->dir = dir;
        m->file = S_ISDIR(st.st_mode) ? NULL : g_path_get_basename(real);
        m->inbox = g_strdup(inbox);
        m->fd = -1;
        m->ready = g_byte_array_new();
        if (file_load(dir, MANIFEST_NAME, MANIFEST_OCTETS_MAX, &text))
                manifest = span_make(text->data, text->len);
        m->manifest = manifest_parse(manifest);
        return &m->source;
}
