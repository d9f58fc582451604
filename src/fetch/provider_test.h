/* provider_test.h -- a provider for the tests of fetch: one POP3 mailbox on a loopback port, with faults to order. */
#pragma once

#include "base/thread.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct ProviderMail {
        char *uidl, *text;      /* text in wire form, dots not stuffed */
        gboolean is_deleted;    /* marked in this session */
} ProviderMail;

typedef struct Provider {
        int listener, fd;
        guint16 port;
        Thread *thread;
        gint is_ending, is_stalling;    /* atomic */
        Mutex lock;                     /* is_busy only */
        Cond rests;
        gboolean is_busy;               /* in a session */
        GPtrArray *mail;
        const char *password;
        gboolean no_uidl, no_top, no_pipelining;
        const char *pass_reply;         /* instead of +OK                                     */
        int close_in_retr;              /* the connection breaks within the n-th RETR, from 1 */
        const char *break_at_uidl;      /* or within that of this one, always                 */
        const char *refuse_uidl;        /* -ERR to its RETR                                   */
        gboolean close_at_dele, close_at_quit, lose_quit_reply, forget_to_delete;
        gboolean stalls_at_retr;        /* until the connection ends                          */
        int size_lie;                   /* added to what LIST says                            */
        guint n_sessions, n_retr, n_top, n_dele, n_passes;
} Provider;

static inline void
provider_mail_free(gpointer data)
{
        ProviderMail *m = data;

        g_free(m->uidl);
        g_free(m->text);
        g_free(m);
}

/* A message of some lines; "" as uidl makes one up. */
static inline void
provider_put(Provider *p, const char *uidl, const char *text)
{
        ProviderMail *m = g_new0(ProviderMail, 1);

        m->uidl = g_strdup(uidl);
        m->text = g_strdup(text);
        g_ptr_array_add(p->mail, m);
}

static inline gboolean
provider_say(Provider *p, const char *text)
{
        gsize len = strlen(text);

        while (len > 0) {
                ssize_t n = send(p->fd, text, len, MSG_NOSIGNAL);
                if (n <= 0)
                        return FALSE;
                text += n;
                len -= (gsize) n;
        }
        return TRUE;
}

static inline gboolean
provider_line(Provider *p, FILE *in, char *line, int size)
{
        if (fgets(line, size, in) == NULL)
                return FALSE;
        line[strcspn(line, "\r\n")] = '\0';
        return TRUE;
}

static inline gboolean
provider_list(Provider *p, gboolean wants_uidl)
{
        g_autoptr(GString) out = g_string_new("+OK\r\n");

        for (guint i = 0; i < p->mail->len; i++) {
                const ProviderMail *m = p->mail->pdata[i];
                if (wants_uidl)
                        g_string_append_printf(out, "%u %s\r\n", i + 1, m->uidl);
                else
                        g_string_append_printf(out, "%u %d\r\n", i + 1, (int) strlen(m->text) + p->size_lie);
        }
        g_string_append(out, ".\r\n");
        return provider_say(p, out->str);
}

static inline gboolean
provider_send(Provider *p, const char *text, gboolean only_header, gboolean breaks)
{
        g_autoptr(GString) out = g_string_new("+OK\r\n");

        while (*text != '\0') {
                const char *end = strchr(text, '\n');
                gsize len = end != NULL ? (gsize) (end - text) + 1 : strlen(text);

                if (*text == '.')
                        g_string_append_c(out, '.');
                g_string_append_len(out, text, (gssize) len);
                if (only_header && len <= 2)
                        break;
                text += len;
        }
        if (!g_str_has_suffix(out->str, "\r\n"))
                g_string_append(out, "\r\n");
        if (breaks)
                g_string_truncate(out, out->len - 2);
        else
                g_string_append(out, ".\r\n");
        return provider_say(p, out->str) && !breaks;
}

static inline void
provider_update(Provider *p)
{
        for (guint i = p->mail->len; i > 0 && !p->forget_to_delete; i--)
                if (((ProviderMail *) p->mail->pdata[i - 1])->is_deleted)
                        g_ptr_array_remove_index(p->mail, i - 1);
}

static inline gboolean
provider_retr(Provider *p, ProviderMail *m)
{
        if (p->stalls_at_retr) {
                g_atomic_int_set(&p->is_stalling, TRUE);
                return TRUE;
        }
        gboolean breaks = (int) ++p->n_retr == p->close_in_retr || g_strcmp0(p->break_at_uidl, m->uidl) == 0;

        if (g_strcmp0(p->refuse_uidl, m->uidl) == 0)
                return provider_say(p, "-ERR can't read it\r\n");
        return provider_send(p, m->text, FALSE, breaks);
}

/* FALSE: the connection ends. */
static inline gboolean
provider_answer(Provider *p, const char *line)
{
        unsigned n = 0;
        char word[8] = "";

        (void) sscanf(line, "%7s %u", word, &n);
        ProviderMail *m = n >= 1 && n <= p->mail->len ? p->mail->pdata[n - 1] : NULL;
        if (strcmp(word, "CAPA") == 0) {
                g_autofree char *caps = g_strconcat("+OK\r\nUSER\r\n", p->no_uidl ? "" : "UIDL\r\n", p->no_top ? "" : "TOP\r\n",
                                                    p->no_pipelining ? "" : "PIPELINING\r\n", ".\r\n", NULL);
                return provider_say(p, caps);
        }
        if (strcmp(word, "PASS") == 0) {
                p->n_passes++;
                if (p->pass_reply != NULL)
                        return provider_say(p, p->pass_reply);
                return provider_say(p, strcmp(line + 5, p->password) == 0 ? "+OK\r\n" : "-ERR [AUTH] wrong\r\n");
        }
        if (strcmp(word, "LIST") == 0 || (strcmp(word, "UIDL") == 0 && !p->no_uidl))
                return provider_list(p, word[0] == 'U');
        if (strcmp(word, "RETR") == 0 && m != NULL)
                return provider_retr(p, m);
        if (strcmp(word, "TOP") == 0 && m != NULL && !p->no_top) {
                p->n_top++;
                return provider_send(p, m->text, TRUE, FALSE);
        }
        if (strcmp(word, "DELE") == 0 && m != NULL) {
                p->n_dele++;
                m->is_deleted = TRUE;
                return !p->close_at_dele && provider_say(p, "+OK\r\n");
        }
        if (strcmp(word, "QUIT") == 0) {
                if (p->close_at_quit)
                        return FALSE;
                provider_update(p);
                if (!p->lose_quit_reply)
                        (void) provider_say(p, "+OK\r\n");
                return FALSE;
        }
        return provider_say(p, strcmp(word, "USER") == 0 ? "+OK\r\n" : "-ERR unknown\r\n");
}

static inline void
provider_set_busy(Provider *p, gboolean is_busy)
{
        MUTEX_SCOPE(&p->lock);
        p->is_busy = is_busy;
        cond_broadcast(&p->rests);
}

/* Returns when its session is over, which may be later than for who fetched: from then on it can be looked at and changed. */
static inline void
provider_rest(Provider *p)
{
        MUTEX_SCOPE(&p->lock);
        while (p->is_busy)
                cond_wait(&p->rests, &p->lock);
}

static inline void
provider_serve(gpointer data)
{
        Provider *p = data;

        while ((p->fd = accept(p->listener, NULL, NULL)) >= 0 && !g_atomic_int_get(&p->is_ending)) {
                FILE *in = fdopen(dup(p->fd), "r");
                char line[1024];

                provider_set_busy(p, TRUE);
                p->n_sessions++;
                for (guint i = 0; i < p->mail->len; i++)
                        ((ProviderMail *) p->mail->pdata[i])->is_deleted = FALSE;
                gboolean goes_on = provider_say(p, "+OK hello\r\n");
                while (goes_on && provider_line(p, in, line, sizeof(line)))
                        goes_on = provider_answer(p, line);
                fclose(in);
                close(p->fd);
                provider_set_busy(p, FALSE);
        }
        if (p->fd >= 0)
                close(p->fd);
}

static inline void
provider_start(Provider *p)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);

        *p = (Provider){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .password = "secret"};
        p->mail = g_ptr_array_new_with_free_func(provider_mail_free);
        mutex_init(&p->lock, "provider");
        cond_init(&p->rests);
        g_assert_cmpint(bind(p->listener, (struct sockaddr *) &address, sizeof(address)), ==, 0);
        g_assert_cmpint(listen(p->listener, 8), ==, 0);
        g_assert_cmpint(getsockname(p->listener, (struct sockaddr *) &address, &len), ==, 0);
        p->port = ntohs(address.sin_port);
        p->thread = thread_new("provider", provider_serve, p, NULL);
        g_assert_nonnull(p->thread);
}

static inline void
provider_stop(Provider *p)
{
        g_atomic_int_set(&p->is_ending, TRUE);
        (void) shutdown(p->listener, SHUT_RDWR);
        thread_take_join(p->thread);
        close(p->listener);
        g_ptr_array_unref(p->mail);
        cond_done(&p->rests);
        mutex_done(&p->lock);
}
