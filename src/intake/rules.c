/* The place of the rules: between routing and the plan of copies, for every address that is delivered here. The one
 * rule so far is the sub-address: joe+news goes to the folder `news` where there is one (RFC 5233; ROUTING.md §2). */
#include "intake/internal.h"

gboolean
rules_apply(Intake *intake, Arena *arena, Leaf *leaf, GError **error)
{
        Span detail = leaf->route->detail;

        leaf->mailbox = "INBOX";
        if (detail.len == 0 || !text_is_utf8(detail) || text_has_control(detail))
                return TRUE;

        const char *folder = arena_strndup(arena, detail);
        g_autoptr(DbTxn) txn = db_begin_read(intake->db, error);
        if (txn == NULL || folder == NULL)
                return txn == NULL ? FALSE : fault(error, FAULT_BUSY, "no memory for a folder's name");
        switch (store_has_mailbox(intake->store, txn, leaf->route->account, folder, error)) {
        case STORE_DONE:
                leaf->mailbox = folder;
                return TRUE;
        case STORE_NO_MAILBOX:
        case STORE_OVER_QUOTA:
                return TRUE;
        case STORE_FAILED:
        default:
                return FALSE;
        }
}
