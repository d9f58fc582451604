/* The stream of an import, as it comes in pieces of any size. */
#include "admin/records.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input {
        Span left;
        gsize piece;
} Input;

static gssize
input_read(void *buffer, gsize len, gpointer data, GError **error)
{
        Input *in = data;
        Span some = span_slice(in->left, 0, MIN(len, in->piece));

        if (some.len > 0)
                memcpy(buffer, some.data, some.len);
        in->left = span_slice(in->left, some.len, in->left.len);
        return (gssize) some.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Arena) arena = arena_new(1 << 20);
        Input in = {span_make(data, size), size > 0 ? 1 + data[0] : 1};
        gsize octets = 0;
        Records records;
        Record record;
        Span some;

        records_init(&records, input_read, &in);
        while (records_next(&records, arena, &record, &error) == RECORD_OK) {
                RecordAnswer answer;

                g_assert(record.n_keywords <= RECORD_KEYWORDS_MAX);
                for (gsize i = 0; i < record.n_keywords; i++)
                        g_assert(record_is_keyword(record.keywords[i]));
                while ((answer = records_read(&records, &some, &error)) == RECORD_OK)
                        octets += some.len;
                g_assert(octets <= size);
                if (answer == RECORD_FAILED)
                        break;
                arena_reset(arena);
        }
        records_done(&records);
        return 0;
}
