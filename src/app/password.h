/* password.h -- a password from whoever sits there. */
#pragma once

#include "base/error.h"

/* One line of standard input; on a terminal asked for without echo, a new one twice. *ret NULL: nothing came (an empty line or the
 * end of input). FALSE: unreadable, too long, or the two differ. */
gboolean password_read(gboolean is_new, char **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
