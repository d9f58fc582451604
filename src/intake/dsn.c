/* dsn.c -- delivery status notifications: what happened, why, and who must act (RFC 3461 §6, 3462, 3464, 6533). */
#include "intake/internal.h"

#define RETURNED_HEADER_MAX ((gsize) 64 * 1024)
#define DSN_OCTETS ((gsize) 512 * 1024)
#define DSN_RECIPIENTS 100 /* named in one; the text counts the others */
#define TEMPLATE_MAX 8192

typedef struct Dsn {
        const Message *m;
        Arena *arena;
        Composer *c;
        Id id;
        gboolean is_utf8;  /* an address in it is not ASCII: the global forms (RFC 6533 §3) */
        gboolean is_whole; /* the message comes back, not only its header */
        Span returned;
        const char *boundary;
        GArray *recipients; /* guint: index of the leaf that says why, one a recipient */
} Dsn;

static const Leaf *
dsn_leaf(const Dsn *d, guint i)
{
        return leaf_at(d->m, g_array_index(d->recipients, guint, i));
}

/* One entry a recipient: what its alias stands for is nobody else's business (RFC 3464 §2.3.2). */
static void
dsn_collect(Dsn *d)
{
        guint last = G_MAXUINT;

        for (guint i = 0; i < d->m->leaves->len; i++) {
                const Leaf *leaf = leaf_at(d->m, i);
                if (!leaf->is_reported || leaf->recipient == last)
                        continue;
                last = leaf->recipient;
                g_array_append_val(d->recipients, i);
        }
}

Status
dsn_status(const Leaf *leaf)
{
        Status s = leaf->status;

        if (s.class != 5)
                s = STATUS(550, 5, s.subject, s.detail);
        return s;
}

/* At most max octets, whole lines. */
static Span
whole_lines(Span text, gsize max)
{
        if (text.len <= max)
                return text;
        const guint8 *lf = memrchr(text.data, '\n', max);
        return span_slice(text, 0, lf != NULL ? (gsize) (lf + 1 - text.data) : 0);
}

static gboolean
has_utf8(const Dsn *d)
{
        if (!text_is_ascii(span_of(d->m->sender)))
                return TRUE;
        for (guint i = 0; i < d->recipients->len; i++)
                if (!text_is_ascii(span_of(d->m->names[dsn_leaf(d, i)->recipient])))
                        return TRUE;
        return FALSE;
}

/* The text --------------------------------------------------------------------------------------------------------- */

/* Who must act, in words (RFC 3463 §3). */
static const char *
dsn_advice(Status s)
{
        if (s.subject == 1)
                return "Please check how the address is written, or ask the recipient for the right one.";
        if (s.subject == 2)
                return "The recipient must act: the mailbox does not take mail now. Try another way to reach them.";
        if (s.subject == 4 && s.detail == 6)
                return "The postmaster of the recipient's domain must act: forwarding there leads back to itself.";
        if (s.subject == 6)
                return "The message itself is the reason: send it in another form.";
        return "You can send it again later. If it fails again, ask the postmaster of the recipient's domain.";
}

typedef struct Value { /* of a template's {name} */
        const char *name, *text;
} Value;

static const char *
value_find(const Value *values, gsize n, Span name)
{
        for (gsize i = 0; i < n; i++)
                if (span_is(name, values[i].name))
                        return values[i].text;
        return NULL;
}

/* A domain's own text: {sender}, {recipient}, {reason}, {subject}, {hostname}. NULL: unknown names or a brace without
 * end, so the built-in text is right. */
static const char *
template_fill(Arena *arena, const char *template, const Value *values, gsize n)
{
        g_autoptr(GString) out = g_string_new(NULL);
        Scan s = scan_from(span_of(template));
        Span text, name;

        while (scan_until(&s, '{', &text)) {
                g_string_append_len(out, (const char *) text.data, (gssize) text.len);
                if (!scan_octet(&s, '{') || !scan_until(&s, '}', &name) || !scan_octet(&s, '}'))
                        return NULL;
                const char *value = value_find(values, n, name);
                if (value == NULL || out->len > TEMPLATE_MAX)
                        return NULL;
                g_string_append(out, value);
        }
        g_string_append_len(out, (const char *) s.at, (gssize) scan_left(&s));
        return out->len <= TEMPLATE_MAX && text_is_utf8(span_make(out->str, out->len)) ? arena_strdup(arena, out->str)
                                                                                       : NULL;
}

static const char *
escaped(const Dsn *d, const char *text)
{
        return text_escape_in(d->arena, span_of(text), 512);
}

static const char *
dsn_template(const Dsn *d)
{
        const Leaf *leaf = dsn_leaf(d, 0);
        const Domain *domain = NULL;
        const Address *recipient = &d->m->sub->recipients[leaf->recipient].address;
        g_autoptr(GError) ignored = NULL; /* the built-in text is always there */

        if (directory_domain(d->m->intake->directory, d->arena, recipient->domain, &domain, &ignored) != FOUND ||
            domain->bounce_template == NULL)
                return NULL;
        const Value values[] = {
                {"sender", escaped(d, d->m->sender)},
                {"recipient", escaped(d, d->m->names[leaf->recipient])},
                {"reason", status_meaning(dsn_status(leaf))},
                {"subject", d->m->facts.subject != NULL ? d->m->facts.subject : ""},
                {"hostname", d->m->intake->hostname},
        };
        return template_fill(d->arena, domain->bounce_template, values, G_N_ELEMENTS(values));
}

static void
dsn_write_built_in(Dsn *d)
{
        compose_text(d->c, "This is the mail system of %s.\n\nYour message%s%s%s\ncould not be delivered to:\n",
                     d->m->intake->hostname, d->m->facts.subject != NULL ? " \"" : "",
                     d->m->facts.subject != NULL ? d->m->facts.subject : "", d->m->facts.subject != NULL ? "\"" : "");
        for (guint i = 0; i < MIN(d->recipients->len, DSN_RECIPIENTS); i++) {
                const Leaf *leaf = dsn_leaf(d, i);
                Status s = dsn_status(leaf);
                compose_text(d->c, "\n    <%s>\n    because %s.\n    %s\n", escaped(d, d->m->names[leaf->recipient]),
                             status_meaning(s), dsn_advice(s));
        }
        if (d->recipients->len > DSN_RECIPIENTS)
                compose_text(d->c, "\n    ... and to %u more.\n", d->recipients->len - DSN_RECIPIENTS);
        compose_text(d->c, "\n%s is attached below, with a report for mail programs.\n",
                     d->is_whole ? "Your message" : "The header of your message");
}

/* Parts ------------------------------------------------------------------------------------------------------------ */

static void
dsn_begin_part(Dsn *d, const char *type, const char *encoding)
{
        compose_text(d->c, "\n--%s\n", d->boundary);
        compose_field_raw(d->c, "Content-Type", span_of(type));
        if (encoding != NULL)
                compose_field_raw(d->c, "Content-Transfer-Encoding", span_of(encoding));
        compose_end_header(d->c);
}

static void
dsn_write_header(Dsn *d)
{
        const Message *m = d->m;
        const char *host = m->intake->hostname;
        char id[ID_TEXT_OCTETS];

        compose_field_raw(d->c, "From", span_of(arena_printf(d->arena, "Mail Delivery System <postmaster@%s>", host)));
        compose_field_address(d->c, "To", &m->sub->sender);
        compose_field(d->c, "Subject", span_of("Your message could not be delivered"));
        compose_field_date(d->c, "Date", m->now);
        compose_field_raw(d->c, "Message-ID", span_of(arena_printf(d->arena, "<%s@%s>", id_text(d->id, id), host)));
        if (m->facts.message_id != NULL)
                compose_field_raw(d->c, "In-Reply-To", span_of(arena_printf(d->arena, "<%s>", m->facts.message_id)));
        compose_field_raw(d->c, "Auto-Submitted", span_of("auto-replied")); /* RFC 3834 §5 */
        compose_field_raw(d->c, "MIME-Version", span_of("1.0"));
        compose_field_raw(
                d->c, "Content-Type",
                span_of(arena_printf(d->arena, "multipart/report; report-type=delivery-status; boundary=\"%s\"",
                                     d->boundary)));
        compose_field_raw(d->c, "Content-Transfer-Encoding", span_of("8bit"));
        compose_end_header(d->c);
        compose_text(d->c, "A report in MIME format about a message that could not be delivered.\n");
}

static void
dsn_write_text(Dsn *d)
{
        const char *own = dsn_template(d);

        dsn_begin_part(d, "text/plain; charset=utf-8", "8bit");
        if (own != NULL)
                compose_text(d->c, "%s\n", own);
        else
                dsn_write_built_in(d);
}

static void
dsn_write_recipient(Dsn *d, const Leaf *leaf)
{
        const char *name = d->m->names[leaf->recipient];
        Status s = dsn_status(leaf);
        char status[16];
        const char *kind = text_is_ascii(span_of(name)) ? "rfc822" : "utf-8"; /* RFC 6533 §3 */

        status_text(s, status, sizeof(status));
        compose_end_header(d->c);
        compose_field_raw(d->c, "Final-Recipient", span_of(arena_printf(d->arena, "%s; %s", kind, name)));
        compose_field_raw(d->c, "Action", span_of("failed"));
        compose_field_raw(d->c, "Status", span_of(status));
        compose_field_raw(d->c, "Diagnostic-Code",
                          span_of(arena_printf(d->arena, "smtp; %u %s %s", s.code, status,
                                               leaf->text != NULL ? escaped(d, leaf->text) : status_meaning(s))));
}

static void
dsn_write_report(Dsn *d)
{
        dsn_begin_part(d, d->is_utf8 ? "message/global-delivery-status" : "message/delivery-status",
                       d->is_utf8 ? "8bit" : NULL);
        compose_field_raw(d->c, "Reporting-MTA", span_of(arena_printf(d->arena, "dns; %s", d->m->intake->hostname)));
        compose_field_date(d->c, "Arrival-Date", d->m->now);
        for (guint i = 0; i < MIN(d->recipients->len, DSN_RECIPIENTS); i++)
                dsn_write_recipient(d, dsn_leaf(d, i));
}

/* A header as it came, but in clean lines. */
static void
dsn_write_lines(Dsn *d)
{
        Scan s = scan_from(d->returned);
        Span line;

        while (scan_line(&s, &line)) {
                guint8 *clean = arena_alloc(d->arena, line.len + 2);
                if (clean == NULL)
                        return;
                for (gsize i = 0; i < line.len; i++)
                        clean[i] = line.data[i] == '\r' || line.data[i] == '\0' ? '?' : line.data[i];
                memcpy(clean + line.len, "\r\n", 2);
                compose_octets(d->c, span_make(clean, line.len + 2));
        }
}

/* message/rfc822 where all of it comes back, else its header (RFC 3462 §2, 6533 §4). */
static void
dsn_write_returned(Dsn *d)
{
        gboolean is_global = d->is_utf8 || !text_is_ascii(d->m->facts.header.text);
        const char *type = d->is_whole ? is_global ? "message/global" : "message/rfc822"
                           : is_global ? "message/global-headers"
                                       : "text/rfc822-headers";

        dsn_begin_part(d, type, text_is_ascii(d->returned) ? "7bit" : "8bit");
        if (d->is_whole)
                compose_octets(d->c, d->returned);
        else
                dsn_write_lines(d);
        compose_text(d->c, "\n--%s--\n", d->boundary);
}

/* A bare CR or LF, or a NUL, must not travel in a message of ours: then the header alone tells which message it was. */
static gboolean
is_clean(Span text)
{
        for (gsize i = 0; i < text.len; i++) {
                guint8 octet = text.data[i];
                if (octet == '\0' || (octet == '\n' && (i == 0 || text.data[i - 1] != '\r')) ||
                    (octet == '\r' && (i + 1 == text.len || text.data[i + 1] != '\n')))
                        return FALSE;
        }
        return TRUE;
}

static void
dsn_prepare(Dsn *d)
{
        guint8 random[12];

        d->id = id_new();
        d->is_utf8 = has_utf8(d);
        d->is_whole = d->m->original.len > d->m->facts.header.text.len && is_clean(d->m->original);
        d->returned = d->is_whole ? d->m->original : whole_lines(d->m->facts.header.text, RETURNED_HEADER_MAX);
        random_octets(random, sizeof(random));
        g_autofree char *hex = text_hex(span_make(random, sizeof(random)));
        d->boundary = arena_printf(d->arena, "=_%s", hex); /* can't be in a message written before it was drawn */
}

Submission *
dsn_about(const Message *m, GError **error)
{
        g_autoptr(Composer) c = composer_new(DSN_OCTETS);
        g_autoptr(GArray) recipients = g_array_new(FALSE, FALSE, sizeof(guint));
        Dsn d = {.m = m, .arena = m->arena, .c = c, .recipients = recipients};

        dsn_collect(&d);
        dsn_prepare(&d);
        dsn_write_header(&d);
        dsn_write_text(&d);
        dsn_write_report(&d);
        dsn_write_returned(&d);
        if (composer_is_over(c) || arena_is_over(m->arena)) {
                (void) fault(error, FAULT_BUSY, "a delivery status notification needs more memory than one may have");
                return NULL;
        }
        return submission_generate(m->intake, d.id, &m->sub->sender, composer_result(c),
                                   d.is_utf8 ? QUEUE_NEEDS_UTF8 : 0, error);
}
