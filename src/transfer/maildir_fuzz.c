/* Names in maildirs, dovecot-uidlist, dovecot-keywords, subscriptions, restante.json. */
#include "transfer/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
name_of(Span text)
{
        g_autoptr(GPtrArray) levels = maildir_levels(text);
        g_autofree char *name = name_join(levels);
        g_autofree char *key = name_key(text);
        g_autofree char *keyword = name_keyword(text);

        g_assert(strlen(key) >= text.len && strlen(keyword) <= text.len);
        g_assert(strlen(name) <= 1000 && g_utf8_validate(name, -1, NULL));
        for (guint i = 0; i < levels->len; i++)
                g_assert(strlen(g_ptr_array_index(levels, i)) <= 255);
        g_autofree char *directory = maildir_directory(name);
        g_assert(directory == NULL || strchr(directory, '/') == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span text = span_make(data, size);
        LetterNames letters;
        MaildirName name;
        UidList list;

        maildir_name_parse(text, &name);
        g_assert(name.base.len <= text.len);
        name_of(span_slice(text, 0, 4096));
        uidlist_parse(text, &list);
        uidlist_done(&list);
        letters_parse(text, &letters);
        letters_done(&letters);
        g_hash_table_unref(extra_parse(text));
        g_hash_table_unref(subscriptions_parse(text, '.'));
        g_hash_table_unref(manifest_parse(text));
        return 0;
}
