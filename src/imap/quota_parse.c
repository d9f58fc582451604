/* quota_parse.c -- the arguments of GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §4.1, §7). */
#include "imap/names.h"

/* "(STORAGE 512 MESSAGE 100)" */
static gboolean
read_limits(ImapArgs *a)
{
        guint64 limit;
        Span resource;

        if (!args_open(a))
                return FALSE;
        if (args_close(a))
                return TRUE;
        do {
                if (!args_atom(a, &resource) || !args_space(a) || !args_number(a, G_MAXINT64, &limit))
                        return FALSE;
        } while (args_space(a));
        return args_close(a);
}

gboolean
imap_quota_parse(ImapArgs *a, QuotaForm form, Span *ret, gboolean *ret_is_bad)
{
        Span name;

        *ret_is_bad = FALSE;
        if (!args_space(a) ||
            !(form == QUOTA_FORM_MAILBOX ? args_mailbox(a, &name, ret_is_bad) : args_astring(a, &name)) ||
            (form == QUOTA_FORM_LIMITS && (!args_space(a) || !read_limits(a))) || !args_end(a))
                return FALSE;
        *ret = name;
        return TRUE;
}
