/* special_use.c -- what mailboxes are for (RFC 6154; \Important: RFC 8457). */
#include "store/mailbox.h"

static const struct {
        SpecialUse use;
        const char *name;
} USES[] = {
        {USE_ALL, "\\All"},   {USE_ARCHIVE, "\\Archive"}, {USE_DRAFTS, "\\Drafts"}, {USE_FLAGGED, "\\Flagged"},
        {USE_JUNK, "\\Junk"}, {USE_SENT, "\\Sent"},       {USE_TRASH, "\\Trash"},   {USE_IMPORTANT, "\\Important"},
};

const char *
special_use_name(SpecialUse use)
{
        for (gsize i = 0; i < G_N_ELEMENTS(USES); i++)
                if (USES[i].use == use)
                        return USES[i].name;
        g_assert_not_reached();
}

gboolean
special_use_parse(Span text, SpecialUse *ret)
{
        for (gsize i = 0; i < G_N_ELEMENTS(USES); i++) {
                if (!span_is(text, USES[i].name))
                        continue;
                *ret = USES[i].use;
                return TRUE;
        }
        return FALSE;
}
