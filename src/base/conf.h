/* conf.h -- our reader of configuration files: INI with sections, line numbers kept for every value.
 *
 *      # comment            ; comment (whole lines only)
 *      [section]
 *      key = value          everything behind the first '=', trimmed; a value may be empty
 *
 * At most 256 KiB, 4,096 entries, lines of 4,096 octets, UTF-8 without controls. A wrong line is an error naming file and
 * line. The reader knows no settings: app/settings.c holds the table of those.
 */
#pragma once

#include "base/span.h"

typedef struct ConfEntry {
        const char *section;    /* "" before the first one */
        const char *key;        /* lower case */
        const char *value;
        guint line;             /* from 1 */
} ConfEntry;

typedef struct Conf Conf;

/* Read text that came from `name` (used in messages only). NULL and FAULT_INPUT "name:LINE: what is wrong" otherwise. */
Conf *conf_parse(Span text, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from a file; FAULT_IO when it can't be read, with the path in the message. */
Conf *conf_load(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void conf_free(Conf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conf, conf_free)

const char *conf_name(const Conf *conf);
guint conf_n_entries(const Conf *conf);
const ConfEntry *conf_entry(const Conf *conf, guint i);

/* The last value of a key that is there, or NULL. */
const ConfEntry *conf_find(const Conf *conf, const char *section, const char *key);
