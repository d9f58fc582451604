#include "base/conf.h"
#include "base/error.h"
#include "base/scan.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CONF_OCTETS  ((gsize) 256 * 1024)
#define LINE_OCTETS  4096
#define ENTRIES      4096
#define ARENA_OCTETS ((gsize) 4 * 1024 * 1024)  /* holds every string of a file of that size, whatever its lines are */

struct Conf {
        Arena *arena;
        GArray *entries;        /* ConfEntry */
        const char *name;
        const char *section;    /* the one being read */
};

static Conf *
conf_new(const char *name)
{
        Conf *conf = g_new0(Conf, 1);

        conf->arena = arena_new(ARENA_OCTETS);
        conf->entries = g_array_new(FALSE, FALSE, sizeof(ConfEntry));
        conf->name = arena_strdup(conf->arena, name);
        conf->section = "";
        return conf;
}

void
conf_free(Conf *conf)
{
        if (conf == NULL)
                return;
        arena_free(conf->arena);
        g_array_unref(conf->entries);
        g_free(conf);
}

/* Names of sections and keys are written in any case and kept in lower. */
static const char *
conf_copy_name(Conf *conf, Span name)
{
        return arena_strndup(conf->arena, text_lower(conf->arena, name));
}

/* NULL, or what is wrong with the line. */
static const char *
conf_read_section(Conf *conf, Span line)
{
        Span name = span_trim(span_slice(line, 1, line.len - 1));

        if (line.data[line.len - 1] != ']')
                return "a section ends with ']' and nothing behind it";
        if (name.len == 0 || memchr(name.data, '[', name.len) != NULL || memchr(name.data, ']', name.len) != NULL)
                return "a section is written [name]";
        conf->section = conf_copy_name(conf, name);
        return conf->section == NULL ? "the file is too complex" : NULL;
}

static gboolean
is_key(Span key)
{
        for (gsize i = 0; i < key.len; i++)
                if (!octet_in(&CLASS_ALNUM, key.data[i]) && memchr("-_.", key.data[i], 3) == NULL)
                        return FALSE;
        return key.len > 0;
}

static const char *
conf_read_entry(Conf *conf, Span line, guint number)
{
        Scan s = scan_from(line);
        Span key;

        if (!scan_until(&s, '=', &key))
                return "expected 'key = value', '[section]' or a comment beginning with '#'";
        scan_skip(&s, 1);
        key = span_trim(key);
        if (!is_key(key))
                return "before the '=' stands a key of letters, digits, '-', '_' and '.'";
        if (conf->entries->len >= ENTRIES)
                return "more than 4096 entries";

        ConfEntry entry = {
                .section = conf->section,
                .key = conf_copy_name(conf, key),
                .value = arena_strndup(conf->arena, span_trim(scan_rest(&s))),
                .line = number,
        };
        if (arena_is_over(conf->arena))
                return "the file is too complex";
        g_array_append_val(conf->entries, entry);
        return NULL;
}

static const char *
conf_read_line(Conf *conf, Span line, guint number)
{
        if (line.len > LINE_OCTETS)
                return "the line is longer than 4096 octets";
        if (!text_is_utf8(line))
                return "the line is not valid UTF-8";
        line = span_trim(line);
        for (gsize i = 0; i < line.len; i++)
                if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
                        return "the line holds a control character";
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
                return NULL;
        return line.data[0] == '[' ? conf_read_section(conf, line) : conf_read_entry(conf, line, number);
}

Conf *
conf_parse(Span text, const char *name, GError **error)
{
        g_autoptr(Conf) conf = conf_new(name);
        Scan s = scan_from(text);
        Span line;

        if (text.len > CONF_OCTETS) {
                fault(error, FAULT_INPUT, "%s:1: the file is larger than 256 KiB", name);
                return NULL;
        }
        scan_word(&s, "\xef\xbb\xbf"); /* the mark some editors put before UTF-8 */
        for (guint number = 1; scan_line(&s, &line); number++) {
                const char *wrong = conf_read_line(conf, line, number);
                if (wrong != NULL) {
                        fault(error, FAULT_INPUT, "%s:%u: %s", name, number, wrong);
                        return NULL;
                }
        }
        return g_steal_pointer(&conf);
}

/* At most room octets of a file; -1 and errno when it can't be read. */
static gssize
read_up_to(const char *path, guint8 *buffer, gsize room)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        gsize have = 0;
        gssize got = fd < 0 ? -1 : 1;

        while (fd >= 0 && have < room && got != 0) {
                got = read(fd, buffer + have, room - have);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        break;
                have += (gsize) got;
        }
        int number = errno;
        if (fd >= 0)
                close(fd);
        errno = number;
        return got < 0 ? -1 : (gssize) have;
}

Conf *
conf_load(const char *path, GError **error)
{
        g_autofree guint8 *buffer = g_malloc(CONF_OCTETS + 1); /* one more shows that there is too much */
        gssize octets = read_up_to(path, buffer, CONF_OCTETS + 1);

        if (octets < 0) {
                fault_errno(error, "%s", path);
                return NULL;
        }
        return conf_parse(span_make(buffer, (gsize) octets), path, error);
}

const char *
conf_name(const Conf *conf)
{
        return conf->name;
}

guint
conf_n_entries(const Conf *conf)
{
        return conf->entries->len;
}

const ConfEntry *
conf_entry(const Conf *conf, guint i)
{
        return i < conf->entries->len ? &g_array_index(conf->entries, ConfEntry, i) : NULL;
}

const ConfEntry *
conf_find(const Conf *conf, const char *section, const char *key)
{
        for (guint i = conf->entries->len; i-- > 0;) {
                const ConfEntry *entry = conf_entry(conf, i);
                if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0)
                        return entry;
        }
        return NULL;
}
