/* target_maildir.c -- an export as Maildir++, as Dovecot and others read it.
 *
 *      DIR/cur, DIR/.Work.2026/cur    messages:
 * SECONDS.MmicrosecondsUuidVuidvalidity.restante,S=size,W=size[,E=1]:2,FLAGS; the date is that of the file
 *      dovecot-uidlist, dovecot-keywords, subscriptions, maildirfolder, restante.json
 *      restante-keywords              those of messages in folders with more than 26: file name up to the flags,
 * keywords
 *
 * Octets are written as they are. E=1: the first line of the message ends with LF alone, which is not to be taken for
 * the ends of all of its lines. Messages go to tmp and, when 500 of them have been synced, to cur, UID by UID: what is
 * in cur is whole and a beginning of the folder.
 */
#include "transfer/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#define PENDING_MAX 500
#define EXPORT_MARK ".restante"

typedef struct MaildirTarget {
        Target target; /* first */
        int dir;
        /* of the folder that is open: */
        int folder, cur, tmp;
        guint32 uid_validity, uid_next;
        LetterNames letters;
        GString *uidlist, *extra; /* lines of dovecot-uidlist, of restante-keywords */
        GPtrArray *pending;       /* names in tmp, as they will be in cur */
        /* of the message that is open: */
        int file;
        guint32 uid;
        guint64 flags, size, bare;
        guint32 message_letters;
        GString *message_extra;
        Usec received;
        gboolean was_cr, has_lf, is_first_bare;
} MaildirTarget;

static void
close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* Folders ---------------------------------------------------------------------------------------------------------- */

/* Names that are too long for a directory are cut; restante.json has the whole name. */
static char *
directory_of(const char *name)
{
        char *directory = maildir_directory(name);

        if (directory != NULL)
                return directory;
        return g_strdup_printf(".long-%016" G_GINT64_MODIFIER "x", (guint64) XXH3_64bits(name, strlen(name)));
}

static int
make_dir(int dir, const char *name)
{
        if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
                return -1;
        return file_open_dir(dir, name);
}

static void
folder_close(MaildirTarget *m)
{
        close_fd(&m->file);
        close_fd(&m->cur);
        close_fd(&m->tmp);
        close_fd(&m->folder);
        letters_done(&m->letters);
        g_string_truncate(m->uidlist, 0);
        g_string_truncate(m->extra, 0);
        g_ptr_array_set_size(m->pending, 0);
}

static gboolean
folder_make(MaildirTarget *m, const char *name, GError **error)
{
        g_autofree char *directory = directory_of(name);

        m->folder = *directory != '\0' ? make_dir(m->dir, directory) : file_open_path(m->dir, "");
        int new = m->folder >= 0 ? make_dir(m->folder, "new") : -1;
        m->cur = m->folder >= 0 ? make_dir(m->folder, "cur") : -1;
        m->tmp = m->folder >= 0 ? make_dir(m->folder, "tmp") : -1;
        gboolean is_made = new >= 0 && m->cur >= 0 && m->tmp >= 0;
        if (!is_made)
                fault_errno(error, "%s", directory);
        close_fd(&new);
        return is_made && (*directory == '\0' || file_save(m->folder, "maildirfolder", SPAN_EMPTY, error));
}

/* "1700000000.M5U17V1500000000.restante,S=3,W=3": ours? */
static gboolean
read_own_name(Span base, guint32 *ret_uid, guint32 *ret_validity)
{
        Scan s = scan_from(base);
        guint64 number, uid, validity;

        if (!scan_number(&s, G_MAXINT64, &number) || !scan_word(&s, ".M") || !scan_number(&s, G_MAXUINT32, &number) ||
            !scan_word(&s, "U") || !scan_number(&s, G_MAXUINT32, &uid) || !scan_word(&s, "V") ||
            !scan_number(&s, G_MAXUINT32, &validity) || !scan_word(&s, EXPORT_MARK))
                return FALSE;
        *ret_uid = (guint32) uid;
        *ret_validity = (guint32) validity;
        return TRUE;
}

static void
uidlist_add(MaildirTarget *m, guint32 uid, Span base)
{
        g_string_append_printf(m->uidlist, "%u :", uid);
        g_string_append_len(m->uidlist, (const char *) base.data, (gssize) base.len);
        g_string_append_c(m->uidlist, '\n');
}

typedef struct Own {
        guint32 uid;
        const char *name;
} Own;

static int
own_compare(gconstpointer a, gconstpointer b)
{
        const Own *x = a, *y = b;

        return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* What an export before has brought. */
static gboolean
look_at_cur(MaildirTarget *m, guint32 *ret_first, GError **error)
{
        g_autoptr(GPtrArray) names = file_names(m->cur, SOURCE_MESSAGES_MAX, error);
        g_autoptr(GArray) own = g_array_new(FALSE, FALSE, sizeof(Own));
        guint32 validity;
        MaildirName name;
        Own item;

        if (names == NULL)
                return FALSE;
        *ret_first = 1;
        for (guint i = 0; i < names->len; i++) {
                item.name = g_ptr_array_index(names, i);
                maildir_name_parse(span_of(item.name), &name);
                if (!read_own_name(name.base, &item.uid, &validity))
                        continue;
                if (validity != m->uid_validity)
                        return fault(
                                error, FAULT_INPUT,
                                "it holds an export of another mailbox of this name; export into a fresh directory");
                g_array_append_val(own, item);
                *ret_first = MAX(*ret_first, item.uid + 1);
        }
        g_array_sort(own, own_compare);
        for (guint i = 0; i < own->len; i++) {
                maildir_name_parse(span_of(g_array_index(own, Own, i).name), &name);
                uidlist_add(m, g_array_index(own, Own, i).uid, name.base);
        }
        return TRUE;
}

static gboolean
maildir_open(Target *target, const TransferFolder *folder, guint32 *ret_first, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        g_autoptr(GByteArray) keywords = NULL;
        g_autoptr(GByteArray) extra = NULL;

        folder_close(m);
        m->uid_validity = folder->uid_validity;
        m->uid_next = folder->uid_next;
        if (!folder_make(m, folder->name, error))
                return FALSE;
        Span text = SPAN_EMPTY;
        if (file_load(m->folder, "dovecot-keywords", KEYWORDS_OCTETS_MAX, &keywords))
                text = span_make(keywords->data, keywords->len);
        letters_parse(text, &m->letters);
        if (file_load(m->folder, MAILDIR_EXTRA_KEYWORDS, UIDLIST_OCTETS_MAX, &extra))
                g_string_append_len(m->extra, (const char *) extra->data, extra->len);
        if (look_at_cur(m, ret_first, error))
                return TRUE;
        g_prefix_error(error, "%s: ", folder->name);
        return FALSE;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* The letter of a keyword; the first free one for a new keyword. -1: none is left. */
static int
letter_of(LetterNames *letters, const char *keyword)
{
        for (int i = 0; i < MAILDIR_LETTERS; i++)
                if (letters->at[i] != NULL && g_ascii_strcasecmp(letters->at[i], keyword) == 0)
                        return i;
        for (int i = 0; i < MAILDIR_LETTERS; i++)
                if (letters->at[i] == NULL) {
                        letters->at[i] = g_strdup(keyword);
                        return i;
                }
        return -1;
}

static gboolean
maildir_begin(Target *target, const TransferMessage *message, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        char name[32];

        close_fd(&m->file);
        m->uid = message->uid;
        m->flags = message->flags;
        m->received = message->received;
        m->size = m->bare = 0;
        m->was_cr = m->has_lf = m->is_first_bare = FALSE;
        m->message_letters = 0;
        g_string_truncate(m->message_extra, 0);
        for (gsize i = 0; message->keywords[i] != NULL; i++) {
                int letter = letter_of(&m->letters, message->keywords[i]);
                if (letter >= 0)
                        m->message_letters |= (guint32) 1 << letter;
                else
                        g_string_append_printf(m->message_extra, " %s", message->keywords[i]);
        }
        g_snprintf(name, sizeof(name), "restante.%u", m->uid);
        m->file = openat(m->tmp, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        return m->file >= 0 || fault_errno(error, "tmp/%s", name);
}

static gboolean
maildir_write(Target *target, Span octets, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        Span rest = octets;

        while (rest.len > 0) {
                const guint8 *lf = memchr(rest.data, '\n', rest.len);
                gsize n = lf != NULL ? (gsize) (lf - rest.data) : rest.len;
                gboolean ends_cr = n > 0 ? rest.data[n - 1] == '\r' : m->was_cr;

                m->was_cr = ends_cr && lf == NULL;
                if (lf != NULL) {
                        m->bare += ends_cr ? 0 : 1;
                        m->is_first_bare |= !m->has_lf && !ends_cr;
                        m->has_lf = TRUE;
                }
                rest = span_slice(rest, lf != NULL ? n + 1 : n, rest.len);
        }
        m->size += octets.len;
        return file_write_all(m->file, octets) || fault_errno(error, "a message");
}

static char *
final_name(const MaildirTarget *m)
{
        static const char LETTERS[] = "DFRST"; /* in this order (maildir's own rule) */
        static const EntryFlag FLAGS[] = {FLAG_DRAFT, FLAG_FLAGGED, FLAG_ANSWERED, FLAG_SEEN, FLAG_DELETED};
        GString *s = g_string_new(NULL);

        g_string_append_printf(
                s, "%" G_GINT64_FORMAT ".M%uU%uV%u" EXPORT_MARK ",S=%" G_GUINT64_FORMAT ",W=%" G_GUINT64_FORMAT "%s:2,",
                m->received / USEC_PER_SEC, (guint) (m->received % USEC_PER_SEC), m->uid, m->uid_validity, m->size,
                m->size + m->bare, m->is_first_bare ? ",E=1" : "");
        for (guint i = 0; i < G_N_ELEMENTS(FLAGS); i++)
                if ((m->flags & FLAGS[i]) != 0)
                        g_string_append_c(s, LETTERS[i]);
        for (guint i = 0; i < MAILDIR_LETTERS; i++)
                if ((m->message_letters >> i & 1) != 0)
                        g_string_append_c(s, (char) ('a' + i));
        return g_string_free(s, FALSE);
}

typedef struct Pending {
        guint32 uid;
        char *name;
} Pending;

static void
pending_free(gpointer data)
{
        g_free(((Pending *) data)->name);
        g_free(data);
}

/* What waits in tmp goes to cur. */
static gboolean
flush_pending(MaildirTarget *m, GError **error)
{
        if (m->pending->len == 0)
                return TRUE;
        if (syncfs(m->tmp) < 0)
                return fault_errno(error, "syncing messages");
        for (guint i = 0; i < m->pending->len; i++) {
                const Pending *p = g_ptr_array_index(m->pending, i);
                char from[32];
                MaildirName name;

                g_snprintf(from, sizeof(from), "restante.%u", p->uid);
                if (renameat(m->tmp, from, m->cur, p->name) < 0)
                        return fault_errno(error, "cur/%s", p->name);
                maildir_name_parse(span_of(p->name), &name);
                uidlist_add(m, p->uid, name.base);
        }
        g_ptr_array_set_size(m->pending, 0);
        return fsync(m->cur) == 0 || fault_errno(error, "syncing messages");
}

static gboolean
maildir_end(Target *target, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        struct timespec when = {m->received / USEC_PER_SEC, (long) (m->received % USEC_PER_SEC) * 1000};
        struct timespec times[2] = {when, when};

        if (futimens(m->file, times) < 0)
                return fault_errno(error, "the date of a message");
        close_fd(&m->file);
        Pending *p = g_new(Pending, 1);
        *p = (Pending){m->uid, final_name(m)};
        g_ptr_array_add(m->pending, p);
        if (m->message_extra->len > 0) {
                g_string_append_len(m->extra, p->name, strchr(p->name, ':') - p->name);
                g_string_append_printf(m->extra, "%s\n", m->message_extra->str);
        }
        return m->pending->len < PENDING_MAX || flush_pending(m, error);
}

static gboolean
maildir_close(Target *target, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        g_autoptr(GString) head = g_string_new(NULL);
        g_autoptr(GString) letters = g_string_new(NULL);

        if (!flush_pending(m, error))
                return FALSE;
        g_string_append_printf(head, "3 V%u N%u\n%s", m->uid_validity, m->uid_next, m->uidlist->str);
        for (guint i = 0; i < MAILDIR_LETTERS; i++)
                if (m->letters.at[i] != NULL)
                        g_string_append_printf(letters, "%u %s\n", i, m->letters.at[i]);
        if (letters->len > 0 && !file_save(m->folder, "dovecot-keywords", span_of(letters->str), error))
                return FALSE;
        if (m->extra->len > 0 && !file_save(m->folder, MAILDIR_EXTRA_KEYWORDS, span_of(m->extra->str), error))
                return FALSE;
        return file_save(m->folder, "dovecot-uidlist", span_of(head->str), error);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* Version 2: levels divided by tabs, each as in the name of its directory. */
static char *
subscriptions_text(const GPtrArray *folders)
{
        GString *s = g_string_new("V\t2\n\n");

        for (guint i = 0; i < folders->len; i++) {
                const TransferFolder *f = g_ptr_array_index(folders, i);
                g_autofree char *directory = directory_of(f->name);

                if (!f->is_subscribed)
                        continue;
                g_strdelimit(directory, ".", '\t');
                g_string_append_printf(s, "%s\n", *directory != '\0' ? directory + 1 : "INBOX");
        }
        return g_string_free(s, FALSE);
}

static gboolean
maildir_finish(Target *target, const GPtrArray *folders, GError **error)
{
        MaildirTarget *m = (MaildirTarget *) target;
        g_autofree char *subscriptions = subscriptions_text(folders);
        g_autofree char *manifest = manifest_text(folders);

        return file_save(m->dir, "subscriptions", span_of(subscriptions), error) &&
               file_save(m->dir, MANIFEST_NAME, span_of(manifest), error);
}

static char *
maildir_path(Target *target, const char *name)
{
        return directory_of(name);
}

static void
maildir_free(Target *target)
{
        MaildirTarget *m = (MaildirTarget *) target;

        folder_close(m);
        close_fd(&m->dir);
        g_string_free(m->uidlist, TRUE);
        g_string_free(m->extra, TRUE);
        g_string_free(m->message_extra, TRUE);
        g_ptr_array_unref(m->pending);
        g_free(m);
}

static const TargetClass MAILDIR_TARGET = {maildir_path, maildir_open,  maildir_begin,  maildir_write,
                                           maildir_end,  maildir_close, maildir_finish, maildir_free};

Target *
target_maildir(const char *path, GError **error)
{
        int dir = target_directory(path, error);

        if (dir < 0)
                return NULL;
        MaildirTarget *m = g_new0(MaildirTarget, 1);
        m->target.class = &MAILDIR_TARGET;
        m->dir = dir;
        m->folder = m->cur = m->tmp = m->file = -1;
        m->uidlist = g_string_new(NULL);
        m->extra = g_string_new(NULL);
        m->message_extra = g_string_new(NULL);
        m->pending = g_ptr_array_new_with_free_func(pending_free);
        return &m->target;
}
