/* quota.c -- what an account holds and may hold (RFC 9208), one root an account, named after it. */
#include "store/internal.h"
#include "store/tree.h"

/* RFC 9208 §4.1.2: the root of a mailbox is told to who may read it. */
MailboxAnswer
store_quota(Store *store, Arena *arena, const Viewer *who, Span name, QuotaUse *ret, GError **error)
{
        Look look;
        const Account *owner = NULL;
        QuotaUse use = {0};
        MailboxAnswer answer = look_begin(store, arena, who, name, NAME_LOOK, &look, error);

        if (answer == MAILBOX_DONE)
                answer = look_find(&look, RIGHT_READ, NULL, error);
        if (answer != MAILBOX_DONE)
                return answer;
        if (!look_owner(&look, &owner, error) || !store_usage(store, look.owner, &use.messages, &use.octets, error))
                return MAILBOX_FAILED;
        use.octets_limit = (guint64) owner->quota_octets;
        use.messages_limit = (guint64) owner->quota_messages;
        use.root = arena_strndup(arena, address_text(arena, &owner->address));
        if (use.root == NULL)
                return fault(error, FAULT_BUSY, "no room for a name"), MAILBOX_FAILED;
        look_log(&look, RIGHT_READ);
        *ret = use;
        return MAILBOX_DONE;
}
