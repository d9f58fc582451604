/* append_url.c -- CATENATE's URL parts (RFC 4469): octets of messages that are here go behind those that came. */
#include "imap/append.h"
#include "imap/message_url.h"
#include "imap/section.h"

#define PIECE_OCTETS ((gsize) 16 * 1024)

/* RFC 4469 §3: the answer names the URL, if it can stand in a response code. */
static gboolean
bad_url(ImapSession *s, Span url)
{
        g_autofree char *code = NULL;
        gboolean is_plain = url.len <= 1000;

        for (gsize i = 0; is_plain && i < url.len; i++)
                is_plain = octet_in(&CLASS_PRINT, url.data[i]) && strchr("\"\\]", url.data[i]) == NULL;
        code = g_strdup_printf("BADURL \"%.*s\"", is_plain ? (int) url.len : 0, (const char *) url.data);
        imap_no(s, code, "there is no such thing here");
        return FALSE;
}

static gboolean
failed(ImapSession *s, const GError *error)
{
        imap_no_fault(s, "catenate", error);
        return FALSE;
}

/* The state of the mailbox that the URL names. FALSE has answered. */
static gboolean
open_mailbox(ImapSession *s, ImapAppend *p, Span text, const MessageUrl *url, View **ret)
{
        g_autoptr(GError) error = NULL;
        const Mailbox *mailbox;

        MailboxAnswer answer =
                store_mailbox(imap_store(s), p->arena, &s->who, url->mailbox, RIGHT_READ, &mailbox, &error);
        if (answer == MAILBOX_FAILED)
                return failed(s, error);
        if (answer != MAILBOX_DONE || mailbox->id == 0)
                return bad_url(s, text);
        switch (store_view_open(imap_store(s), mailbox->id, s->who.account, ret, &error)) {
        case STORE_DONE:
                return TRUE;
        case STORE_FAILED:
                return failed(s, error);
        case STORE_OVER_QUOTA:
        case STORE_NO_MAILBOX:
                break;
        }
        return bad_url(s, text);
}

static gboolean
find_message(const View *view, const MessageUrl *url, guint32 *ret)
{
        guint32 index = view_index_of(view, url->uid);

        if (index >= view_count(view) || view_entry(view, index)->uid != url->uid ||
            (url->uid_validity != 0 && url->uid_validity != view_uid_validity(view)))
                return FALSE;
        *ret = index;
        return TRUE;
}

static SectionAnswer
measure(SectionReader *r, GError **error)
{
        SectionAnswer answer;

        do
                answer = section_measure(r, error);
        while (answer == SECTION_AGAIN);
        return answer;
}

/* Found and measured. */
static SectionAnswer
open_section(ImapSession *s, const View *view, guint32 index, const MessageUrl *url, SectionReader *r, GError **error)
{
        g_autoptr(SummaryCursor) cursor = store_summary_cursor(imap_store(s), SUMMARY_STRUCTURE);
        StoredSummary summary = {0};
        StoredMessage *message;

        if ((url->section.n_path > 0 && !summary_cursor_get(cursor, view, index, &summary, error)) ||
            !store_message_of(imap_store(s), view, index, &message, error))
                return SECTION_FAILED;
        SectionAnswer answer = section_open(r, message, &url->section, SECTION_AS_STORED, summary.structure, error);
        return answer == SECTION_READY ? measure(r, error) : answer;
}

/* Octets [skip, skip + left) of the section. */
static gboolean
take_octets(ImapAppend *p, SectionReader *r, guint64 skip, guint64 left, GError **error)
{
        guint8 piece[PIECE_OCTETS];

        skip -= section_skip(r, skip);
        while (left > 0) {
                gssize got = section_read(r, piece, sizeof(piece), error);
                if (got <= 0)
                        return got < 0 ? FALSE : fault(error, FAULT_INTERNAL, "a section is shorter than it was");
                gsize from = (gsize) MIN(skip, (guint64) got), len = (gsize) MIN(left, (guint64) got - from);
                if (!blob_writer_add(append_writer(p), span_make(piece + from, len), error))
                        return FALSE;
                skip -= from;
                left -= len;
        }
        return TRUE;
}

gboolean
append_url(ImapSession *s, ImapAppend *p, Span text)
{
        g_autoptr(GError) error = NULL;
        g_autoptr(View) view = NULL;
        MessageUrl url;
        SectionReader r;
        guint32 index;

        if (!message_url_parse(p->arena, text, &url))
                return bad_url(s, text);
        if (!open_mailbox(s, p, text, &url, &view))
                return FALSE;
        if (!find_message(view, &url, &index))
                return bad_url(s, text);
        SectionAnswer answer = open_section(s, view, index, &url, &r, &error);
        if (answer != SECTION_READY)
                return answer == SECTION_FAILED ? failed(s, error) : bad_url(s, text);
        guint64 from = MIN(url.from, r.size), len = MIN(url.count, r.size - from);
        gboolean has_room = append_has_room(s, p, len);
        gboolean is_good = has_room && take_octets(p, &r, from, len, &error);
        section_close(&r);
        return is_good || (has_room && failed(s, error));
}
