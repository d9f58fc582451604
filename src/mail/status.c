/* status.c -- enhanced status codes and what they mean in plain words. */
#include "mail/status.h"

#include "base/text.h"

#include <stdio.h>

#define CODE_MIN 200
#define CODE_MAX 599
#define NUMBER_MAX 999 /* RFC 3463 §2: at most three digits */

typedef struct Meaning {
        guint16 subject, detail;
        const char *text; /* reads after "because" and for all classes */
} Meaning;

/* RFC 3463 §3, and the registry's later entries (RFC 5248) that mail servers use. */
static const Meaning MEANINGS[] = {
        {1, 0, "something is wrong with the address"},
        {1, 1, "there is no such mailbox here"},
        {1, 2, "the domain of the address does not exist or takes no mail"},
        {1, 3, "the address is not written as an address"},
        {1, 4, "the address means more than one mailbox"},
        {1, 5, "the address is valid"},
        {1, 6, "the mailbox has moved and left no new address"},
        {1, 7, "the sender's address is not written as an address"},
        {1, 8, "the domain of the sender's address does not exist or takes no mail"},
        {1, 9, "the message was relayed to a server that sends no delivery reports"},
        {1, 10, "the domain has said that it takes no mail"},
        {2, 0, "something is wrong with the mailbox"},
        {2, 1, "the mailbox is switched off"},
        {2, 2, "the mailbox is full"},
        {2, 3, "the message is larger than this mailbox takes"},
        {2, 4, "the members of the list could not be found out"},
        {3, 0, "something is wrong with the mail system"},
        {3, 1, "the mail system has no room left"},
        {3, 2, "the mail system takes no mail at present"},
        {3, 3, "the mail system can't do what the message needs"},
        {3, 4, "the message is larger than the mail system takes"},
        {3, 5, "the mail system is not set up correctly"},
        {3, 6, "the mail system uses another priority for this message"},
        {4, 0, "something is wrong with the network"},
        {4, 1, "the other mail server did not answer"},
        {4, 2, "the connection to the other mail server was lost"},
        {4, 3, "the directory could not be asked"},
        {4, 4, "no way to the mail server of that domain is known"},
        {4, 5, "the mail system has too much to do"},
        {4, 6, "the message goes round in a circle"},
        {4, 7, "the message could not be delivered in time"},
        {5, 0, "something is wrong with the mail protocol"},
        {5, 1, "the command can't be used here"},
        {5, 2, "the command is not written as the protocol wants it"},
        {5, 3, "the message has too many recipients"},
        {5, 4, "the arguments of the command are not valid"},
        {5, 5, "the two mail servers speak different versions of the protocol"},
        {5, 6, "the authentication exchange has a line that is too long"},
        {6, 0, "something is wrong with the content of the message"},
        {6, 1, "the content of the message is of a kind that is not taken here"},
        {6, 2, "the message would have to be converted, which is not allowed"},
        {6, 3, "the message would have to be converted, which is not possible here"},
        {6, 4, "the message was converted and lost something"},
        {6, 5, "the message could not be converted"},
        {6, 6, "the content of the message could not be fetched"},
        {6, 7, "the address has letters that the other mail server can't take (it lacks SMTPUTF8)"},
        {6, 8, "a reply would need letters that this connection can't carry (SMTPUTF8 was not asked for)"},
        {6, 9, "the header of the message has letters that can't be converted for the other mail server"},
        {6, 10, "the message could not be converted to plain ASCII"},
        {7, 0, "a security rule does not allow it"},
        {7, 1, "delivery is not allowed"},
        {7, 2, "the sender may not write to this list"},
        {7, 3, "a security conversion would be needed, which is not possible"},
        {7, 4, "the security features that the message needs are missing"},
        {7, 5, "a cryptographic check could not be made"},
        {7, 6, "the cryptographic algorithm is not supported"},
        {7, 7, "the message was changed on its way"},
        {7, 8, "user name or password are wrong"},
        {7, 9, "the authentication mechanism is too weak"},
        {7, 10, "the connection must be encrypted"},
        {7, 11, "the authentication mechanism needs an encrypted connection"},
        {7, 12, "the password must be changed first"},
        {7, 13, "the account is switched off"},
        {7, 14, "the two mail servers do not trust each other"},
        {7, 15, "the priority of the message is too low"},
        {7, 16, "the message is too large for its priority"},
        {7, 17, "the mailbox has had another owner since"},
        {7, 18, "the domain has had another owner since"},
        {7, 20, "no signature of the domain (DKIM) is valid"},
        {7, 23, "the sending server may not send for that domain (SPF)"},
        {7, 24, "the domain's rules for senders (SPF) could not be checked"},
        {7, 25, "the sending server's address has no valid name"},
        {7, 26, "several checks of the sender failed"},
        {7, 27, "the sender's domain has said that it takes no mail"},
        {7, 28, "the sender sends too much mail"},
        {7, 30, "the recipient's mail server can't be reached with the encryption that was asked for"},
};

static gboolean
scan_triple(Scan *s, Status *ret)
{
        guint64 class, subject, detail;

        if (!scan_number(s, 5, &class) || !scan_octet(s, '.') || !scan_number(s, NUMBER_MAX, &subject) ||
            !scan_octet(s, '.') || !scan_number(s, NUMBER_MAX, &detail) || (class != 2 && class != 4 && class != 5))
                return FALSE;
        ret->class = (guint8) class;
        ret->subject = (guint16) subject;
        ret->detail = (guint16) detail;
        return TRUE;
}

gboolean
status_parse(Span text, Status *ret)
{
        Scan s = scan_from(text);
        Status found = {.code = 0};
        guint64 code = 0;

        gboolean has_code = scan_number(&s, CODE_MAX, &code) && code >= CODE_MIN && scan_octet(&s, ' ');
        if (!has_code)
                s = scan_from(text);
        if (!scan_triple(&s, &found) || !scan_at_end(&s))
                return FALSE;
        if (!has_code)
                code = found.class == 2 ? 250 : found.class * 100u + 50;
        if (code / 100 != found.class)
                return FALSE;
        found.code = (guint16) code;
        *ret = found;
        return TRUE;
}

const char *
status_text(Status s, char *buffer, gsize size)
{
        char text[3 * TEXT_NUMBER_OCTETS + 3], *at = text;

        at = text_put_number(at, s.class);
        *at++ = '.';
        at = text_put_number(at, s.subject);
        *at++ = '.';
        at = text_put_number(at, s.detail);
        *at = '\0';
        g_strlcpy(buffer, text, size);
        return buffer;
}

/* For codes of no use to people, by class. */
static const char *
class_meaning(guint8 class)
{
        if (class == 2)
                return "it was done";
        return class == 4 ? "it could not be done now, but may be later" : "it could not be done";
}

const char *
status_meaning(Status s)
{
        const char *general = class_meaning(s.class);

        for (gsize i = 0; i < G_N_ELEMENTS(MEANINGS); i++) {
                const Meaning *m = &MEANINGS[i];

                if (m->subject != s.subject)
                        continue;
                if (m->detail == s.detail)
                        return m->text;
                if (m->detail == 0)
                        general = m->text;
        }
        return general;
}
