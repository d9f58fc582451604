/* error.h -- faults: "could not find out, could not do". Answers are enums of the room that gives them, not errors.
 *
 * One domain for all rooms; the code says what a caller can do about it, the message is private (for the log and the
 * administrator, never for a stranger).
 */
#pragma once

#include <glib.h>

#define RESTANTE_ERROR (restante_error_quark())
GQuark restante_error_quark(void);

typedef enum FaultCode {
        FAULT_INTERNAL = 0,     /* broken state, a bug, a damaged file                                     */
        FAULT_IO,               /* a system call failed; try later                                         */
        FAULT_FULL,             /* disk or quota of the machine: 452 until somebody makes room             */
        FAULT_BUSY,             /* too much at once: come back                                             */
        FAULT_TIMEOUT,          /* a deadline passed                                                       */
        FAULT_INPUT,            /* what a person or file gave is wrong; the message says what would be right */
} FaultCode;

/* Fill *error (which may be NULL) and return FALSE, so that `return fault(error, ...)` reads as it acts. */
gboolean fault(GError **error, FaultCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same with ": strerror(errno)" behind it; ENOSPC and EDQUOT become FAULT_FULL, everything else FAULT_IO. */
gboolean fault_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* "what: " before the message of an error that is set. */
#define fault_prefix(error, ...) g_prefix_error((error), __VA_ARGS__)
