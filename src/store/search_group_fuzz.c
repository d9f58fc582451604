/* Two targets in one, by the first octet: a record of any octets (its checksum made right) is asked without harm; and
 * of texts that were indexed nothing is denied or affirmed wrongly. The first line is the needle. */
#include "store/search_record.h"

#include <xxhash.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
ask_record(Span needle, Span content)
{
        g_autofree guint8 *record = g_malloc(content.len + 8);
        g_autoptr(GroupMatcher) matcher = group_matcher_new(needle);
        guint64 checksum = GUINT64_TO_LE(XXH3_64bits(content.data, content.len));
        GroupAnswer answer;

        memcpy(record, content.data, content.len);
        memcpy(record + content.len, &checksum, 8);
        (void) !group_match(matcher, span_make(record, content.len + 8), NULL, &answer);
}

/* Texts are lines; the octet after a line end chooses slot and kind. */
static guint
build(GroupBuilder *builder, Span texts, Span ret_texts[GROUP_SLOTS_MAX])
{
        guint n = 0;

        while (texts.len > 0 && n < GROUP_SLOTS_MAX) {
                const guint8 *end = memchr(texts.data, '\n', texts.len);
                Span line = span_slice(texts, 0, end != NULL ? (gsize) (end - texts.data) : texts.len);
                group_builder_begin(builder, n, GROUP_BODY);
                group_builder_add(builder, span_slice(line, 0, line.len / 3));
                group_builder_add(builder, span_slice(line, line.len / 3, line.len));
                ret_texts[n++] = line;
                texts = span_slice(texts, line.len + 1, texts.len);
        }
        return n;
}

static void
ask_texts(Span needle, Span content)
{
        static GroupBuilder *builder;
        g_autoptr(GroupMatcher) matcher = group_matcher_new(needle);
        Span texts[GROUP_SLOTS_MAX];
        GroupAnswer answer;

        if (builder == NULL)
                builder = group_builder_new();
        guint n = build(builder, content, texts);
        if (n == 0)
                return;
        g_assert_true(group_match(matcher, group_builder_end(builder), &answer, NULL));
        for (guint i = 0; i < n; i++) {
                gboolean has = texts[i].len > 0 && memmem(texts[i].data, texts[i].len, needle.data, needle.len) != NULL;
                g_assert(has || !slot_set_has(&answer.yes, i));
                g_assert(!has || slot_set_has(&answer.yes, i) || slot_set_has(&answer.maybe, i));
        }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
        const guint8 *end = size > 2 ? memchr(data + 1, '\n', size - 1) : NULL;

        if (end == NULL || end == data + 1 || end - data > 1000)
                return 0;
        Span needle = span_make(data + 1, (gsize) (end - data - 1));
        Span content = span_make(end + 1, size - (gsize) (end + 1 - data));
        if (content.len == 0)
                return 0;
        if (data[0] == 'r')
                ask_record(needle, content);
        else
                ask_texts(needle, content);
        return 0;
}
