/* encoded_word.c -- RFC 2047: encoded words in text -> UTF-8.
 *
 * As senders write them, not only as the RFC has them: without white space around, inside quoted strings, longer than
 * 75 octets, with spaces in the Q form, with a character split between two words.
 */
#include "mail/internal.h"

#include "base/text.h"

#define CHARSET_NAME_MAX 64

typedef struct EncodedWord {
        Span charset;
        guint8 encoding; /* 'q' or 'b' */
        Span text;
} EncodedWord;

typedef struct Decoder {
        Octets *out;
        Octets word;    /* octets of the word at hand                                                    */
        Octets pending; /* of the words before it, all in `charset`: characters may run on between them  */
        Span charset;
        const guint8 *closing; /* the first "?=" not before the last place asked about; kept so that words that
                                  never close don't make the search quadratic                                   */
} Decoder;

static void
decoder_done(Decoder *d)
{
        octets_clear(&d->word);
        octets_clear(&d->pending);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Decoder, decoder_done)

static const guint8 *
find_closing(Decoder *d, const Scan *s)
{
        if (d->closing == NULL || (d->closing < s->at && d->closing != s->end)) {
                d->closing = scan_left(s) > 0 ? memmem(s->at, scan_left(s), "?=", 2) : NULL;
                if (d->closing == NULL)
                        d->closing = s->end;
        }
        return d->closing < s->end ? d->closing : NULL;
}

/* "=?charset*language?Q?text?=" at the cursor (RFC 2231 §5 for the language, which is dropped). */
static gboolean
scan_encoded_word(Decoder *d, Scan *s, EncodedWord *ret)
{
        Scan look = *s;
        Span charset, language;
        guint8 encoding = 0;

        if (!scan_skip(&look, 2) || !scan_run(&look, &CLASS_TOKEN, CHARSET_NAME_MAX, &charset) ||
            !scan_octet(&look, '?') || !scan_any(&look, &encoding) || !scan_octet(&look, '?'))
                return FALSE;
        encoding |= 0x20;
        const guint8 *closing = find_closing(d, &look);
        if ((encoding != 'q' && encoding != 'b') || closing == NULL)
                return FALSE;

        Scan name = scan_from(charset);
        if (scan_until(&name, '*', &language))
                charset = language;
        *ret = (EncodedWord){charset, encoding, span_make(look.at, (gsize) (closing - look.at))};
        look.at = closing + 2;
        *s = look;
        return TRUE;
}

static void
decode_q(Octets *o, Span text)
{
        Scan s = scan_from(text);
        guint64 value;
        guint8 octet;

        while (scan_any(&s, &octet)) {
                if (octet == '=' && scan_hex(&s, 2, &value))
                        octet = (guint8) value;
                else if (octet == '_')
                        octet = ' ';
                octets_add_octet(o, octet);
        }
}

/* 0-63, 64 for padding and white space, 65 for what is no base64. */
static guint
base64_value(guint8 o)
{
        if (g_ascii_isupper(o))
                return (guint) o - 'A';
        if (g_ascii_islower(o))
                return (guint) o - 'a' + 26;
        if (g_ascii_isdigit(o))
                return (guint) o - '0' + 52;
        if (o == '+' || o == '/')
                return o == '+' ? 62 : 63;
        return o == '=' || o == ' ' || o == '\t' ? 64 : 65;
}

/* Missing padding is forgiven, other letters are not. */
static gboolean
decode_b(Octets *o, Span text)
{
        guint32 bits = 0;
        guint n_bits = 0;

        for (gsize i = 0; i < text.len; i++) {
                guint value = base64_value(text.data[i]);

                if (value > 64)
                        return FALSE;
                if (value == 64)
                        continue;
                bits = bits << 6 | value;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        octets_add_octet(o, (guint8) (bits >> n_bits));
                }
        }
        return TRUE;
}

static void
decoder_flush(Decoder *d)
{
        if (d->pending.len > 0)
                octets_add_converted(d->out, d->charset, octets_span(&d->pending));
        d->pending.len = 0;
}

static gboolean
is_space(Span s)
{
        Scan scan = scan_from(s);

        return scan_skip_run(&scan, &CLASS_WSP) && scan_at_end(&scan);
}

/* Take one word that follows `before`. FALSE: it can't be decoded and stays text. */
static gboolean
decoder_take(Decoder *d, const EncodedWord *word, Span before, gboolean is_after_word)
{
        d->word.len = 0;
        if (!charset_is_known(word->charset))
                return FALSE;
        if (word->encoding == 'q')
                decode_q(&d->word, word->text);
        else if (!decode_b(&d->word, word->text))
                return FALSE;

        /* White space between two encoded words is not shown (RFC 2047 §6.2). */
        if (!is_after_word || !is_space(before)) {
                decoder_flush(d);
                octets_add_text(d->out, before);
        } else if (!span_equal_nocase(d->charset, word->charset)) {
                decoder_flush(d);
        }
        d->charset = word->charset;
        octets_add(&d->pending, octets_span(&d->word));
        return TRUE;
}

void
octets_add_decoded(Octets *o, Span line)
{
        g_auto(Decoder) d = {.out = o, .word = OCTETS_INIT(line.len), .pending = OCTETS_INIT(line.len)};
        const guint8 *plain = line.data; /* start of what is not yet written */
        gboolean is_after_word = FALSE;
        Scan s = scan_from(line);
        EncodedWord word;

        while (!scan_at_end(&s) && !o->is_over) {
                const guint8 *hit = memmem(s.at, scan_left(&s), "=?", 2);

                if (hit == NULL)
                        break;
                s.at = hit;
                if (scan_encoded_word(&d, &s, &word) &&
                    decoder_take(&d, &word, span_make(plain, (gsize) (hit - plain)), is_after_word)) {
                        plain = s.at;
                        is_after_word = TRUE;
                } else {
                        s.at = hit + 2;
                }
        }
        decoder_flush(&d);
        octets_add_text(o, span_make(plain, (gsize) (line.data + line.len - plain)));
}

Span
decode_line(Arena *arena, Span line)
{
        g_auto(Octets) out = OCTETS_INIT(HEADER_DECODED_MAX);

        if (line.len <= HEADER_DECODED_MAX && text_is_utf8(line) && !text_has_control(line) &&
            (line.len == 0 || memmem(line.data, line.len, "=?", 2) == NULL))
                return line;
        octets_add_decoded(&out, line);
        return arena_copy(arena, octets_span(&out));
}
