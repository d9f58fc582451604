/* record.c -- deep copies of what the directory knows, into an arena or into one block. */
#include "directory/record.h"

/* Where a copy goes: an arena, or the rest of a block that was measured before. */
typedef struct Place {
        Arena *arena; /* NULL: at */
        guint8 *at;
        gsize used; /* octets taken; at may be NULL while measuring */
} Place;

#define ALIGN_OCTETS ((gsize) 16)

static void *
place_take(Place *place, gsize octets)
{
        if (place->arena != NULL)
                return arena_alloc(place->arena, octets);

        guint8 *at = place->at != NULL ? place->at + place->used : NULL;
        place->used += (octets + ALIGN_OCTETS - 1) & ~(ALIGN_OCTETS - 1);
        return at;
}

static const void *
place_copy(Place *place, const void *data, gsize octets)
{
        void *at = octets > 0 ? place_take(place, octets) : NULL;

        return at != NULL ? memcpy(at, data, octets) : NULL;
}

static const char *
place_text(Place *place, const char *text)
{
        return text != NULL ? place_copy(place, text, strlen(text) + 1) : NULL;
}

static Span
place_span(Place *place, Span s)
{
        const void *at = place_copy(place, s.data, s.len);

        return span_make(at, at != NULL ? s.len : 0);
}

static Address
place_address(Place *place, const Address *a)
{
        return (Address){place_span(place, a->local), place_span(place, a->domain)};
}

static const Address *
place_addresses(Place *place, const Address *from, gsize n)
{
        Address *at = n > 0 ? place_take(place, n * sizeof(Address)) : NULL;

        for (gsize i = 0; i < n; i++) {
                Address copy = place_address(place, &from[i]);

                if (at != NULL)
                        at[i] = copy;
        }
        return at;
}

static const void *
copy_domain(Place *place, const Domain *from)
{
        Domain copy = *from;

        copy.name = place_text(place, from->name);
        copy.target = place_text(place, from->target);
        copy.unknown = place_text(place, from->unknown);
        copy.envelope_header = place_text(place, from->envelope_header);
        copy.next_hop = place_text(place, from->next_hop);
        copy.source_address = place_text(place, from->source_address);
        copy.helo_name = place_text(place, from->helo_name);
        copy.bounce_template = place_text(place, from->bounce_template);
        copy.template_name = place_text(place, from->template_name);
        return place_copy(place, &copy, sizeof(copy));
}

static Account
account_in(Place *place, const Account *from)
{
        Account copy = *from;

        copy.address = place_address(place, &from->address);
        copy.atrn = place_text(place, from->atrn);
        copy.template_name = place_text(place, from->template_name);
        return copy;
}

static const void *
copy_account(Place *place, const Account *from)
{
        Account copy = account_in(place, from);

        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_bouncer(Place *place, const Bouncer *from)
{
        Bouncer copy = *from;

        copy.text = place_text(place, from->text);
        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_entry(Place *place, const Entry *from)
{
        Entry copy = *from;

        copy.bouncer = from->bouncer != NULL ? copy_bouncer(place, from->bouncer) : NULL;
        copy.alias = place_addresses(place, from->alias, from->n_alias);
        copy.group = place_addresses(place, from->group, from->n_group);
        copy.account = from->account != NULL ? copy_account(place, from->account) : NULL;
        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_list(Place *place, const AddressList *from)
{
        AddressList copy = {place_addresses(place, from->at, from->n), from->n};

        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_patterns(Place *place, const Patterns *from)
{
        Patterns copy = *from;

        copy.catchall.at = place_addresses(place, from->catchall.at, from->catchall.n);
        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_login(Place *place, const Login *from)
{
        Login copy = *from;

        copy.account = account_in(place, &from->account);
        copy.secrets.password_hash = place_text(place, from->secrets.password_hash);
        copy.secrets.scram = place_text(place, from->secrets.scram);
        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_scopes(Place *place, const AdminScopes *from)
{
        AdminScope *at = from->n > 0 ? place_take(place, from->n * sizeof(AdminScope)) : NULL;
        AdminScopes copy = {at, from->n};

        for (gsize i = 0; i < from->n; i++) {
                AdminScope scope = {place_text(place, from->at[i].domain), from->at[i].rights};

                if (at != NULL)
                        at[i] = scope;
        }
        return place_copy(place, &copy, sizeof(copy));
}

static const void *
copy_value(Place *place, RecordKind kind, const void *value)
{
        switch (kind) {
        case RECORD_DOMAIN:
                return copy_domain(place, value);
        case RECORD_ENTRY:
                return copy_entry(place, value);
        case RECORD_PREFIX:
        case RECORD_GROUPS:
                return copy_list(place, value);
        case RECORD_PATTERNS:
                return copy_patterns(place, value);
        case RECORD_LOGIN:
                return copy_login(place, value);
        case RECORD_ACCOUNT:
                return copy_account(place, value);
        case RECORD_ADMIN:
                return copy_scopes(place, value);
        }
        g_assert_not_reached();
}

Record *
record_new(RecordKind kind, guint hash, Span key, const void *value)
{
        Place measured = {0};

        (void) place_take(&measured, key.len);
        if (value != NULL)
                (void) copy_value(&measured, kind, value);

        /* the array behind the head starts on an odd multiple of 8 at worst: one alignment more is room enough */
        gsize octets = sizeof(Record) + ALIGN_OCTETS + measured.used;
        Record *record = g_try_malloc(octets);
        if (record == NULL)
                return NULL;

        guintptr from = ((guintptr) record->place + ALIGN_OCTETS - 1) & ~(guintptr) (ALIGN_OCTETS - 1);
        Place place = {.at = (guint8 *) from};
        record->refs = 1;
        record->kind = kind;
        record->hash = hash;
        record->octets = octets;
        record->key = place_span(&place, key);
        record->value = value != NULL ? copy_value(&place, kind, value) : NULL;
        return record;
}

Record *
record_ref(Record *record)
{
        (void) __atomic_add_fetch(&record->refs, 1, __ATOMIC_RELAXED);
        return record;
}

/* Passwords' hashes may be in it. */
void
record_unref(Record *record)
{
        if (record != NULL && __atomic_sub_fetch(&record->refs, 1, __ATOMIC_ACQ_REL) == 0)
                g_free(record);
}

const void *
record_unpack(const Record *record, Arena *arena)
{
        Place place = {.arena = arena};
        const void *copy = copy_value(&place, record->kind, record->value);

        return arena_is_over(arena) ? NULL : copy;
}
