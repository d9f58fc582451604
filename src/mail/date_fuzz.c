#include "mail/date.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[DATE_TEXT_OCTETS];
        Usec real, again;
        int offset;

        if (!date_parse(span_make(data, size), &real, &offset))
                return 0;
        g_assert(offset > -24 * 60 && offset < 24 * 60);
        date_text(real, text, sizeof(text));
        if (date_parse(span_of(text), &again, &offset))
                g_assert(again == real && offset == 0);
        return 0;
}
