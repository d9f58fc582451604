/* fold.c -- text as it is compared: the folding of search, and i;unicode-casemap (RFC 5051). */
#include "mail/text.h"

#include "base/text.h"
#include "base/thread.h"
#include "mail/internal.h"

#define PARTS_MAX (2 * G_UNICHAR_MAX_DECOMPOSITION_LENGTH) /* of one character: each may fold to two letters */

/* Sixteen octets at once: mail is mostly ASCII, and searching goes over all of it. Signed, as the machine compares
 * them: what is not ASCII is below zero. */
typedef gint8 Sixteen __attribute__((vector_size(16)));

typedef struct Output {
        guint8 *at;
        const guint8 *end;
} Output;

/* Characters ----------------------------------------------------------------------------------------------------- */

/* Code points that show nothing (Default_Ignorable_Code_Point of Unicode), and what GLib calls a control. */
static gboolean
is_ignorable(gunichar c)
{
        static const struct {
                gunichar first, last;
        } ranges[] = {
                {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
                {0x180b, 0x180f},   {0x200b, 0x200f},   {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
                {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3},
                {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
        };

        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
                return TRUE;
        for (gsize i = 0; i < G_N_ELEMENTS(ranges) && ranges[i].first <= c; i++)
                if (c <= ranges[i].last)
                        return TRUE;
        return FALSE;
}

gboolean
character_is_space(gunichar c)
{
        GUnicodeType type;

        if (c < 0x80)
                return c == ' ' || (c >= '\t' && c <= '\r');
        type = g_unichar_type(c);
        return c == 0x85 || type == G_UNICODE_SPACE_SEPARATOR || type == G_UNICODE_LINE_SEPARATOR ||
               type == G_UNICODE_PARAGRAPH_SEPARATOR;
}

/* Full case folding of a decomposed character. Going over the upper case brings together what shares it: the two lower
 * sigmas, for one. U+0131 (dotless i) must not meet the i, and the sharp s has no upper case of its own. */
static gsize
fold_case(gunichar c, gunichar out[2])
{
        if (c == 0xdf || c == 0x1e9e) {
                out[0] = out[1] = 's';
                return 2;
        }
        out[0] = c == 0x131 ? c : g_unichar_tolower(g_unichar_toupper(c));
        return 1;
}

/* One character that is not ASCII to what it is compared as. */
static gsize
fold_character(gunichar c, gunichar out[PARTS_MAX])
{
        gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
        gsize n_parts = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
        gsize n = 0;

        for (gsize i = 0; i < n_parts; i++)
                n += fold_case(parts[i], out + n);
        return n;
}

/* The letters of most alphabets, folded once and for all: what one becomes, and the combining mark behind it. len 0: go
 * the long way. Written once, by the first who folds. */
typedef struct FoldedLetter {
        guint8 len;
        guint8 text[5];
        guint16 mark;
} FoldedLetter;

#define LETTERS_FIRST 0x80
#define LETTERS_END 0x3000

static FoldedLetter letters[LETTERS_END - LETTERS_FIRST];
static pthread_once_t letters_once = PTHREAD_ONCE_INIT;

static FoldedLetter
fold_letter(gunichar c)
{
        FoldedLetter none = {.len = 0}, letter = none;
        gunichar parts[PARTS_MAX];
        char utf8[6];
        gsize n = character_is_space(c) || is_ignorable(c) ? 0 : fold_character(c, parts);

        for (gsize i = 0; i < n; i++) {
                gsize octets = (gsize) g_unichar_to_utf8(parts[i], utf8);
                gboolean is_mark = g_unichar_combining_class(parts[i]) != 0;

                if (is_mark && i > 0 && i == n - 1 && parts[i] <= G_MAXUINT16) {
                        letter.mark = (guint16) parts[i];
                        break;
                }
                if (is_mark || character_is_space(parts[i]) || is_ignorable(parts[i]) ||
                    letter.len + octets > sizeof(letter.text))
                        return none;
                memcpy(letter.text + letter.len, utf8, octets);
                letter.len = (guint8) (letter.len + octets);
        }
        return letter;
}

static void
fold_letters(void)
{
        for (gunichar c = LETTERS_FIRST; c < LETTERS_END; c++)
                letters[c - LETTERS_FIRST] = fold_letter(c);
}

/* Folding -------------------------------------------------------------------------------------------------------- */

void
text_folder_init(TextFolder *f)
{
        *f = (TextFolder){.n_marks = 0};
}

static void
put_character(Output *o, gunichar c)
{
        o->at += g_unichar_to_utf8(c, (char *) o->at);
}

static void
put_marks(TextFolder *f, Output *o)
{
        for (guint i = 0; i < f->n_marks; i++)
                put_character(o, f->marks[i]);
        f->n_marks = 0;
}

/* Combining marks wait for the end of their run, and are put into canonical order as they come (UAX #15). */
static void
put_mark(TextFolder *f, Output *o, gunichar c)
{
        guint at = f->n_marks++;

        for (; at > 0 && g_unichar_combining_class(f->marks[at - 1]) > g_unichar_combining_class(c); at--)
                f->marks[at] = f->marks[at - 1];
        f->marks[at] = c;
        if (f->n_marks == TEXT_MARKS_MAX)
                put_marks(f, o);
}

static void
put_folded(TextFolder *f, Output *o, gunichar c)
{
        if (character_is_space(c)) {
                put_marks(f, o);
                if (!f->is_after_space)
                        *o->at++ = ' ';
                f->is_after_space = TRUE;
                return;
        }
        if (is_ignorable(c))
                return;
        if (c >= 0x300 && g_unichar_combining_class(c) != 0) {
                put_mark(f, o, c);
        } else {
                put_marks(f, o);
                put_character(o, c);
        }
        f->is_after_space = FALSE;
}

static void
fold_one(TextFolder *f, Output *o, gunichar c)
{
        gunichar parts[PARTS_MAX];
        gsize n;

        if (character_is_space(c) || is_ignorable(c)) {
                put_folded(f, o, c);
                return;
        }
        n = fold_character(c, parts);
        for (gsize i = 0; i < n; i++)
                put_folded(f, o, parts[i]);
}

static void
fold_ascii_octet(TextFolder *f, Output *o, guint8 octet)
{
        if (octet == ' ' || (octet >= '\t' && octet <= '\r')) {
                if (!f->is_after_space)
                        *o->at++ = ' ';
                f->is_after_space = TRUE;
        } else if (octet >= 0x20 && octet != 0x7f) {
                *o->at++ = octet_lower(octet);
                f->is_after_space = FALSE;
        }
}

/* The first of sixteen that is set, 16 when none is. */
static inline gsize
first_of(Sixteen set)
{
        guint64 halves[2];

        memcpy(halves, &set, sizeof(halves));
        if ((halves[0] | halves[1]) == 0)
                return sizeof(set);
        return halves[0] != 0 ? (gsize) __builtin_ctzll(GUINT64_FROM_LE(halves[0])) / 8
                              : 8 + (gsize) __builtin_ctzll(GUINT64_FROM_LE(halves[1])) / 8;
}

/* Up to sixteen octets, as long as they are printable, without two spaces in a row, and without one where the last
 * octet was one: how many. One more is looked at, so that the pairs are complete; and all sixteen are written. */
static inline gsize
fold_sixteen(gboolean is_after_space, guint8 *out, const guint8 *at)
{
        Sixteen here, next;

        memcpy(&here, at, sizeof(here));
        memcpy(&next, at + 1, sizeof(next));
        Sixteen bad = (here < 0x20) | (here == 0x7f) | ((here == ' ') & (next == ' '));
        here |= (here >= 'A') & (here <= 'Z') & 0x20;
        memcpy(out, &here, sizeof(here));
        return is_after_space && at[0] == ' ' ? 0 : first_of(bad);
}

/* Runs of them. */
static void
fold_runs(TextFolder *f, Output *o, Scan *in)
{
        const guint8 *at = in->at;
        guint8 *out = o->at;
        gsize n = sizeof(Sixteen);

        while (n == sizeof(Sixteen) && in->end - at > (gssize) sizeof(Sixteen) && o->end - out >= TEXT_FOLD_ROOM_MIN) {
                n = fold_sixteen(f->is_after_space, out, at);
                if (n > 0)
                        f->is_after_space = at[n - 1] == ' ';
                at += n;
                out += n;
        }
        in->at = at;
        o->at = out;
}

/* What a run stopped at, up to the next octet that begins one; and the last few of a piece. */
static void
fold_few(TextFolder *f, Output *o, Scan *in)
{
        gboolean is_few = scan_left(in) <= sizeof(Sixteen);

        for (gboolean is_first = TRUE; scan_peek(in) >= 0 && *in->at < 0x80; is_first = FALSE) {
                if (!is_first && !is_few && *in->at > ' ' && *in->at < 0x7f)
                        return;
                fold_ascii_octet(f, o, *in->at++);
        }
}

static void
fold_ascii(TextFolder *f, Output *o, Scan *in)
{
        while (!scan_at_end(in) && *in->at < 0x80 && o->end - o->at >= TEXT_FOLD_ROOM_MIN) {
                fold_runs(f, o, in);
                if (o->end - o->at >= TEXT_FOLD_ROOM_MIN)
                        fold_few(f, o, in);
        }
}

/* A character that began in an earlier piece. */
static void
fold_partial(TextFolder *f, Output *o, Scan *in)
{
        gunichar c;
        int octets = -1;

        while (octets < 0 && f->n_partial < sizeof(f->partial) && scan_any(in, &f->partial[f->n_partial])) {
                f->n_partial++;
                octets = text_utf8_next(span_make(f->partial, f->n_partial), &c);
        }
        if (octets < 0)
                return;
        if (octets == 0) {
                in->at--; /* the octet that belonged to no character any more may begin one */
                c = 0xfffd;
                for (guint i = 1; i + 1 < f->n_partial; i++)
                        fold_one(f, o, c);
        }
        f->n_partial = 0;
        fold_one(f, o, c);
}

/* A letter of the table, or an ideograph, which has no other form. FALSE: neither. */
static gboolean
fold_known(TextFolder *f, Output *o, gunichar c)
{
        const FoldedLetter *letter = c < LETTERS_END ? &letters[c - LETTERS_FIRST] : NULL;
        gboolean is_ideograph = c >= 0x4e00 && c <= 0x9fff;

        if (!is_ideograph && (letter == NULL || letter->len == 0))
                return FALSE;
        put_marks(f, o);
        f->is_after_space = FALSE;
        if (is_ideograph) {
                put_character(o, c);
                return TRUE;
        }
        memcpy(o->at, letter->text, sizeof(letter->text));
        o->at += letter->len;
        if (letter->mark != 0)
                f->marks[f->n_marks++] = letter->mark;
        return TRUE;
}

static void
fold_next(TextFolder *f, Output *o, Scan *in)
{
        gunichar c;
        int octets = text_utf8_next(scan_rest(in), &c);

        if (octets < 0) {
                f->n_partial = (guint) scan_left(in);
                memcpy(f->partial, in->at, f->n_partial);
                scan_skip(in, f->n_partial);
                return;
        }
        scan_skip(in, octets > 0 ? (gsize) octets : 1);
        if (octets <= 0)
                fold_one(f, o, 0xfffd);
        else if (!fold_known(f, o, c))
                fold_one(f, o, c);
}

gsize
text_fold_piece(TextFolder *f, Scan *in, guint8 *out, gsize room)
{
        Output o = {out, out + room};

        pthread_once(&letters_once, fold_letters);
        if (f->n_partial > 0 && !scan_at_end(in))
                fold_partial(f, &o, in);
        while (!scan_at_end(in) && o.end - o.at >= TEXT_FOLD_ROOM_MIN) {
                if (*in->at >= 0x80) {
                        fold_next(f, &o, in);
                } else if (f->n_marks > 0 && is_ignorable(*in->at) && !character_is_space(*in->at)) {
                        in->at++; /* a control that is dropped ends no run of marks */
                } else {
                        put_marks(f, &o);
                        fold_ascii(f, &o, in);
                }
        }
        return (gsize) (o.at - out);
}

gsize
text_fold_end(TextFolder *f, guint8 *out, gsize room)
{
        Output o = {out, out + room};

        g_assert(room >= TEXT_FOLD_ROOM_MIN);
        for (guint i = 0; i < f->n_partial; i++)
                fold_one(f, &o, 0xfffd);
        f->n_partial = 0;
        put_marks(f, &o);
        return (gsize) (o.at - out);
}

/* Short texts ---------------------------------------------------------------------------------------------------- */

/* s cut so that at most max octets stay and no character is torn. */
static Span
cut_text(Span s, gsize max)
{
        if (s.len <= max)
                return s;
        while (max > 0 && (s.data[max] & 0xc0) == 0x80)
                max--;
        return span_slice(s, 0, max);
}

static Span
keep_cut(Arena *arena, const Octets *o, gsize max)
{
        return arena_copy(arena, cut_text(octets_span(o), max));
}

void
octets_add_folded(Octets *o, TextFolder *f, Span text)
{
        Scan in = scan_from(text);

        while (!scan_at_end(&in) && !o->is_over) {
                gsize room = MAX(MIN(scan_left(&in), o->max - o->len), TEXT_FOLD_ROOM_MIN) + TEXT_FOLD_ROOM_MIN;
                guint8 *at = octets_reserve(o, room);

                if (at != NULL)
                        o->len += text_fold_piece(f, &in, at, room);
        }
}

void
octets_add_folded_end(Octets *o, TextFolder *f)
{
        guint8 *at = octets_reserve(o, TEXT_FOLD_ROOM_MIN);

        if (at != NULL)
                o->len += text_fold_end(f, at, TEXT_FOLD_ROOM_MIN);
}

Span
text_fold(Arena *arena, Span s, gsize max)
{
        g_auto(Octets) o = OCTETS_INIT(max + 4 * TEXT_FOLD_ROOM_MIN);
        TextFolder f;

        text_folder_init(&f);
        octets_add_folded(&o, &f, s);
        octets_add_folded_end(&o, &f);
        return keep_cut(arena, &o, max);
}

/* RFC 5051 §2: titlecase, then decomposition as UnicodeData.txt has it; there Hangul syllables have none. */
static void
add_casemapped(Octets *o, gunichar c)
{
        gunichar parts[G_UNICHAR_MAX_DECOMPOSITION_LENGTH];
        gsize n = 1;

        c = parts[0] = g_unichar_totitle(c);
        if (c < 0xac00 || c > 0xd7a3)
                n = g_unichar_fully_decompose(c, TRUE, parts, G_N_ELEMENTS(parts));
        for (gsize i = 0; i < n; i++)
                octets_add_character(o, parts[i]);
}

static guint8
octet_upper(guint8 octet)
{
        return (guint8) (octet - ((guint8) (octet - 'a') < 26) * ('a' - 'A'));
}

static Span
casemap_ascii(Arena *arena, Span s, gsize max)
{
        gsize len = MIN(s.len, max);
        guint8 *upper = len > 0 ? arena_alloc(arena, len) : NULL;

        for (gsize i = 0; upper != NULL && i < len; i++)
                upper[i] = octet_upper(s.data[i]);
        return span_make(upper, upper != NULL ? len : 0);
}

Span
text_casemap(Arena *arena, Span s, gsize max)
{
        if (text_is_ascii(s))
                return casemap_ascii(arena, s, max);

        g_auto(Octets) o = OCTETS_INIT(max + PARTS_MAX * 4);
        Scan in = scan_from(s);
        gunichar c;

        while (!scan_at_end(&in) && o.len <= max && !o.is_over) {
                int octets = text_utf8_next(scan_rest(&in), &c);

                if (octets == 1)
                        octets_add_octet(&o, octet_upper((guint8) c));
                else
                        add_casemapped(&o, octets > 1 ? c : 0xfffd);
                scan_skip(&in, octets > 1 ? (gsize) octets : 1);
        }
        return keep_cut(arena, &o, max);
}
