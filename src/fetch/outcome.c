/* outcome.c -- the recipients of one fetched message, asked of intake; what intake does not take goes as the source
 * says (ROUTING.md §5).
 *
 * Whatever has to wait makes the whole message wait at the provider: nothing of it is kept here then, so it can come
 * again.
 */
#include "fetch/internal.h"

#include "base/text.h"

#define REASON_SHOWN 120

typedef struct Asking {
        Fetch *fetch;
        const Source *source;
        Arena *arena;
        const Address *sender;
        Submission *sub;
        Outcome *out;
        gboolean is_waiting;     /* something can't be done at the moment */
        const Address *unwanted; /* unknown, and the source says: leave */
} Asking;

static const Address POSTMASTER_ADDRESS = {{(const guint8 *) "postmaster", 10}, {NULL, 0}};

static const char *
text_of(Arena *arena, const Address *address)
{
        Span text = address_text(arena, address);
        const char *shown = arena_strndup(arena, text);

        return shown != NULL ? shown : "";
}

/* Words of several recipients stand side by side. */
static const char *
join(Arena *arena, const char *before, const char *word)
{
        const char *both = before != NULL && before[0] != '\0' ? arena_printf(arena, "%s, %s", before, word) : word;

        return both != NULL ? both : word;
}

static void
note(Asking *a, const Address *address, const char *word, const char *reason)
{
        a->out->recipient = join(a->arena, a->out->recipient, text_of(a->arena, address));
        a->out->word = join(a->arena, a->out->word, word);
        if (reason != NULL)
                a->out->reason = reason;
}

/* What intake said to one of the ways that ask no router. */
static void
taken(Asking *a, IntakeReply reply, const Address *address, const char *word, const char *reason)
{
        if (reply.verdict == INTAKE_ACCEPTED) {
                note(a, address, word, reason);
                return;
        }
        a->is_waiting = TRUE;
        a->out->reason = arena_strdup(a->arena, reply.text);
}

static void
to_postmaster(Asking *a, const Address *address, const char *reason)
{
        taken(a, intake_recipient_postmaster(a->sub, address, reason), address, "postmaster", reason);
}

/* A bounce is guarded: what must not be bounced goes to the postmaster (ROUTING.md §6). */
static void
bounce(Asking *a, const Address *address, Status status, const char *text)
{
        taken(a, intake_recipient_bounce(a->sub, address, status, text), address, "bounce", text);
}

static void
unknown(Asking *a, const Address *address, Status status, const char *text)
{
        const char *reason = arena_printf(a->arena, "nobody has the address %s", text_of(a->arena, address));

        switch (a->source->unknown) {
        case UNKNOWN_POLICY:
                bounce(a, address, status, text);
                break;
        case UNKNOWN_DISCARD:
                taken(a, intake_recipient_discard(a->sub, address, reason), address, "discard", reason);
                break;
        case UNKNOWN_LEAVE:
                a->unwanted = address;
                a->out->recipient = join(a->arena, a->out->recipient, text_of(a->arena, address));
                a->out->reason = reason;
                break;
        case UNKNOWN_POSTMASTER:
        default:
                to_postmaster(a, address, reason);
                break;
        }
}

/* An address refused though it is somebody's: a bouncer says so to its senders; anything else is this site's own
 * affair, and senders must not be told of it. */
static void
refused(Asking *a, const Address *address, const IntakeReply *reply)
{
        const char *text = arena_strdup(a->arena, reply->text);

        if (reply->is_unknown)
                unknown(a, address, reply->status, text);
        else if (reply->status.subject == 1)
                bounce(a, address, reply->status, text);
        else
                to_postmaster(a, address, text);
}

static const char *
route_word(Arena *arena, const Route *route)
{
        const char *kind = route_kind_name(route->kind);

        if (route->kind == ROUTE_DELIVER)
                return arena_printf(arena, "%s %s", kind, text_of(arena, &route->address));
        if (route->kind == ROUTE_RELAY || route->kind == ROUTE_HOLD)
                return arena_printf(arena, "%s %s", kind, route->next_hop);
        return kind;
}

/* The router is asked first: an address that only a policy would catch is unknown to this source, whatever the policy
 * of its domain, unless the source hands the question to it. */
static void
ask(Asking *a, const Address *address)
{
        const Standing standing = {.origin = ORIGIN_FETCH};
        g_autoptr(GError) error = NULL;
        Route route;

        if (router_decide(a->fetch->router, a->arena, address, &standing, &route, &error) == ROUTE_FAILED) {
                a->is_waiting = TRUE;
                a->out->reason = "this can't be looked up at present";
                return;
        }
        if (route.is_unknown && a->source->unknown != UNKNOWN_POLICY) {
                directory_count_unknown(a->fetch->directory, address, a->sender);
                unknown(a, address, STATUS(550, 5, 1, 1), "no such mailbox here");
                return;
        }
        IntakeReply reply = intake_recipient(a->sub, address);
        if (reply.verdict == INTAKE_REFUSED)
                refused(a, address, &reply);
        else
                taken(a, reply, address, route_word(a->arena, &route), NULL);
}

static void
leave(Asking *a, const char *reason)
{
        a->out->kind = OUTCOME_LEAVE;
        a->out->reason = reason;
}

static void
fall_back(Asking *a, const char *reason)
{
        switch (a->source->fallback) {
        case FALLBACK_LEAVE:
                leave(a, reason);
                break;
        case FALLBACK_ADDRESS:
                ask(a, &a->source->fallback_address);
                a->out->reason = reason;
                break;
        case FALLBACK_POSTMASTER:
        default:
                to_postmaster(a, &POSTMASTER_ADDRESS, reason);
                break;
        }
}

static void
ask_owner(Asking *a)
{
        IntakeReply reply = intake_recipient(a->sub, a->source->owner);

        if (reply.verdict == INTAKE_REFUSED) {
                a->is_waiting = TRUE;
                a->out->reason = arena_printf(a->arena, "the owner takes no mail: %s", reply.text);
        } else {
                taken(a, reply, a->source->owner,
                      arena_printf(a->arena, "deliver %s", text_of(a->arena, a->source->owner)), NULL);
        }
}

static void
ask_found(Asking *a, const Address *found, gsize n)
{
        for (gsize i = 0; i < n && !a->is_waiting; i++)
                ask(a, &found[i]);
        if (a->unwanted == NULL || a->is_waiting)
                return;
        if (submission_n_recipients(a->sub) == 0)
                leave(a, a->out->reason);
        else /* others have their copy, so it will not stay: somebody must see that one was not delivered */
                to_postmaster(a, a->unwanted, a->out->reason);
}

static void
ask_multidrop(Asking *a, const Header *header)
{
        const Address *found;
        const char *reason;
        gsize n;

        switch (multidrop_find_in(a->arena, header, &a->source->multidrop, &found, &n, &reason)) {
        case MULTIDROP_FOUND:
                ask_found(a, found, n);
                break;
        case MULTIDROP_FOREIGN:
                if (a->source->foreign_to_postmaster)
                        to_postmaster(a, &POSTMASTER_ADDRESS, reason);
                else
                        fall_back(a, reason);
                break;
        case MULTIDROP_NONE:
        case MULTIDROP_TOO_MANY:
        default:
                fall_back(a, reason);
                break;
        }
}

void
outcome_decide(Fetch *fetch, const Source *source, Arena *arena, const Header *header, const Address *sender,
               Submission *sub, Outcome *ret)
{
        Asking a = {.fetch = fetch, .source = source, .arena = arena, .sender = sender, .sub = sub, .out = ret};

        *ret = (Outcome){.kind = OUTCOME_TAKEN, .recipient = "", .word = ""};
        if (source->owner != NULL)
                ask_owner(&a);
        else
                ask_multidrop(&a, header);
        if (a.is_waiting)
                ret->kind = OUTCOME_WAIT;
        if (ret->reason != NULL)
                ret->reason = text_escape_in(arena, span_of(ret->reason), REASON_SHOWN);
}
