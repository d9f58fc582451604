#include "app/settings.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever stands in restante.conf: settings that can be used, or one reason. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) settings = settings_parse(span_make(data, size), "/fuzz/restante.conf", &error);

        g_assert((settings == NULL) == (error != NULL));
        if (settings == NULL)
                return 0;
        g_assert(settings->hostname != NULL && settings->data != NULL && settings->postmaster != NULL);
        for (guint i = 0; i < DOOR_KINDS; i++)
                for (guint j = 0; j < settings->doors[i].n; j++)
                        g_assert(settings->doors[i].at[j].address != NULL);
        g_autoptr(Settings) copy = settings_copy(settings);
        g_auto(GStrv) none = settings_differences(settings, copy);
        g_assert(none[0] == NULL);
        return 0;
}
