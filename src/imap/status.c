/* status.c -- STATUS (RFC 9051 §6.3.11; 7162 §3.1.2.1, 7889, 8438, 8474 §4.3, 9208 §4.1.4). */
#include "imap/names.h"

static const struct {
        const char *word;
        StatusItem item;
        const char *capability; /* known only while this one is on (imap_has), or NULL */
} ITEMS[] = {
        {"MESSAGES", STATUS_MESSAGES, NULL},
        {"RECENT", STATUS_RECENT, "IMAP4rev1"},
        {"UIDNEXT", STATUS_UIDNEXT, NULL},
        {"UIDVALIDITY", STATUS_UIDVALIDITY, NULL},
        {"UNSEEN", STATUS_UNSEEN, NULL},
        {"DELETED", STATUS_DELETED, "IMAP4rev2 QUOTA=RES-MESSAGE"},
        {"SIZE", STATUS_SIZE, "STATUS=SIZE"},
        {"HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ, "CONDSTORE"},
        {"MAILBOXID", STATUS_MAILBOXID, "OBJECTID"},
        {"APPENDLIMIT", STATUS_APPENDLIMIT, "APPENDLIMIT"},
        {"DELETED-STORAGE", STATUS_DELETED_STORAGE, "QUOTA=RES-STORAGE"},
};

static gboolean
read_item(const ImapSession *s, ImapArgs *a, guint *items)
{
        Span word;

        if (!args_atom(a, &word))
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(ITEMS); i++)
                if (span_is(word, ITEMS[i].word)) {
                        *items |= ITEMS[i].item;
                        return ITEMS[i].capability == NULL || imap_has(s, ITEMS[i].capability);
                }
        return FALSE;
}

gboolean
imap_status_parse(const ImapSession *s, ImapArgs *a, guint *ret)
{
        guint items = 0;

        if (!args_open(a))
                return FALSE;
        do {
                if (!read_item(s, a, &items))
                        return FALSE;
        } while (args_space(a));
        *ret = items;
        return args_close(a);
}

void
imap_status_enable(ImapSession *s, guint items)
{
        if ((items & STATUS_HIGHESTMODSEQ) != 0)
                s->enabled |= IMAP_ENABLED_CONDSTORE;
}

/* What is known of one mailbox. */
typedef struct Known {
        const char *mailbox_id; /* NULL: not asked for */
        MailboxStatus status;
        guint32 recent;
        guint64 deleted_octets;
} Known;

static guint64
number_of(const ImapSession *s, const Known *k, StatusItem item)
{
        switch (item) {
        case STATUS_MESSAGES:
                return k->status.messages;
        case STATUS_UIDNEXT:
                return k->status.uid_next;
        case STATUS_UIDVALIDITY:
                return k->status.uid_validity;
        case STATUS_UNSEEN:
                return k->status.unseen;
        case STATUS_DELETED:
                return k->status.deleted;
        case STATUS_SIZE:
                return k->status.octets;
        case STATUS_HIGHESTMODSEQ:
                return k->status.highest_modseq;
        case STATUS_APPENDLIMIT:
                return imap_settings(s)->max_size;
        case STATUS_DELETED_STORAGE:
                return k->deleted_octets;
        case STATUS_RECENT:
                return k->recent;
        case STATUS_MAILBOXID:
                break;
        }
        return 0;
}

static void
put_items(ImapSession *s, const Known *k, guint items)
{
        const char *before = "";

        for (gsize i = 0; i < G_N_ELEMENTS(ITEMS); i++) {
                if ((items & ITEMS[i].item) == 0)
                        continue;
                imap_put(s, before);
                imap_put(s, ITEMS[i].word);
                before = " ";
                imap_put(s, " ");
                if (ITEMS[i].item == STATUS_MAILBOXID)
                        imap_printf(s, "(%s)", k->mailbox_id);
                else
                        imap_put_number(s, number_of(s, k, ITEMS[i].item));
        }
}

static void
put_line(ImapSession *s, const char *name, const Known *k, guint items)
{
        imap_put(s, "* STATUS ");
        imap_put_mailbox(s, span_of(name));
        imap_put(s, " (");
        put_items(s, k, items);
        imap_put(s, ")\r\n");
}

void
imap_status_put_known(ImapSession *s, const char *name, const MailboxStatus *status, guint items)
{
        put_line(s, name, &(const Known){.status = *status}, items & ~(guint) STATUS_MAILBOXID);
}

/* Messages that no session was told of (RFC 3501 §6.3.10); IMAP4rev2 has no such number. */
static StoreAnswer
count_recent(ImapSession *s, gint64 mailbox, Known *k, GError **error)
{
        g_autoptr(View) view = NULL;

        if (s->selected != NULL && s->selected->mailbox == mailbox) {
                k->recent = imap_recent_count(s);
                return STORE_DONE;
        }
        guint32 first = store_recent(imap_store(s), mailbox, 0);
        if ((s->enabled & IMAP_ENABLED_REV2) != 0 || first >= k->status.uid_next)
                return STORE_DONE;
        StoreAnswer answer = store_view_open(imap_store(s), mailbox, s->who.account, &view, error);
        if (answer == STORE_DONE)
                k->recent = view_count(view) - view_index_of(view, first);
        return answer;
}

StoreAnswer
imap_status_put(ImapSession *s, const Mailbox *mailbox, guint items, GError **error)
{
        Known k = {.mailbox_id = mailbox->mailbox_id};
        StoreAnswer answer = store_mailbox_status(imap_store(s), mailbox->id, s->who.account, &k.status, error);

        if (answer == STORE_DONE && (items & STATUS_RECENT) != 0)
                answer = count_recent(s, mailbox->id, &k, error);
        if (answer == STORE_DONE && (items & STATUS_DELETED_STORAGE) != 0)
                answer = store_deleted_octets(imap_store(s), mailbox->id, &k.deleted_octets, error);
        if (answer == STORE_DONE)
                put_line(s, mailbox->name, &k, items);
        return answer;
}

void
imap_status(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        gboolean is_bad = FALSE;
        guint items = 0;
        Span name;

        gboolean has_name = args_space(args) && args_mailbox(args, &name, &is_bad);
        if (!is_bad && (!has_name || !args_space(args) || !imap_status_parse(s, args, &items) || !args_end(args))) {
                imap_bad(s, "syntax: STATUS mailbox (items)");
                return;
        }
        imap_status_enable(s, items);
        MailboxAnswer answer =
                is_bad ? MAILBOX_BAD_NAME
                       : store_mailbox(imap_store(s), s->arena, &s->who, name, RIGHT_READ, &mailbox, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "status");
                return;
        }
        switch (imap_status_put(s, mailbox, items, &error)) {
        case STORE_DONE:
                imap_ok(s, "", "that is all");
                break;
        case STORE_NO_MAILBOX:
                imap_no_mailbox(s, MAILBOX_MISSING, NULL, "status");
                break;
        case STORE_FAILED:
        case STORE_OVER_QUOTA:
                imap_no_fault(s, "status", error);
                break;
        }
}
