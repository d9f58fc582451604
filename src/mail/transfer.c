/* transfer.c -- base64 and quoted-printable, a piece at a time (RFC 2045 §6.7, §6.8).
 *
 * What can't be decided yet is held: white space that may turn out to end a line, the beginning of "=3D". Base64 keeps
 * up to three letters in `bits`.
 */
#include "mail/text.h"

#include "mail/internal.h"

/* Quoted-printable: what d->held is the beginning of. */
enum {
        QP_TEXT = 0,     /* nothing                                    */
        QP_SPACE,        /* white space, dropped at a line end         */
        QP_CR,           /* the same and a CR                          */
        QP_EQUALS,       /* "="                                        */
        QP_HEX,          /* "=X"                                       */
        QP_EQUALS_SPACE, /* "=" and white space: maybe a soft line end */
        QP_EQUALS_CR,    /* the same and a CR                          */
};

/* Base64. */
enum {
        BASE64_DATA = 0,
        BASE64_PADDED, /* after the first '=' */
};

#define NO_LETTER 64

void
transfer_decoder_init(TransferDecoder *d, TransferEncoding encoding)
{
        *d = (TransferDecoder){.encoding = encoding};
}

gboolean
transfer_is_exact(const TransferDecoder *d)
{
        return d->encoding != TRANSFER_UNKNOWN && !d->is_damaged;
}

/* Quoted-printable ----------------------------------------------------------------------------------------------- */

/* What stands for itself. */
static const OctetClass QP_PLAIN = {{~(guint64) 0x2000000100002600, ~(guint64) 0, ~(guint64) 0, ~(guint64) 0}};

static gsize
flush_held(TransferDecoder *d, guint8 *out)
{
        gsize n = d->n_held;

        memcpy(out, d->held, n);
        d->n_held = 0;
        d->state = QP_TEXT;
        return n;
}

static void
hold(TransferDecoder *d, guint8 octet, guint state)
{
        d->held[d->n_held++] = octet;
        d->state = state;
}

static guint
hex_value(guint8 octet)
{
        return octet <= '9' ? (guint) octet - '0' : (guint) octet_lower(octet) - 'a' + 10;
}

/* A line end, with what is held in front of it: white space goes, a soft line end goes whole. */
static gsize
qp_line_end(TransferDecoder *d, guint8 *out)
{
        gboolean is_soft = d->state >= QP_EQUALS;
        gboolean has_cr = d->state == QP_CR;
        gsize n = 0;

        d->n_held = 0;
        d->state = QP_TEXT;
        if (is_soft)
                return 0;
        if (has_cr)
                out[n++] = '\r';
        out[n++] = '\n';
        return n;
}

/* The octet belongs to what is held, or begins something that must be held. */
static gboolean
qp_take(TransferDecoder *d, guint8 octet)
{
        gboolean is_space = octet_in(&CLASS_WSP, octet);
        gboolean fits = d->n_held < TRANSFER_HELD_MAX - 1;

        switch (d->state) {
        case QP_TEXT:
                if (octet == '=' || octet == '\r' || is_space) {
                        hold(d, octet, octet == '=' ? QP_EQUALS : octet == '\r' ? QP_CR : QP_SPACE);
                        return TRUE;
                }
                return FALSE;
        case QP_SPACE:
                if (fits && (is_space || octet == '\r')) {
                        hold(d, octet, is_space ? QP_SPACE : QP_CR);
                        return TRUE;
                }
                return FALSE;
        case QP_EQUALS:
                if (octet_in(&CLASS_HEX, octet)) {
                        hold(d, octet, QP_HEX);
                        return TRUE;
                }
                /* fall through */
        case QP_EQUALS_SPACE:
                if (fits && (is_space || octet == '\r')) {
                        hold(d, octet, is_space ? QP_EQUALS_SPACE : QP_EQUALS_CR);
                        return TRUE;
                }
                return FALSE;
        default:
                return FALSE;
        }
}

/* One octet that does not stand for itself, or stands behind something held. */
static gsize
qp_step(TransferDecoder *d, guint8 octet, guint8 *out)
{
        gsize n = 0;

        if (octet == '\n' && d->state != QP_HEX)
                return qp_line_end(d, out);
        if (d->state == QP_HEX && octet_in(&CLASS_HEX, octet)) {
                out[0] = (guint8) (hex_value(d->held[1]) << 4 | hex_value(octet));
                d->n_held = 0;
                d->state = QP_TEXT;
                return 1;
        }
        if (qp_take(d, octet))
                return 0;
        if (d->state != QP_TEXT) {
                d->is_damaged = d->is_damaged || d->state >= QP_EQUALS;
                n = flush_held(d, out);
                if (qp_take(d, octet))
                        return n;
        }
        out[n++] = octet;
        return n;
}

static gsize
qp_decode(TransferDecoder *d, Scan *in, guint8 *out, gsize room)
{
        gsize n = 0;
        guint8 octet;
        Span run;

        while (!scan_at_end(in) && room - n >= TRANSFER_ROOM_MIN) {
                if (d->state == QP_TEXT && scan_run(in, &QP_PLAIN, room - n, &run)) {
                        memcpy(out + n, run.data, run.len);
                        n += run.len;
                } else if (scan_any(in, &octet)) {
                        n += qp_step(d, octet, out + n);
                }
        }
        return n;
}

/* The end is a line end: white space in front of it does not count, a last "=" is a soft one. */
static gsize
qp_end(TransferDecoder *d, guint8 *out)
{
        switch (d->state) {
        case QP_HEX:
                d->is_damaged = TRUE;
                return flush_held(d, out);
        case QP_CR:
                d->n_held = 0;
                out[0] = '\r';
                return 1;
        default:
                d->n_held = 0;
                return 0;
        }
}

/* Base64 --------------------------------------------------------------------------------------------------------- */

/* 0-63, or NO_LETTER. */
static const guint8 BASE64_VALUES[256] = {
#define N4 NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER
#define N16 N4, N4, N4, N4
        N16,       N16, N4,        N4,        NO_LETTER, NO_LETTER, NO_LETTER, 62,        NO_LETTER, NO_LETTER,
        NO_LETTER, 63,  52,        53,        54,        55,        56,        57,        58,        59,
        60,        61,  NO_LETTER, NO_LETTER, N4,        NO_LETTER, 0,         1,         2,         3,
        4,         5,   6,         7,         8,         9,         10,        11,        12,        13,
        14,        15,  16,        17,        18,        19,        20,        21,        22,        23,
        24,        25,  NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER, 26,        27,
        28,        29,  30,        31,        32,        33,        34,        35,        36,        37,
        38,        39,  40,        41,        42,        43,        44,        45,        46,        47,
        48,        49,  50,        51,        NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER, NO_LETTER, N16,
        N16,       N16, N16,       N16,       N16,       N16,       N16
#undef N16
#undef N4
};

/* Whole groups of four letters, as long as nothing else stands between. */
static gsize
base64_groups(Scan *in, guint8 *out, gsize room)
{
        gsize n = 0;

        for (; scan_left(in) >= 4 && room - n >= 3; in->at += 4, n += 3) {
                guint a = BASE64_VALUES[in->at[0]], b = BASE64_VALUES[in->at[1]];
                guint c = BASE64_VALUES[in->at[2]], e = BASE64_VALUES[in->at[3]];

                if (((a | b | c | e) & NO_LETTER) != 0)
                        break;
                out[n] = (guint8) (a << 2 | b >> 4);
                out[n + 1] = (guint8) (b << 4 | c >> 2);
                out[n + 2] = (guint8) (c << 6 | e);
        }
        return n;
}

/* One letter, d->n_held counts those of the group at hand; what is no letter but white space is damage. */
static gsize
base64_step(TransferDecoder *d, guint8 octet, guint8 *out)
{
        guint value = BASE64_VALUES[octet];
        gboolean is_space = octet_in(&CLASS_FOLD, octet);

        if (octet == '=' && d->n_held != 1) {
                d->is_damaged = d->is_damaged || (d->state != BASE64_PADDED && d->n_held == 0);
                d->state = BASE64_PADDED;
                return 0;
        }
        if (value == NO_LETTER || d->state == BASE64_PADDED) {
                d->is_damaged = d->is_damaged || !is_space;
                return 0;
        }
        d->bits = d->bits << 6 | value;
        d->n_held = (d->n_held + 1) % 4;
        if (d->n_held == 1)
                return 0;
        out[0] = (guint8) (d->bits >> (d->n_held == 2 ? 4 : d->n_held == 3 ? 2 : 0));
        return 1;
}

static gsize
base64_decode(TransferDecoder *d, Scan *in, guint8 *out, gsize room)
{
        gsize n = 0;
        guint8 octet;

        while (!scan_at_end(in) && room - n >= TRANSFER_ROOM_MIN) {
                if (d->n_held == 0 && d->state == BASE64_DATA)
                        n += base64_groups(in, out + n, room - n);
                if (room - n >= TRANSFER_ROOM_MIN && scan_any(in, &octet))
                        n += base64_step(d, octet, out + n);
        }
        return n;
}

/* Any ------------------------------------------------------------------------------------------------------------ */

gsize
transfer_decode(TransferDecoder *d, Scan *in, guint8 *out, gsize room)
{
        Span piece;

        switch (d->encoding) {
        case TRANSFER_QUOTED_PRINTABLE:
                return qp_decode(d, in, out, room);
        case TRANSFER_BASE64:
                return base64_decode(d, in, out, room);
        default:
                if (!scan_take(in, MIN(room, scan_left(in)), &piece) || piece.len == 0)
                        return 0;
                memcpy(out, piece.data, piece.len);
                return piece.len;
        }
}

gsize
transfer_decode_end(TransferDecoder *d, guint8 *out, gsize room)
{
        g_assert(room >= TRANSFER_ROOM_MIN);
        if (d->encoding == TRANSFER_QUOTED_PRINTABLE)
                return qp_end(d, out);
        if (d->encoding == TRANSFER_BASE64)
                d->is_damaged = d->is_damaged || d->n_held == 1;
        return 0;
}
