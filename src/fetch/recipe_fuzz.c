#include "fetch/fetch.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(1 << 20);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strndup((const char *) data, size);
        Recipe recipe;

        if (!recipe_parse(arena, text, &recipe, &error))
                g_assert(error != NULL);
        else
                g_assert(recipe.kind == RECIPE_HEADER  ? recipe.name[0] != '\0'
                         : recipe.kind == RECIPE_GUESS ? recipe.fields[0] != NULL
                                                       : recipe.by[0] != NULL);
        return 0;
}
