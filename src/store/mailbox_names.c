/* mailbox_names.c -- what a mailbox may be called, and whose tree a name is in. */
#include "base/text.h"
#include "mail/address.h"
#include "store/tree.h"

#define OWNER_OCTETS_MAX (1 + ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX) /* with the ~ */

/* The last code point there is: it ends ranges of names (name_behind()), and is no character anyway. */
#define NAME_END "\xf4\x8f\xbf\xbf"

/* C0, DEL, and C1 as UTF-8 writes them (RFC 9051 §5.1 wants Net-Unicode, RFC 5198 §2). */
static gboolean
has_control(Span s)
{
        if (text_has_control(s) || memmem(s.data, s.len, NAME_END, strlen(NAME_END)) != NULL)
                return TRUE;
        for (gsize i = 0; i + 1 < s.len; i++)
                if (s.data[i] == 0xc2 && s.data[i + 1] >= 0x80 && s.data[i + 1] < 0xa0)
                        return TRUE;
        return FALSE;
}

/* In the form in which equal names have equal octets. */
static gboolean
normalise(Arena *arena, Span text, Span *ret)
{
        if (text_is_ascii(text)) {
                *ret = text;
                return TRUE;
        }
        g_autofree char *nfc = g_utf8_normalize((const char *) text.data, (gssize) text.len, G_NORMALIZE_NFC);
        *ret = nfc != NULL ? arena_copy(arena, span_of(nfc)) : SPAN_EMPTY;
        return ret->len > 0;
}

static gboolean
level_is_right(Span level, NameUse use)
{
        if (level.len == 0 || level.len > LEVEL_OCTETS_MAX)
                return FALSE;
        if (span_equal(level, span_of(".")) || span_equal(level, span_of("..")))
                return FALSE;
        return use == NAME_LOOK || (level.data[0] != '%' && level.data[0] != '*');
}

static gboolean
levels_are_right(Span path, NameUse use)
{
        Scan s = scan_from(path);
        gsize n = 0;

        for (gboolean more = TRUE; more; n++) {
                Span level = SPAN_EMPTY;

                more = scan_until(&s, '/', &level);
                if (!more)
                        level = scan_rest(&s);
                if (n >= LEVELS_MAX || !level_is_right(level, use))
                        return FALSE;
                if (more)
                        (void) scan_octet(&s, '/');
        }
        return TRUE;
}

/* INBOX in any case is the one INBOX (RFC 9051 §5.1), also as the level above others. */
static const char *
path_of(Arena *arena, Span path)
{
        char *copy = (char *) arena_strndup(arena, path);

        if (copy != NULL && g_ascii_strncasecmp(copy, "INBOX", 5) == 0 && (copy[5] == '\0' || copy[5] == '/'))
                memcpy(copy, "INBOX", 5);
        return copy;
}

/* "~owner/path" -> its two parts. */
static gboolean
split_owner(Span *name, Span *ret_owner)
{
        Scan s = scan_from(*name);
        Span owner = SPAN_EMPTY;
        gboolean has_path = scan_until(&s, '/', &owner);

        if (!has_path)
                owner = scan_rest(&s);
        if (owner.len < 2 || owner.len > OWNER_OCTETS_MAX)
                return FALSE;
        *ret_owner = span_slice(owner, 1, owner.len);
        *name = has_path ? span_slice(*name, owner.len + 1, name->len) : SPAN_EMPTY;
        return !has_path || name->len > 0;
}

gboolean
name_parse(Arena *arena, Span text, NameUse use, TreeName *ret)
{
        Span name = SPAN_EMPTY, owner = SPAN_EMPTY;

        if (text.len == 0 || text.len > NAME_OCTETS_MAX || has_control(text) || !text_is_utf8(text))
                return FALSE;
        if (!normalise(arena, text, &name) || name.len > NAME_OCTETS_MAX)
                return FALSE;
        if (name.data[0] == '~' && !split_owner(&name, &owner))
                return FALSE;
        if (name.len > 0 && !levels_are_right(name, use))
                return FALSE;
        *ret = (TreeName){owner, path_of(arena, name)};
        return ret->path != NULL;
}

const char *
name_parent(Arena *arena, const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash != NULL ? arena_strndup(arena, span_make(path, (gsize) (slash - path))) : NULL;
}

const char *
name_behind(Arena *arena, Span prefix)
{
        return arena_printf(arena, "%.*s" NAME_END, (int) prefix.len, (const char *) prefix.data);
}

gboolean
name_is_below(const char *path, const char *parent)
{
        gsize n = strlen(parent);

        return strncmp(path, parent, n) == 0 && path[n] == '/';
}
