/* source_maildir.c -- maildirs: Maildir++ (".Work.2026" beside cur and new) and nested directories (Dovecot's
 * LAYOUT=fs), also both at once.
 *
 * The key of a message is its file name up to the flags, which stays when they change. UIDs are those of
 * dovecot-uidlist.
 */
#include "base/text.h"
#include "transfer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DEPTH_MAX 50
#define PIECE_OCTETS (32 * 1024)

typedef struct Item {
        char *file;
        guint32 uid;
        gboolean is_new; /* in new/, not in cur/ */
} Item;

typedef struct Maildir {
        Source source; /* first */
        int dir;
        GHashTable *manifest;
        /* of the folder that is open: */
        int folder, cur, new;
        LetterNames letters;
        GHashTable *extra; /* base -> keywords, of an export of ours */
        GArray *items;
        guint next;
        /* of the message that is open: */
        int file;
        Lines lines;
        GByteArray *ready;
        gsize used;
        char *key;
        GPtrArray *keywords;
} Maildir;

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

static void
warn_of(TransferWarn warn, gpointer data, const char *path, const char *why)
{
        g_autofree char *text = g_strdup_printf("%s: %s", path, why);

        warn(text, data);
}

/* Folders ---------------------------------------------------------------------------------------------------------- */

typedef struct Listing {
        Maildir *m;
        GPtrArray *folders;
        GHashTable *subscribed;
        gboolean knows_subscribed; /* else all are: most mail programs show nothing else */
        TransferWarn warn;
        gpointer data;
} Listing;

static gboolean
is_reserved(const char *name)
{
        return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

static gboolean
has_messages(int fd)
{
        int cur = file_open_dir(fd, "cur"), new = file_open_dir(fd, "new");
        gboolean has = cur >= 0 || new >= 0;

        close_fd(&cur);
        close_fd(&new);
        return has;
}

/* levels: of the parents; the name of this directory is added. */
static char *
folder_name(const Maildir *m, const char *path)
{
        const TransferFolder *told = g_hash_table_lookup(m->manifest, path);
        g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
        g_auto(GStrv) components = g_strsplit(path, "/", -1);

        if (told != NULL)
                return g_strdup(told->name);
        for (gsize i = 0; components[i] != NULL; i++) {
                g_autoptr(GPtrArray) levels = maildir_levels(span_of(components[i]));
                for (guint k = 0; k < levels->len; k++)
                        g_ptr_array_add(all, g_strdup(g_ptr_array_index(levels, k)));
        }
        return all->len > 0 ? name_join(all) : g_strdup("INBOX");
}

static void
list_add(Listing *l, const char *path)
{
        const TransferFolder *told = g_hash_table_lookup(l->m->manifest, path);
        g_autofree char *name = folder_name(l->m, path);
        TransferFolder *folder = transfer_folder_new(name, path);

        folder->is_subscribed =
                told != NULL ? told->is_subscribed : !l->knows_subscribed || g_hash_table_contains(l->subscribed, name);
        folder->special_use = told != NULL ? g_strdup(told->special_use) : NULL;
        g_ptr_array_add(l->folders, folder);
}

/* What is below a directory; those found are added to `todo`. */
static void
list_children(Listing *l, int fd, const char *path, gboolean is_top, GPtrArray *todo)
{
        g_autoptr(GPtrArray) names = file_names(fd, SOURCE_MESSAGES_MAX, NULL);

        if (names == NULL) {
                warn_of(l->warn, l->data, *path != '\0' ? path : ".", "the directory can't be read");
                return;
        }
        for (guint i = 0; i < names->len && todo->len < 4 * SOURCE_FOLDERS_MAX; i++) {
                const char *name = g_ptr_array_index(names, i);
                g_autofree char *child = *path != '\0' ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
                struct stat st;

                if (is_reserved(name) || (*name == '.' && !is_top) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISLNK(st.st_mode) && fstatat(fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode))
                        warn_of(l->warn, l->data, child, "a symbolic link, which is not followed");
                else if (S_ISDIR(st.st_mode))
                        g_ptr_array_add(todo, g_steal_pointer(&child));
        }
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
maildir_list(Source *source, GPtrArray *folders, TransferWarn warn, gpointer data, GError **error)
{
        Maildir *m = (Maildir *) source;
        g_autoptr(GPtrArray) todo = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GByteArray) text = NULL;
        Listing l = {.m = m, .folders = folders, .warn = warn, .data = data};
        Span subscriptions = SPAN_EMPTY;

        if (file_load(m->dir, "subscriptions", KEYWORDS_OCTETS_MAX * 16, &text)) {
                subscriptions = span_make(text->data, text->len);
                l.knows_subscribed = TRUE;
        }
        /* old ones have the separator of the layout: '/' is in no name of a Maildir++ */
        gboolean is_fs = subscriptions.len > 0 && memchr(subscriptions.data, '/', subscriptions.len) != NULL;
        l.subscribed = subscriptions_parse(subscriptions, is_fs ? '/' : '.');
        g_ptr_array_add(todo, g_strdup(""));
        for (guint i = 0; i < todo->len && folders->len < SOURCE_FOLDERS_MAX; i++) {
                const char *path = g_ptr_array_index(todo, i);
                int fd = file_open_path(m->dir, path);

                if (fd < 0) {
                        warn_of(warn, data, path, g_strerror(errno));
                        continue;
                }
                if (has_messages(fd))
                        list_add(&l, path);
                if (*path != '.' && depth_of(path) < DEPTH_MAX)
                        list_children(&l, fd, path, i == 0, todo);
                close(fd);
        }
        g_hash_table_unref(l.subscribed);
        return folders->len > 0 ||
               fault(error, FAULT_INPUT, "%s: there is no maildir in it (a directory with cur and new)",
                     source->name + strlen("maildir:"));
}

/* One folder ------------------------------------------------------------------------------------------------------- */

static void
item_clear(gpointer data)
{
        g_free(((Item *) data)->file);
}

/* With UIDs first, by UID; then by name, which begins with the time. */
static int
item_compare(gconstpointer a, gconstpointer b)
{
        const Item *x = a, *y = b;

        if (x->uid != y->uid)
                return x->uid == 0 ? 1 : y->uid == 0 ? -1 : x->uid < y->uid ? -1 : 1;
        return strcmp(x->file, y->file);
}

static void
folder_close(Maildir *m)
{
        close_fd(&m->folder);
        close_fd(&m->cur);
        close_fd(&m->new);
        close_fd(&m->file);
        letters_done(&m->letters);
        g_clear_pointer(&m->extra, g_hash_table_unref);
        g_clear_pointer(&m->items, g_array_unref);
        m->next = 0;
}

static gboolean
folder_scan(Maildir *m, gboolean is_new, const UidList *uids, GError **error)
{
        int dir = is_new ? m->new : m->cur;
        g_autoptr(GPtrArray) names = dir >= 0 ? file_names(dir, SOURCE_MESSAGES_MAX, error) : NULL;

        if (names == NULL)
                return dir < 0;
        for (guint i = 0; i < names->len; i++) {
                const char *file = g_ptr_array_index(names, i);
                MaildirName name;

                if (*file == '.')
                        continue;
                maildir_name_parse(span_of(file), &name);
                g_autofree char *base = span_dup(name.base);
                Item item = {g_strdup(file), GPOINTER_TO_UINT(g_hash_table_lookup(uids->uids, base)), is_new};
                g_array_append_val(m->items, item);
        }
        return TRUE;
}

static void
read_lists(Maildir *m, UidList *ret_uids)
{
        g_autoptr(GByteArray) uidlist = NULL;
        g_autoptr(GByteArray) keywords = NULL;
        g_autoptr(GByteArray) extra = NULL;
        Span text = SPAN_EMPTY;

        if (file_load(m->folder, "dovecot-uidlist", UIDLIST_OCTETS_MAX, &uidlist))
                text = span_make(uidlist->data, uidlist->len);
        uidlist_parse(text, ret_uids);
        text = SPAN_EMPTY;
        if (file_load(m->folder, "dovecot-keywords", KEYWORDS_OCTETS_MAX, &keywords))
                text = span_make(keywords->data, keywords->len);
        letters_parse(text, &m->letters);
        text = SPAN_EMPTY;
        if (file_load(m->folder, MAILDIR_EXTRA_KEYWORDS, UIDLIST_OCTETS_MAX, &extra))
                text = span_make(extra->data, extra->len);
        m->extra = extra_parse(text);
}

static gboolean
maildir_open(Source *source, TransferFolder *folder, GError **error)
{
        Maildir *m = (Maildir *) source;
        UidList uids;

        folder_close(m);
        m->folder = file_open_path(m->dir, folder->path);
        if (m->folder < 0)
                return fault_errno(error, "%s", folder->path);
        m->cur = file_open_dir(m->folder, "cur");
        m->new = file_open_dir(m->folder, "new");
        m->items = g_array_new(FALSE, FALSE, sizeof(Item));
        g_array_set_clear_func(m->items, item_clear);
        read_lists(m, &uids);
        gboolean is_read = folder_scan(m, FALSE, &uids, error) && folder_scan(m, TRUE, &uids, error);
        g_array_sort(m->items, item_compare);
        folder->uid_validity = uids.uid_validity;
        folder->uid_next = uids.uid_next;
        uidlist_done(&uids);
        return is_read;
}

static gboolean
maildir_choose(Source *source, TransferFolder *folder, GHashTable *known, GError **error)
{
        Maildir *m = (Maildir *) source;
        g_autoptr(GArray) all = m->items;

        m->items = g_array_new(FALSE, FALSE, sizeof(Item));
        g_array_set_clear_func(m->items, item_clear);
        folder->octets = folder->known = 0;
        for (guint i = 0; i < all->len; i++) {
                Item *item = &g_array_index(all, Item, i);
                MaildirName name;
                struct stat st;

                maildir_name_parse(span_of(item->file), &name);
                g_autofree char *key = name_key(name.base);
                if (g_hash_table_contains(known, key)) {
                        folder->known++;
                        continue;
                }
                if (fstatat(item->is_new ? m->new : m->cur, item->file, &st, AT_SYMLINK_NOFOLLOW) == 0)
                        folder->octets += S_ISREG(st.st_mode) ? (guint64) st.st_size : 0;
                g_array_append_val(m->items, *item);
                item->file = NULL;
        }
        folder->messages = m->items->len;
        return TRUE;
}

/* One message ------------------------------------------------------------------------------------------------------ */

static void
add_keywords(Maildir *m, const MaildirName *name)
{
        g_ptr_array_set_size(m->keywords, 0);
        if (name->is_forwarded)
                g_ptr_array_add(m->keywords, g_strdup("$Forwarded"));
        for (guint i = 0; i < MAILDIR_LETTERS; i++)
                if ((name->letters >> i & 1) != 0 && m->letters.at[i] != NULL && *m->letters.at[i] != '\0' &&
                    !(name->is_forwarded && g_ascii_strcasecmp(m->letters.at[i], "$Forwarded") == 0))
                        g_ptr_array_add(m->keywords, g_strdup(m->letters.at[i]));
        g_autofree char *base = span_dup(name->base);
        const char *more = g_hash_table_lookup(m->extra, base);
        g_auto(GStrv) words = g_strsplit(more != NULL ? more : "", " ", TRANSFER_KEYWORDS_MAX);
        for (gsize i = 0; words[i] != NULL && m->keywords->len < TRANSFER_KEYWORDS_MAX; i++)
                g_ptr_array_add(m->keywords, name_keyword(span_of(words[i])));
        g_ptr_array_add(m->keywords, NULL);
}

static char *
why_skipped(const Item *item)
{
        g_autofree char *name = text_escape(span_of(item->file), 200);
        const char *why = errno == ELOOP    ? "a symbolic link"
                          : errno == ENXIO  ? "no regular file"
                          : errno == ENOENT ? "renamed or removed meanwhile; import again to have it"
                                            : g_strerror(errno);

        return g_strdup_printf("%s: %s", name, why);
}

static SourceStep
maildir_next(Source *source, TransferMessage *ret, char **ret_why, GError **error)
{
        Maildir *m = (Maildir *) source;
        MaildirName name;
        struct stat st;

        close_fd(&m->file);
        if (m->next == m->items->len)
                return SOURCE_END;
        const Item *item = &g_array_index(m->items, Item, m->next++);
        m->file = file_open(item->is_new ? m->new : m->cur, item->file, &st);
        if (m->file < 0) {
                *ret_why = why_skipped(item);
                return SOURCE_SKIPPED;
        }
        maildir_name_parse(span_of(item->file), &name);
        add_keywords(m, &name);
        g_free(m->key);
        m->key = name_key(name.base);
        m->lines = (Lines){.is_decided = name.is_as_is, .is_as_is = name.is_as_is};
        g_byte_array_set_size(m->ready, 0);
        m->used = 0;
        *ret = (TransferMessage){.key = m->key,
                                 .uid = item->uid,
                                 .flags = name.flags,
                                 .keywords = (const char *const *) m->keywords->pdata,
                                 .received = (Usec) st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000,
                                 .size = (guint64) st.st_size};
        return SOURCE_MESSAGE;
}

static gssize
maildir_read(Source *source, void *buffer, gsize len, GError **error)
{
        Maildir *m = (Maildir *) source;
        guint8 piece[PIECE_OCTETS];

        while (m->used == m->ready->len) {
                ssize_t n = read(m->file, piece, sizeof(piece));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        fault_errno(error, "%s", m->key);
                if (n <= 0)
                        return n;
                g_byte_array_set_size(m->ready, 0);
                m->used = 0;
                lines_feed(&m->lines, span_make(piece, (gsize) n), m->ready);
        }
        gsize n = MIN(len, m->ready->len - m->used);
        memcpy(buffer, m->ready->data + m->used, n);
        m->used += n;
        return (gssize) n;
}

static void
maildir_free(Source *source)
{
        Maildir *m = (Maildir *) source;

        folder_close(m);
        close_fd(&m->dir);
        g_hash_table_unref(m->manifest);
        g_byte_array_unref(m->ready);
        g_ptr_array_unref(m->keywords);
        g_free(m->key);
        g_free(m);
}

static const SourceClass MAILDIR = {maildir_list, maildir_open, maildir_choose,
                                    maildir_next, maildir_read, maildir_free};

Source *
source_maildir(const char *path, GError **error)
{
        g_autofree char *real = realpath(path, NULL);
        int dir = real != NULL ? file_open_dir(AT_FDCWD, real) : -1;
        g_autoptr(GByteArray) text = NULL;

        if (dir < 0) {
                fault_errno(error, "%s", path);
                return NULL;
        }
        Maildir *m = g_new0(Maildir, 1);
        m->source = (Source){&MAILDIR, g_strconcat("maildir:", real, NULL)};
        m->dir = dir;
        m->folder = m->cur = m->new = m->file = -1;
        m->ready = g_byte_array_new();
        m->keywords = g_ptr_array_new_with_free_func(g_free);
        Span manifest = SPAN_EMPTY;
        if (file_load(dir, MANIFEST_NAME, MANIFEST_OCTETS_MAX, &text))
                manifest = span_make(text->data, text->len);
        m->manifest = manifest_parse(manifest);
        return &m->source;
}
