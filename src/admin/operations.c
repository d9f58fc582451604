/* operations.c -- the table: every operation, in the order of the manual. */
#include "admin/operations.h"

/* clang-format off */
const Operation *const ADMIN_OPERATIONS[] = {
        &DOMAIN_ADD,    &DOMAIN_LIST,     &DOMAIN_SHOW,  &DOMAIN_SET,     &DOMAIN_REMOVE,
        &ACCOUNT_ADD,   &ACCOUNT_LIST,    &ACCOUNT_SHOW, &ACCOUNT_SET,    &ACCOUNT_PASSWORD, &ACCOUNT_REMOVE,
        &TEMPLATE_ADD,  &TEMPLATE_LIST,   &TEMPLATE_SHOW, &TEMPLATE_SET,  &TEMPLATE_REMOVE,
        &MAILBOX_LIST,  &MAILBOX_CREATE,  &MAILBOX_DELETE, &MAILBOX_RENAME, &MAILBOX_RESTORE, &MAILBOX_UNDELETE, &MAILBOX_ALIAS,
        &MAILBOX_SUBSCRIBE, &MAILBOX_ACL,
        &ALIAS_ADD,     &ALIAS_ADD_GROUP, &ALIAS_ADD_BOUNCER, &ALIAS_LIST, &ALIAS_REMOVE,
        &ROUTE_ADD,     &ROUTE_LIST,      &ROUTE_REMOVE, &ROUTE_EXPLAIN,
        &FETCH_ADD,     &FETCH_LIST,      &FETCH_SHOW,   &FETCH_SET,      &FETCH_REMOVE,     &FETCH_RUN,
        &QUEUE_LIST,    &QUEUE_SHOW,
        &UNKNOWN_LIST,  &GUESS_LIST,      &GUESS_RELEASE,
        &IMPORT_MAILDIR, &IMPORT_MBOX,   &IMPORT_IMAP,   &EXPORT_MAILDIR, &EXPORT_MBOX,
        &TRACE,         &INJECT,          &VERIFY,       &CHECK,
        NULL,
};
/* clang-format on */

const LogEvent ADMIN_EVENTS[] = {
        [ADMIN_EVENT_CHANGED] = {"admin.changed", LOG_INFO,
                                 "An administrator changed something. who: root or a uid; operation and object as "
                                 "typed. What it was before and after stands in the history."},
        [ADMIN_EVENT_REFUSED] = {"admin.refused", LOG_INFO,
                                 "A call on the control socket was refused: who asked for what, and why. Users other "
                                 "than root and the server's own may only inject mail as themselves."},
        {NULL},
};
