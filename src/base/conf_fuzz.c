#include "base/conf.h"
#include "base/text.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Conf) conf = conf_parse(span_make(data, size), "fuzz", &error);

        g_assert((conf == NULL) == (error != NULL));
        if (conf == NULL) {
                g_assert(g_utf8_validate(error->message, -1, NULL));
                return 0;
        }
        guint before = 0;
        for (guint i = 0; i < conf_n_entries(conf); i++) {
                const ConfEntry *entry = conf_entry(conf, i);

                g_assert(entry->line > before);
                before = entry->line;
                g_assert(entry->key[0] != '\0' && text_is_ascii(span_of(entry->key)));
                g_assert(text_is_utf8(span_of(entry->value)) && text_is_utf8(span_of(entry->section)));
                g_assert(conf_find(conf, entry->section, entry->key)->line >= entry->line);
        }
        return 0;
}
