/* client_list.c -- the IMAP client: which mailboxes there are, and opening one for reading. */
#include "imap/client_internal.h"

#define PREFIXES_MAX 20

void
imap_client_mailbox_free(ImapClientMailbox *mailbox)
{
        if (mailbox == NULL)
                return;
        g_free(mailbox->name);
        g_free(mailbox);
}

/* NAMESPACE (RFC 2342) --------------------------------------------------------------------------------------------- */

typedef struct Namespaces {
        char *personal;    /* prefix of the first one */
        GPtrArray *others; /* prefixes of other users' and shared ones */
} Namespaces;

/* NIL, or (("prefix" "/")("prefix" NIL)) */
static gboolean
read_namespaces(ImapArgs *a, GPtrArray *prefixes)
{
        gboolean is_nil;
        Span prefix, delimiter;

        if (args_word(a, "NIL"))
                return TRUE;
        if (!args_open(a))
                return FALSE;
        while (args_open(a)) {
                if (!args_string(a, &prefix) || !args_space(a) || !args_nstring(a, &delimiter, &is_nil) ||
                    !args_close(a))
                        return FALSE; /* with extensions: none that we know */
                if (prefixes->len < PREFIXES_MAX)
                        g_ptr_array_add(prefixes, span_dup(prefix));
                (void) !args_space(a);
        }
        return args_close(a);
}

static gboolean
note_namespaces(ImapClient *client, Scan *s, gpointer data)
{
        Namespaces *spaces = data;
        g_autoptr(GPtrArray) personal = g_ptr_array_new_with_free_func(g_free);

        if (!scan_word(s, "NAMESPACE "))
                return TRUE;
        ImapArgs a = client_args(client, *s);
        if (read_namespaces(&a, personal) && args_space(&a) && read_namespaces(&a, spaces->others) && args_space(&a))
                (void) !read_namespaces(&a, spaces->others);
        if (personal->len > 0 && spaces->personal == NULL)
                spaces->personal = g_strdup(g_ptr_array_index(personal, 0));
        return TRUE;
}

static gboolean
is_of_others(const Namespaces *spaces, const char *name)
{
        for (guint i = 0; i < spaces->others->len; i++) {
                const char *prefix = g_ptr_array_index(spaces->others, i);
                if (*prefix != '\0' && g_str_has_prefix(name, prefix))
                        return TRUE;
        }
        return FALSE;
}

/* LIST ------------------------------------------------------------------------------------------------------------- */

typedef struct Listing {
        GPtrArray *mailboxes;
        GHashTable *by_name;
        const Namespaces *spaces;
        gboolean is_lsub;
} Listing;

static void
note_attribute(Span word, ImapClientMailbox *mailbox)
{
        SpecialUse use;

        if (span_is(word, "\\Noselect") || span_is(word, "\\NonExistent"))
                mailbox->is_selectable = FALSE;
        else if (span_is(word, "\\Subscribed"))
                mailbox->is_subscribed = TRUE;
        else if (special_use_parse(word, &use))
                mailbox->special_use |= use;
}

/* "(\HasNoChildren \Sent)" */
static gboolean
read_attributes(ImapArgs *a, ImapClientMailbox *mailbox)
{
        static const OctetClass WORD = {{0xfffffcfe00000000, G_MAXUINT64, 0, 0}}; /* printable, without ( ) */
        Span word;

        if (!args_open(a))
                return FALSE;
        while (!args_close(a)) {
                if (!scan_run(&a->scan, &WORD, 200, &word))
                        return FALSE;
                note_attribute(word, mailbox);
                (void) !args_space(a);
        }
        return TRUE;
}

static void
add_mailbox(Listing *l, const ImapClientMailbox *found, Span name)
{
        g_autofree char *text = span_dup(name);
        ImapClientMailbox *known = g_hash_table_lookup(l->by_name, text);

        if (known != NULL) {
                known->is_subscribed |= found->is_subscribed || l->is_lsub;
                return;
        }
        if (l->is_lsub || *text == '\0' || is_of_others(l->spaces, text) ||
            l->mailboxes->len >= IMAP_CLIENT_MAILBOXES_MAX)
                return;
        ImapClientMailbox *mailbox = g_memdup2(found, sizeof(*found));
        mailbox->name = g_steal_pointer(&text);
        const char *prefix = l->spaces->personal;
        if (prefix != NULL && g_str_has_prefix(mailbox->name, prefix) && strlen(mailbox->name) > strlen(prefix))
                mailbox->prefix = strlen(prefix);
        g_ptr_array_add(l->mailboxes, mailbox);
        g_hash_table_insert(l->by_name, mailbox->name, mailbox);
}

static gboolean
note_mailbox(ImapClient *client, Scan *s, gpointer data)
{
        ImapClientMailbox found = {.is_selectable = TRUE};
        Listing *l = data;
        gboolean is_nil;
        Span delimiter, name;

        if (!scan_word(s, l->is_lsub ? "LSUB " : "LIST "))
                return TRUE;
        ImapArgs a = client_args(client, *s);
        if (!read_attributes(&a, &found) || !args_space(&a) || !args_nstring(&a, &delimiter, &is_nil) ||
            !args_space(&a) || !args_astring(&a, &name))
                return FALSE;
        found.delimiter = delimiter.len == 1 ? delimiter.data[0] : 0;
        if (memchr(name.data, '\0', name.len) == NULL)
                add_mailbox(l, &found, name);
        return TRUE;
}

static ImapClientAnswer
ask_list(ImapClient *client, Listing *l, GError **error)
{
        gboolean is_extended = (client->caps & CLIENT_CAP_LIST_EXTENDED) != 0;

        client_begin(client);
        stream_printf(client->stream, "LIST \"\" \"*\"%s\r\n",
                      !is_extended                                   ? ""
                      : (client->caps & CLIENT_CAP_SPECIAL_USE) != 0 ? " RETURN (SUBSCRIBED SPECIAL-USE)"
                                                                     : " RETURN (SUBSCRIBED)");
        ImapClientAnswer answer = client_wait(client, note_mailbox, l, error);
        if (answer != IMAP_CLIENT_OK || is_extended)
                return answer;
        l->is_lsub = TRUE;
        client_begin(client);
        stream_printf(client->stream, "LSUB \"\" \"*\"\r\n");
        return client_wait(client, note_mailbox, l, error);
}

ImapClientAnswer
imap_client_list(ImapClient *client, GPtrArray **ret, GError **error)
{
        g_autoptr(GPtrArray) mailboxes = g_ptr_array_new_with_free_func((GDestroyNotify) imap_client_mailbox_free);
        g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_free);
        Namespaces spaces = {NULL, others};
        Listing l = {mailboxes, by_name, &spaces, FALSE};
        ImapClientAnswer answer = IMAP_CLIENT_OK;

        if ((client->caps & CLIENT_CAP_NAMESPACE) != 0) {
                client_begin(client);
                stream_printf(client->stream, "NAMESPACE\r\n");
                answer = client_wait(client, note_namespaces, &spaces, error);
        }
        if (answer == IMAP_CLIENT_OK)
                answer = ask_list(client, &l, error);
        g_free(spaces.personal);
        if (answer == IMAP_CLIENT_OK)
                *ret = g_steal_pointer(&mailboxes);
        return answer;
}

/* EXAMINE ---------------------------------------------------------------------------------------------------------- */

static gboolean
note_status(ImapClient *client, Scan *s, gpointer data)
{
        ImapClientStatus *status = data;
        guint64 number;

        if (scan_number(s, G_MAXUINT32, &number)) {
                if (scan_word(s, " EXISTS"))
                        status->messages = (guint32) number;
        } else if (scan_word(s, "OK [UIDVALIDITY ") && scan_number(s, G_MAXUINT32, &number)) {
                status->uid_validity = (guint32) number;
        } else if (scan_word(s, "OK [UIDNEXT ") && scan_number(s, G_MAXUINT32, &number)) {
                status->uid_next = (guint32) number;
        }
        return TRUE;
}

ImapClientAnswer
imap_client_examine(ImapClient *client, const char *name, ImapClientStatus *ret, GError **error)
{
        ImapClientStatus status = {0};

        if (strpbrk(name, "\r\n") != NULL) {
                fault(error, FAULT_INPUT, "its name has a line end in it");
                return IMAP_CLIENT_REFUSED;
        }
        client_begin(client);
        stream_printf(client->stream, "EXAMINE \"");
        for (const char *p = name; *p != '\0'; p++)
                stream_printf(client->stream, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        stream_printf(client->stream, "\"\r\n");
        ImapClientAnswer answer = client_wait(client, note_status, &status, error);
        if (answer != IMAP_CLIENT_OK)
                return answer;
        client->messages = status.messages;
        client->has_moved = FALSE;
        g_array_set_size(client->numbers, 0);
        *ret = status;
        return IMAP_CLIENT_OK;
}
