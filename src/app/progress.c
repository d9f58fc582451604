/* progress.c -- the bar of import and export. */
#include "app/progress.h"
#include "app/render.h"
#include "base/text.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW (100 * USEC_PER_MS)
#define BAR_MAX 30
#define BAR_MIN 5

struct Progress {
        FILE *out;
        gboolean is_terminal, is_drawn;
        ProgressState state;
        char *folder;
        Usec began, drawn;
};

static char *
duration_text(double seconds)
{
        guint64 s = seconds < 360000 ? (guint64) (seconds + 0.5) : 360000;

        if (s >= 3600)
                return g_strdup_printf("%u:%02u:%02u", (guint) (s / 3600), (guint) (s / 60 % 60), (guint) (s % 60));
        return g_strdup_printf("%u:%02u", (guint) (s / 60), (guint) (s % 60));
}

/* 0 .. 1: by octets where they are known, since messages differ much in size. */
static double
share_of(const ProgressState *p)
{
        double share = p->octets_total > 0 ? (double) p->octets / (double) p->octets_total
                       : p->total > 0      ? (double) p->messages / (double) p->total
                                           : 1;

        return CLAMP(share, 0, 1);
}

static char *
figures(const ProgressState *p)
{
        double seconds = (double) p->elapsed / (double) USEC_PER_SEC, share = share_of(p);
        GString *s = g_string_new(NULL);
        char rate[32];

        g_string_append_printf(s, "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, p->messages, p->total);
        if (seconds >= 0.5) {
                render_size((guint64) ((double) p->octets / seconds), rate, sizeof(rate));
                g_string_append_printf(s, "  %.0f/s  %s/s", (double) p->messages / seconds, rate);
        }
        if (seconds >= 1 && share > 0.01 && share < 1) {
                g_autofree char *left = duration_text(seconds * (1 - share) / share);
                g_string_append_printf(s, "  %s left", left);
        }
        if (p->n_folders > 1)
                g_string_append_printf(s, "  (%u of %u)", p->nth, p->n_folders);
        return g_string_free(s, FALSE);
}

char *
progress_line(const ProgressState *p, guint columns)
{
        g_autofree char *behind = figures(p);
        g_autofree char *folder = text_escape(span_of(p->folder), 200);
        glong width = g_utf8_strlen(behind, -1), name = g_utf8_strlen(folder, -1);
        glong room = (glong) columns - width - 6; /* "  [" "]  " and the last column */
        char bar[BAR_MAX + 1];

        if (room < BAR_MIN + 8)
                return g_utf8_substring(behind, 0, MIN(width, (glong) columns));
        glong n = CLAMP(room - name, BAR_MIN, BAR_MAX);
        g_autofree char *shown = g_utf8_substring(folder, name > room - n ? name - (room - n) : 0, name);
        glong filled = (glong) (share_of(p) * (double) n + 0.5);
        memset(bar, '.', (gsize) n);
        memset(bar, '#', (gsize) filled);
        bar[n] = '\0';
        return g_strdup_printf("%s  [%s]  %s", shown, bar, behind);
}

Progress *
progress_new(FILE *out)
{
        Progress *progress = g_new0(Progress, 1);

        progress->out = out;
        progress->is_terminal = isatty(fileno(out)) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
        return progress;
}

void
progress_clear(Progress *progress)
{
        if (!progress->is_drawn)
                return;
        fputs("\r\033[K", progress->out);
        fflush(progress->out);
        progress->is_drawn = FALSE;
}

void
progress_free(Progress *progress)
{
        if (progress == NULL)
                return;
        progress_clear(progress);
        g_free(progress->folder);
        g_free(progress);
}

static void
draw(Progress *progress)
{
        struct winsize size = {0};
        guint columns = ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;

        progress->drawn = clock_monotonic();
        progress->state.elapsed = progress->drawn - progress->began;
        g_autofree char *line = progress_line(&progress->state, columns);
        fprintf(progress->out, "\r%s\033[K", line);
        fflush(progress->out);
        progress->is_drawn = TRUE;
}

void
progress_folder(Progress *progress, const char *folder, guint nth, guint n_folders, guint64 total, guint64 octets_total)
{
        g_free(progress->folder);
        progress->folder = g_strdup(folder);
        progress->state = (ProgressState){.folder = progress->folder,
                                          .nth = nth,
                                          .n_folders = n_folders,
                                          .total = total,
                                          .octets_total = octets_total};
        progress->began = clock_monotonic();
        progress->drawn = 0;
        progress_at(progress, 0, 0);
}

void
progress_at(Progress *progress, guint64 messages, guint64 octets)
{
        progress->state.messages = messages;
        progress->state.octets = octets;
        if (progress->is_terminal && clock_monotonic() - progress->drawn >= REDRAW)
                draw(progress);
}
