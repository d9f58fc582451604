/* password.c -- one line, without echo on a terminal. */
#include "app/password.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1000

/* Octet by octet: what stands behind the line belongs to somebody else. */
static gboolean
line_read(char **ret, GError **error)
{
        char line[PASSWORD_MAX + 2];
        gsize n = 0;

        for (;;) {
                ssize_t got = read(STDIN_FILENO, line + n, 1);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fault_errno(error, "the password could not be read");
                if (got == 0 || line[n] == '\n')
                        break;
                if (++n > PASSWORD_MAX)
                        return fault(error, FAULT_INPUT, "the password is over %d octets", PASSWORD_MAX);
        }
        if (n > 0 && line[n - 1] == '\r')
                n--;
        *ret = n > 0 ? g_strndup(line, n) : NULL;
        text_wipe(line, sizeof(line));
        return TRUE;
}

static gboolean
prompt_read(const char *prompt, char **ret, GError **error)
{
        struct termios before, quiet;

        fputs(prompt, stderr);
        fflush(stderr);
        if (tcgetattr(STDIN_FILENO, &before) < 0)
                return fault_errno(error, "the terminal");
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t) ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        gboolean is_read = line_read(ret, error);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputs("\n", stderr);
        return is_read;
}

gboolean
password_read(gboolean is_new, char **ret, GError **error)
{
        char *again = NULL;

        if (!isatty(STDIN_FILENO))
                return line_read(ret, error);
        if (!prompt_read("password (not shown): ", ret, error))
                return FALSE;
        if (!is_new || *ret == NULL)
                return TRUE;
        gboolean is_same = prompt_read("once more: ", &again, error) && again != NULL && strcmp(*ret, again) == 0;
        if (again != NULL)
                text_wipe(again, strlen(again));
        g_free(again);
        if (is_same)
                return TRUE;
        text_wipe(*ret, strlen(*ret));
        g_clear_pointer(ret, g_free);
        return *error != NULL ? FALSE : fault(error, FAULT_INPUT, "the two differ: nothing was changed");
}
