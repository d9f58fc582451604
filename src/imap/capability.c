/* capability.c -- what is advertised: one table; CAPABILITY, ENABLE, and the rules that switch things off. */
#include "imap/internal.h"

#include "base/text.h"

#define CODE_OCTETS ((gsize) 4096)

/* When a row is shown. */
typedef enum Shown {
        SHOWN_ALWAYS = 0,
        SHOWN_BEFORE_LOGIN,
        SHOWN_AFTER_LOGIN,
        SHOWN_FOR_TLS,       /* STARTTLS could be given now          */
        SHOWN_FOR_MECHANISM, /* AUTH=: when it may be used now       */
        SHOWN_WITHOUT_PASSWORDS,
        SHOWN_WITHOUT_LITERAL_PLUS,
        SHOWN_WITH_MESSAGE_LIMIT, /* and with its number                 */
        SHOWN_WITH_SIZE,          /* "=OCTETS" behind it                 */
} Shown;

typedef struct Row {
        ImapCapability row;
        Shown shown;
        guint enables; /* ImapEnabled bits that ENABLE switches on */
} Row;

/* Rows come in with what makes them work. At most 128. */
static const Row CAPABILITIES[] = {
        {{"IMAP4rev1", "3501", "the protocol as most clients speak it"}, SHOWN_ALWAYS, 0},
        {{"IMAP4rev2", "9051", "the protocol as it is now, after ENABLE IMAP4rev2"}, SHOWN_ALWAYS, IMAP_ENABLED_REV2},
        {{"LITERAL+", "7888", "literals that need no answer before they are sent"}, SHOWN_ALWAYS, 0},
        {{"LITERAL-", "7888", "the same up to 4,096 octets"}, SHOWN_WITHOUT_LITERAL_PLUS, 0},
        {{"SASL-IR", "4959", "AUTHENTICATE with an initial response"}, SHOWN_BEFORE_LOGIN, 0},
        {{"STARTTLS", "9051 §6.2.1", "TLS on this connection"}, SHOWN_FOR_TLS, 0},
        {{"LOGINDISABLED", "9051 §6.2.3", "no passwords before TLS"}, SHOWN_WITHOUT_PASSWORDS, 0},
        {{"AUTH=PLAIN", "4616", "login by SASL"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=LOGIN", "draft-murchison-sasl-login", "the same for older clients"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=SCRAM-SHA-256", "7677", "login without showing the password"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=SCRAM-SHA-256-PLUS", "7677", "the same, bound to this TLS connection"}, SHOWN_FOR_MECHANISM, 0},
        {{"ID", "2971", "client and server tell their names"}, SHOWN_ALWAYS, 0},
        {{"ENABLE", "5161", "extensions are switched on by the client"}, SHOWN_ALWAYS, 0},
        {{"IDLE", "2177", "news are told as they come"}, SHOWN_ALWAYS, 0},
        {{"UNSELECT", "3691", "closing a mailbox without removing messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"CONDSTORE", "7162", "numbers of changes"}, SHOWN_AFTER_LOGIN, IMAP_ENABLED_CONDSTORE},
        {{"QRESYNC", "7162", "what has changed since last time, in one round trip"},
         SHOWN_AFTER_LOGIN,
         IMAP_ENABLED_QRESYNC | IMAP_ENABLED_CONDSTORE},
        {{"UIDPLUS", "4315", "UIDs of what was appended and copied; UID EXPUNGE"}, SHOWN_AFTER_LOGIN, 0},
        {{"MOVE", "6851", "moving messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"MULTIAPPEND", "3502", "several messages in one APPEND"}, SHOWN_AFTER_LOGIN, 0},
        {{"CATENATE", "4469", "APPEND of parts of other messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"REPLACE", "8508", "a message in the place of another"}, SHOWN_AFTER_LOGIN, 0},
        {{"BINARY", "3516", "parts without transfer encoding, messages with NULs"}, SHOWN_AFTER_LOGIN, 0},
        {{"APPENDLIMIT", "7889", "octets of the largest message"}, SHOWN_WITH_SIZE, 0},
        {{"OBJECTID", "8474", "identifiers of mailboxes and messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"SAVEDATE", "8514", "when a message came into its mailbox"}, SHOWN_AFTER_LOGIN, 0},
        {{"PREVIEW", "8970", "the beginning of a message's text"}, SHOWN_AFTER_LOGIN, 0},
        {{"INPROGRESS", "9585", "long commands tell how far they are"}, SHOWN_AFTER_LOGIN, 0},
        {{"MESSAGELIMIT", "9738", "most messages of one command, where there is such a limit"},
         SHOWN_WITH_MESSAGE_LIMIT,
         0},
        {{"UIDONLY", "9586", "no sequence numbers, after ENABLE"}, SHOWN_AFTER_LOGIN, IMAP_ENABLED_UIDONLY},
        {{"UTF8=ACCEPT", "6855", "UTF-8 in mailbox names and strings, after ENABLE"},
         SHOWN_AFTER_LOGIN,
         IMAP_ENABLED_UTF8},
        {{"ESEARCH", "4731", "results of SEARCH as the client wants them"}, SHOWN_AFTER_LOGIN, 0},
        {{"SEARCHRES", "5182", "$ stands for what the last SEARCH found"}, SHOWN_AFTER_LOGIN, 0},
        {{"WITHIN", "5032", "SEARCH by age in seconds"}, SHOWN_AFTER_LOGIN, 0},
        {{"PARTIAL", "9394", "results in parts, from either end"}, SHOWN_AFTER_LOGIN, 0},
        {{"SEARCH=FUZZY", "6203", "all words anywhere, with relevancy"}, SHOWN_AFTER_LOGIN, 0},
        {{"MULTISEARCH", "7377", "SEARCH in several mailboxes"}, SHOWN_AFTER_LOGIN, 0},
        {{"CONTEXT=SEARCH", "5267", "searches whose results stay up to date"}, SHOWN_AFTER_LOGIN, 0},
        {{"CONTEXT=SORT", "5267", "the same of SORT"}, SHOWN_AFTER_LOGIN, 0},
        {{"SORT", "5256", "messages in an order"}, SHOWN_AFTER_LOGIN, 0},
        {{"SORT=DISPLAY", "5957", "by the names that are shown"}, SHOWN_AFTER_LOGIN, 0},
        {{"ESORT", "5267", "results of SORT as the client wants them"}, SHOWN_AFTER_LOGIN, 0},
        {{"THREAD=ORDEREDSUBJECT", "5256", "threads by subject"}, SHOWN_AFTER_LOGIN, 0},
        {{"THREAD=REFERENCES", "5256", "threads by References and subject"}, SHOWN_AFTER_LOGIN, 0},
        {{"THREAD=REFS", "draft-ietf-morg-inthread", "threads by References, the latest last"}, SHOWN_AFTER_LOGIN, 0},
        {{"I18NLEVEL=1", "5255", "SEARCH, SORT and THREAD compare by i;unicode-casemap"}, SHOWN_AFTER_LOGIN, 0},
        {{"NAMESPACE", "2342", "where mailboxes of others stand"}, SHOWN_AFTER_LOGIN, 0},
        {{"CHILDREN", "3348", "LIST tells what has mailboxes below it"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-EXTENDED", "5258", "LIST with selections and more to tell"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-STATUS", "5819", "LIST with STATUS"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-MYRIGHTS", "8440", "LIST with MYRIGHTS"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-METADATA", "9590", "LIST with METADATA"}, SHOWN_AFTER_LOGIN, 0},
        {{"SPECIAL-USE", "6154", "LIST tells what mailboxes are for"}, SHOWN_AFTER_LOGIN, 0},
        {{"CREATE-SPECIAL-USE", "6154", "mailboxes are made for a use"}, SHOWN_AFTER_LOGIN, 0},
        {{"STATUS=SIZE", "8438", "STATUS tells the octets of a mailbox"}, SHOWN_AFTER_LOGIN, 0},
        {{"ACL", "4314", "rights that others have on mailboxes"}, SHOWN_AFTER_LOGIN, 0},
        {{"RIGHTS=kxte", "4314", "the rights that came with RFC 4314"}, SHOWN_AFTER_LOGIN, 0},
        {{"METADATA", "5464", "annotations of mailboxes and of the server"}, SHOWN_AFTER_LOGIN, 0},
        {{"QUOTA", "9208", "what an account holds and may hold"}, SHOWN_AFTER_LOGIN, 0},
        {{"QUOTA=RES-STORAGE", "9208", "in octets"}, SHOWN_AFTER_LOGIN, 0},
        {{"QUOTA=RES-MESSAGE", "9208", "in messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"NOTIFY", "5465", "what happens is told without being asked, of any mailbox"}, SHOWN_AFTER_LOGIN, 0},
        {{"UIDBATCHES", "10022", "the mailbox in parts of the same size"}, SHOWN_AFTER_LOGIN, 0},
        {{"COMPRESS=DEFLATE", "4978", "everything in both directions compressed"}, SHOWN_AFTER_LOGIN, 0},
        {{"UNAUTHENTICATE", "8437", "back to the state before login"}, SHOWN_AFTER_LOGIN, 0},
};

G_STATIC_ASSERT(G_N_ELEMENTS(CAPABILITIES) <= 128);

const ImapCapability *
imap_capability(gsize i)
{
        return i < G_N_ELEMENTS(CAPABILITIES) ? &CAPABILITIES[i].row : NULL;
}

static gboolean
is_on(const ImapSession *s, gsize i)
{
        return (s->capabilities_off[i / 64] >> (i % 64) & 1) == 0;
}

gboolean
imap_has(const ImapSession *s, const char *capability)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++)
                if (strcmp(CAPABILITIES[i].row.name, capability) == 0)
                        return is_on(s, i);
        return FALSE;
}

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

        if (!is_on(s, i))
                return FALSE;
        switch (CAPABILITIES[i].shown) {
        case SHOWN_ALWAYS:
                break;
        case SHOWN_BEFORE_LOGIN:
                return is_stranger;
        case SHOWN_AFTER_LOGIN:
                return !is_stranger;
        case SHOWN_FOR_TLS:
                return is_stranger && imap_offers_tls(s);
        case SHOWN_FOR_MECHANISM:
                return is_stranger && offers_mechanism(s, CAPABILITIES[i].row.name);
        case SHOWN_WITHOUT_PASSWORDS:
                return is_stranger && !imap_allows_password(s);
        case SHOWN_WITHOUT_LITERAL_PLUS:
                return !imap_has(s, "LITERAL+");
        case SHOWN_WITH_MESSAGE_LIMIT:
                return !is_stranger && imap_settings(s)->message_limit > 0;
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
        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++) {
                if (!is_shown(s, i))
                        continue;
                n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, " %s", CAPABILITIES[i].row.name);
                if (CAPABILITIES[i].shown == SHOWN_WITH_MESSAGE_LIMIT)
                        n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, "=%u", imap_settings(s)->message_limit);
                if (CAPABILITIES[i].shown == SHOWN_WITH_SIZE)
                        n += (gsize) g_snprintf(text + n, CODE_OCTETS - n, "=%" G_GUINT64_FORMAT,
                                                imap_settings(s)->max_size);
        }
        return text;
}

void
imap_capability_command(ImapSession *s, ImapArgs *args)
{
        if (!args_end(args)) {
                imap_bad(s, "CAPABILITY has no arguments");
                return;
        }
        imap_put(s, "* ");
        imap_put(s, imap_capabilities(s, args->arena));
        imap_put(s, "\r\n");
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

static void
switch_off(ImapSession *s, Span name)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++)
                if (span_is(name, CAPABILITIES[i].row.name))
                        s->capabilities_off[i / 64] |= (guint64) 1 << (i % 64);
}

void
imap_apply_off(ImapSession *s)
{
        const char *const *rules = imap_settings(s)->off;

        memset(s->capabilities_off, 0, sizeof(s->capabilities_off));
        for (gsize i = 0; rules != NULL && rules[i] != NULL; i++) {
                Span rule = span_trim(span_of(rules[i]));
                const guint8 *space = rule.len > 0 ? memchr(rule.data, ' ', rule.len) : NULL;
                gsize len = space != NULL ? (gsize) (space - rule.data) : rule.len;
                if (rule_applies(s, span_trim(span_slice(rule, len, rule.len))))
                        switch_off(s, span_slice(rule, 0, len));
        }
}

/* ENABLE (RFC 5161) ----------------------------------------------------------------------------------------------- */

/* The row that a client names; NULL: none that can be enabled. Unknown ones are no error (RFC 5161 §3.1). */
static const Row *
find_enabled_by(const ImapSession *s, Span name)
{
        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++)
                if (CAPABILITIES[i].enables != 0 && is_on(s, i) && span_is(name, CAPABILITIES[i].row.name))
                        return &CAPABILITIES[i];
        return NULL;
}

/* ENABLED lists what this command has switched on. */
static void
put_enabled(ImapSession *s, guint before)
{
        imap_put(s, "* ENABLED");
        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++)
                if ((CAPABILITIES[i].enables & s->enabled & ~before) != 0 && is_on(s, i)) {
                        imap_put(s, " ");
                        imap_put(s, CAPABILITIES[i].row.name);
                        before |= CAPABILITIES[i].enables;
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
                const Row *row = find_enabled_by(s, name);
                enables |= row != NULL ? row->enables : 0;
        } while (!args_end(args));
        s->enabled |= enables;
        put_enabled(s, before);
        imap_ok(s, "", "enabled");
}
