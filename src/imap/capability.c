/* capability.c -- the table of capabilities, and the rules that switch them off.
 *
 * A row that is off is not shown, and what belongs to it is as if it had never been written: each table of commands and
 * arguments names the rows it belongs to (imap_has, args_has). What stands on another row goes with that one (`needs`).
 */
#include "imap/capability.h"

/* Rows come in with what makes them work. */
static const Capability CAPABILITIES[] = {
        {{"IMAP4rev1", "3501", "the protocol as most clients speak it"}, SHOWN_ALWAYS, 0},
        {{"IMAP4rev2", "9051", "the protocol as it is now, after ENABLE IMAP4rev2"},
         SHOWN_ALWAYS,
         IMAP_ENABLED_REV2,
         "ENABLE"},
        {{"LITERAL+", "7888", "literals that need no answer before they are sent"}, SHOWN_ALWAYS, 0},
        {{"LITERAL-", "7888", "the same up to 4,096 octets"}, SHOWN_WITHOUT_LITERAL_PLUS, 0},
        {{"SASL-IR", "4959", "AUTHENTICATE with an initial response"}, SHOWN_BEFORE_LOGIN, 0},
        {{"STARTTLS", "9051 §6.2.1", "TLS on this connection"}, SHOWN_FOR_TLS, 0},
        {{"LOGINDISABLED", "9051 §6.2.3", "no passwords before TLS"}, SHOWN_WITHOUT_PASSWORDS, 0},
        {{"AUTH=PLAIN", "4616", "login by SASL"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=LOGIN", "draft-murchison-sasl-login", "the same for older clients"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=SCRAM-SHA-256", "7677", "login without showing the password"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=SCRAM-SHA-256-PLUS", "7677", "the same, bound to this TLS connection"}, SHOWN_FOR_MECHANISM, 0},
        {{"AUTH=OAUTHBEARER", "7628", "login with an access token, where the settings name its issuer"},
         SHOWN_FOR_MECHANISM,
         0},
        {{"ID", "2971", "client and server tell their names"}, SHOWN_ALWAYS, 0},
        {{"ENABLE", "5161", "extensions are switched on by the client"}, SHOWN_ALWAYS, 0},
        {{"IDLE", "2177", "news are told as they come"}, SHOWN_ALWAYS, 0},
        {{"UNSELECT", "3691", "closing a mailbox without removing messages"}, SHOWN_AFTER_LOGIN, 0},
        {{"CONDSTORE", "7162", "numbers of changes"}, SHOWN_AFTER_LOGIN, IMAP_ENABLED_CONDSTORE},
        {{"QRESYNC", "7162", "what has changed since last time, in one round trip"},
         SHOWN_AFTER_LOGIN,
         IMAP_ENABLED_QRESYNC | IMAP_ENABLED_CONDSTORE,
         "CONDSTORE ENABLE"},
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
        {{"UIDONLY", "9586", "no sequence numbers, after ENABLE"}, SHOWN_AFTER_LOGIN, IMAP_ENABLED_UIDONLY, "ENABLE"},
        {{"UTF8=ACCEPT", "6855", "UTF-8 in mailbox names and strings, after ENABLE"},
         SHOWN_AFTER_LOGIN,
         IMAP_ENABLED_UTF8,
         "ENABLE"},
        {{"ESEARCH", "4731", "results of SEARCH as the client wants them"}, SHOWN_AFTER_LOGIN, 0},
        {{"SEARCHRES", "5182", "$ stands for what the last SEARCH found"}, SHOWN_AFTER_LOGIN, 0, "ESEARCH"},
        {{"WITHIN", "5032", "SEARCH by age in seconds"}, SHOWN_AFTER_LOGIN, 0},
        {{"PARTIAL", "9394", "results in parts, from either end"}, SHOWN_AFTER_LOGIN, 0},
        {{"SEARCH=FUZZY", "6203", "all words anywhere, with relevancy"}, SHOWN_AFTER_LOGIN, 0},
        {{"MULTISEARCH", "7377", "SEARCH in several mailboxes"}, SHOWN_AFTER_LOGIN, 0, "ESEARCH"},
        {{"CONTEXT=SEARCH", "5267", "searches whose results stay up to date"}, SHOWN_AFTER_LOGIN, 0, "ESEARCH"},
        {{"CONTEXT=SORT", "5267", "the same of SORT"}, SHOWN_AFTER_LOGIN, 0, "ESORT"},
        {{"SORT", "5256", "messages in an order"}, SHOWN_AFTER_LOGIN, 0},
        {{"SORT=DISPLAY", "5957", "by the names that are shown"}, SHOWN_AFTER_LOGIN, 0, "SORT"},
        {{"ESORT", "5267", "results of SORT as the client wants them"}, SHOWN_AFTER_LOGIN, 0, "SORT"},
        {{"THREAD=ORDEREDSUBJECT", "5256", "threads by subject"}, SHOWN_AFTER_LOGIN, 0},
        {{"THREAD=REFERENCES", "5256", "threads by References and subject"}, SHOWN_AFTER_LOGIN, 0},
        {{"THREAD=REFS", "draft-ietf-morg-inthread", "threads by References, the latest last"}, SHOWN_AFTER_LOGIN, 0},
        {{"I18NLEVEL=1", "5255", "SEARCH, SORT and THREAD compare by i;unicode-casemap"}, SHOWN_AFTER_LOGIN, 0},
        {{"NAMESPACE", "2342", "where mailboxes of others stand"}, SHOWN_AFTER_LOGIN, 0},
        {{"CHILDREN", "3348", "LIST tells what has mailboxes below it"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-EXTENDED", "5258", "LIST with selections and more to tell"}, SHOWN_AFTER_LOGIN, 0},
        {{"LIST-STATUS", "5819", "LIST with STATUS"}, SHOWN_AFTER_LOGIN, 0, "LIST-EXTENDED"},
        {{"LIST-MYRIGHTS", "8440", "LIST with MYRIGHTS"}, SHOWN_AFTER_LOGIN, 0, "LIST-EXTENDED ACL"},
        {{"LIST-METADATA", "9590", "LIST with METADATA"}, SHOWN_AFTER_LOGIN, 0, "LIST-EXTENDED METADATA"},
        {{"SPECIAL-USE", "6154", "LIST tells what mailboxes are for"}, SHOWN_AFTER_LOGIN, 0},
        {{"CREATE-SPECIAL-USE", "6154", "mailboxes are made for a use"}, SHOWN_AFTER_LOGIN, 0, "SPECIAL-USE"},
        {{"STATUS=SIZE", "8438", "STATUS tells the octets of a mailbox"}, SHOWN_AFTER_LOGIN, 0},
        {{"ACL", "4314", "rights that others have on mailboxes"}, SHOWN_AFTER_LOGIN, 0},
        {{"RIGHTS=kxte", "4314", "the rights that came with RFC 4314"}, SHOWN_AFTER_LOGIN, 0, "ACL"},
        {{"METADATA", "5464", "annotations of mailboxes and of the server"}, SHOWN_AFTER_LOGIN, 0},
        {{"QUOTA", "9208", "what an account holds and may hold"}, SHOWN_AFTER_LOGIN, 0},
        {{"QUOTA=RES-STORAGE", "9208", "in octets"}, SHOWN_AFTER_LOGIN, 0, "QUOTA"},
        {{"QUOTA=RES-MESSAGE", "9208", "in messages"}, SHOWN_AFTER_LOGIN, 0, "QUOTA"},
        {{"NOTIFY", "5465", "what happens is told without being asked, of any mailbox"}, SHOWN_AFTER_LOGIN, 0},
        {{"UIDBATCHES", "10022", "the mailbox in parts of the same size"}, SHOWN_AFTER_LOGIN, 0},
        {{"COMPRESS=DEFLATE", "4978", "everything in both directions compressed"}, SHOWN_AFTER_LOGIN, 0},
        {{"UNAUTHENTICATE", "8437", "back to the state before login"}, SHOWN_AFTER_LOGIN, 0},
};

G_STATIC_ASSERT(G_N_ELEMENTS(CAPABILITIES) <= CAPABILITIES_MAX);

const Capability *
capability_row(gsize i)
{
        return i < G_N_ELEMENTS(CAPABILITIES) ? &CAPABILITIES[i] : NULL;
}

const ImapCapability *
imap_capability(gsize i)
{
        return i < G_N_ELEMENTS(CAPABILITIES) ? &CAPABILITIES[i].row : NULL;
}

gboolean
capability_is_on(const guint64 *off, gsize i)
{
        return off == NULL || (off[i / 64] >> (i % 64) & 1) == 0;
}

gsize
capability_find(Span name)
{
        gsize i = 0;

        while (i < G_N_ELEMENTS(CAPABILITIES) && !span_is(name, CAPABILITIES[i].row.name))
                i++;
        return i;
}

static Span
next_word(Scan *scan)
{
        while (scan_octet(scan, ' '))
                ;
        const guint8 *mark = scan_mark(scan);
        while (scan_peek(scan) >= 0 && scan_peek(scan) != ' ')
                scan_skip(scan, 1);
        return scan_since(scan, mark);
}

gboolean
capabilities_are_on(const guint64 *off, const char *names, gboolean all)
{
        Scan scan = scan_from(span_of(names));

        while (!scan_at_end(&scan)) {
                gsize i = capability_find(next_word(&scan));
                gboolean is_there = i < G_N_ELEMENTS(CAPABILITIES) && capability_is_on(off, i);
                if (is_there != all)
                        return is_there;
        }
        return all;
}

gboolean
imap_has(const ImapSession *s, const char *capabilities)
{
        return capabilities_are_on(s->capabilities_off, capabilities, FALSE);
}

gboolean
args_has(const ImapArgs *a, const char *capabilities)
{
        return capabilities == NULL || capabilities_are_on(a->off, capabilities, FALSE);
}

const char *
imap_code(const ImapSession *s, const char *capabilities, const char *code)
{
        return imap_has(s, capabilities) ? code : "";
}

/* Rules ----------------------------------------------------------------------------------------------------------- */

void
capability_split_rule(const char *text, Span *ret_name, Span *ret_condition)
{
        Scan scan = scan_from(span_trim(span_of(text)));

        *ret_name = next_word(&scan);
        *ret_condition = span_trim(scan_rest(&scan));
}

/* The capability whose name begins most like it, for who has made a mistake. */
static const char *
find_like(Span name)
{
        const char *best = NULL;
        gsize most = 1;

        for (gsize i = 0; i < G_N_ELEMENTS(CAPABILITIES); i++) {
                Span other = span_of(CAPABILITIES[i].row.name);
                gsize n = 0;
                while (n < MIN(name.len, other.len) &&
                       g_ascii_toupper((char) name.data[n]) == g_ascii_toupper((char) other.data[n]))
                        n++;
                if (n > most) {
                        most = n;
                        best = CAPABILITIES[i].row.name;
                }
        }
        return best != NULL ? best : "QRESYNC";
}

/* LOGINDISABLED says what is so: it is no extension. */
static gboolean
check_name(Span name, GError **error)
{
        gsize i = capability_find(name);
        g_autofree char *text = span_dup(name);

        if (i == G_N_ELEMENTS(CAPABILITIES))
                return fault(error, FAULT_INPUT, "'%s': there is no capability of that name; is it %s that is meant?",
                             text, find_like(name));
        if (CAPABILITIES[i].shown == SHOWN_WITHOUT_PASSWORDS)
                return fault(error, FAULT_INPUT,
                             "'%s' is no extension: it stays where passwords need TLS; leave it out", text);
        return TRUE;
}

static gboolean
check_condition(Span condition, GError **error)
{
        g_autofree char *text = span_dup(condition);

        if (condition.len == 0 || span_starts_nocase(condition, span_of("client=")) ||
            span_starts_nocase(condition, span_of("account=")))
                return TRUE;
        return fault(error, FAULT_INPUT, "'%s': give client=NAME/VERSION or account=ADDRESS, with * for anything",
                     text);
}

/* Two rules that both meet somebody: one of them is for all, or they are for the same. */
static gboolean
meet(Span a, Span b)
{
        return a.len == 0 || b.len == 0 || span_equal_nocase(a, b);
}

/* IMAP4rev1 and IMAP4rev2 off for the same client leave nothing to speak. */
static gboolean
check_revisions(const char *const *rules, GError **error)
{
        Span name, condition, other, its_condition;

        for (gsize i = 0; rules[i] != NULL; i++) {
                capability_split_rule(rules[i], &name, &condition);
                for (gsize j = 0; span_is(name, "IMAP4rev1") && rules[j] != NULL; j++) {
                        capability_split_rule(rules[j], &other, &its_condition);
                        if (span_is(other, "IMAP4rev2") && meet(condition, its_condition))
                                return fault(error, FAULT_INPUT,
                                             "IMAP4rev1 and IMAP4rev2 can't both be off: leave one of them");
                }
        }
        return TRUE;
}

gboolean
imap_check_off(const char *const *rules, GError **error)
{
        Span name, condition;

        for (gsize i = 0; rules[i] != NULL; i++) {
                capability_split_rule(rules[i], &name, &condition);
                if (!check_name(name, error) || !check_condition(condition, error))
                        return FALSE;
        }
        return check_revisions(rules, error);
}
