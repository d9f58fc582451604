/* sendmail.c -- the options of sendmail, its header work, then `inject`.
 *
 * The message goes through an unlinked file: its header must be known whole before its recipients are.
 */
#include "app/sendmail.h"
#include "app/command.h"
#include "app/settings.h"
#include "base/id.h"
#include "mail/compose.h"
#include "mail/message.h"

#include <pwd.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define CONFIG_STANDARD "/etc/restante/restante.conf"

typedef struct Sendmail {
        gboolean reads_recipients; /* -t */
        gboolean dots_stand;       /* -i */
        const char *sender;        /* -f */
        GPtrArray *recipients;
        const char *hostname;
        char *own; /* user@hostname */
} Sendmail;

/* Programs name users of this machine by their name alone: cron, smartd and mdadm write to root. A bare postmaster is
 * an address. */
static char *
sendmail_qualify(const Sendmail *s, const char *name)
{
        gboolean is_bare = name[0] != '\0' && name[0] != '<' && strchr(name, '@') == NULL &&
                           g_ascii_strcasecmp(name, "postmaster") != 0;

        return is_bare ? g_strdup_printf("%s@%s", name, s->hostname) : g_strdup(name);
}

static int
sendmail_args(Sendmail *s, int argc, char **argv)
{
        gboolean only_words = FALSE;

        for (int i = 0; i < argc; i++) {
                const char *a = argv[i];

                if (only_words || a[0] != '-') {
                        g_ptr_array_add(s->recipients, g_strdup(a));
                } else if (strcmp(a, "--") == 0) {
                        only_words = TRUE;
                } else if (strcmp(a, "-t") == 0 || strcmp(a, "-ti") == 0 || strcmp(a, "-it") == 0) {
                        s->reads_recipients = TRUE;
                        s->dots_stand |= a[2] != '\0';
                } else if (strcmp(a, "-i") == 0 || strcmp(a, "-oi") == 0) {
                        s->dots_stand = TRUE;
                } else if (a[1] == 'f' || a[1] == 'r') {
                        if (a[2] == '\0' && i + 1 == argc)
                                return EX_USAGE;
                        s->sender = a[2] != '\0' ? a + 2 : argv[++i];
                } else if (strchr("FBNRVXLhpO", a[1]) != NULL && a[1] != '\0') {
                        i += a[2] == '\0' ? 1 : 0; /* known, and nothing to us */
                } else if (strncmp(a, "-o", 2) != 0 && strcmp(a, "-v") != 0 && strcmp(a, "-bm") != 0 &&
                           strcmp(a, "-m") != 0 && strcmp(a, "-n") != 0 && strcmp(a, "-U") != 0 &&
                           strcmp(a, "-G") != 0) {
                        command_complain("sendmail: %s is not understood; -t, -i, -f SENDER and recipients are", a);
                        return EX_USAGE;
                }
        }
        return 0;
}

/* Header block of standard input, up to and without the empty line. *ret_rest: a first line that belongs to the body.
 */
static GString *
sendmail_header(FILE *in, const Sendmail *s, char **ret_rest)
{
        GString *header = g_string_new(NULL);
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        *ret_rest = NULL;
        while ((n = getline(&line, &size, in)) > 0 && header->len < MESSAGE_HEADER_MAX) {
                gsize len = (gsize) n - (line[n - 1] == '\n' ? 1 : 0);
                len -= len > 0 && line[len - 1] == '\r' ? 1 : 0;
                if (len == 0)
                        break;
                gboolean is_field =
                        (line[0] == ' ' || line[0] == '\t') ? header->len > 0 : memchr(line, ':', len) != NULL;
                if (!is_field || (!s->dots_stand && len == 1 && line[0] == '.')) {
                        *ret_rest = g_strdup_printf("%.*s\r\n", (int) len, line);
                        break;
                }
                g_string_append_len(header, line, (gssize) len);
                g_string_append(header, "\r\n");
        }
        free(line);
        return header;
}

/* A word in an address list that is no address: the name of a user here, if it could be one. */
static void
sendmail_take_bare(Sendmail *s, Arena *arena, Span word)
{
        g_autofree char *name = span_dup(word);
        g_autofree char *text = sendmail_qualify(s, name);
        Address address;

        if (word.len > 0 && strlen(name) == word.len &&
            (span_is(word, "postmaster") || address_parse(arena, span_of(text), TRUE, &address) == ADDRESS_OK))
                g_ptr_array_add(s->recipients, g_steal_pointer(&text));
}

static void
sendmail_take_recipients(Sendmail *s, Arena *arena, const Header *header, const char *name)
{
        const Field *field;

        for (gsize nth = 0; (field = header_find(header, name, nth)) != NULL; nth++) {
                ListedAddress *list;
                gsize n;

                (void) !address_list_parse(arena, header_field_body(header, field), &list, &n);
                for (gsize i = 0; i < n; i++)
                        if (list[i].is_valid && !address_is_null(&list[i].address))
                                g_ptr_array_add(s->recipients, span_dup(address_text(arena, &list[i].address)));
                        else if (!list[i].is_valid)
                                sendmail_take_bare(s, arena, list[i].display_name);
        }
}

/* What RFC 6409 §8 lets us add for a message that lacks it. */
static void
sendmail_complete(Sendmail *s, Arena *arena, const Header *header, FILE *out)
{
        g_autoptr(Composer) c = composer_new(16 * 1024);
        char id[ID_TEXT_OCTETS];
        Address from;

        if (header_find(header, "From", 0) == NULL &&
            address_parse(arena, span_of(s->sender != NULL && s->sender[0] != '\0' ? s->sender : s->own), TRUE,
                          &from) == ADDRESS_OK)
                compose_field_address(c, "From", &from);
        if (header_find(header, "Date", 0) == NULL)
                compose_field_date(c, "Date", clock_real());
        if (header_find(header, "Message-ID", 0) == NULL) {
                g_autofree char *value = g_strdup_printf("<%s@%s>", id_text(id_new(), id), s->hostname);
                compose_field_raw(c, "Message-ID", span_of(value));
        }
        Span added = composer_result(c);
        fwrite(added.data, 1, added.len, out);
}

/* Everything behind the header. A line with a single dot ends it, unless dots stand. */
static void
sendmail_body(FILE *in, const Sendmail *s, FILE *out)
{
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, in)) > 0) {
                if (!s->dots_stand && (strcmp(line, ".\n") == 0 || strcmp(line, ".\r\n") == 0))
                        break;
                fwrite(line, 1, (gsize) n, out);
        }
        free(line);
}

static FILE *
sendmail_message(Sendmail *s)
{
        g_autoptr(Arena) arena = arena_new(8 * 1024 * 1024);
        g_autofree char *rest = NULL;
        GString *text = sendmail_header(stdin, s, &rest);
        FILE *out = tmpfile();
        Header header = {0};

        if (out != NULL && header_parse(arena, span_make(text->str, text->len), &header)) {
                if (s->reads_recipients) {
                        sendmail_take_recipients(s, arena, &header, "To");
                        sendmail_take_recipients(s, arena, &header, "Cc");
                        sendmail_take_recipients(s, arena, &header, "Bcc");
                }
                sendmail_complete(s, arena, &header, out);
                for (gsize i = 0; i < header.n_fields; i++) {
                        const Field *f = &header.fields[i];
                        if (!s->reads_recipients || !span_is(header_field_name(&header, f), "Bcc"))
                                fwrite(text->str + f->start, 1, f->end - f->start, out);
                }
                fputs("\r\n", out);
                if (rest != NULL && (s->dots_stand || strcmp(rest, ".\r\n") != 0)) {
                        fputs(rest, out);
                        sendmail_body(stdin, s, out);
                } else if (rest == NULL) {
                        sendmail_body(stdin, s, out);
                }
        }
        g_string_free(text, TRUE);
        if (out != NULL && (fflush(out) != 0 || ferror(stdin) || ferror(out) || lseek(fileno(out), 0, SEEK_SET) != 0)) {
                fclose(out);
                out = NULL;
        }
        return out;
}

static int
sendmail_send(Sendmail *s, const char *config)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(Settings) settings = settings_load(config, &error);
        const struct passwd *user = getpwuid(getuid());

        if (settings == NULL) {
                command_complain("%s", error->message);
                return EX_CONFIG;
        }
        s->hostname = settings->hostname;
        s->own = g_strdup_printf("%s@%s", user != NULL ? user->pw_name : "nobody", settings->hostname);
        g_autofree char *sender = s->sender != NULL ? sendmail_qualify(s, s->sender) : NULL;
        s->sender = sender;
        for (guint i = 0; i < s->recipients->len; i++) {
                char *word = s->recipients->pdata[i];
                s->recipients->pdata[i] = sendmail_qualify(s, word);
                g_free(word);
        }
        FILE *message = sendmail_message(s);
        if (message == NULL) {
                command_complain("sendmail: the message could not be read, or not kept");
                return EX_IOERR;
        }
        if (s->recipients->len == 0) {
                command_complain(s->reads_recipients ? "sendmail: no recipient stands in To, Cc or Bcc"
                                                     : "sendmail: no recipients: name them, or give -t");
                fclose(message);
                return EX_USAGE;
        }
        g_autoptr(GPtrArray) args = g_ptr_array_new();
        if (s->sender != NULL) {
                g_ptr_array_add(args, (gpointer) "-f");
                g_ptr_array_add(args, (gpointer) s->sender);
        }
        g_ptr_array_add(args, (gpointer) "--");
        for (guint i = 0; i < s->recipients->len; i++)
                g_ptr_array_add(args, s->recipients->pdata[i]);
        g_ptr_array_add(args, NULL);
        if (freopen("/dev/null", "w", stdout) == NULL) /* programs expect silence */
                command_complain("sendmail: /dev/null could not be opened");
        int status = command_run(admin_find("inject", NULL), (const char *const *) args->pdata, config, FALSE,
                                 fileno(message));
        fclose(message);
        return status;
}

int
sendmail_run(int argc, char **argv, const char *config, gboolean as_json)
{
        Sendmail s = {.recipients = g_ptr_array_new_with_free_func(g_free)};
        int status = sendmail_args(&s, argc, argv);

        if (status == 0)
                status = sendmail_send(&s, config != NULL ? config : CONFIG_STANDARD);
        g_ptr_array_unref(s.recipients);
        g_free(s.own);
        return status;
}
