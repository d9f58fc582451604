#include "intake/internal.h"

#define TOKENS_MAX 101      /* as many Received fields as intake lets pass */
#define TRACED_TEXT_MAX 256 /* octets of subject and Message-ID kept in the trace */

/* The first octets of text that end with a whole UTF-8 character. */
static const char *
facts_text(Arena *arena, Span text)
{
        gsize len = MIN(text.len, TRACED_TEXT_MAX);

        if (text.len == 0)
                return NULL;
        if (len < text.len)
                while (len > 0 && (text.data[len] & 0xC0) == 0x80)
                        len--;
        return text_escape_in(arena, span_slice(text, 0, len), 2 * TRACED_TEXT_MAX);
}

static Span
without_brackets(Span id)
{
        id = span_trim(id);
        if (id.len >= 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
                return span_slice(id, 1, id.len - 1);
        return id;
}

static gboolean
is_bulk_precedence(Span body)
{
        body = span_trim(body);
        return span_is(body, "bulk") || span_is(body, "list") || span_is(body, "junk");
}

/* RFC 3834 §5: anything but "no", which may be followed by parameters. */
static gboolean
is_auto_submitted(Span body)
{
        Scan s = scan_from(span_trim(body));

        return !scan_word(&s, "no") ||
               (!scan_at_end(&s) && !scan_peek_in(&s, &CLASS_WSP) && scan_peek(&s) != ';' && scan_peek(&s) != '(');
}

static void
note_received(Facts *facts, Arena *arena, Span *tokens, Span body)
{
        Span token = received_find_token(body);

        facts->n_received++;
        if (token.len > 0 && facts->n_tokens < TOKENS_MAX)
                tokens[facts->n_tokens++] = token;
}

static void
note_field(Facts *facts, Arena *arena, Span *tokens, Span name, Span body)
{
        switch (octet_lower(name.data[0])) {
        case 'a':
                if (span_is(name, "Auto-Submitted"))
                        facts->is_automatic |= is_auto_submitted(body);
                break;
        case 'd':
                if (span_is(name, "Delivered-To"))
                        facts->n_delivered_to++;
                break;
        case 'l':
                if (span_starts_nocase(name, span_of("List-")))
                        facts->is_automatic = TRUE;
                break;
        case 'm':
                if (facts->message_id == NULL && span_is(name, "Message-ID"))
                        facts->message_id = facts_text(arena, without_brackets(header_unfold(arena, body)));
                break;
        case 'p':
                if (span_is(name, "Precedence"))
                        facts->is_automatic |= is_bulk_precedence(body);
                break;
        case 'r':
                if (span_is(name, "Received"))
                        note_received(facts, arena, tokens, body);
                else if (span_is(name, "Return-Path"))
                        facts->n_return_path++;
                break;
        case 's':
                if (facts->subject == NULL && span_is(name, "Subject"))
                        facts->subject = facts_text(arena, header_decode(arena, body));
                break;
        case 'x':
                if (span_is(name, "X-Spam-Flag"))
                        facts->is_automatic |= span_is(span_trim(body), "yes");
                break;
        default:
                break;
        }
}

gboolean
facts_read(Arena *arena, Span text, Facts *ret)
{
        Facts facts = {0};
        Span tokens[TOKENS_MAX];

        if (!header_parse(arena, text, &facts.header))
                return FALSE;
        /* The header outlives the writer it was read from. */
        facts.header.text = arena_copy(arena, facts.header.text);
        for (gsize i = 0; i < facts.header.n_fields && !arena_is_over(arena); i++) {
                const Field *field = &facts.header.fields[i];
                Span name = header_field_name(&facts.header, field);
                if (name.len > 0)
                        note_field(&facts, arena, tokens, name, header_field_body(&facts.header, field));
        }
        facts.tokens = (const Span *) arena_copy(arena, span_make(tokens, facts.n_tokens * sizeof(Span))).data;
        if (arena_is_over(arena))
                return FALSE;
        *ret = facts;
        return TRUE;
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

gsize
facts_count_cuttable(const Facts *facts, const char *envelope_header)
{
        gsize n = facts->n_return_path + facts->n_delivered_to;

        if (envelope_header == NULL)
                return n;
        while (header_find(&facts->header, envelope_header, n - facts->n_return_path - facts->n_delivered_to) != NULL)
                n++;
        return n;
}

guint
facts_delivered_to(Arena *arena, const Facts *facts, const Address *addresses, gsize n, DeliveredTo ret[COPY_CUTS_MAX])
{
        const Field *field;
        guint found = 0;

        for (gsize nth = 0; nth < facts->n_delivered_to && found < COPY_CUTS_MAX; nth++) {
                Address address;

                field = header_find(&facts->header, "Delivered-To", nth);
                Span text = without_brackets(header_unfold(arena, header_field_body(&facts->header, field)));
                if (address_parse(arena, text, TRUE, &address) != ADDRESS_OK)
                        continue;
                for (gsize i = 0; i < n; i++) {
                        if (!address_equal(&address, &addresses[i]))
                                continue;
                        ret[found++] = (DeliveredTo){field, address};
                        break;
                }
        }
        return found;
}

static gboolean
names_another(const Field *field, const CutRule *rule)
{
        for (guint i = 0; i < rule->n_delivered_to; i++) {
                const Address *named = &rule->delivered_to[i].address;
                if (rule->delivered_to[i].field == field)
                        return !address_equal(named, rule->own) && !address_equal(named, rule->own_recipient);
        }
        return FALSE;
}

static gboolean
must_cut(const Facts *facts, const Field *field, const CutRule *rule)
{
        Span name = header_field_name(&facts->header, field);

        if (rule->envelope_header != NULL && span_is(name, rule->envelope_header))
                return TRUE;
        if (!rule->is_final)
                return FALSE;
        if (facts->n_return_path > 0 && span_is(name, "Return-Path"))
                return TRUE;
        return rule->n_delivered_to > 0 && names_another(field, rule);
}

gboolean
cuts_add(Cut cuts[COPY_CUTS_MAX], guint *n, gsize offset, gsize len)
{
        if (*n > 0 && cuts[*n - 1].offset + cuts[*n - 1].len == offset) {
                cuts[*n - 1].len += (guint32) len;
                return TRUE;
        }
        if (*n == COPY_CUTS_MAX)
                return FALSE;
        cuts[(*n)++] = (Cut){(guint32) offset, (guint32) len};
        return TRUE;
}

void
facts_cuts(const Facts *facts, const CutRule *rule, Cut cuts[COPY_CUTS_MAX], guint *n)
{
        if (rule->envelope_header == NULL &&
            (!rule->is_final || (facts->n_return_path == 0 && rule->n_delivered_to == 0)))
                return;
        for (gsize i = 0; i < facts->header.n_fields; i++) {
                const Field *field = &facts->header.fields[i];
                if (must_cut(facts, field, rule) &&
                    !cuts_add(cuts, n, facts->shift + field->start, field->end - field->start))
                        return;
        }
}
