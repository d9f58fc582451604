#include "base/log.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Under PIPE_BUF, so that a line into a pipe is whole or absent too. */
#define LINE_OCTETS  3072
#define VALUE_OCTETS 256
#define NAME_OCTETS  128
#define VALUES       8

static const char *const LEVELS[] = {"error", "warn ", "info ", "debug"};

static int level_now = LOG_INFO;        /* atomic */
static guint64 dropped;                 /* atomic */

void
log_set_level(LogLevel level)
{
        __atomic_store_n(&level_now, (int) level, __ATOMIC_RELAXED);
}

gboolean
log_wants(LogLevel level)
{
        return (int) level <= __atomic_load_n(&level_now, __ATOMIC_RELAXED);
}

guint64
log_dropped(void)
{
        return __atomic_load_n(&dropped, __ATOMIC_RELAXED);
}

static void
log_write(const char *line, gsize octets)
{
        ssize_t written;

        do
                written = write(STDERR_FILENO, line, octets);
        while (written < 0 && errno == EINTR);
        if (written != (ssize_t) octets)
                __atomic_add_fetch(&dropped, 1, __ATOMIC_RELAXED);
}

void
log_event(const LogEvent *event, const char *format, ...)
{
        if (!log_wants(event->level))
                return;

        int errno_before = errno;       /* callers log between a failure and their look at it */
        char line[LINE_OCTETS];
        char when[32];
        const gsize room = sizeof(line) - 1;    /* the last octet is for the line end */
        char *at = stpcpy(line, clock_iso(clock_real(), when, sizeof(when)));
        *at++ = ' ';
        at = stpcpy(at, LEVELS[event->level]);
        *at++ = ' ';
        gsize length = (gsize) (at - line);
        length += MIN(g_strlcpy(at, event->name, NAME_OCTETS), NAME_OCTETS - 1);
        line[length++] = ' ';

        va_list args;
        va_start(args, format);
        int tail = vsnprintf(line + length, room - length, format, args);
        va_end(args);
        if (tail > 0 && (gsize) tail >= room - length) {
                memcpy(line + room - 4, "...", 3);      /* it did not fit, and says so */
                length = room - 1;
        } else {
                length += (gsize) MAX(tail, 0);
        }
        if (length > 0 && line[length - 1] == ' ')
                length--;                               /* no values */
        for (gsize i = 0; i < length; i++)
                if ((guint8) line[i] < 0x20 || line[i] == 0x7f)
                        line[i] = '?';                  /* a value without log_text() begins no line of its own */
        line[length++] = '\n';
        log_write(line, length);
        errno = errno_before;
}

/* The escaped value without quotes; a '"' in it would end them, so it is escaped too. */
static gsize
log_value(Span s, char *out, gboolean *ret_quotes)
{
        Scan scan = scan_from(s);
        gsize length = 0;
        char next[TEXT_ESCAPED_OCTETS];

        *ret_quotes = FALSE;
        for (gsize n; (n = text_escape_next(&scan, next)) > 0; length += n) {
                if (n == 1 && next[0] == '"') {
                        memcpy(next, "\\x22", 4);
                        n = 4;
                }
                if (length + n > VALUE_OCTETS) {
                        memcpy(out + length, "...", 3);
                        return length + 3;
                }
                *ret_quotes |= n == 1 && (next[0] == ' ' || next[0] == '=');
                memcpy(out + length, next, n);
        }
        return length;
}

const char *
log_text(Span s)
{
        static _Thread_local char values[VALUES][VALUE_OCTETS + 8];    /* two quotes, "...", NUL */
        static _Thread_local guint turn;
        char *value = values[turn++ % VALUES];
        gboolean quotes;

        if (s.len == 0)
                return "-";
        gsize length = log_value(s, value + 1, &quotes);
        char *end = value + 1 + length;
        if (!quotes) {
                *end = '\0';
                return value + 1;
        }
        value[0] = '"';
        end[0] = '"';
        end[1] = '\0';
        return value;
}
