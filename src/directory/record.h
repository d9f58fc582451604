/* record.h -- one cached answer of the directory: packed, shared, never changed.
 *
 * A record is one allocation: its key and a deep copy of the value. It is unpacked into the arena of whoever asks,
 * outside of every lock. "Not defined" is a record without a value.
 */
#pragma once

#include "directory/directory.h"

typedef enum RecordKind {
        RECORD_DOMAIN = 0, /* Domain,      by domain as asked       */
        RECORD_ENTRY,      /* Entry,       by local_key@domain      */
        RECORD_PREFIX,     /* AddressList, by local_key@domain      */
        RECORD_PATTERNS,   /* Patterns,    by domain                */
        RECORD_LOGIN,      /* Login,       by local_key@domain      */
        RECORD_ACCOUNT,    /* Account,     by the octets of its id  */
        RECORD_GROUPS,     /* AddressList, by local_key@domain      */
        RECORD_ADMIN,      /* AdminScopes, by the octets of an id   */
} RecordKind;

typedef struct AddressList {
        const Address *at;
        gsize n;
} AddressList;

typedef struct AdminScopes {
        const AdminScope *at;
        gsize n;
} AdminScopes;

/* What a domain has besides exact addresses. */
typedef struct Patterns {
        gboolean has_prefixes;
        gboolean has_catchall;
        AddressList catchall;
} Patterns;

typedef struct Login {
        Account account;
        LoginSecrets secrets;
} Login;

#define RECORD_KEY_MAX (ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX)

typedef struct Record {
        guint refs; /* atomic; by the compiler and not by GLib, whose atomics thread sanitizers do not see */
        RecordKind kind;
        guint hash;
        gsize octets; /* of the allocation */
        Span key;
        const void *value; /* NULL: nothing is defined there */
        guint8 place[];
} Record;

/* NULL when there is no memory for a big one. value may be NULL. */
Record *record_new(RecordKind kind, guint hash, Span key, const void *value) G_GNUC_WARN_UNUSED_RESULT;
Record *record_ref(Record *record);
void record_unref(Record *record);

/* A deep copy in the arena; NULL when the arena is over. */
const void *record_unpack(const Record *record, Arena *arena);
