/* args.c -- words as typed -> positional arguments, key=value pairs and options, by the operation's table. */
#include "admin/internal.h"

static gboolean
args_wrong(const Operation *operation, char **ret_reason, char *take_text)
{
        g_autofree char *text = take_text;
        g_autofree char *usage = operation_usage(operation);

        *ret_reason = g_strdup_printf("%s (usage: restante %s)", text, usage);
        return FALSE;
}

static gboolean
key_is_known(const Operation *operation, Span key)
{
        for (const KeyManual *k = operation->keys; k != NULL && k->key != NULL; k++)
                if (span_equal(span_of(k->key), key))
                        return TRUE;
        return FALSE;
}

static gboolean
args_has_repeated(const Operation *operation)
{
        for (gsize i = 0; i < OPERATION_ARGS && operation->args[i].name != NULL; i++)
                if (operation->args[i].is_repeated)
                        return TRUE;
        return FALSE;
}

/* key=value? Where any number of addresses may stand, only keys of the table are keys: `a=b@c.example` is an address.
 */
static const char *
pair_split(const Operation *operation, const char *word)
{
        gsize n = strspn(word, "abcdefghijklmnopqrstuvwxyz-");

        if (operation->keys == NULL || n == 0 || word[n] != '=')
                return NULL;
        if (!key_is_known(operation, span_make(word, n)) && args_has_repeated(operation))
                return NULL;
        return word + n;
}

static char *
keys_text(const Operation *operation)
{
        GString *s = g_string_new(NULL);

        for (const KeyManual *k = operation->keys; k->key != NULL; k++)
                g_string_append_printf(s, "%s%s", s->len > 0 ? ", " : "", k->key);
        return g_string_free(s, FALSE);
}

static gboolean
args_pair(const Operation *operation, const char *word, const char *equals, AdminArgs *args, char **ret_reason)
{
        char *key = g_strndup(word, (gsize) (equals - word));

        args->pairs[args->n_pairs++] = (KeyValue){key, equals + 1};
        if (key_is_known(operation, span_of(key)))
                return TRUE;
        g_autofree char *known = keys_text(operation);
        return args_wrong(operation, ret_reason, g_strdup_printf("there is no key %s; keys are %s", key, known));
}

/* An option, and its value from behind '=' or from the next word (*step is 2 then). */
static gboolean
args_option(const Operation *operation, const char *const *words, AdminArgs *args, gsize *step, char **ret_reason)
{
        gsize n = strcspn(words[0], "=");

        for (gsize i = 0; i < OPERATION_OPTIONS && operation->options[i].name != NULL; i++) {
                const OperationOption *o = &operation->options[i];
                if (!span_equal(span_of(o->name), span_make(words[0], n)))
                        continue;
                if (o->value == NULL && words[0][n] == '=')
                        return args_wrong(operation, ret_reason, g_strdup_printf("%s takes no value", o->name));
                if (o->value == NULL) {
                        args->options[i] = "";
                } else if (words[0][n] == '=') {
                        args->options[i] = words[0] + n + 1;
                } else if (words[1] != NULL) {
                        args->options[i] = words[1];
                        *step = 2;
                } else {
                        return args_wrong(operation, ret_reason, g_strdup_printf("%s needs %s", o->name, o->value));
                }
                return TRUE;
        }
        return args_wrong(operation, ret_reason,
                          g_strdup_printf("there is no option %.*s", (int) MIN(n, 60), words[0]));
}

static gboolean
args_count(const Operation *operation, const AdminArgs *args, char **ret_reason)
{
        gsize n = 0;

        for (; n < OPERATION_ARGS && operation->args[n].name != NULL; n++)
                if (n >= args->n_positional && !operation->args[n].is_optional)
                        return args_wrong(operation, ret_reason,
                                          g_strdup_printf("%s is missing", operation->args[n].name));
        if (args->n_positional > n && !(n > 0 && operation->args[n - 1].is_repeated))
                return args_wrong(operation, ret_reason,
                                  g_strdup_printf("'%s' is one word too many", args->positional[n]));
        return TRUE;
}

gboolean
args_parse(const Operation *operation, const char *const *words, AdminArgs *ret, char **ret_reason)
{
        gsize n_words = g_strv_length((char **) words);
        gsize octets = 0, step = 1;
        gboolean only_words = FALSE; /* behind "--" */

        for (gsize i = 0; i < n_words; i++)
                octets += strlen(words[i]);
        if (n_words > ADMIN_ARGS_MAX || octets > ADMIN_ARGS_OCTETS)
                return args_wrong(operation, ret_reason, g_strdup("too many arguments: at most 4096 and 64 KiB"));
        ret->positional = g_new0(const char *, n_words + 1);
        ret->pairs = g_new0(KeyValue, n_words + 1);

        for (gsize i = 0; i < n_words; i += step) {
                const char *word = words[i];
                const char *equals;

                step = 1;
                if (!only_words && strcmp(word, "--") == 0) {
                        only_words = TRUE;
                } else if (!only_words && word[0] == '-' && word[1] != '\0') {
                        if (!args_option(operation, words + i, ret, &step, ret_reason))
                                return FALSE;
                } else if (!only_words && (equals = pair_split(operation, word)) != NULL) {
                        if (!args_pair(operation, word, equals, ret, ret_reason))
                                return FALSE;
                } else {
                        ret->positional[ret->n_positional++] = word;
                }
        }
        return args_count(operation, ret, ret_reason);
}

void
args_clear(AdminArgs *args)
{
        for (gsize i = 0; i < args->n_pairs; i++)
                g_free((char *) args->pairs[i].key);
        g_free(args->pairs);
        g_free(args->positional);
        memset(args, 0, sizeof(*args));
}

gboolean
admin_check_args(const Operation *operation, const char *const *args, char **ret_reason)
{
        AdminArgs parsed = {0};
        gboolean is_right = args_parse(operation, args, &parsed, ret_reason);

        args_clear(&parsed);
        return is_right;
}
