/* mbox_meta.c -- what programs write into mbox files about a message: From_ lines, and fields in its header.
 *
 *      Status, X-Status          R read, O seen before; A answered, F flagged, D deleted, T draft (mutt, Pine, Dovecot)
 *      X-Keywords                words
 *      X-UID, X-IMAP, X-IMAPbase UID; UIDVALIDITY and UIDNEXT or last UID of the folder (UW-IMAP, Dovecot)
 *      Content-Length            octets of the body (mboxcl, mboxcl2)
 *      X-Mozilla-Status, -Status2, -Keys     (Thunderbird)
 *      X-Restante-Export         octets=N lines=crlf|as-is: ends what an export of ours put first; nothing behind it is
 * taken for such a field
 */
#include "mail/date.h"
#include "transfer/internal.h"

/* From_ lines ------------------------------------------------------------------------------------------------------ */

/* "12:34" */
static gboolean
has_time(Span text)
{
        for (gsize i = 0; i + 5 <= text.len; i++) {
                Scan s = scan_from(span_slice(text, i, i + 5));
                guint64 hour, minute;
                if (scan_number(&s, 23, &hour) && scan_octet(&s, ':') && scan_number(&s, 59, &minute))
                        return TRUE;
        }
        return FALSE;
}

/* The sender may hold spaces ("From Joe Doe Sat Jan..."): the date begins with the weekday. */
static Span
date_part(Span text)
{
        static const char *const DAYS[] = {"Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun ",
                                           "Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun,"};

        for (gsize i = 0; i < text.len; i++)
                for (gsize d = 0; d < G_N_ELEMENTS(DAYS); d++)
                        if ((i == 0 || text.data[i - 1] == ' ') &&
                            span_starts_nocase(span_slice(text, i, text.len), span_of(DAYS[d])))
                                return span_slice(text, i, text.len);
        return text;
}

gboolean
mbox_from_line(Span line, Usec *ret_date)
{
        Span rest = span_trim(span_slice(line, 5, line.len));
        int offset;

        if (line.len < 5 || memcmp(line.data, "From ", 5) != 0)
                return FALSE;
        *ret_date = 0;
        if (rest.len == 0 || span_is(rest, "-"))
                return TRUE; /* Thunderbird */
        if (!has_time(rest))
                return FALSE; /* a sentence that begins with "From" */
        if (!date_parse(date_part(rest), ret_date, &offset))
                *ret_date = 0;
        return TRUE;
}

gboolean
mbox_is_quoted(Span line)
{
        gsize i = 0;

        while (i < line.len && line.data[i] == '>')
                i++;
        return line.len >= i + 5 && memcmp(line.data + i, "From ", 5) == 0;
}

/* Fields ----------------------------------------------------------------------------------------------------------- */

static void
read_letters(Span value, const char *letters, const EntryFlag *flags, MboxMeta *meta)
{
        for (gsize i = 0; i < value.len; i++) {
                const char *at = value.data[i] != '\0' ? strchr(letters, value.data[i]) : NULL;
                if (at != NULL)
                        meta->flags |= flags[at - letters];
        }
}

static void
read_keywords(Span value, MboxMeta *meta)
{
        Scan s = scan_from(value);
        Span word;

        for (;;) {
                while (scan_octet(&s, ' ') || scan_octet(&s, '\t') || scan_octet(&s, '\r') || scan_octet(&s, '\n') ||
                       scan_octet(&s, ','))
                        continue;
                const guint8 *mark = scan_mark(&s);
                while (!scan_at_end(&s) && strchr(" \t\r\n,", scan_peek(&s)) == NULL)
                        (void) !scan_skip(&s, 1);
                word = scan_since(&s, mark);
                if (word.len == 0)
                        return;
                if (meta->keywords->len < TRANSFER_KEYWORDS_MAX)
                        g_ptr_array_add(meta->keywords, name_keyword(word));
        }
}

static void
add_keyword(MboxMeta *meta, const char *name)
{
        if (meta->keywords->len < TRANSFER_KEYWORDS_MAX)
                g_ptr_array_add(meta->keywords, g_strdup(name));
}

/* "UIDVALIDITY LAST [keywords]"; LAST is the last UID given. */
static void
read_imap(Span value, MboxMeta *meta)
{
        Scan s = scan_from(value);
        guint64 validity, last;

        if (!scan_number(&s, G_MAXUINT32, &validity) || !scan_skip_run(&s, &CLASS_WSP) ||
            !scan_number(&s, G_MAXUINT32 - 1, &last))
                return;
        meta->uid_validity = (guint32) validity;
        meta->uid_next = (guint32) last + 1;
}

/* nsMsgMessageFlags: 1 read, 2 replied, 4 marked, 8 expunged, 0x1000 forwarded */
static void
read_mozilla(Span value, MboxMeta *meta)
{
        Scan s = scan_from(value);
        guint64 bits;

        if (!scan_hex(&s, 4, &bits) || !scan_at_end(&s))
                return;
        meta->flags |= (bits & 1 ? FLAG_SEEN : 0) | (bits & 2 ? FLAG_ANSWERED : 0) | (bits & 4 ? FLAG_FLAGGED : 0);
        meta->is_expunged = (bits & 8) != 0;
        if ((bits & 0x1000) != 0)
                add_keyword(meta, "$Forwarded");
}

/* "octets=N lines=crlf|as-is" */
static void
read_export(Span value, MboxMeta *meta)
{
        Scan s = scan_from(value);
        guint64 octets;

        if (!scan_word(&s, "octets=") || !scan_number(&s, G_MAXINT64, &octets))
                return;
        meta->octets = (gint64) octets;
        meta->is_as_is = scan_word(&s, " lines=as-is");
}

typedef enum Field {
        FIELD_OTHER = 0,
        FIELD_STATUS,
        FIELD_X_STATUS,
        FIELD_KEYWORDS,
        FIELD_UID,
        FIELD_IMAP,
        FIELD_LENGTH,
        FIELD_MOZILLA,
        FIELD_DROPPED,
        FIELD_EXPORT,
        FIELD_DATE,
        FIELD_SUBJECT,
} Field;

static Field
field_of(Span name)
{
        static const struct {
                const char *name;
                Field field;
        } FIELDS[] = {{"Status", FIELD_STATUS},
                      {"X-Status", FIELD_X_STATUS},
                      {"X-Keywords", FIELD_KEYWORDS},
                      {"X-Mozilla-Keys", FIELD_KEYWORDS},
                      {"X-UID", FIELD_UID},
                      {"X-IMAP", FIELD_IMAP},
                      {"X-IMAPbase", FIELD_IMAP},
                      {"Content-Length", FIELD_LENGTH},
                      {"X-Mozilla-Status", FIELD_MOZILLA},
                      {"X-Mozilla-Status2", FIELD_DROPPED},
                      {"X-Restante-Export", FIELD_EXPORT},
                      {"Date", FIELD_DATE},
                      {"Subject", FIELD_SUBJECT}};

        for (gsize i = 0; i < G_N_ELEMENTS(FIELDS); i++)
                if (span_is(span_trim(name), FIELDS[i].name))
                        return FIELDS[i].field;
        return FIELD_OTHER;
}

static void
read_field(Field field, Span value, MboxMeta *meta)
{
        static const EntryFlag READ[] = {FLAG_SEEN};
        static const EntryFlag STATES[] = {FLAG_ANSWERED, FLAG_FLAGGED, FLAG_DELETED, FLAG_DRAFT};
        guint64 number;
        int offset;

        switch (field) {
        case FIELD_STATUS:
                read_letters(value, "R", READ, meta);
                break;
        case FIELD_X_STATUS:
                read_letters(value, "AFDT", STATES, meta);
                break;
        case FIELD_KEYWORDS:
                read_keywords(value, meta);
                break;
        case FIELD_UID:
                if (span_to_number(value, G_MAXUINT32, &number))
                        meta->uid = (guint32) number;
                break;
        case FIELD_IMAP:
                read_imap(value, meta);
                break;
        case FIELD_LENGTH:
                if (span_to_number(value, G_MAXINT64, &number))
                        meta->content_length = (gint64) number;
                break;
        case FIELD_MOZILLA:
                read_mozilla(value, meta);
                break;
        case FIELD_EXPORT:
                read_export(value, meta);
                break;
        case FIELD_DATE:
                if (meta->date == 0 && !date_parse(value, &meta->date, &offset))
                        meta->date = 0;
                break;
        case FIELD_SUBJECT:
                meta->is_internal =
                        span_starts_nocase(value, span_of("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
                break;
        case FIELD_OTHER:
        case FIELD_DROPPED:
                break;
        }
}

/* A field with its continuation lines and line ends. */
static gboolean
next_field(Scan *s, Span *ret)
{
        const guint8 *mark = scan_mark(s);
        Span line;

        if (!scan_line(s, &line))
                return FALSE;
        while (scan_peek(s) == ' ' || scan_peek(s) == '\t')
                (void) !scan_line(s, &line);
        *ret = scan_since(s, mark);
        return TRUE;
}

static gboolean
is_kept(Field field)
{
        return field == FIELD_OTHER || field == FIELD_DATE || field == FIELD_SUBJECT;
}

/* Does the header begin with fields of an export of ours, up to its last? */
static gboolean
begins_with_export(Span header)
{
        Scan s = scan_from(header);
        Span text, name;

        while (next_field(&s, &text)) {
                Scan f = scan_from(text);
                Field field = scan_until(&f, ':', &name) ? field_of(name) : FIELD_OTHER;

                if (field == FIELD_EXPORT)
                        return TRUE;
                if (field != FIELD_STATUS && field != FIELD_X_STATUS && field != FIELD_KEYWORDS && field != FIELD_UID)
                        return FALSE;
        }
        return FALSE;
}

void
mbox_meta_parse(Span header, MboxMeta *ret, GByteArray *out)
{
        gboolean is_export = begins_with_export(header), is_over = FALSE;
        Scan s = scan_from(header);
        Span text, name;

        *ret = (MboxMeta){.keywords = g_ptr_array_new_with_free_func(g_free), .content_length = -1, .octets = -1};
        while (next_field(&s, &text)) {
                Scan f = scan_from(text);
                Field field = scan_until(&f, ':', &name) && text.len <= MBOX_LINE_MAX ? field_of(name) : FIELD_OTHER;

                if (is_over || (field == FIELD_EXPORT && !is_export))
                        field = field == FIELD_DATE ? FIELD_DATE : FIELD_OTHER;
                if (field != FIELD_OTHER && scan_octet(&f, ':'))
                        read_field(field, span_trim(scan_rest(&f)), ret);
                if (is_kept(field) && out != NULL)
                        g_byte_array_append(out, text.data, (guint) text.len);
                is_over |= field == FIELD_EXPORT;
        }
}

void
mbox_meta_done(MboxMeta *meta)
{
        g_clear_pointer(&meta->keywords, g_ptr_array_unref);
}
