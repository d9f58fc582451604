/* acl.c -- SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * What may not be seen is not there: its answers are those of a name that nothing has, after the same look.
 */
#include "imap/names.h"

/* Those that RFC 4314 has made of c and d; who knows them not is told the old ones only. */
#define RIGHTS_NEW ((guint) (RIGHT_CREATE | RIGHT_DELETE_MAILBOX | RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE))

/* RFC 4314 §2.1.1: who knows only RFC 2086 sees the obsolete rights too. */
void
imap_acl_put_rights(ImapSession *s, guint rights)
{
        char letters[20];

        (void) rights_text(imap_has(s, "RIGHTS=kxte") ? rights : rights & ~RIGHTS_NEW, letters);
        if ((rights & (RIGHT_CREATE | RIGHT_DELETE_MAILBOX)) != 0)
                g_strlcat(letters, "c", sizeof(letters));
        if ((rights & (RIGHT_DELETE_MESSAGES | RIGHT_EXPUNGE)) != 0)
                g_strlcat(letters, "d", sizeof(letters));
        imap_put_astring(s, span_of(letters));
}

/* Changing -------------------------------------------------------------------------------------------------------- */

static void
change(ImapSession *s, const AclRequest *r)
{
        g_autoptr(GError) error = NULL;
        MailboxAnswer answer =
                store_acl_set(imap_store(s), &s->who, r->mailbox, r->identifier, r->action, r->rights, &error);

        if (answer == MAILBOX_DONE)
                imap_ok(s, "", "granted as you wish");
        else if (answer == MAILBOX_BAD_NAME)
                imap_no(s, "CANNOT", "nobody is called so");
        else
                imap_no_mailbox(s, answer, error, "change rights");
}

void
imap_setacl(ImapSession *s, ImapArgs *args)
{
        AclRequest r;
        gboolean is_bad;

        if (imap_acl_parse(args, ACL_FORM_RIGHTS, &r, &is_bad))
                change(s, &r);
        else
                imap_bad_arguments(s, is_bad);
}

void
imap_deleteacl(ImapSession *s, ImapArgs *args)
{
        AclRequest r;
        gboolean is_bad;

        if (imap_acl_parse(args, ACL_FORM_IDENTIFIER, &r, &is_bad))
                change(s, &r);
        else
                imap_bad_arguments(s, is_bad);
}

/* Looking --------------------------------------------------------------------------------------------------------- */

void
imap_getacl(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const AclEntry *entries;
        AclRequest r;
        gboolean is_bad;
        gsize n;

        if (!imap_acl_parse(args, ACL_FORM_MAILBOX, &r, &is_bad)) {
                imap_bad_arguments(s, is_bad);
                return;
        }
        MailboxAnswer answer = store_acl(imap_store(s), s->arena, &s->who, r.mailbox, &entries, &n, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* ACL ");
        imap_put_mailbox(s, r.mailbox);
        for (gsize i = 0; i < n; i++) {
                imap_put(s, " ");
                imap_put_astring(s, span_of(entries[i].identifier));
                imap_put(s, " ");
                imap_acl_put_rights(s, entries[i].rights);
        }
        imap_put(s, "\r\n");
        imap_ok(s, "", "that is all");
}

static gboolean
names_owner(const AclEntry *owner, Span identifier)
{
        const char *at = strrchr(owner->identifier, '@');
        Span local = at != NULL ? span_make(owner->identifier, (gsize) (at - owner->identifier)) : SPAN_EMPTY;

        return span_is(identifier, "owner") || span_is(identifier, owner->identifier) ||
               span_equal_nocase(identifier, local);
}

static void
put_grantable(ImapSession *s, gboolean is_owner)
{
        imap_put(s, is_owner ? " lra s w i p" : " \"\" l r s w i p");
        if (imap_has(s, "RIGHTS=kxte"))
                imap_put(s, " k x t e");
        imap_put(s, is_owner ? " c d\r\n" : " a c d\r\n");
}

/* §3.7: what is always granted, then what can be granted one by one. The owner keeps l, r and a (store/mailbox.h). */
void
imap_listrights(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const AclEntry *entries;
        AclRequest r;
        gboolean is_bad;
        gsize n;

        if (!imap_acl_parse(args, ACL_FORM_IDENTIFIER, &r, &is_bad)) {
                imap_bad_arguments(s, is_bad);
                return;
        }
        MailboxAnswer answer = store_acl(imap_store(s), s->arena, &s->who, r.mailbox, &entries, &n, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* LISTRIGHTS ");
        imap_put_mailbox(s, r.mailbox);
        imap_put(s, " ");
        imap_put_astring(s, r.identifier);
        put_grantable(s, names_owner(&entries[0], r.identifier));
        imap_ok(s, "", "that is all");
}

void
imap_myrights(ImapSession *s, ImapArgs *args)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox = NULL;
        AclRequest r;
        gboolean is_bad;

        if (!imap_acl_parse(args, ACL_FORM_MAILBOX, &r, &is_bad)) {
                imap_bad_arguments(s, is_bad);
                return;
        }
        MailboxAnswer answer =
                store_mailbox(imap_store(s), s->arena, &s->who, r.mailbox, RIGHT_LOOKUP, &mailbox, &error);
        if (answer != MAILBOX_DONE) {
                imap_no_mailbox(s, answer, error, "look at rights");
                return;
        }
        imap_put(s, "* MYRIGHTS ");
        imap_put_mailbox(s, r.mailbox);
        imap_put(s, " ");
        imap_acl_put_rights(s, mailbox->rights);
        imap_put(s, "\r\n");
        imap_ok(s, "", "that is all");
}
