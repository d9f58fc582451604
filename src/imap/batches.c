/* batches.c -- UIDBATCHES (RFC 10022): the mailbox in parts of the same number of messages.
 *
 * Batch 1 has the newest messages. The ranges cover all UIDs from the highest down to 1, without gaps between them.
 */
#include "imap/find.h"

#define BATCH_MIN 500    /* §3.1.3.2: smaller ones would give sequence numbers back to those who have none */
#define BATCHES_MAX 2000 /* of one answer: a million messages */

/* UIDs of the batch with that number, from 0. */
static UidRange
batch(const View *view, guint32 size, guint32 number)
{
        guint32 n = view_count(view);
        guint64 newer = (guint64) number * size, older = newer + size;
        guint32 last = view_entry(view, n - 1)->uid;

        if (newer > 0)
                last = view_entry(view, (guint32) (n - newer))->uid - 1;
        return (UidRange){older < n ? view_entry(view, (guint32) (n - older))->uid : 1, last};
}

static void
put_batches(ImapSession *s, guint32 size, guint32 first, guint32 last)
{
        const View *view = s->selected->view;
        guint32 n = (guint32) (((guint64) view_count(view) + size - 1) / size);

        imap_printf(s, "* UIDBATCHES (TAG \"%s\")", s->tag);
        for (guint32 i = first; i <= MIN(last, n); i++) {
                UidRange range = batch(view, size, i - 1);
                imap_put(s, i == first ? " " : ",");
                imap_put_number(s, range.last);
                if (range.first == range.last)
                        continue;
                imap_put(s, ":");
                imap_put_number(s, range.first);
        }
        imap_put(s, "\r\n");
}

/* [SP number ":" number]: which batches. */
static gboolean
read_range(ImapArgs *a, guint64 *ret_first, guint64 *ret_last)
{
        if (args_end(a)) {
                *ret_first = 1;
                *ret_last = G_MAXUINT32;
                return TRUE;
        }
        return args_space(a) && args_number(a, G_MAXUINT32, ret_first) && scan_octet(&a->scan, ':') &&
               args_number(a, G_MAXUINT32, ret_last) && *ret_first > 0 && *ret_last > 0 && args_end(a);
}

void
imap_uidbatches(ImapSession *s, ImapArgs *args)
{
        guint64 size, first, last;

        if (!args_space(args) || !args_number(args, G_MAXUINT32, &size) || size == 0 ||
            !read_range(args, &first, &last)) {
                imap_bad(s, "syntax: UIDBATCHES size [first:last]");
                return;
        }
        if (first > last) {
                imap_bad(s, "[CLIENTBUG] the first batch comes first");
                return;
        }
        if (size < BATCH_MIN) {
                imap_no(s, "TOOFEW", "a batch has at least " G_STRINGIFY(BATCH_MIN) " messages");
                return;
        }
        guint64 n = ((guint64) view_count(s->selected->view) + size - 1) / size;
        if (MIN(last, n) >= first && MIN(last, n) - first >= BATCHES_MAX) {
                imap_no(s, "TOOMANY", "too many batches at once");
                return;
        }
        put_batches(s, (guint32) size, (guint32) first, (guint32) last);
        imap_ok(s, "", "that is all");
}
