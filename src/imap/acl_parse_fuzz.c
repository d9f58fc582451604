/* The arguments of the ACL commands; the first octet says of which, what is enabled and whether RIGHTS=kxte is off. */
#include "imap/harness.h"
#include "imap/names.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const guint64 everything[2] = {G_MAXUINT64, G_MAXUINT64};
        AclRequest r;
        gboolean is_bad;

        if (size < 1)
                return 0;
        ImapArgs args = harness_args(span_make(data + 1, size - 1), (data[0] & 4) != 0 ? IMAP_ENABLED_REV2 : 0);
        args.off = (data[0] & 8) != 0 ? everything : NULL;
        AclForm form = (AclForm) ((data[0] & 3) % (ACL_FORM_RIGHTS + 1));
        if (imap_acl_parse(&args, form, &r, &is_bad)) {
                g_assert_true(args_end(&args) && !is_bad && (r.rights & ~RIGHTS_ALL) == 0);
                g_assert_true(form == ACL_FORM_MAILBOX || r.identifier.len > 0);
        }
        arena_free(args.arena);
        return 0;
}
