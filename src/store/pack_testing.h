/* pack_testing.h -- for tests of who reads packs. */
#pragma once

#include "store/fixture.h"
#include "store/internal.h"

/* All that a mailbox holds is packed; how many packs there are then. */
G_GNUC_UNUSED static guint
pack_all(Site *site, gint64 mailbox)
{
        g_autoptr(GError) error = NULL;
        PackWork work = PACK_AGAIN;

        while (work == PACK_AGAIN)
                work = mailbox_pack(site->store, mailbox, TRUE, &error);
        g_assert_no_error(error);
        g_assert_cmpint(work, ==, PACK_IDLE);
        return (guint) number(site, "SELECT count(*) FROM pack");
}
