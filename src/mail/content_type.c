/* content_type.c -- Content-Type, Content-Disposition and their parameters (RFC 2045 §5.1, 2183, 2231). */
#include "mail/mime.h"

#include "base/text.h"
#include "mail/internal.h"

#define SECTIONS_MAX 1000 /* name*999: more is no continuation */
#define NOT_SPLIT -1

/* An unquoted value as senders write it: up to the semicolon. */
static const OctetClass VALUE_OCTETS = {{0xf7ffffffffffffff, ~(guint64) 0, ~(guint64) 0, ~(guint64) 0}};
/* A token without the '*' that RFC 2231 §7 takes out of it. */
static const OctetClass PARAM_OCTETS = {{0x03ff68fa00000000, 0x7fffffffc7fffffe, 0, 0}};

/* One parameter as it stands in the field. */
typedef struct RawParam {
        Span name;            /* without *N*                                             */
        int section;          /* N of name*N, or NOT_SPLIT                               */
        gboolean is_extended; /* the name ended in '*': percent-encoded, maybe a charset */
        gboolean is_quoted;
        Span value; /* the inside of the quotes, escapes not undone            */
} RawParam;

typedef struct ParamReader {
        Arena *arena;
        RawParam raw[MESSAGE_PARAMS_MAX];
        gsize n_raw;
        gboolean has_unclosed; /* a comment opened that never closes: none behind it does either */
        Octets value;
} ParamReader;

static void
param_reader_done(ParamReader *r)
{
        octets_clear(&r->value);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ParamReader, param_reader_done)

/* Most tokens are lower case already: those stay where they are. */
static Span
lower(Arena *arena, Span s)
{
        for (gsize i = 0; i < s.len; i++)
                if (g_ascii_isupper(s.data[i]))
                        return text_lower(arena, s);
        return s;
}

/* Behind the name: "*", "*N", "*N*" or nothing (RFC 2231 §3, §4). */
static gboolean
scan_section(Scan *s, RawParam *p)
{
        guint64 section;

        p->section = NOT_SPLIT;
        if (!scan_octet(s, '*'))
                return TRUE;
        if (!scan_number(s, SECTIONS_MAX, &section)) {
                p->is_extended = TRUE;
                return scan_peek(s) != '*';
        }
        p->section = (int) section;
        p->is_extended = scan_octet(s, '*');
        return TRUE;
}

/* As scan_skip_cfws(), looking for the end of an unclosed comment only once. */
static void
skip_cfws(ParamReader *r, Scan *s)
{
        while (scan_skip_run(s, &CLASS_FOLD) && !r->has_unclosed && scan_peek(s) == '(')
                r->has_unclosed = !scan_comment(s);
}

/* What stands behind '=' without quotes: a token, or whatever the sender thought would do, up to the semicolon. */
static Span
scan_bare_value(ParamReader *r, Scan *s)
{
        Span value = SPAN_EMPTY, token;

        if (!scan_run(s, &VALUE_OCTETS, G_MAXSIZE, &value))
                return SPAN_EMPTY;
        Scan in = scan_from(value);
        if (scan_run(&in, &CLASS_TOKEN, G_MAXSIZE, &token)) {
                skip_cfws(r, &in);
                if (scan_at_end(&in))
                        return token;
        }
        return span_trim(value);
}

/* "name = value" at the cursor. FALSE: no parameter, the caller passes on to the next semicolon. */
static gboolean
scan_param(ParamReader *r, Scan *s, RawParam *ret)
{
        RawParam p = {.section = NOT_SPLIT};

        skip_cfws(r, s);
        if (!scan_run(s, &PARAM_OCTETS, G_MAXSIZE, &p.name) || !scan_section(s, &p))
                return FALSE;
        skip_cfws(r, s);
        if (!scan_octet(s, '='))
                return FALSE;
        skip_cfws(r, s);
        p.is_quoted = scan_quoted(s, &p.value);
        if (!p.is_quoted)
                p.value = scan_bare_value(r, s);
        *ret = p;
        return TRUE;
}

/* All parameters behind the type. */
static void
read_raw(ParamReader *r, Scan *s)
{
        Span skipped;

        skip_cfws(r, s);
        while (scan_until(s, ';', &skipped) && scan_octet(s, ';') && r->n_raw < MESSAGE_PARAMS_MAX)
                if (scan_param(r, s, &r->raw[r->n_raw]))
                        r->n_raw++;
}

static const RawParam *
find_section(const ParamReader *r, Span name, int section)
{
        for (gsize i = 0; i < r->n_raw; i++)
                if (r->raw[i].section == section && span_equal_nocase(r->raw[i].name, name))
                        return &r->raw[i];
        return NULL;
}

/* name*=... or name*0...: what takes the place of a plain name= beside it. */
static gboolean
has_better(const ParamReader *r, const RawParam *p)
{
        for (gsize i = 0; i < r->n_raw; i++) {
                const RawParam *other = &r->raw[i];

                if (other != p && (other->section == 0 || (other->section == NOT_SPLIT && other->is_extended)) &&
                    span_equal_nocase(other->name, p->name))
                        return TRUE;
        }
        return FALSE;
}

static void
add_percent_decoded(Octets *o, Span text)
{
        Scan s = scan_from(text);
        guint64 value;
        guint8 octet;

        while (scan_any(&s, &octet)) {
                if (octet == '%' && scan_hex(&s, 2, &value))
                        octet = (guint8) value;
                octets_add_octet(o, octet);
        }
}

static void
add_section(ParamReader *r, const RawParam *p, Span value)
{
        if (p->is_extended)
                add_percent_decoded(&r->value, value);
        else if (p->is_quoted)
                octets_add_unescaped(&r->value, value);
        else
                octets_add(&r->value, header_unfold(r->arena, value));
}

/* "charset'language'" in front of the first extended section (RFC 2231 §4). */
static Span
cut_charset(const RawParam *p, Span *ret_value)
{
        Scan s = scan_from(p->value);
        Span charset, language;

        *ret_value = p->value;
        if (!p->is_extended || !scan_until(&s, '\'', &charset) || !scan_skip(&s, 1) ||
            !scan_until(&s, '\'', &language) || !scan_skip(&s, 1))
                return SPAN_EMPTY;
        *ret_value = scan_rest(&s);
        return charset;
}

/* The octets of the whole value into r->value; its charset, empty when none is named. */
static Span
join_sections(ParamReader *r, const RawParam *p)
{
        Span value;
        Span charset = cut_charset(p, &value);

        r->value.len = 0;
        r->value.is_over = FALSE;
        add_section(r, p, value);
        for (int i = 1; p->section == 0 && i <= MESSAGE_PARAMS_MAX; i++) {
                const RawParam *next = find_section(r, p->name, i);

                if (next == NULL)
                        break;
                add_section(r, next, next->value);
        }
        return charset;
}

/* A boundary is compared with lines, octet by octet; everything else is text. */
static Span
finish_value(ParamReader *r, const RawParam *p, Span name, Span charset)
{
        g_auto(Octets) text = OCTETS_INIT(3 * r->value.len);
        Span value = octets_span(&r->value);

        if (span_is(name, "boundary"))
                return arena_copy(r->arena, value);
        if (charset.len > 0 && octets_add_converted(&text, charset, value))
                return arena_copy(r->arena, octets_span(&text));
        Span decoded = decode_line(r->arena, value);
        return decoded.data == value.data ? arena_copy(r->arena, decoded) : decoded;
}

static gboolean
is_plain(const RawParam *p)
{
        return p->section == NOT_SPLIT && !p->is_extended && p->value.len > 0 && text_is_ascii(p->value) &&
               !text_has_control(p->value) && memchr(p->value.data, '\\', p->value.len) == NULL &&
               memmem(p->value.data, p->value.len, "=?", 2) == NULL;
}

static Param
finish_param(ParamReader *r, const RawParam *p)
{
        Param param = {.name = lower(r->arena, p->name)};

        if (is_plain(p))
                param.value = p->value;
        else
                param.value = finish_value(r, p, param.name, join_sections(r, p));
        return param;
}

/* Percent-encoded for a value of RFC 2231, where only a part of it was. */
static void
add_percent_encoded(Octets *o, Span text)
{
        static const char digits[] = "0123456789ABCDEF";

        for (gsize i = 0; i < text.len; i++) {
                guint8 octet = text.data[i];

                if (octet_in(&PARAM_OCTETS, octet) && octet != '\'') {
                        octets_add_octet(o, octet);
                        continue;
                }
                octets_add_octet(o, '%');
                octets_add_octet(o, (guint8) digits[octet >> 4]);
                octets_add_octet(o, (guint8) digits[octet & 15]);
        }
}

static void
add_raw_section(ParamReader *r, const RawParam *p, gboolean is_extended)
{
        g_auto(Octets) plain = OCTETS_INIT(MESSAGE_TYPE_MAX);

        if (p->is_quoted)
                octets_add_unescaped(&plain, p->value);
        else
                octets_add(&plain, header_unfold(r->arena, p->value));
        if (is_extended && !p->is_extended)
                add_percent_encoded(&r->value, octets_span(&plain));
        else
                octets_add(&r->value, octets_span(&plain));
}

static gboolean
has_extended_section(const ParamReader *r, const RawParam *p)
{
        for (gsize i = 0; i < r->n_raw; i++)
                if (r->raw[i].is_extended && r->raw[i].section != NOT_SPLIT &&
                    span_equal_nocase(r->raw[i].name, p->name))
                        return TRUE;
        return FALSE;
}

/* The parameter with its sections put together but nothing decoded: "name*" when any of it is percent-encoded. */
static Param
join_raw(ParamReader *r, const RawParam *p)
{
        gboolean is_extended = p->is_extended || (p->section == 0 && has_extended_section(r, p));

        r->value.len = 0;
        r->value.is_over = FALSE;
        if (is_extended && !p->is_extended)
                octets_add(&r->value, span_of("''"));
        add_raw_section(r, p, is_extended);
        for (int i = 1; p->section == 0 && i <= MESSAGE_PARAMS_MAX; i++) {
                const RawParam *next = find_section(r, p->name, i);

                if (next == NULL)
                        break;
                add_raw_section(r, next, is_extended);
        }
        Span name = p->name;
        guint8 *starred = is_extended ? arena_alloc(r->arena, name.len + 1) : NULL;
        if (starred != NULL) {
                memcpy(starred, name.data, name.len);
                starred[name.len] = '*';
                name = span_make(starred, name.len + 1);
        }
        return (Param){name, arena_copy(r->arena, octets_span(&r->value))};
}

gboolean
params_parse_raw(Arena *arena, Span body, const Param **ret, gsize *ret_n)
{
        g_auto(ParamReader) r = {.arena = arena, .n_raw = 0, .value = OCTETS_INIT(MESSAGE_TYPE_MAX)};
        Scan s = scan_from(span_slice(body, 0, MESSAGE_TYPE_MAX));
        gsize n = 0;

        read_raw(&r, &s);
        Param *params = r.n_raw > 0 ? arena_new_array(arena, Param, r.n_raw) : NULL;
        if (params == NULL && r.n_raw > 0)
                return FALSE;
        for (gsize i = 0; i < r.n_raw; i++)
                if (r.raw[i].section <= 0)
                        params[n++] = join_raw(&r, &r.raw[i]);
        *ret = params;
        *ret_n = n;
        return !arena_is_over(arena);
}

/* Parameters behind the cursor, in the order of the field. FALSE: the arena is over. */
static gboolean
read_params(Arena *arena, Scan *s, const Param **ret, gsize *ret_n)
{
        g_auto(ParamReader) r = {.arena = arena, .n_raw = 0, .value = OCTETS_INIT(MESSAGE_TYPE_MAX)};
        gsize n = 0;

        read_raw(&r, s);
        Param *params = r.n_raw > 0 ? arena_new_array(arena, Param, r.n_raw) : NULL;
        if (params == NULL && r.n_raw > 0)
                return FALSE;
        for (gsize i = 0; i < r.n_raw; i++) {
                const RawParam *p = &r.raw[i];
                gboolean is_plain_name = p->section == NOT_SPLIT && !p->is_extended;

                if (p->section <= 0 && !(is_plain_name && has_better(&r, p)))
                        params[n++] = finish_param(&r, p);
        }
        *ret = params;
        *ret_n = n;
        return !arena_is_over(arena);
}

gboolean
content_type_parse(Arena *arena, Span body, ContentType *ret)
{
        Scan s = scan_from(span_slice(body, 0, MESSAGE_TYPE_MAX));
        ContentType found = {.n_params = 0};
        Span type, subtype;

        *ret = (ContentType){.type = span_of("text"), .subtype = span_of("plain")};
        scan_skip_cfws(&s);
        if (!scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &type))
                return FALSE;
        scan_skip_cfws(&s);
        if (!scan_octet(&s, '/'))
                return FALSE;
        scan_skip_cfws(&s);
        if (!scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &subtype))
                return FALSE;
        found.type = lower(arena, type);
        found.subtype = lower(arena, subtype);
        if (!read_params(arena, &s, &found.params, &found.n_params))
                return FALSE;
        *ret = found;
        return TRUE;
}

gboolean
disposition_parse(Arena *arena, Span body, Span *ret_kind, const Param **ret_params, gsize *ret_n)
{
        Scan s = scan_from(span_slice(body, 0, MESSAGE_TYPE_MAX));
        const Param *params;
        gsize n;
        Span kind;

        scan_skip_cfws(&s);
        if (!scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &kind) || !read_params(arena, &s, &params, &n))
                return FALSE;
        *ret_kind = lower(arena, kind);
        *ret_params = params;
        *ret_n = n;
        return TRUE;
}

Span
param_find(const Param *params, gsize n, const char *name)
{
        for (gsize i = 0; i < n; i++)
                if (span_is(params[i].name, name))
                        return params[i].value;
        return SPAN_EMPTY;
}

TransferEncoding
transfer_encoding_parse(Span body)
{
        static const struct {
                const char *name;
                TransferEncoding encoding;
        } known[] = {
                {"7bit", TRANSFER_7BIT},     {"8bit", TRANSFER_8BIT},
                {"base64", TRANSFER_BASE64}, {"quoted-printable", TRANSFER_QUOTED_PRINTABLE},
                {"binary", TRANSFER_BINARY},
        };
        Scan s = scan_from(body);
        Span word;

        scan_skip_cfws(&s);
        if (scan_at_end(&s))
                return TRANSFER_7BIT;
        if (!scan_run(&s, &CLASS_TOKEN, G_MAXSIZE, &word))
                return TRANSFER_UNKNOWN;
        for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
                if (span_is(word, known[i].name))
                        return known[i].encoding;
        return TRANSFER_UNKNOWN;
}
