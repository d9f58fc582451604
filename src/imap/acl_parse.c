/* acl_parse.c -- the arguments of SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3, §4).
 *
 *      mailbox [identifier [[+|-]rights]]
 */
#include "imap/names.h"

#include "base/text.h"

/* Identifiers are UTF-8 (§3). */
static gboolean
read_identifier(ImapArgs *a, Span *ret)
{
        return args_space(a) && args_astring(a, ret) && ret->len > 0 && text_is_utf8(*ret);
}

/* RIGHTS=kxte off: RFC 2086 has none of these letters. */
static gboolean
knows_letters(const ImapArgs *a, Span letters)
{
        static const OctetClass NEW = {{0, G_GUINT64_CONSTANT(0x0110082000000000), 0, 0}}; /* k x t e */
        gboolean knows_new = args_has(a, "RIGHTS=kxte");

        for (gsize i = 0; !knows_new && i < letters.len; i++)
                if (octet_in(&NEW, letters.data[i]))
                        return FALSE;
        return TRUE;
}

/* "+lr", "-lr" or "lr". A letter that is none is BAD (§3.1). */
static gboolean
read_change(ImapArgs *a, AclRequest *r)
{
        Span text;

        if (!args_space(a) || !args_astring(a, &text))
                return FALSE;
        guint8 sign = text.len > 0 ? text.data[0] : 0;
        r->action = sign == '+' ? ACL_ADD : sign == '-' ? ACL_REMOVE : ACL_REPLACE;
        if (r->action != ACL_REPLACE)
                text = span_slice(text, 1, text.len);
        return knows_letters(a, text) && rights_parse(text, &r->rights);
}

gboolean
imap_acl_parse(ImapArgs *a, AclForm form, AclRequest *ret, gboolean *ret_is_bad)
{
        AclRequest r = {.action = ACL_REPLACE};

        *ret_is_bad = FALSE;
        if (!args_space(a) || !args_mailbox(a, &r.mailbox, ret_is_bad) ||
            (form >= ACL_FORM_IDENTIFIER && !read_identifier(a, &r.identifier)) ||
            (form >= ACL_FORM_RIGHTS && !read_change(a, &r)) || !args_end(a))
                return FALSE;
        *ret = r;
        return TRUE;
}
