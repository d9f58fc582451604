/* offers.c -- what is offered to this client now: CAPABILITY, ENABLE, and what is switched off for it. */
#include "imap/capability.h"

#include "base/text.h"

#define CODE_OCTETS ((gsize) 4096)

/* Showing --------------------------------------------------------------------------------------------------------- */

static gboolean
offers_mechanism(const ImapSession *s, const char *capability)
{
        return imap_offers_mechanism(s, sasl_mechanism(span_of(capability + strlen("AUTH="))));
}

static gboolean
is_shown(const ImapSession *s, gsize i)
{
        gboolean is_stranger = s->state == IMAP_STATE_NONE;

        if (!capability_is_on(s->capabilities_off, i))
                return FALSE;
        switch (capability_row(i)->shown) {
        case SHOWN_ALWAYS:
                break;
        case SHOWN_BEFORE_LOGIN:
                return is_stranger;
        case SHOWN_AFTER_LOGIN:
                return !is_stranger;
        case SHOWN_FOR_TLS:
                return is_stranger && imap_offers_tls(s);
        case SHOWN_FOR_MECHANISM:
                return is_stranger && offers_mechanism(s, capability_row(i)->row.name);
        case SHOWN_WITHOUT_PASSWORDS:
                return is_stranger && !imap_allows_password(s);
        case SHOWN_WITHOUT_LITERAL_PLUS:
                return !imap_has(s, "LITERAL+");
        case SHOWN_WITH_MESSAGE_LIMIT:
                return !is_stranger && imap_message_limit(s) > 0;
        case SHOWN_WITH_SIZE:
                return !is_stranger;
        }
        return TRUE;
}

const char *
imap_capabilities(const ImapSession *s, Arena *arena)
{
        char *text = arena_alloc(arena, CODE_OCTETS);

        g_assert(text != NULL); /* taken of an arena that is ours alone */
        gsize n = g_strlcpy(text, "CAPABILITY", CODE_OCTETS);
        for (gsize i = 0; capability_row(i) != NULL; i++) {
                if (!is_shown(s, i))
                        continue;
                n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, " %s", capability_row(i)->row.name);
                if (capability_row(i)->shown == SHOWN_WITH_MESSAGE_LIMIT)
                        n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, "=%u", imap_message_limit(s));
                if (capability_row(i)->shown == SHOWN_WITH_SIZE)
                        n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, "=%" G_GUINT64_FORMAT,
                                                imap_settings(s)->max_size);
        }
        return text;
}

void
imap_put_capabilities(ImapSession *s, Arena *arena)
{
        imap_put(s, "* ");
        imap_put(s, imap_capabilities(s, arena));
        imap_put(s, "\r\n");
}

void
imap_capability_command(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "CAPABILITY has no arguments");
                return;
        }
        imap_put_capabilities(s, args->arena);
        imap_ok(s, "", "that is all");
}

/* Switching off --------------------------------------------------------------------------------------------------- */

/* "CAPABILITY client=GLOB", "CAPABILITY account=GLOB" or "CAPABILITY" for everybody. */
static gboolean
rule_applies(const ImapSession *s, Span condition)
{
        Scan scan = scan_from(condition);

        if (scan_at_end(&scan))
                return TRUE;
        if (scan_word(&scan, "client="))
                return s->client_id != NULL && text_matches(scan_rest(&scan), span_of(s->client_id));
        return scan_word(&scan, "account=") && s->address != NULL &&
               text_matches(scan_rest(&scan), span_of(s->address));
}

/* What the client has enabled stays: nothing could tell it otherwise (RFC 5161 §3.1). */
static void
switch_off(ImapSession *s, gsize i)
{
        guint enables = capability_row(i)->enables;

        if (enables == 0 || (enables & ~s->enabled) != 0)
                s->capabilities_off[i / 64] |= (guint64) 1 << (i % 64);
}

/* IMAP4rev2 needs no ENABLE where IMAP4rev1 is off (RFC 9051 §6.3.1). */
static gboolean
lacks_something(const ImapSession *s, const Capability *row)
{
        if (row->needs == NULL || (row->enables == IMAP_ENABLED_REV2 && !imap_has(s, "IMAP4rev1")))
                return FALSE;
        return !capabilities_are_on(s->capabilities_off, row->needs, TRUE);
}

static void
follow_needs(ImapSession *s)
{
        guint64 before[G_N_ELEMENTS(s->capabilities_off)];

        do {
                memcpy(before, s->capabilities_off, sizeof(before));
                for (gsize i = 0; capability_row(i) != NULL; i++)
                        if (lacks_something(s, capability_row(i)))
                                switch_off(s, i);
        } while (memcmp(before, s->capabilities_off, sizeof(before)) != 0);
}

/* A session speaks one of the two; rules that would leave none (imap_check_off() can't see all) leave IMAP4rev1. */
static void
keep_revision(ImapSession *s)
{
        gsize rev1 = capability_find(span_of("IMAP4rev1"));

        if (!imap_has(s, "IMAP4rev1 IMAP4rev2"))
                s->capabilities_off[rev1 / 64] &= ~((guint64) 1 << (rev1 % 64));
        if (!imap_has(s, "IMAP4rev1"))
                s->enabled |= IMAP_ENABLED_REV2;
}

gboolean
imap_apply_off(ImapSession *s)
{
        const char *const *rules = imap_settings(s)->off;
        guint64 before[G_N_ELEMENTS(s->capabilities_off)];

        memcpy(before, s->capabilities_off, sizeof(before));
        memset(s->capabilities_off, 0, sizeof(s->capabilities_off));
        if (s->state == IMAP_STATE_NONE)
                s->enabled = 0;
        for (gsize i = 0; rules != NULL && rules[i] != NULL; i++) {
                Span name, condition;
                capability_split_rule(rules[i], &name, &condition);
                gsize row = capability_find(name);
                if (capability_row(row) != NULL && rule_applies(s, condition))
                        switch_off(s, row);
        }
        keep_revision(s);
        follow_needs(s);
        return memcmp(before, s->capabilities_off, sizeof(before)) != 0;
}

/* ENABLE (RFC 5161) ----------------------------------------------------------------------------------------------- */

/* The row that a client names; NULL: none that can be enabled. Unknown ones are no error (RFC 5161 §3.1). */
static const Capability *
find_enabled_by(const ImapSession *s, Span name)
{
        for (gsize i = 0; capability_row(i) != NULL; i++)
                if (capability_row(i)->enables != 0 && capability_is_on(s->capabilities_off, i) &&
                    span_is(name, capability_row(i)->row.name))
                        return capability_row(i);
        return NULL;
}

/* ENABLED lists what this command has switched on. */
static void
put_enabled(ImapSession *s, guint before)
{
        imap_put(s, "* ENABLED");
        for (gsize i = 0; capability_row(i) != NULL; i++)
                if ((capability_row(i)->enables & s->enabled & ~before) != 0 &&
                    capability_is_on(s->capabilities_off, i)) {
                        imap_put(s, " ");
                        imap_put(s, capability_row(i)->row.name);
                        before |= capability_row(i)->enables;
                }
        imap_put(s, "\r\n");
}

void
imap_enable(ImapSession *s, ImapArgs *args)
{
        guint enables = 0, before = s->enabled;
        Span name;

        do {
                if (!args_space(args) || !args_atom(args, &name)) {
                        imap_bad(s, "syntax: ENABLE capability...");
                        return;
                }
                const Capability *row = find_enabled_by(s, name);
                enables |= row != NULL ? row->enables : 0;
        } while (!args_end(args));
        s->enabled |= enables;
        put_enabled(s, before);
        imap_ok(s, "", "enabled");
}
