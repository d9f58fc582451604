/* maildir_name.c -- what names in a maildir say: flags of messages, levels of folders (Maildir++).
 *
 * A '.' within a level is written "\2e" and a backslash "\5c", as Dovecot's listescape plugin does.
 */
#include "imap/utf7.h"
#include "transfer/internal.h"

#define DIRECTORY_MAX 255
#define LEVELS_MAX_MAILDIR 50

/* ":2,FS"; on file systems without ':' others stand in its place. */
static gboolean
find_info(Span name, gsize *ret)
{
        for (gsize i = name.len; i-- > 0;) {
                guint8 c = name.data[i];

                if (c == ':' || ((c == '!' || c == ';') && name.len - i >= 3 && name.data[i + 1] == '2' &&
                                 name.data[i + 2] == ',')) {
                        *ret = i;
                        return TRUE;
                }
        }
        return FALSE;
}

static void
read_letter(guint8 letter, MaildirName *name)
{
        static const char LETTERS[] = "SRFTD";
        static const EntryFlag FLAGS[] = {FLAG_SEEN, FLAG_ANSWERED, FLAG_FLAGGED, FLAG_DELETED, FLAG_DRAFT};
        const char *at = letter != '\0' ? strchr(LETTERS, letter) : NULL;

        if (at != NULL)
                name->flags |= FLAGS[at - LETTERS];
        else if (letter == 'P')
                name->is_forwarded = TRUE;
        else if (letter >= 'a' && letter <= 'z')
                name->letters |= (guint32) 1 << (letter - 'a');
}

/* ",E=1" among the fields behind the unique part. */
static gboolean
has_field(Span base, const char *field)
{
        Span wanted = span_of(field);

        for (gsize i = 0; i + wanted.len <= base.len; i++) {
                Span at = span_slice(base, i, i + wanted.len);
                if (span_equal(at, wanted) && (i + wanted.len == base.len || base.data[i + wanted.len] == ','))
                        return TRUE;
        }
        return FALSE;
}

void
maildir_name_parse(Span file_name, MaildirName *ret)
{
        gsize info;

        *ret = (MaildirName){.base = file_name};
        if (find_info(file_name, &info)) {
                Scan s = scan_from(span_slice(file_name, info + 1, file_name.len));
                guint8 letter;

                ret->base = span_slice(file_name, 0, info);
                if (scan_octet(&s, '2') && scan_octet(&s, ','))
                        while (scan_any(&s, &letter) && letter != ',')
                                read_letter(letter, ret);
        }
        ret->is_as_is = has_field(ret->base, ",E=1");
}

Span
maildir_unescape(Span level, guint8 *buffer)
{
        Scan s = scan_from(level);
        guint8 octet;
        gsize n = 0;

        while (scan_any(&s, &octet)) {
                const guint8 *mark = scan_mark(&s);
                guint64 code;

                if (octet == '\\' && scan_hex(&s, 2, &code) && (code == '.' || code == '\\' || code == '/'))
                        octet = (guint8) code;
                else
                        scan_rewind(&s, mark);
                buffer[n++] = octet;
        }
        return span_make(buffer, n);
}

GPtrArray *
maildir_levels(Span directory)
{
        GPtrArray *levels = g_ptr_array_new_with_free_func(g_free);
        g_autofree guint8 *buffer = g_malloc(directory.len + 1);
        gboolean is_flat = directory.len > 0 && directory.data[0] == '.';
        Scan s = scan_from(span_slice(directory, is_flat ? 1 : 0, directory.len));

        while (!scan_at_end(&s) && levels->len < LEVELS_MAX_MAILDIR) {
                Span level = scan_rest(&s);

                if (is_flat && scan_until(&s, '.', &level))
                        (void) !scan_octet(&s, '.');
                else
                        (void) !scan_skip(&s, level.len);
                if (level.len > 0)
                        g_ptr_array_add(levels, name_level(maildir_unescape(level, buffer)));
        }
        return levels;
}

char *
maildir_directory(const char *name)
{
        g_autoptr(Arena) arena = arena_new(64 * 1024);
        GString *s = g_string_new(NULL);

        if (strcmp(name, "INBOX") == 0)
                return g_string_free(s, FALSE);
        Span coded = utf7_from_utf8(arena, span_of(name));
        g_string_append_c(s, '.');
        for (gsize i = 0; i < coded.len; i++)
                switch (coded.data[i]) {
                case '/':
                        g_string_append_c(s, '.');
                        break;
                case '.':
                case '\\':
                        g_string_append_printf(s, "\\%02x", coded.data[i]);
                        break;
                default:
                        g_string_append_c(s, (char) coded.data[i]);
                }
        if (s->len <= DIRECTORY_MAX)
                return g_string_free(s, FALSE);
        g_string_free(s, TRUE);
        return NULL;
}
