/* sender.c -- whose address is it? What an account may write as on submission (RFC 6409 §6.1). */
#include "auth/internal.h"

/* The domain an alias of a domain stands for. */
static Found
canonical(Auth *auth, Arena *arena, const Address *sender, Address *ret, GError **error)
{
        const Domain *domain;
        Found found = directory_domain(auth->directory, arena, sender->domain, &domain, error);

        if (found != FOUND)
                return found;
        *ret = *sender;
        if (domain->kind == DOMAIN_ALIAS)
                ret->domain = span_of(domain->target);
        return FOUND;
}

static gboolean
leads_to(const Entry *entry, gint64 account, const Address *account_address)
{
        if (entry->account != NULL && entry->account->id == account)
                return TRUE;
        for (gsize i = 0; i < entry->n_alias; i++)
                if (address_equal(&entry->alias[i], account_address))
                        return TRUE;
        return FALSE;
}

static Found
owns(Auth *auth, Arena *arena, gint64 account, const Address *account_address, const Address *name, GError **error)
{
        Entry entry = {NULL};
        Found found = directory_entry(auth->directory, arena, name, &entry, error);

        if (found != FOUND)
                return found;
        return leads_to(&entry, account, account_address) ? FOUND : FOUND_NOT;
}

Found
auth_may_send_as(Auth *auth, Arena *arena, gint64 account, const Address *account_address, const Address *sender,
                 GError **error)
{
        Address name;

        if (address_equal(sender, account_address))
                return FOUND;
        Found found = canonical(auth, arena, sender, &name, error);
        if (found != FOUND)
                return found;
        found = owns(auth, arena, account, account_address, &name, error);
        if (found != FOUND_NOT)
                return found;

        const guint8 *plus = memchr(sender->local.data, '+', sender->local.len);
        if (plus == NULL || plus == sender->local.data)
                return FOUND_NOT;
        name.local.len = (gsize) (plus - sender->local.data);
        return owns(auth, arena, account, account_address, &name, error);
}
