/* uidlist.c -- what Dovecot keeps beside a maildir: UIDs, names of keywords, subscriptions.
 *
 *      dovecot-uidlist   "3 V1275660208 N25022 G3085..." (version 1: "1 VALIDITY NEXT"), then "UID [extensions] :file
 * name" or "UID file name" dovecot-keywords  "0 $Forwarded": keyword of letter a subscriptions     a name a line;
 * "V\t2" and an empty line first: levels divided by tabs
 */
#include "base/text.h"
#include "transfer/internal.h"

/* "V123 N456 G..." or "123 456" */
static gboolean
read_head(Span line, UidList *list)
{
        Scan s = scan_from(line);
        guint64 version, validity = 0, next = 0;
        Span word;

        if (!scan_number(&s, 9, &version) || !scan_octet(&s, ' '))
                return FALSE;
        if (version == 1) {
                if (!scan_number(&s, G_MAXUINT32, &validity) || !scan_octet(&s, ' ') ||
                    !scan_number(&s, G_MAXUINT32, &next))
                        return FALSE;
        } else {
                while (scan_run(&s, &CLASS_PRINT, line.len, &word)) {
                        Span value = span_slice(word, 1, word.len);
                        if (word.data[0] == 'V' && !span_to_number(value, G_MAXUINT32, &validity))
                                return FALSE;
                        if (word.data[0] == 'N' && !span_to_number(value, G_MAXUINT32, &next))
                                return FALSE;
                        scan_skip_run(&s, &CLASS_WSP);
                }
        }
        list->uid_validity = (guint32) validity;
        list->uid_next = (guint32) next;
        return validity != 0;
}

static gboolean
read_entry(Span line, guint32 *ret_uid, Span *ret_base)
{
        Scan s = scan_from(line);
        guint64 uid;
        Span skipped;

        if (!scan_number(&s, G_MAXUINT32, &uid) || uid == 0 || !scan_octet(&s, ' '))
                return FALSE;
        const guint8 *mark = scan_mark(&s);
        if (!scan_until(&s, ':', &skipped) || !scan_octet(&s, ':') ||
            (skipped.len > 0 && skipped.data[skipped.len - 1] != ' '))
                scan_rewind(&s, mark);
        MaildirName name;
        maildir_name_parse(scan_rest(&s), &name);
        *ret_uid = (guint32) uid;
        *ret_base = name.base;
        return name.base.len > 0;
}

void
uidlist_parse(Span text, UidList *ret)
{
        Scan s = scan_from(text);
        guint32 last = 0, uid;
        Span line, base;

        *ret = (UidList){.uids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
        if (!scan_line(&s, &line) || !read_head(line, ret)) {
                ret->uid_validity = ret->uid_next = 0;
                return;
        }
        while (scan_line(&s, &line)) {
                if (!read_entry(line, &uid, &base))
                        continue;
                g_hash_table_insert(ret->uids, span_dup(base), GUINT_TO_POINTER(uid));
                last = MAX(last, uid);
        }
        if (ret->uid_next <= last) /* an append that was not finished in the head */
                ret->uid_next = last < G_MAXUINT32 ? last + 1 : 0;
}

void
uidlist_done(UidList *list)
{
        g_clear_pointer(&list->uids, g_hash_table_unref);
}

void
letters_parse(Span text, LetterNames *ret)
{
        Scan s = scan_from(text);
        Span line;

        memset(ret, 0, sizeof(*ret));
        while (scan_line(&s, &line)) {
                Scan l = scan_from(line);
                guint64 i;

                if (!scan_number(&l, MAILDIR_LETTERS - 1, &i) || !scan_octet(&l, ' ') || scan_at_end(&l))
                        continue;
                g_free(ret->at[i]);
                ret->at[i] = name_keyword(scan_rest(&l));
        }
}

void
letters_done(LetterNames *names)
{
        for (gsize i = 0; i < MAILDIR_LETTERS; i++)
                g_clear_pointer(&names->at[i], g_free);
}

GHashTable *
extra_parse(Span text)
{
        GHashTable *extra = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        Scan s = scan_from(text);
        Span line, base;

        while (scan_line(&s, &line)) {
                Scan l = scan_from(line);
                if (scan_until(&l, ' ', &base) && scan_octet(&l, ' '))
                        g_hash_table_insert(extra, span_dup(base), span_dup(scan_rest(&l)));
        }
        return extra;
}

static char *
subscribed_name(Span line, guint8 separator)
{
        g_autoptr(GPtrArray) levels = g_ptr_array_new_with_free_func(g_free);
        g_autofree guint8 *buffer = g_malloc(line.len + 1);
        Scan s = scan_from(line);

        while (!scan_at_end(&s)) {
                Span level = scan_rest(&s);
                if (scan_until(&s, separator, &level))
                        (void) !scan_octet(&s, separator);
                else
                        (void) !scan_skip(&s, level.len);
                if (level.len > 0)
                        g_ptr_array_add(levels, name_level(maildir_unescape(level, buffer)));
        }
        return name_join(levels);
}

GHashTable *
subscriptions_parse(Span text, char separator)
{
        GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        Scan s = scan_from(text);
        guint8 between = (guint8) separator;
        Span line;

        while (scan_line(&s, &line) && g_hash_table_size(names) < SOURCE_FOLDERS_MAX) {
                if (span_starts_nocase(line, span_of("V\t")))
                        between = '\t';
                else if (line.len > 0)
                        g_hash_table_add(names, subscribed_name(line, between));
        }
        return names;
}
