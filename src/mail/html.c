/* html.c -- the text of HTML, as far as somebody sees it, a piece at a time.
 *
 * Not a browser: tags are passed over, what is never shown (comments, <style>, <script>, <title>) is left out, and
 * entities are undone. A tag separates words unless it is one that only changes the looks of a word.
 */
#include "mail/internal.h"

enum {
        HTML_TEXT = 0,
        HTML_ENTITY,    /* behind '&', name in r->word                        */
        HTML_LESS,      /* behind '<'                                         */
        HTML_NAME,      /* of a tag, in r->word                               */
        HTML_TAG,       /* behind the name                                    */
        HTML_EQUALS,    /* behind the '=' of an attribute                     */
        HTML_QUOTED,    /* in a quoted value, until r->quote                  */
        HTML_BANG,      /* behind "<!"                                        */
        HTML_BANG_DASH, /* behind "<!-"                                       */
        HTML_DECLARATION,
        HTML_COMMENT,  /* r->n_dashes: those just before                     */
        HTML_RAW,      /* in an element that is not shown                    */
        HTML_RAW_LESS, /* '<' in it                                          */
        HTML_RAW_NAME, /* "</" in it                                         */
};

/* The names of HTML 4.01 §24, and apos; in the order of their octets. */
static const struct {
        char name[9];
        guint16 character;
} ENTITIES[] = {
        {"AElig", 198},   {"Aacute", 193},  {"Acirc", 194},    {"Agrave", 192},  {"Alpha", 913},    {"Aring", 197},
        {"Atilde", 195},  {"Auml", 196},    {"Beta", 914},     {"Ccedil", 199},  {"Chi", 935},      {"Dagger", 8225},
        {"Delta", 916},   {"ETH", 208},     {"Eacute", 201},   {"Ecirc", 202},   {"Egrave", 200},   {"Epsilon", 917},
        {"Eta", 919},     {"Euml", 203},    {"Gamma", 915},    {"Iacute", 205},  {"Icirc", 206},    {"Igrave", 204},
        {"Iota", 921},    {"Iuml", 207},    {"Kappa", 922},    {"Lambda", 923},  {"Mu", 924},       {"Ntilde", 209},
        {"Nu", 925},      {"OElig", 338},   {"Oacute", 211},   {"Ocirc", 212},   {"Ograve", 210},   {"Omega", 937},
        {"Omicron", 927}, {"Oslash", 216},  {"Otilde", 213},   {"Ouml", 214},    {"Phi", 934},      {"Pi", 928},
        {"Prime", 8243},  {"Psi", 936},     {"Rho", 929},      {"Scaron", 352},  {"Sigma", 931},    {"THORN", 222},
        {"Tau", 932},     {"Theta", 920},   {"Uacute", 218},   {"Ucirc", 219},   {"Ugrave", 217},   {"Upsilon", 933},
        {"Uuml", 220},    {"Xi", 926},      {"Yacute", 221},   {"Yuml", 376},    {"Zeta", 918},     {"aacute", 225},
        {"acirc", 226},   {"acute", 180},   {"aelig", 230},    {"agrave", 224},  {"alefsym", 8501}, {"alpha", 945},
        {"amp", 38},      {"and", 8743},    {"ang", 8736},     {"apos", 39},     {"aring", 229},    {"asymp", 8776},
        {"atilde", 227},  {"auml", 228},    {"bdquo", 8222},   {"beta", 946},    {"brvbar", 166},   {"bull", 8226},
        {"cap", 8745},    {"ccedil", 231},  {"cedil", 184},    {"cent", 162},    {"chi", 967},      {"circ", 710},
        {"clubs", 9827},  {"cong", 8773},   {"copy", 169},     {"crarr", 8629},  {"cup", 8746},     {"curren", 164},
        {"dArr", 8659},   {"dagger", 8224}, {"darr", 8595},    {"deg", 176},     {"delta", 948},    {"diams", 9830},
        {"divide", 247},  {"eacute", 233},  {"ecirc", 234},    {"egrave", 232},  {"empty", 8709},   {"emsp", 8195},
        {"ensp", 8194},   {"epsilon", 949}, {"equiv", 8801},   {"eta", 951},     {"eth", 240},      {"euml", 235},
        {"euro", 8364},   {"exist", 8707},  {"fnof", 402},     {"forall", 8704}, {"frac12", 189},   {"frac14", 188},
        {"frac34", 190},  {"frasl", 8260},  {"gamma", 947},    {"ge", 8805},     {"gt", 62},        {"hArr", 8660},
        {"harr", 8596},   {"hearts", 9829}, {"hellip", 8230},  {"iacute", 237},  {"icirc", 238},    {"iexcl", 161},
        {"igrave", 236},  {"image", 8465},  {"infin", 8734},   {"int", 8747},    {"iota", 953},     {"iquest", 191},
        {"isin", 8712},   {"iuml", 239},    {"kappa", 954},    {"lArr", 8656},   {"lambda", 955},   {"lang", 9001},
        {"laquo", 171},   {"larr", 8592},   {"lceil", 8968},   {"ldquo", 8220},  {"le", 8804},      {"lfloor", 8970},
        {"lowast", 8727}, {"loz", 9674},    {"lrm", 8206},     {"lsaquo", 8249}, {"lsquo", 8216},   {"lt", 60},
        {"macr", 175},    {"mdash", 8212},  {"micro", 181},    {"middot", 183},  {"minus", 8722},   {"mu", 956},
        {"nabla", 8711},  {"nbsp", 160},    {"ndash", 8211},   {"ne", 8800},     {"ni", 8715},      {"not", 172},
        {"notin", 8713},  {"nsub", 8836},   {"ntilde", 241},   {"nu", 957},      {"oacute", 243},   {"ocirc", 244},
        {"oelig", 339},   {"ograve", 242},  {"oline", 8254},   {"omega", 969},   {"omicron", 959},  {"oplus", 8853},
        {"or", 8744},     {"ordf", 170},    {"ordm", 186},     {"oslash", 248},  {"otilde", 245},   {"otimes", 8855},
        {"ouml", 246},    {"para", 182},    {"part", 8706},    {"permil", 8240}, {"perp", 8869},    {"phi", 966},
        {"pi", 960},      {"piv", 982},     {"plusmn", 177},   {"pound", 163},   {"prime", 8242},   {"prod", 8719},
        {"prop", 8733},   {"psi", 968},     {"quot", 34},      {"rArr", 8658},   {"radic", 8730},   {"rang", 9002},
        {"raquo", 187},   {"rarr", 8594},   {"rceil", 8969},   {"rdquo", 8221},  {"real", 8476},    {"reg", 174},
        {"rfloor", 8971}, {"rho", 961},     {"rlm", 8207},     {"rsaquo", 8250}, {"rsquo", 8217},   {"sbquo", 8218},
        {"scaron", 353},  {"sdot", 8901},   {"sect", 167},     {"shy", 173},     {"sigma", 963},    {"sigmaf", 962},
        {"sim", 8764},    {"spades", 9824}, {"sub", 8834},     {"sube", 8838},   {"sum", 8721},     {"sup", 8835},
        {"sup1", 185},    {"sup2", 178},    {"sup3", 179},     {"supe", 8839},   {"szlig", 223},    {"tau", 964},
        {"there4", 8756}, {"theta", 952},   {"thetasym", 977}, {"thinsp", 8201}, {"thorn", 254},    {"tilde", 732},
        {"times", 215},   {"trade", 8482},  {"uArr", 8657},    {"uacute", 250},  {"uarr", 8593},    {"ucirc", 251},
        {"ugrave", 249},  {"uml", 168},     {"upsih", 978},    {"upsilon", 965}, {"uuml", 252},     {"weierp", 8472},
        {"xi", 958},      {"yacute", 253},  {"yen", 165},      {"yuml", 255},    {"zeta", 950},     {"zwj", 8205},
        {"zwnj", 8204},
};

/* What browsers take 128 to 159 for. */
static const guint16 WINDOWS_1252[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178,
};

static const char *const INLINE_TAGS[] = {
        "a",     "abbr", "acronym", "b",      "bdi", "bdo", "big",  "cite", "code", "del",
        "dfn",   "em",   "font",    "i",      "ins", "kbd", "mark", "q",    "s",    "samp",
        "small", "span", "strike",  "strong", "sub", "sup", "tt",   "u",    "var",  "wbr",
};

static const char *const HIDDEN_TAGS[] = {"script", "style", "title"};

gunichar
windows_1252_character(guint8 octet)
{
        return octet >= 0x80 && octet < 0xa0 ? WINDOWS_1252[octet - 0x80] : octet;
}

void
octets_add_character(Octets *o, gunichar c)
{
        guint8 *at = octets_reserve(o, 6);

        if (at != NULL)
                o->len += (gsize) g_unichar_to_utf8(c, (char *) at);
}

/* Entities ------------------------------------------------------------------------------------------------------- */

static int
compare_name(Span word, const char *name)
{
        int order = strncmp((const char *) word.data, name, word.len);

        return order != 0 ? order : name[word.len] != '\0' ? -1 : 0;
}

/* 0 when there is no such name. */
static gunichar
find_entity(Span word)
{
        gsize from = 0, to = G_N_ELEMENTS(ENTITIES);

        while (from < to) {
                gsize middle = (from + to) / 2;
                int order = compare_name(word, ENTITIES[middle].name);

                if (order == 0)
                        return ENTITIES[middle].character;
                if (order < 0)
                        to = middle;
                else
                        from = middle + 1;
        }
        return 0;
}

static gunichar
numbered_character(Span digits)
{
        Scan s = scan_from(digits);
        guint64 value = 0;
        gboolean is_hex = scan_octet(&s, 'x') || scan_octet(&s, 'X');
        gboolean is_number =
                is_hex ? scan_hex(&s, CLAMP(scan_left(&s), 1, 16), &value) : scan_number(&s, G_MAXUINT32, &value);

        if (!is_number || !scan_at_end(&s))
                return 0;
        if (value < 0x100)
                value = windows_1252_character((guint8) value);
        return value != 0 && value <= 0x10ffff && g_unichar_validate((gunichar) value) ? (gunichar) value : 0xfffd;
}

/* What was gathered behind '&'; text that only looked like an entity stays text. */
static void
end_entity(HtmlReader *r, Octets *out, gboolean has_semicolon)
{
        Span word = span_make(r->word, r->n_word);
        gboolean is_numbered = word.len > 1 && word.data[0] == '#';
        gunichar c = is_numbered ? numbered_character(span_slice(word, 1, word.len)) : find_entity(word);

        r->state = HTML_TEXT;
        if (c != 0) {
                octets_add_character(out, c);
                return;
        }
        octets_add_octet(out, '&');
        octets_add(out, word);
        if (has_semicolon)
                octets_add_octet(out, ';');
}

/* Tags ----------------------------------------------------------------------------------------------------------- */

static gboolean
is_one_of(Span word, const char *const *names, gsize n)
{
        for (gsize i = 0; i < n; i++)
                if (span_is(word, names[i]))
                        return TRUE;
        return FALSE;
}

static void
begin_word(HtmlReader *r, guint state)
{
        r->n_word = 0;
        r->state = state;
}

static void
end_name(HtmlReader *r, Octets *out)
{
        Span word = span_make(r->word, r->n_word);

        r->state = HTML_TAG;
        r->is_hidden = !r->is_closing && is_one_of(word, HIDDEN_TAGS, G_N_ELEMENTS(HIDDEN_TAGS));
        if (r->is_hidden) {
                memcpy(r->hidden, r->word, r->n_word);
                r->n_hidden = r->n_word;
        }
        if (!is_one_of(word, INLINE_TAGS, G_N_ELEMENTS(INLINE_TAGS)))
                octets_add_octet(out, ' ');
}

/* The tag ends here. */
static void
end_tag(HtmlReader *r)
{
        r->state = r->is_hidden ? HTML_RAW : HTML_TEXT;
}

/* Behind '<'. FALSE: it was no tag, the octet is text. */
static gboolean
step_less(HtmlReader *r, Octets *out, guint8 octet)
{
        if (octet == '/' && !r->is_closing) {
                r->is_closing = TRUE;
                return TRUE;
        }
        if (octet_in(&CLASS_ALPHA, octet)) {
                begin_word(r, HTML_NAME);
                r->word[r->n_word++] = octet;
                return TRUE;
        }
        if ((octet == '!' || octet == '?') && !r->is_closing) {
                r->state = octet == '!' ? HTML_BANG : HTML_DECLARATION;
                return TRUE;
        }
        octets_add(out, r->is_closing ? span_of("</") : span_of("<"));
        r->state = HTML_TEXT;
        return FALSE;
}

static void
step_tag(HtmlReader *r, guint8 octet)
{
        if (r->state == HTML_EQUALS && octet_in(&CLASS_FOLD, octet))
                return;
        if (r->state == HTML_EQUALS && (octet == '"' || octet == '\'')) {
                r->quote = octet;
                r->state = HTML_QUOTED;
        } else if (octet == '>') {
                end_tag(r);
        } else {
                r->state = octet == '=' ? HTML_EQUALS : HTML_TAG;
        }
}

static void
step_comment(HtmlReader *r, guint8 octet)
{
        if (octet == '>' && r->n_dashes >= 2)
                r->state = HTML_TEXT;
        r->n_dashes = octet == '-' ? r->n_dashes + 1 : 0;
}

/* "<!-", "<!--", or something else that ends at '>'. */
static void
step_bang(HtmlReader *r, guint8 octet)
{
        if (octet == '-') {
                r->n_dashes = 2; /* "<!-->" is whole */
                r->state = r->state == HTML_BANG ? HTML_BANG_DASH : HTML_COMMENT;
        } else {
                r->state = octet == '>' ? HTML_TEXT : HTML_DECLARATION;
        }
}

/* In a hidden element: it ends at "</name" only. */
static void
step_raw(HtmlReader *r, guint8 octet)
{
        if (r->state == HTML_RAW_NAME) {
                if (octet_in(&CLASS_ALPHA, octet) && r->n_word < sizeof(r->word)) {
                        r->word[r->n_word++] = octet;
                        return;
                }
                if (span_equal_nocase(span_make(r->word, r->n_word), span_make(r->hidden, r->n_hidden))) {
                        r->is_hidden = FALSE;
                        r->state = octet == '>' ? HTML_TEXT : HTML_TAG;
                        return;
                }
        }
        if (r->state == HTML_RAW_LESS && octet == '/')
                begin_word(r, HTML_RAW_NAME);
        else
                r->state = octet == '<' ? HTML_RAW_LESS : HTML_RAW;
}

/* All ------------------------------------------------------------------------------------------------------------ */

/* FALSE: the octet is still to be looked at, in the state that is now. */
static gboolean
step(HtmlReader *r, Octets *out, guint8 octet)
{
        switch (r->state) {
        case HTML_ENTITY:
                if ((octet_in(&CLASS_ALNUM, octet) || octet == '#') && r->n_word < sizeof(r->word)) {
                        r->word[r->n_word++] = octet;
                        return TRUE;
                }
                end_entity(r, out, octet == ';');
                return octet == ';';
        case HTML_LESS:
                return step_less(r, out, octet);
        case HTML_NAME:
                if (octet_in(&CLASS_ALNUM, octet)) {
                        if (r->n_word < sizeof(r->word))
                                r->word[r->n_word++] = octet;
                        return TRUE;
                }
                end_name(r, out);
                return FALSE;
        case HTML_TAG:
        case HTML_EQUALS:
                step_tag(r, octet);
                return TRUE;
        case HTML_QUOTED:
                if (octet == r->quote)
                        r->state = HTML_TAG;
                return TRUE;
        case HTML_BANG:
        case HTML_BANG_DASH:
                step_bang(r, octet);
                return TRUE;
        case HTML_DECLARATION:
                if (octet == '>')
                        r->state = HTML_TEXT;
                return TRUE;
        case HTML_COMMENT:
                step_comment(r, octet);
                return TRUE;
        case HTML_RAW:
        case HTML_RAW_LESS:
        case HTML_RAW_NAME:
                step_raw(r, octet);
                return TRUE;
        default:
                if (octet == '&') {
                        begin_word(r, HTML_ENTITY);
                } else if (octet == '<') {
                        r->is_closing = FALSE;
                        r->state = HTML_LESS;
                } else {
                        octets_add_octet(out, octet);
                }
                return TRUE;
        }
}

/* What stands for itself. */
static const OctetClass TEXT_OCTETS = {{~(guint64) 0x1000004000000000, ~(guint64) 0, ~(guint64) 0, ~(guint64) 0}};

void
octets_add_html(Octets *out, HtmlReader *r, Span html)
{
        Scan s = scan_from(html);
        guint8 octet;
        Span run;

        while (!scan_at_end(&s)) {
                if (r->state == HTML_TEXT && scan_run(&s, &TEXT_OCTETS, G_MAXSIZE, &run))
                        octets_add(out, run);
                else if (scan_any(&s, &octet))
                        while (!step(r, out, octet))
                                ;
        }
}

void
octets_add_html_end(Octets *out, HtmlReader *r)
{
        if (r->state == HTML_ENTITY)
                end_entity(r, out, FALSE);
        r->state = HTML_TEXT;
}
