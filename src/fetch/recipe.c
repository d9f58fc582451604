/* recipe.c -- the text of a multidrop recipe -> what to look for (ROUTING.md §5). */
#include "fetch/fetch.h"

#include "base/scan.h"
#include "base/text.h"

#define WORD_MAX 255
#define NTH_MAX 100
#define HOSTS_MAX 64

static const OctetClass NOT_SPACE = {{0xfffffffe00000000, 0x7fffffffffffffff, ~(guint64) 0, ~(guint64) 0}};

/* A field name (RFC 5322 §2.2): printable ASCII without the colon. */
static const OctetClass FIELD_NAME = {{0xfbfffffe00000000, 0x7fffffffffffffff, 0, 0}};

/* What the sender typed, or what other recipes read: never an envelope header. */
static const char *const NO_ENVELOPE_HEADERS[] = {
        "To",        "Cc",        "Bcc",         "From",     "Sender",      "Reply-To",
        "Resent-To", "Resent-Cc", "Resent-From", "Received", "Return-Path",
};

static const char *const GUESS_FIELDS[] = {"to", "cc", "resent-to", "resent-cc"};

static gboolean
next_word(Scan *s, Span *ret)
{
        scan_skip_run(s, &CLASS_WSP);
        return scan_run(s, &NOT_SPACE, WORD_MAX, ret);
}

/* "key=value" with this key. */
static gboolean
word_has_key(Span word, const char *key, Span *ret_value)
{
        gsize len = strlen(key);

        if (!span_starts_nocase(word, span_of(key)) || word.len <= len || word.data[len] != '=')
                return FALSE;
        *ret_value = span_slice(word, len + 1, word.len);
        return TRUE;
}

static gboolean
parse_header_option(Arena *arena, Span word, Recipe *recipe, GError **error)
{
        Span value;
        guint64 number;

        if (word_has_key(word, "nth", &value)) {
                if (!span_to_number(value, NTH_MAX, &number) || number == 0)
                        return fault(error, FAULT_INPUT, "nth= wants a number from 1 to %d", NTH_MAX);
                recipe->nth = (guint) number;
                return TRUE;
        }
        if (word_has_key(word, "prefix", &value) && value.len > 0 && value.len < ADDRESS_LOCAL_MAX) {
                recipe->prefix = arena_strndup(arena, value);
                return recipe->prefix != NULL || fault(error, FAULT_BUSY, "too long");
        }
        g_autofree char *shown = text_escape(word, 80);
        return fault(error, FAULT_INPUT, "a header recipe knows nth=N and prefix=P, not \"%s\"", shown);
}

static gboolean
parse_header(Arena *arena, Scan *s, Recipe *recipe, GError **error)
{
        Span word, name;

        if (!next_word(s, &word))
                return fault(error, FAULT_INPUT, "the recipe header wants the name of a field: header X-Envelope-To");
        if (word.data[word.len - 1] == ':')
                word.len--;
        Scan in = scan_from(word);
        if (!scan_run(&in, &FIELD_NAME, 77, &name) || !scan_at_end(&in))
                return fault(error, FAULT_INPUT, "a field name is printable ASCII without colon: header X-Envelope-To");
        for (gsize i = 0; i < G_N_ELEMENTS(NO_ENVELOPE_HEADERS); i++)
                if (span_is(name, NO_ENVELOPE_HEADERS[i]))
                        return fault(error, FAULT_INPUT,
                                     "%s is not a multidrop header: it does not say whom the provider delivered to; "
                                     "wanted is "
                                     "one like X-Envelope-To, or as a last resort: guess to,cc",
                                     NO_ENVELOPE_HEADERS[i]);
        recipe->name = arena_strndup(arena, name);
        while (next_word(s, &word))
                if (!parse_header_option(arena, word, recipe, error))
                        return FALSE;
        return recipe->name != NULL || fault(error, FAULT_BUSY, "too long");
}

/* Elements of "a,b,c" into a NULL-terminated array; trailing dots of names are dropped. */
static const char *const *
split_list(Arena *arena, Span list)
{
        const char **items = arena_new_array(arena, const char *, HOSTS_MAX + 1);
        gsize n = 0;

        while (items != NULL && list.len > 0 && n < HOSTS_MAX) {
                const guint8 *comma = memchr(list.data, ',', list.len);
                gsize len = comma != NULL ? (gsize) (comma - list.data) : list.len;
                Span item = span_slice(list, 0, len);

                list = span_slice(list, len + 1, list.len);
                if (item.len > 0 && item.data[item.len - 1] == '.')
                        item.len--;
                if (item.len == 0)
                        continue;
                items[n] = arena_strndup(arena, item);
                if (items[n++] == NULL)
                        return NULL;
        }
        return list.len == 0 && n > 0 ? items : NULL;
}

static gboolean
parse_received(Arena *arena, Scan *s, Recipe *recipe, GError **error)
{
        Span word, value;

        if (next_word(s, &word) && word_has_key(word, "by", &value))
                recipe->by = split_list(arena, value);
        if (recipe->by == NULL || next_word(s, &word))
                return fault(error, FAULT_INPUT,
                             "the recipe received wants the provider's hosts: received by=mx.provider.example");
        return TRUE;
}

static gboolean
is_guess_field(const char *name)
{
        for (gsize i = 0; i < G_N_ELEMENTS(GUESS_FIELDS); i++)
                if (g_ascii_strcasecmp(name, GUESS_FIELDS[i]) == 0)
                        return TRUE;
        return FALSE;
}

static gboolean
parse_guess(Arena *arena, Scan *s, Recipe *recipe, GError **error)
{
        Span word;

        if (next_word(s, &word))
                recipe->fields = split_list(arena, word);
        gboolean is_right = recipe->fields != NULL && !next_word(s, &word);
        for (gsize i = 0; is_right && recipe->fields[i] != NULL; i++)
                is_right = is_guess_field(recipe->fields[i]);
        return is_right ||
               fault(error, FAULT_INPUT, "the recipe guess reads to, cc, resent-to, resent-cc: guess to,cc");
}

gboolean
recipe_parse(Arena *arena, const char *text, Recipe *ret, GError **error)
{
        Scan s = scan_from(span_of(text));
        Recipe recipe = {.kind = RECIPE_HEADER};
        gboolean is_read = FALSE;
        Span word = SPAN_EMPTY;

        if (text_has_control(span_of(text)) || !text_is_utf8(span_of(text)))
                return fault(error, FAULT_INPUT, "a recipe is one line of text");
        if (next_word(&s, &word) && span_is(word, "header")) {
                is_read = parse_header(arena, &s, &recipe, error);
        } else if (span_is(word, "received")) {
                recipe.kind = RECIPE_RECEIVED;
                is_read = parse_received(arena, &s, &recipe, error);
        } else if (span_is(word, "guess")) {
                recipe.kind = RECIPE_GUESS;
                is_read = parse_guess(arena, &s, &recipe, error);
        } else {
                fault(error, FAULT_INPUT,
                      "a recipe is one of: header NAME [nth=N] [prefix=P], received by=HOST[,HOST...], guess to,cc");
        }
        if (is_read)
                *ret = recipe;
        return is_read;
}
