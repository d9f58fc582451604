#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(restante-error-quark, restante_error)

gboolean
fault(GError **error, FaultCode code, const char *format, ...)
{
        if (error == NULL)
                return FALSE;

        va_list args;
        va_start(args, format);
        g_propagate_error(error, g_error_new_valist(RESTANTE_ERROR, (int) code, format, args));
        va_end(args);
        return FALSE;
}

gboolean
fault_errno(GError **error, const char *format, ...)
{
        int number = errno; /* before anything below changes it */
        FaultCode code = number == ENOSPC || number == EDQUOT ? FAULT_FULL : FAULT_IO;

        if (error == NULL)
                return FALSE;

        va_list args;
        va_start(args, format);
        g_autofree char *what = g_strdup_vprintf(format, args);
        va_end(args);
        fault(error, code, "%s: %s", what, g_strerror(number));
        errno = number;
        return FALSE;
}
