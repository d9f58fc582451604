/* thread.c -- what THREAD knows of a message (RFC 5256 §3). */
#include "imap/find.h"

#include <xxhash.h>

gboolean
thread_parse_algorithm(ImapArgs *a, ThreadAlgorithm *ret)
{
        static const struct {
                const char *word;
                ThreadAlgorithm algorithm;
                const char *capability;
        } words[] = {{"ORDEREDSUBJECT", THREAD_ORDEREDSUBJECT, "THREAD=ORDEREDSUBJECT"},
                     {"REFERENCES", THREAD_REFERENCES, "THREAD=REFERENCES"},
                     {"REFS", THREAD_REFS, "THREAD=REFS"}};
        Span word;

        if (!args_atom(a, &word))
                return FALSE;
        for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
                if (span_is(word, words[i].word)) {
                        *ret = words[i].algorithm;
                        return args_has(a, words[i].capability);
                }
        return FALSE;
}

static guint64
hash_subject(Span subject)
{
        return subject.len > 0 ? MAX(XXH3_64bits(subject.data, subject.len), 1) : 0;
}

gboolean
thread_add(FindMessage *m, guint32 number, Threads *threads, GError **error)
{
        const ViewEntry *entry = view_entry(m->view, m->index);
        SummaryKeys keys;

        if (!find_message_keys(m, &keys, error))
                return FALSE;
        const ThreadMessage message = {.number = number,
                                       .is_reply = keys.is_reply,
                                       .sent = keys.has_date ? keys.date : entry->received,
                                       .received = entry->received,
                                       .subject = hash_subject(keys.subject),
                                       .id = keys.message_id,
                                       .references = keys.references,
                                       .n_references = keys.n_references};
        return threads_add(threads, &message);
}
