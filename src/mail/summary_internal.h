/* summary_internal.h -- shared by the files that make and read the sections of a summary. */
#pragma once

#include "mail/internal.h"
#include "mail/summary.h"

/* The first octet of a section. A change of a format takes the next number; what was stored before is then "damaged",
 * and made again. */
#define SUMMARY_FORMAT 1

/* Fields by name ------------------------------------------------------------------------------------------------- */

/* What the summary looks at. The order is that of the stored form: new ones go to the end. */
typedef enum FieldId {
        FIELD_OTHER = 0,
        FIELD_FROM,
        FIELD_TO,
        FIELD_CC,
        FIELD_BCC,
        FIELD_SENDER,
        FIELD_REPLY_TO,
        FIELD_SUBJECT,
        FIELD_DATE,
        FIELD_MESSAGE_ID,
        FIELD_IN_REPLY_TO,
        FIELD_REFERENCES,
        FIELD_CONTENT_TYPE,
        FIELD_CONTENT_TRANSFER_ENCODING,
        FIELD_MIME_VERSION,
        FIELD_PRIORITY,
        FIELD_X_PRIORITY,
        FIELD_IMPORTANCE,
        FIELD_NEWSGROUPS,
        FIELD_LIST_ID,
        FIELD_LIST_POST,
        FIELD_LIST_UNSUBSCRIBE,
        FIELD_LIST_UNSUBSCRIBE_POST,
        FIELD_PRECEDENCE,
        FIELD_AUTO_SUBMITTED,
        FIELD_DISPOSITION_NOTIFICATION_TO,
        FIELD_X_MAILER,
        FIELD_USER_AGENT,
        FIELD_X_K9MAIL_IDENTITY,
        FIELD_CHAT_VERSION,
        FIELD_X_UNIFORM_TYPE_IDENTIFIER,
        FIELD_X_UNIVERSALLY_UNIQUE_IDENTIFIER,
        FIELD_X_SPAM_FLAG,
        FIELD_X_SPAM_STATUS,
        FIELD_RETURN_RECEIPT_TO,
        FIELD_RESENT_FROM,
        FIELD_RESENT_TO,
        N_KEPT_FIELDS,
        /* Known, but not kept in `fields`. */
        FIELD_CONTENT_ID = N_KEPT_FIELDS,
        FIELD_CONTENT_DESCRIPTION,
        FIELD_CONTENT_DISPOSITION,
        FIELD_CONTENT_LANGUAGE,
        FIELD_CONTENT_LOCATION,
        FIELD_CONTENT_MD5,
        N_FIELD_IDS,
} FieldId;

FieldId field_id(Span name);

/* The fields of one header by what they are: the first of each, NULL where there is none. */
typedef struct FieldIndex {
        const Header *header;
        const Field *first[N_FIELD_IDS];
        guint64 again;  /* bit id: there are more than one           */
        guint8 ids[64]; /* FieldId of the fields, as far as it goes  */
} FieldIndex;

void field_index(const Header *header, FieldIndex *ret);
FieldId field_index_id(const FieldIndex *index, gsize i); /* of header->fields[i] */
/* The next of that name behind f. */
const Field *field_again(const FieldIndex *index, FieldId id, const Field *f);

static inline Span
field_body(const FieldIndex *index, FieldId id)
{
        const Field *f = index->first[id];

        return f != NULL ? header_field_body(index->header, f) : SPAN_EMPTY;
}

/* Wire ----------------------------------------------------------------------------------------------------------- */

/* Text of IMAP. Strings together take at most `left` octets more: one that does not fit is NIL. */
typedef struct Wire {
        Octets out;
        Octets scratch; /* for what must be put together first */
        gsize left;
} Wire;

/* What the sections are made in, one after the other. */
typedef struct Workspace {
        Arena *arena; /* the caller's */
        Wire wire;
        Octets first, second;
} Workspace;

/* Empty again, with the memory it has. */
void workspace_reset(Workspace *ws);
void workspace_clear(Workspace *ws);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Workspace, workspace_clear)

static inline void
wire_add(Wire *w, const char *text)
{
        octets_add(&w->out, span_of(text));
}

void wire_add_number(Wire *w, guint64 number);
/* A string: quoted when it is at most 1,000 printable ASCII octets, else a literal; NUL becomes 0x80. */
void wire_add_string(Wire *w, Span s);
/* The body of a field on one line, or NIL where there is no field. */
void wire_add_field(Wire *w, const FieldIndex *index, FieldId id);

/* One address as the ENVELOPE has it: strings without data are NIL there. */
typedef struct WireAddress {
        Span name, route, mailbox, host;
} WireAddress;

/* The first addresses of a message, for its keys; without mailbox where there is none. */
typedef struct FirstAddresses {
        Arena *arena; /* where they are copied to */
        WireAddress from, to, cc;
} FirstAddresses;

/* "(date subject from sender ...)" (envelope.c). ret may be NULL. */
void wire_add_envelope(Wire *w, const FieldIndex *index, FirstAddresses *ret);

/* The stored form of a number (scan_varint() reads it). */
#define VARINT_MAX 10
gsize varint_put(guint64 value, guint8 out[VARINT_MAX]);        /* octets written */

static inline void
octets_add_varint(Octets *o, guint64 value)
{
        guint8 octets[VARINT_MAX];

        if (value < 0x80)
                octets_add_octet(o, (guint8) value);
        else
                octets_add(o, span_make(octets, varint_put(value, octets)));
}

/* The sections: FALSE when the arena is over. ------------------------------------------------------------------------ */
gboolean envelope_make(Workspace *ws, const FieldIndex *index, FirstAddresses *ret_first, Span *ret);
gboolean structure_make(Workspace *ws, const Structure *st, const FieldIndex *root, Span *ret);
gboolean fields_make(Workspace *ws, const FieldIndex *index, Span *ret);
gboolean keys_make(Workspace *ws, const FieldIndex *index, const FirstAddresses *first, Span *ret);
gboolean preview_make(Workspace *ws, Span message, const Structure *st, Span *ret);
