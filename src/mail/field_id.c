/* field_id.c -- the fields of a header by what they are. */
#include "mail/summary_internal.h"

/* id, first letter, name */
#define NAMES(X)                                                                                                       \
        X(FIELD_FROM, 'f', "From")                                                                                     \
        X(FIELD_TO, 't', "To")                                                                                         \
        X(FIELD_CC, 'c', "Cc")                                                                                         \
        X(FIELD_BCC, 'b', "Bcc")                                                                                       \
        X(FIELD_SENDER, 's', "Sender")                                                                                 \
        X(FIELD_REPLY_TO, 'r', "Reply-To")                                                                             \
        X(FIELD_SUBJECT, 's', "Subject")                                                                               \
        X(FIELD_DATE, 'd', "Date")                                                                                     \
        X(FIELD_MESSAGE_ID, 'm', "Message-ID")                                                                         \
        X(FIELD_IN_REPLY_TO, 'i', "In-Reply-To")                                                                       \
        X(FIELD_REFERENCES, 'r', "References")                                                                         \
        X(FIELD_CONTENT_TYPE, 'c', "Content-Type")                                                                     \
        X(FIELD_CONTENT_TRANSFER_ENCODING, 'c', "Content-Transfer-Encoding")                                           \
        X(FIELD_MIME_VERSION, 'm', "MIME-Version")                                                                     \
        X(FIELD_PRIORITY, 'p', "Priority")                                                                             \
        X(FIELD_X_PRIORITY, 'x', "X-Priority")                                                                         \
        X(FIELD_IMPORTANCE, 'i', "Importance")                                                                         \
        X(FIELD_NEWSGROUPS, 'n', "Newsgroups")                                                                         \
        X(FIELD_LIST_ID, 'l', "List-Id")                                                                               \
        X(FIELD_LIST_POST, 'l', "List-Post")                                                                           \
        X(FIELD_LIST_UNSUBSCRIBE, 'l', "List-Unsubscribe")                                                             \
        X(FIELD_LIST_UNSUBSCRIBE_POST, 'l', "List-Unsubscribe-Post")                                                   \
        X(FIELD_PRECEDENCE, 'p', "Precedence")                                                                         \
        X(FIELD_AUTO_SUBMITTED, 'a', "Auto-Submitted")                                                                 \
        X(FIELD_DISPOSITION_NOTIFICATION_TO, 'd', "Disposition-Notification-To")                                       \
        X(FIELD_X_MAILER, 'x', "X-Mailer")                                                                             \
        X(FIELD_USER_AGENT, 'u', "User-Agent")                                                                         \
        X(FIELD_X_K9MAIL_IDENTITY, 'x', "X-K9mail-Identity")                                                           \
        X(FIELD_CHAT_VERSION, 'c', "Chat-Version")                                                                     \
        X(FIELD_X_UNIFORM_TYPE_IDENTIFIER, 'x', "X-Uniform-Type-Identifier")                                           \
        X(FIELD_X_UNIVERSALLY_UNIQUE_IDENTIFIER, 'x', "X-Universally-Unique-Identifier")                               \
        X(FIELD_X_SPAM_FLAG, 'x', "X-Spam-Flag")                                                                       \
        X(FIELD_X_SPAM_STATUS, 'x', "X-Spam-Status")                                                                   \
        X(FIELD_RETURN_RECEIPT_TO, 'r', "Return-Receipt-To")                                                           \
        X(FIELD_RESENT_FROM, 'r', "Resent-From")                                                                       \
        X(FIELD_RESENT_TO, 'r', "Resent-To")                                                                           \
        X(FIELD_CONTENT_ID, 'c', "Content-ID")                                                                         \
        X(FIELD_CONTENT_DESCRIPTION, 'c', "Content-Description")                                                       \
        X(FIELD_CONTENT_DISPOSITION, 'c', "Content-Disposition")                                                       \
        X(FIELD_CONTENT_LANGUAGE, 'c', "Content-Language")                                                             \
        X(FIELD_CONTENT_LOCATION, 'c', "Content-Location")                                                             \
        X(FIELD_CONTENT_MD5, 'c', "Content-MD5")

static const char *const NAME_OF[N_FIELD_IDS] = {
#define X(id, letter, text) [id] = text,
        NAMES(X)
#undef X
};

/* First letter and length in one octet, so that memchr() finds the one or two names that may be it. */
#define KEY(letter, len) ((guint8) ((guint) (letter) *8 + (guint) (len)))

static const guint8 KEY_OF[N_FIELD_IDS] = {
#define X(id, letter, text) [id] = KEY(letter, sizeof(text) - 1),
        NAMES(X)
#undef X
};

static const guint8 LENGTH_OF[N_FIELD_IDS] = {
#define X(id, letter, text) [id] = sizeof(text) - 1,
        NAMES(X)
#undef X
};

FieldId
field_id(Span name)
{
        const guint8 *at = KEY_OF + 1;

        if (name.len == 0)
                return FIELD_OTHER;
        int key = KEY(octet_lower(name.data[0]), name.len);
        while ((at = memchr(at, key, (gsize) (KEY_OF + N_FIELD_IDS - at))) != NULL) {
                gsize id = (gsize) (at++ - KEY_OF);

                if (LENGTH_OF[id] == name.len && (memcmp(NAME_OF[id], name.data, name.len) == 0 ||
                                                  span_equal_nocase(name, span_make(NAME_OF[id], name.len))))
                        return (FieldId) id;
        }
        return FIELD_OTHER;
}

FieldId
field_index_id(const FieldIndex *index, gsize i)
{
        if (i < G_N_ELEMENTS(index->ids))
                return (FieldId) index->ids[i];
        return field_id(header_field_name(index->header, &index->header->fields[i]));
}

void
field_index(const Header *header, FieldIndex *ret)
{
        *ret = (FieldIndex){.header = header};
        for (gsize i = 0; i < header->n_fields; i++) {
                const Field *f = &header->fields[i];
                FieldId id = field_id(header_field_name(header, f));

                if (i < G_N_ELEMENTS(ret->ids))
                        ret->ids[i] = (guint8) id;
                if (ret->first[id] == NULL)
                        ret->first[id] = f;
                else
                        ret->again |= (guint64) 1 << id;
        }
}

const Field *
field_again(const FieldIndex *index, FieldId id, const Field *f)
{
        const Header *h = index->header;

        if ((index->again >> id & 1) == 0)
                return NULL;
        for (gsize i = (gsize) (f - h->fields) + 1; i < h->n_fields; i++)
                if (field_index_id(index, i) == id)
                        return &h->fields[i];
        return NULL;
}
