/* notify_parse.c -- the arguments of NOTIFY (RFC 5465 §8).
 *
 *      NONE
 *      SET [STATUS] (filter (event...))...
 */
#include "imap/notify.h"

typedef struct Parsing {
        ImapArgs *a;
        NotifySpec spec;
        gsize n_names;
        gboolean has_selected;
        NotifyParsed why; /* when it fails */
} Parsing;

static gboolean
fail(Parsing *p, NotifyParsed why)
{
        p->why = why;
        return FALSE;
}

/* Filters --------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *word;
        NotifyFilter filter;
} FILTERS[] = {
        {"selected", NOTIFY_SELECTED},     {"selected-delayed", NOTIFY_SELECTED_DELAYED},
        {"inboxes", NOTIFY_INBOXES},       {"personal", NOTIFY_PERSONAL},
        {"subscribed", NOTIFY_SUBSCRIBED}, {"subtree", NOTIFY_SUBTREE},
        {"mailboxes", NOTIFY_MAILBOXES},
};

/* As names are kept: NFC, and INBOX in capitals, also above others. */
static Span
kept_name(Arena *arena, Span name)
{
        Span inbox = span_of("INBOX"), kept = imap_list_canonical(arena, SPAN_EMPTY, name);

        if (span_starts_nocase(kept, inbox) && (kept.len == inbox.len || kept.data[inbox.len] == '/'))
                memcpy((guint8 *) kept.data, inbox.data, inbox.len);
        return kept;
}

static gboolean
read_name(Parsing *p, Span *ret)
{
        gboolean is_bad = FALSE;
        Span name;

        if (p->n_names == NOTIFY_NAMES_MAX)
                return fail(p, NOTIFY_PARSED_TOO_MANY);
        if (!args_mailbox(p->a, &name, &is_bad))
                return fail(p, is_bad ? NOTIFY_PARSED_BAD_NAME : NOTIFY_PARSED_BAD);
        p->n_names++;
        *ret = kept_name(p->a->arena, name);
        return ret->data != NULL || fail(p, NOTIFY_PARSED_TOO_MANY);
}

/* One mailbox, or several in parentheses. */
static gboolean
read_names(Parsing *p, NotifyGroup *group)
{
        gsize room = NOTIFY_NAMES_MAX - p->n_names + 1;
        Span *names = arena_new_array(p->a->arena, Span, room);

        if (names == NULL)
                return fail(p, NOTIFY_PARSED_TOO_MANY);
        if (!args_space(p->a))
                return FALSE;
        gboolean is_list = args_open(p->a);
        do {
                if (!read_name(p, &names[group->n_names]))
                        return FALSE;
                group->n_names++;
        } while (is_list && args_space(p->a));
        group->names = names;
        return !is_list || args_close(p->a);
}

static gboolean
is_of_selected(const NotifyGroup *group)
{
        return group->filter == NOTIFY_SELECTED || group->filter == NOTIFY_SELECTED_DELAYED;
}

static gboolean
read_filter(Parsing *p, NotifyGroup *group)
{
        gsize i = 0;
        Span word;

        if (!args_atom(p->a, &word))
                return FALSE;
        while (i < G_N_ELEMENTS(FILTERS) && !span_is(word, FILTERS[i].word))
                i++;
        if (i == G_N_ELEMENTS(FILTERS))
                return FALSE;
        group->filter = FILTERS[i].filter;
        if (is_of_selected(group)) {
                gboolean is_first = !p->has_selected; /* §6.1: only one of them */
                p->has_selected = TRUE;
                return is_first;
        }
        return (group->filter != NOTIFY_SUBTREE && group->filter != NOTIFY_MAILBOXES) || read_names(p, group);
}

/* Events ---------------------------------------------------------------------------------------------------------- */

static const struct {
        const char *word;
        NotifyEvent event;
        const char *capability; /* known only while this one is on (args_has) */
} EVENTS[] = {
        {"MessageNew", NOTIFY_MESSAGE_NEW},
        {"MessageExpunge", NOTIFY_MESSAGE_EXPUNGE},
        {"FlagChange", NOTIFY_FLAG_CHANGE},
        {"MailboxName", NOTIFY_MAILBOX_NAME},
        {"SubscriptionChange", NOTIFY_SUBSCRIPTION_CHANGE},
        {"MailboxMetadataChange", NOTIFY_MAILBOX_METADATA, "METADATA"},
        {"ServerMetadataChange", NOTIFY_SERVER_METADATA, "METADATA"},
};

/* " (" fetch-att... ")": only of the selected mailbox (§8). */
static gboolean
read_fetch(Parsing *p, const NotifyGroup *group)
{
        const guint8 *mark = scan_mark(&p->a->scan);

        if (!args_space(p->a) || scan_peek(&p->a->scan) != '(') {
                scan_rewind(&p->a->scan, mark);
                return TRUE;
        }
        return is_of_selected(group) && imap_fetch_items_parse(p->a, &p->spec.items);
}

static gboolean
read_event(Parsing *p, NotifyGroup *group)
{
        gsize i = 0;
        Span word;

        if (!args_atom(p->a, &word))
                return FALSE;
        while (i < G_N_ELEMENTS(EVENTS) && !span_is(word, EVENTS[i].word))
                i++;
        if (i == G_N_ELEMENTS(EVENTS) || !args_has(p->a, EVENTS[i].capability))
                return fail(p, NOTIFY_PARSED_BAD_EVENT);
        group->events |= EVENTS[i].event;
        return EVENTS[i].event != NOTIFY_MESSAGE_NEW || read_fetch(p, group);
}

/* §5: arrivals and removals come together, changes of flags only with them; §6.1: of the selected mailbox nothing else.
 */
static gboolean
events_agree(const NotifyGroup *group)
{
        guint both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

        if ((group->events & NOTIFY_MESSAGE_EVENTS) != 0 && (group->events & both) != both)
                return FALSE;
        return !is_of_selected(group) || (group->events & ~NOTIFY_MESSAGE_EVENTS) == 0;
}

static gboolean
read_events(Parsing *p, NotifyGroup *group)
{
        if (args_word(p->a, "NONE"))
                return TRUE;
        if (!args_open(p->a))
                return FALSE;
        do {
                if (!read_event(p, group))
                        return FALSE;
        } while (args_space(p->a));
        return args_close(p->a) && events_agree(group);
}

/* The whole ------------------------------------------------------------------------------------------------------- */

static gboolean
read_group(Parsing *p)
{
        NotifyGroup *group = &p->spec.groups[p->spec.n_groups];

        if (p->spec.n_groups == NOTIFY_GROUPS_MAX)
                return fail(p, NOTIFY_PARSED_TOO_MANY);
        p->spec.n_groups++;
        return args_open(p->a) && read_filter(p, group) && args_space(p->a) && read_events(p, group) &&
               args_close(p->a);
}

static gboolean
read_set(Parsing *p)
{
        p->spec.groups = arena_new_array(p->a->arena, NotifyGroup, NOTIFY_GROUPS_MAX);
        if (p->spec.groups == NULL)
                return fail(p, NOTIFY_PARSED_TOO_MANY);
        if (!args_word(p->a, "SET") || !args_space(p->a))
                return FALSE;
        if (args_word(p->a, "STATUS")) {
                p->spec.wants_status = TRUE;
                if (!args_space(p->a))
                        return FALSE;
        }
        do {
                if (!read_group(p))
                        return FALSE;
        } while (args_space(p->a));
        return args_end(p->a);
}

NotifyParsed
notify_parse(ImapArgs *a, NotifySpec *ret)
{
        Parsing p = {.a = a, .why = NOTIFY_PARSED_BAD};

        if (!args_space(a))
                return NOTIFY_PARSED_BAD;
        if (args_word(a, "NONE")) {
                p.spec.is_none = TRUE;
                if (!args_end(a))
                        return NOTIFY_PARSED_BAD;
        } else if (!read_set(&p)) {
                return p.why;
        }
        *ret = p.spec;
        return NOTIFY_PARSED_OK;
}

/* What is meant --------------------------------------------------------------------------------------------------- */

static gboolean
is_named(const NotifyGroup *group, Span name)
{
        for (gsize i = 0; i < group->n_names; i++) {
                Span top = group->names[i];
                if (span_equal(name, top))
                        return TRUE;
                if (group->filter == NOTIFY_SUBTREE && name.len > top.len && name.data[top.len] == '/' &&
                    span_equal(span_slice(name, 0, top.len), top))
                        return TRUE;
        }
        return FALSE;
}

static gboolean
is_meant(const NotifyGroup *group, const Mailbox *mailbox)
{
        switch (group->filter) {
        case NOTIFY_INBOXES:
        case NOTIFY_PERSONAL:
                return mailbox->name[0] != '~';
        case NOTIFY_SUBSCRIBED:
                return mailbox->is_subscribed;
        case NOTIFY_SUBTREE:
        case NOTIFY_MAILBOXES:
                return is_named(group, span_of(mailbox->name));
        case NOTIFY_SELECTED:
        case NOTIFY_SELECTED_DELAYED:
                break;
        }
        return FALSE;
}

guint
notify_events_of(const NotifySpec *spec, const Mailbox *mailbox)
{
        guint events = 0;

        for (gsize i = 0; i < spec->n_groups; i++) {
                const NotifyGroup *group = &spec->groups[i];
                if (!is_meant(group, mailbox))
                        continue;
                if (group->events == 0)
                        break;
                events |= group->events;
        }
        return events;
}

guint
notify_selected_events(const NotifySpec *spec, gboolean *ret_is_delayed)
{
        for (gsize i = 0; i < spec->n_groups; i++)
                if (is_of_selected(&spec->groups[i])) {
                        *ret_is_delayed = spec->groups[i].filter == NOTIFY_SELECTED_DELAYED;
                        return spec->groups[i].events;
                }
        *ret_is_delayed = FALSE;
        return 0;
}
