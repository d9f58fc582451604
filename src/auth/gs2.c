/* gs2.c -- GS2 headers and the names in them. */
#include "auth/gs2.h"

#include "base/text.h"

gboolean
gs2_read_name(Arena *arena, Span name, Span *ret)
{
        guint8 *octets = arena_alloc(arena, name.len + 1);
        Scan s = scan_from(name);
        gsize n = 0;
        guint8 octet;

        if (octets == NULL || name.len > 3 * GS2_NAME_MAX || text_has_control(name) || !text_is_utf8(name))
                return FALSE;
        while (scan_any(&s, &octet)) {
                if (octet == '=' && scan_word(&s, "2C"))
                        octet = ',';
                else if (octet == '=' && !scan_word(&s, "3D"))
                        return FALSE;
                octets[n++] = octet;
        }
        *ret = span_make(octets, n);
        return n > 0 && n <= GS2_NAME_MAX;
}

/* "p=" or "a=" and what stands before the next comma. */
static gboolean
scan_value(Scan *s, guint8 letter, Span *ret)
{
        const guint8 *mark = scan_mark(s);

        if (scan_octet(s, letter) && scan_octet(s, '=') && scan_until(s, ',', ret))
                return TRUE;
        scan_rewind(s, mark);
        return FALSE;
}

gboolean
gs2_scan(Scan *s, Arena *arena, Gs2 *ret)
{
        const guint8 *mark = scan_mark(s);
        Span authzid;

        *ret = (Gs2){.flag = 0};
        if (scan_octet(s, 'n'))
                ret->flag = 'n';
        else if (scan_octet(s, 'y'))
                ret->flag = 'y';
        else if (scan_value(s, 'p', &ret->binding))
                ret->flag = 'p';
        if (ret->flag == 0 || !scan_octet(s, ','))
                return FALSE;
        if (scan_value(s, 'a', &authzid) && !gs2_read_name(arena, authzid, &ret->authzid))
                return FALSE;
        gboolean is_whole = scan_octet(s, ',');
        ret->whole = scan_since(s, mark);
        return is_whole;
}
