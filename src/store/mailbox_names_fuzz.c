/* A name is refused, or it is within the limits, has no control in it, and read again it is the same. */
#include "base/text.h"
#include "store/tree.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check_path(Arena *arena, const TreeName *name)
{
        Span path = span_of(name->path);
        TreeName again;

        g_assert(path.len <= NAME_OCTETS_MAX && text_is_utf8(path) && !text_has_control(path));
        if (path.len == 0) {
                g_assert(name->owner.len > 0);
                return;
        }
        g_assert(path.data[0] != '/' && path.data[path.len - 1] != '/');
        if (path.data[0] == '~') /* below an owner a level may begin so */
                return;
        g_assert(name_parse(arena, path, NAME_LOOK, &again) && again.owner.data == NULL);
        g_assert(strcmp(again.path, name->path) == 0);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        TreeName name, made;

        if (!name_parse(arena, span_make(data, size), NAME_LOOK, &name)) {
                g_assert(!name_parse(arena, span_make(data, size), NAME_MAKE, &made));
                return 0;
        }
        check_path(arena, &name);
        if (name_parse(arena, span_make(data, size), NAME_MAKE, &made))
                g_assert(strcmp(made.path, name.path) == 0);
        return 0;
}
