/* notify.h -- NOTIFY (RFC 5465): what is asked for.
 *
 *      notify_parse.c  the command -> NotifySpec
 *      notify_tree.c   which mailboxes it means, and what has changed about their names, subscriptions and annotations
 *      notify.c        the command, and telling what happens
 */
#pragma once

#include "imap/fetch_item.h"
#include "imap/names.h"

#define NOTIFY_GROUPS_MAX    100
#define NOTIFY_NAMES_MAX     1000 /* mailboxes named in one command */
#define NOTIFY_MAILBOXES_MAX 4000 /* that are watched: some 300 octets each */
#define NOTIFY_ANNOTATIONS_MAX 1000

typedef enum NotifyFilter {
        NOTIFY_SELECTED = 0,
        NOTIFY_SELECTED_DELAYED,
        NOTIFY_INBOXES,         /* mail may be delivered to any of one's own (sub-addresses): as PERSONAL (§6.3) */
        NOTIFY_PERSONAL,
        NOTIFY_SUBSCRIBED,
        NOTIFY_SUBTREE,
        NOTIFY_MAILBOXES,
} NotifyFilter;

typedef enum NotifyEvent {
        NOTIFY_MESSAGE_NEW = 1 << 0,
        NOTIFY_MESSAGE_EXPUNGE = 1 << 1,
        NOTIFY_FLAG_CHANGE = 1 << 2,
        NOTIFY_MAILBOX_NAME = 1 << 3,
        NOTIFY_SUBSCRIPTION_CHANGE = 1 << 4,
        NOTIFY_MAILBOX_METADATA = 1 << 5,
        NOTIFY_SERVER_METADATA = 1 << 6,
} NotifyEvent;
#define NOTIFY_MESSAGE_EVENTS ((guint) (NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE))

typedef struct NotifyGroup {
        NotifyFilter filter;
        const Span *names;      /* of SUBTREE and MAILBOXES: UTF-8, NFC, INBOX in capitals */
        gsize n_names;
        guint events;           /* 0: NONE */
} NotifyGroup;

typedef struct NotifySpec {
        gboolean is_none;       /* NOTIFY NONE */
        gboolean wants_status;
        NotifyGroup *groups;
        gsize n_groups;
        FetchItems items;       /* of MessageNew in the selected mailbox; n 0: none */
} NotifySpec;

typedef enum NotifyParsed {
        NOTIFY_PARSED_BAD = 0,
        NOTIFY_PARSED_OK,
        NOTIFY_PARSED_BAD_EVENT, /* NO [BADEVENT ...]: an event that is not there */
        NOTIFY_PARSED_BAD_NAME,
        NOTIFY_PARSED_TOO_MANY,  /* NO [NOTIFICATIONOVERFLOW] */
} NotifyParsed;

/* What stands behind the word NOTIFY. Everything in *ret is in a->arena or in the octets of the command. */
NotifyParsed notify_parse(ImapArgs *a, NotifySpec *ret) G_GNUC_WARN_UNUSED_RESULT;

/* Events of one mailbox: those of all groups that mean it, up to the first that says NONE (§5, §6). */
guint notify_events_of(const NotifySpec *spec, const Mailbox *mailbox);
/* Events of the selected mailbox; *ret_is_delayed: EXPUNGE waits for a command. */
guint notify_selected_events(const NotifySpec *spec, gboolean *ret_is_delayed);

/* Watching (notify_tree.c) ------------------------------------------------------------------------------------------ */

typedef struct Notify Notify;

/* One mailbox that is meant. */
typedef struct Watched {
        Notify *notify;
        Watch *watch;           /* NULL: no message events */
        gint fired;             /* atomic: it has changed since it was told */
        gint64 id;              /* 0: a subscribed name without a mailbox */
        guint events, rights;
        gboolean is_subscribed, has_children, is_alias;
        MailboxStatus known;    /* as the client knows it */
        char name[];
} Watched;

struct Notify {
        ImapSession *s;
        Arena *arena;           /* of the spec */
        NotifySpec spec;
        gint fired;             /* atomic: something is to be told */
        gint tree_fired;        /* atomic: names, subscriptions, rights or annotations */
        guint64 rights_stamp;   /* store_rights_stamp() before they were looked at last */
        GPtrArray *watched;     /* of Watched, by name */
        GPtrArray *trees;       /* of Watch: whose trees are meant */
        GHashTable *owners;     /* gint64: whose those are */
        GHashTable *annotations; /* "mailbox\nentry" -> hash of the value; NULL: nobody asks */
        /* FETCH of what is new in the selected mailbox */
        gint64 selected;        /* whose messages up to next_uid are known; 0: none */
        guint32 next_uid;
        UidRange own;           /* what this session has put there last */
        IndexRange fetching;
        ImapTask *fetch;        /* under way, or NULL */
};

Notify *notify_new(ImapSession *s, Arena *take_arena, const NotifySpec *spec) G_GNUC_WARN_UNUSED_RESULT;
void notify_free(Notify *n); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Notify, notify_free)

typedef enum NotifyLook {
        NOTIFY_LOOK_FAILED = 0,
        NOTIFY_LOOK_DONE,
        NOTIFY_LOOK_OVERFLOW,
} NotifyLook;
/* Which mailboxes are meant now. tells: the differences to last time go out as LIST and METADATA; else they are what the client is
 * to start from. Statuses of new ones are not looked at (known is all 0 then). */
NotifyLook notify_look(Notify *n, gboolean tells, GError **error) G_GNUC_WARN_UNUSED_RESULT;
