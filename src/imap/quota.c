/* quota.c -- GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).
 *
 * An account is a quota root of its name; what others keep in its mailboxes counts against it. Limits are the
 * administrators' affair and are not set by mail clients.
 */
#include "imap/names.h"

/* STORAGE counts in units of 1,024 octets (§5.1). */
static guint64
units(guint64 octets)
{
        return octets / 1024 + (octets % 1024 != 0);
}

/* A resource without a limit is not told (§4.2.1). */
static void
put_quota(ImapSession *s, const QuotaUse *use)
{
        gboolean has_storage = use->octets_limit > 0 && imap_has(s, "QUOTA=RES-STORAGE");
        gboolean has_messages = use->messages_limit > 0 && imap_has(s, "QUOTA=RES-MESSAGE");

        imap_put(s, "* QUOTA ");
        imap_put_astring(s, span_of(use->root));
        imap_put(s, " (");
        if (has_storage)
                imap_printf(s, "STORAGE %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, units(use->octets),
                            units(use->octets_limit));
        if (has_messages)
                imap_printf(s, "%sMESSAGE %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, has_storage ? " " : "",
                            use->messages, use->messages_limit);
        imap_put(s, ")\r\n");
}

void
imap_getquotaroot(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        gboolean is_bad;
        QuotaUse use;
        Span name;

        if (!imap_quota_parse(args, QUOTA_FORM_MAILBOX, &name, &is_bad) && !is_bad) {
                imap_bad_syntax(s);
                return;
        }
        MailboxAnswer answer =
                is_bad ? MAILBOX_BAD_NAME : store_quota(imap_store(s), s->arena, &s->who, name, &use, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at a quota");
                return;
        }
        imap_put(s, "* QUOTAROOT ");
        imap_put_mailbox(s, name);
        imap_put(s, " ");
        imap_put_astring(s, span_of(use.root));
        imap_put(s, "\r\n");
        put_quota(s, &use);
        imap_ok(s, "", "that is all");
}

/* The root of somebody else is told to who may read the INBOX there. */
void
imap_getquota(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        gboolean is_bad;
        QuotaUse use;
        Span root;

        if (!imap_quota_parse(args, QUOTA_FORM_ROOT, &root, &is_bad)) {
                imap_bad_syntax(s);
                return;
        }
        const char *name = span_is(root, s->address)
                                   ? "INBOX"
                                   : arena_printf(s->arena, "~%s/INBOX", arena_strndup(s->arena, root));
        MailboxAnswer answer = name != NULL ? store_quota(imap_store(s), s->arena, &s->who, span_of(name), &use, &error)
                                            : MAILBOX_BAD_NAME;
        if (answer == MAILBOX_FAILED) {
                imap_no_fault(s, "look at a quota", error);
        } else if (answer == MAILBOX_DONE && span_is(root, use.root)) {
                put_quota(s, &use);
                imap_ok(s, "", "that is all");
        } else {
                imap_no(s, "NONEXISTENT", "no such quota root");
        }
}

void
imap_setquota(ImapSession *s, ImapArgs *args)
{
        gboolean is_bad;
        Span root;

        if (!imap_quota_parse(args, QUOTA_FORM_LIMITS, &root, &is_bad))
                imap_bad_syntax(s);
        else
                imap_no(s, "NOPERM", "quotas are set by the administrators of this server");
}
