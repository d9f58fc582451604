/* append_text.c -- the grammar of APPEND and REPLACE around the octets of messages. */
#include "imap/append_text.h"

typedef struct Reading {
        ImapArgs *a;
        gboolean has_literal, is_binary;
        AppendText text;
        GArray *actions;
        AppendWants wants; /* APPEND_WRONG: not known yet */
} Reading;

/* A literal is announced here. */
static gboolean
at_literal(const Reading *r)
{
        return r->has_literal && args_end(r->a);
}

/* The octets of a message or of a part: RFC 3516 §4.4 has literal8. */
static gboolean
at_octets(const Reading *r)
{
        return at_literal(r) && (!r->is_binary || args_has(r->a, "BINARY"));
}

static gboolean
end_with(Reading *r, AppendWants wants, AppendPlace next)
{
        r->wants = wants;
        r->text.place = next;
        return TRUE;
}

static gboolean
act(Reading *r, const AppendAction *action)
{
        if (r->actions->len >= APPEND_ACTIONS_MAX)
                return FALSE;
        g_array_append_val(r->actions, *action);
        return TRUE;
}

static gboolean
end_message(Reading *r)
{
        r->text.place = APPEND_AT_MESSAGE;
        return act(r, &(AppendAction){.what = APPEND_END});
}

static gboolean
read_number(Reading *r)
{
        ImapSet set;

        if (!args_space(r->a) || !args_set(r->a, &set) || set.n != 1 || set.ranges[0].first != set.ranges[0].last)
                return FALSE;
        r->text.number = set.ranges[0].first;
        r->text.place = APPEND_AT_MAILBOX;
        return TRUE;
}

static gboolean
read_mailbox(Reading *r)
{
        if (!args_space(r->a))
                return FALSE;
        if (at_literal(r))
                return !r->is_binary && end_with(r, APPEND_WANTS_STRING, APPEND_AT_MAILBOX);
        if (!args_mailbox(r->a, &r->text.mailbox, &r->text.is_bad_name)) {
                /* a name that none can have: nothing behind it matters */
                return r->text.is_bad_name &&
                       end_with(r, r->has_literal ? APPEND_WANTS_OCTETS : APPEND_COMPLETE, APPEND_AT_MESSAGE);
        }
        r->text.has_mailbox = TRUE;
        r->text.place = APPEND_AT_MESSAGE;
        return TRUE;
}

/* RFC 6855 §4: only once it is enabled. */
static gboolean
begin_utf8(Reading *r)
{
        return args_has(r->a, "UTF8=ACCEPT") && args_space(r->a) && args_open(r->a) && at_literal(r) && r->is_binary &&
               (r->a->enabled & (IMAP_ENABLED_UTF8 | IMAP_ENABLED_REV2)) != 0 &&
               end_with(r, APPEND_WANTS_OCTETS, APPEND_AFTER_UTF8);
}

static gboolean
read_message(Reading *r)
{
        AppendAction begin = {.what = APPEND_BEGIN};

        if (args_end(r->a) && !r->has_literal)
                return end_with(r, APPEND_COMPLETE, APPEND_AT_MESSAGE);
        if (!args_space(r->a))
                return FALSE;
        if (scan_peek(&r->a->scan) == '(' &&
            (!args_flag_list(r->a, &begin.flags, &begin.keywords, &begin.n_keywords) || !args_space(r->a)))
                return FALSE;
        if (scan_peek(&r->a->scan) == '"') {
                if (!args_date_time(r->a, &begin.received) || !args_space(r->a))
                        return FALSE;
                begin.received = MAX(begin.received, 1); /* 0 would be: none */
        }
        if (!act(r, &begin))
                return FALSE;
        if (at_octets(r))
                return end_with(r, APPEND_WANTS_OCTETS, APPEND_AFTER_OCTETS);
        if (args_word(r->a, "UTF8"))
                return begin_utf8(r);
        r->text.place = APPEND_AT_PART;
        return args_has(r->a, "CATENATE") && args_word(r->a, "CATENATE") && args_space(r->a) && args_open(r->a);
}

static gboolean
read_part(Reading *r)
{
        AppendAction url = {.what = APPEND_URL};

        if (args_word(r->a, "TEXT"))
                return args_space(r->a) && at_octets(r) && end_with(r, APPEND_WANTS_OCTETS, APPEND_AFTER_PART);
        if (!args_word(r->a, "URL") || !args_space(r->a))
                return FALSE;
        if (at_literal(r))
                return !r->is_binary && end_with(r, APPEND_WANTS_STRING, APPEND_AT_PART);
        r->text.place = APPEND_AFTER_PART;
        return args_astring(r->a, &url.url) && act(r, &url);
}

static gboolean
read_after_part(Reading *r)
{
        if (args_close(r->a))
                return end_message(r);
        r->text.place = APPEND_AT_PART;
        return args_space(r->a);
}

/* One step of the grammar. */
static gboolean
read_on(Reading *r)
{
        switch (r->text.place) {
        case APPEND_AT_NUMBER:
                return read_number(r);
        case APPEND_AT_MAILBOX:
                return read_mailbox(r);
        case APPEND_AT_MESSAGE:
                return read_message(r);
        case APPEND_AT_PART:
                return read_part(r);
        case APPEND_AFTER_PART:
                return read_after_part(r);
        case APPEND_AFTER_OCTETS:
                return end_message(r);
        case APPEND_AFTER_UTF8:
                return args_close(r->a) && end_message(r);
        }
        return FALSE;
}

static gboolean
keep(Reading *r)
{
        gsize n = r->actions->len;
        AppendAction *actions = n > 0 ? arena_new_array(r->a->arena, AppendAction, n) : NULL;

        if (n > 0 && actions == NULL)
                return FALSE;
        if (n > 0)
                memcpy(actions, r->actions->data, n * sizeof(*actions));
        r->text.actions = actions;
        r->text.n_actions = n;
        return TRUE;
}

AppendWants
append_text_parse(ImapArgs *a, AppendPlace place, gboolean has_literal, gboolean is_binary, AppendText *ret)
{
        g_autoptr(GArray) actions = g_array_new(FALSE, FALSE, sizeof(AppendAction));
        Reading r = {.a = a,
                     .has_literal = has_literal,
                     .is_binary = is_binary,
                     .actions = actions,
                     .text = {.place = place}};

        while (r.wants == APPEND_WRONG)
                if (!read_on(&r))
                        return APPEND_WRONG;
        if (!keep(&r))
                return APPEND_WRONG;
        *ret = r.text;
        return r.wants;
}
