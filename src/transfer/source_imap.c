/* source_imap.c -- mailboxes of an IMAP server. The key of a message is UIDVALIDITY and UID.
 *
 * Two FETCH commands are outstanding, so that the server works while we do; each asks for at most 200 messages or 8
 * MiB.
 */
#include "imap/client.h"
#include "store/mailbox.h"
#include "transfer/internal.h"

#define CHUNK_MESSAGES 200
#define CHUNK_OCTETS ((guint64) 8 * 1024 * 1024)
#define CHUNKS_AHEAD 2

typedef struct Imap {
        Source source; /* first */
        ImapClient *client;
        /* of the mailbox that is open: */
        guint32 uid_validity;
        GArray *lines;      /* of ImapHeadline, chosen ones */
        guint sent;         /* of lines: asked for */
        guint n_chunks;     /* outstanding */
        GHashTable *by_uid; /* -> index in lines + 1, those asked for that have not come */
        char key[32];
        GPtrArray *keywords;
} Imap;

/* Mailboxes -------------------------------------------------------------------------------------------------------- */

static char *
folder_name(const ImapClientMailbox *mailbox)
{
        g_autoptr(GPtrArray) levels = g_ptr_array_new_with_free_func(g_free);
        Scan s = scan_from(span_of(mailbox->name + mailbox->prefix));

        while (!scan_at_end(&s)) {
                Span level = scan_rest(&s);
                if (mailbox->delimiter != 0 && scan_until(&s, mailbox->delimiter, &level))
                        (void) !scan_octet(&s, mailbox->delimiter);
                else
                        (void) !scan_skip(&s, level.len);
                if (level.len > 0)
                        g_ptr_array_add(levels, name_level(level));
        }
        return name_join(levels);
}

static gboolean
imap_list(Source *source, GPtrArray *folders, TransferWarn warn, gpointer data, GError **error)
{
        g_autoptr(GPtrArray) mailboxes = NULL;

        if (imap_client_list(((Imap *) source)->client, &mailboxes, error) != IMAP_CLIENT_OK)
                return FALSE;
        for (guint i = 0; i < mailboxes->len; i++) {
                const ImapClientMailbox *m = g_ptr_array_index(mailboxes, i);
                g_autofree char *name = folder_name(m);

                if (*name == '\0')
                        continue;
                if ((m->special_use & USE_FLAGGED) != 0) {
                        g_autofree char *text =
                                g_strdup_printf("%s: it only shows messages that other mailboxes have", name);
                        warn(text, data);
                        continue;
                }
                TransferFolder *folder = transfer_folder_new(name, m->name);
                folder->is_container = !m->is_selectable;
                folder->is_subscribed = m->is_subscribed;
                for (guint bit = USE_ALL; bit <= USE_IMPORTANT && folder->special_use == NULL; bit <<= 1)
                        if ((m->special_use & bit) != 0)
                                folder->special_use = g_strdup(special_use_name((SpecialUse) bit));
                g_ptr_array_add(folders, folder);
        }
        return folders->len > 0 || fault(error, FAULT_INPUT, "the server shows no mailbox");
}

static gboolean
imap_open(Source *source, TransferFolder *folder, GError **error)
{
        Imap *m = (Imap *) source;
        ImapClientStatus status;

        if (imap_client_examine(m->client, folder->path, &status, error) != IMAP_CLIENT_OK)
                return FALSE;
        m->uid_validity = folder->uid_validity = status.uid_validity;
        folder->uid_next = status.uid_next;
        return TRUE;
}

static void
make_key(Imap *m, guint32 uid)
{
        g_snprintf(m->key, sizeof(m->key), "%u.%u", m->uid_validity, uid);
}

static gboolean
imap_choose(Source *source, TransferFolder *folder, GHashTable *known, GError **error)
{
        Imap *m = (Imap *) source;
        guint n = 0;

        g_clear_pointer(&m->lines, g_array_unref);
        g_hash_table_remove_all(m->by_uid);
        m->sent = m->n_chunks = 0;
        if (imap_client_headlines(m->client, &m->lines, error) != IMAP_CLIENT_OK)
                return FALSE;
        folder->octets = folder->known = 0;
        for (guint i = 0; i < m->lines->len; i++) {
                ImapHeadline line = g_array_index(m->lines, ImapHeadline, i);

                make_key(m, line.uid);
                if (g_hash_table_contains(known, m->key)) {
                        folder->known++;
                        continue;
                }
                folder->octets += MIN(line.size, (guint64) 1 << 40);
                g_array_index(m->lines, ImapHeadline, n++) = line;
        }
        g_array_set_size(m->lines, n);
        folder->messages = n;
        return TRUE;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* The next one that nobody asked for yet. */
static guint32
ask_for(Imap *m, guint64 *octets)
{
        const ImapHeadline *line = &g_array_index(m->lines, ImapHeadline, m->sent);

        *octets += MIN(line->size, CHUNK_OCTETS);
        g_hash_table_insert(m->by_uid, GUINT_TO_POINTER(line->uid), GUINT_TO_POINTER(++m->sent));
        return line->uid;
}

static gboolean
is_next(const Imap *m, guint32 last)
{
        return m->sent < m->lines->len && g_array_index(m->lines, ImapHeadline, m->sent).uid == last + 1;
}

/* "5:9,12": UIDs that follow each other become ranges. */
static void
send_chunk(Imap *m)
{
        g_autoptr(GString) set = g_string_new(NULL);
        guint64 octets = 0;
        guint end = MIN(m->lines->len, m->sent + CHUNK_MESSAGES);

        while (m->sent < end && octets < CHUNK_OCTETS) {
                guint32 first = ask_for(m, &octets), last = first;

                while (m->sent < end && octets < CHUNK_OCTETS && is_next(m, last))
                        last = ask_for(m, &octets);
                g_string_append_printf(set, "%s%u", set->len > 0 ? "," : "", first);
                if (last != first)
                        g_string_append_printf(set, ":%u", last);
        }
        m->n_chunks++;
        imap_client_send_fetch(m->client, set->str);
}

static void
set_keywords(Imap *m, const char *set)
{
        g_auto(GStrv) words = g_strsplit(set, " ", TRANSFER_KEYWORDS_MAX);

        g_ptr_array_set_size(m->keywords, 0);
        for (gsize i = 0; words[i] != NULL; i++)
                g_ptr_array_add(m->keywords, name_keyword(span_of(words[i])));
        g_ptr_array_add(m->keywords, NULL);
}

/* Those that were asked for and did not come. */
static SourceStep
missing(Imap *m, char **ret_why)
{
        guint n = g_hash_table_size(m->by_uid);

        g_hash_table_remove_all(m->by_uid);
        *ret_why = g_strdup_printf("%u message%s that the server did not send: removed there meanwhile", n,
                                   n == 1 ? "" : "s");
        return SOURCE_SKIPPED;
}

static SourceStep
imap_next(Source *source, TransferMessage *ret, char **ret_why, GError **error)
{
        Imap *m = (Imap *) source;
        guint64 octets;
        guint32 uid;

        for (;;) {
                while (m->n_chunks < CHUNKS_AHEAD && m->sent < m->lines->len)
                        send_chunk(m);
                if (m->n_chunks == 0)
                        return g_hash_table_size(m->by_uid) > 0 ? missing(m, ret_why) : SOURCE_END;
                ImapClientAnswer answer = imap_client_next(m->client, &uid, &octets, error);
                if (answer == IMAP_CLIENT_END) {
                        m->n_chunks--;
                        continue;
                }
                if (answer != IMAP_CLIENT_OK)
                        return SOURCE_FAILED;
                guint index = GPOINTER_TO_UINT(g_hash_table_lookup(m->by_uid, GUINT_TO_POINTER(uid)));
                if (index == 0)
                        continue; /* nobody asked for it, or it has come */
                g_hash_table_remove(m->by_uid, GUINT_TO_POINTER(uid));
                const ImapHeadline *line = &g_array_index(m->lines, ImapHeadline, index - 1);
                make_key(m, uid);
                set_keywords(m, line->keywords);
                *ret = (TransferMessage){.key = m->key,
                                         .uid = uid,
                                         .flags = line->flags,
                                         .keywords = (const char *const *) m->keywords->pdata,
                                         .received = line->received,
                                         .size = octets};
                return SOURCE_MESSAGE;
        }
}

static gssize
imap_read(Source *source, void *buffer, gsize len, GError **error)
{
        return imap_client_read(((Imap *) source)->client, buffer, len, error);
}

static void
imap_free(Source *source)
{
        Imap *m = (Imap *) source;

        imap_client_free(m->client);
        g_clear_pointer(&m->lines, g_array_unref);
        g_hash_table_unref(m->by_uid);
        g_ptr_array_unref(m->keywords);
        g_free(m);
}

static const SourceClass IMAP = {imap_list, imap_open, imap_choose, imap_next, imap_read, imap_free};

Source *
source_imap(const ImapClientSettings *settings, const char *user, const char *password, GError **error)
{
        g_autoptr(ImapClient) client = NULL;

        if (imap_client_connect(settings, &client, error) != IMAP_CLIENT_OK ||
            imap_client_login(client, user, password, error) != IMAP_CLIENT_OK)
                return NULL;
        Imap *m = g_new0(Imap, 1);
        m->source = (Source){&IMAP, g_strdup_printf("imap://%s@%s:%u", user, settings->host, settings->port)};
        m->client = g_steal_pointer(&client);
        m->by_uid = g_hash_table_new(NULL, NULL);
        m->keywords = g_ptr_array_new_with_free_func(g_free);
        return &m->source;
}
