#include "admin/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line of the control socket as a hostile user may send it: parsed, and its arguments read by every operation's
 * table. Nothing is run. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        json_t *request = wire_parse(span_make(data, size), 3);
        const json_t *args = json_object_get(request, "args");
        gsize n = json_is_array(args) ? MIN(json_array_size(args), ADMIN_ARGS_MAX) : 0;
        g_autofree const char **words = g_new0(const char *, n + 1);

        for (gsize i = 0; i < n; i++)
                words[i] = json_is_string(json_array_get(args, i)) ? json_string_value(json_array_get(args, i)) : "";
        for (gsize i = 0; n > 0 && ADMIN_OPERATIONS[i] != NULL; i++) {
                g_autofree char *reason = NULL;
                AdminArgs parsed = {0};
                gboolean is_right = args_parse(ADMIN_OPERATIONS[i], words, &parsed, &reason);

                g_assert(is_right == (reason == NULL));
                g_assert(parsed.n_positional + parsed.n_pairs <= n);
                args_clear(&parsed);
        }
        json_decref(request);
        return 0;
}
