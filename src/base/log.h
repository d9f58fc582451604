/* log.h -- what happened, for administrators: one line an event, to stderr.
 *
 *      2026-01-31T12:34:56.789Z info  smtp.accepted id=02x9k1v5c8m3q sender=<a@b.example> size=4321
 *
 * Every event is a LogEvent with its manual inside; the reference manual is made from the tables. A line is written with
 * one write(2), so threads never mix. Values that came from outside go through log_text(), which escapes and caps.
 * Library rooms log at debug only; doors, app and background work log what an administrator must see.
 *
 * Threads  any. Never fails: a line that can't be written is dropped and counted.
 */
#pragma once

#include "base/span.h"

typedef enum LogLevel {
        LOG_ERROR = 0,          /* somebody must act; tests fail on an unexpected one */
        LOG_WARNING,
        LOG_INFO,
        LOG_DEBUG,
} LogLevel;

typedef struct LogEvent {
        const char *name;       /* room.event */
        LogLevel level;
        const char *manual;     /* what it means and what to do */
} LogEvent;

void log_set_level(LogLevel level);
gboolean log_wants(LogLevel level);

/* format yields "key=value key=value ..."; may be "". */
void log_event(const LogEvent *event, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* For values in log_event(): the span quoted where needed, escaped, capped at 256 octets, "-" when empty. The result lives
 * until the calling thread has called log_text() eight more times. */
const char *log_text(Span s);

/* Lines dropped since start because stderr would not take them. */
guint64 log_dropped(void);
