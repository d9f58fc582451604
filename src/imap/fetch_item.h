/* fetch_item.h -- what a FETCH asks for, read from its command.
 *
 * Threads  any. Memory: the arena of the arguments; spans may point into the command.
 * RFC      9051 §6.4.5, 3501 §6.4.5 (RFC822...), 3516 (BINARY), 7162 (MODSEQ, CHANGEDSINCE, VANISHED), 8474 (EMAILID,
 *          THREADID), 8514 (SAVEDATE), 8970 (PREVIEW), 9394 (PARTIAL).
 */
#pragma once

#include "imap/internal.h"
#include "mail/summary.h"

/* A section of a message: "", "1.2", "HEADER", "1.HEADER.FIELDS (From To)". */
typedef struct Section {
        const guint32 *path;
        gsize n_path;
        PartSection part;
        gboolean has_names; /* HEADER.FIELDS: only the fields of these names ... */
        gboolean is_not;    /* HEADER.FIELDS.NOT: ... all but these              */
        const Span *names;
        gsize n_names;
        FieldNames fields; /* the same, for summaries                            */
} Section;
#define SECTION_PATH_MAX 100   /* numbers in a path    */
#define SECTION_NAMES_MAX 1000 /* names of fields      */
#define SECTION_NAME_OCTETS_MAX 256

/* What stands between "[" and "]". FALSE: none, the cursor stays. */
gboolean section_parse(ImapArgs *a, Section *ret) G_GNUC_WARN_UNUSED_RESULT;

typedef enum FetchKind {
        FETCH_UID = 0,
        FETCH_FLAGS,
        FETCH_INTERNALDATE,
        FETCH_SIZE,
        FETCH_MODSEQ,
        FETCH_EMAILID,
        FETCH_THREADID,
        FETCH_SAVEDATE,
        FETCH_PREVIEW,
        FETCH_ENVELOPE,
        FETCH_BODY,
        FETCH_BODYSTRUCTURE,
        FETCH_SECTION, /* BODY[...], RFC822, RFC822.HEADER, RFC822.TEXT */
        FETCH_BINARY,
        FETCH_BINARY_SIZE,
} FetchKind;

typedef struct FetchItem {
        FetchKind kind;
        Span label;      /* as it is answered: "BODY[1.2]<0>" */
        Section section; /* of FETCH_SECTION and BINARY       */
        gboolean has_partial;
        guint64 from, count; /* partial: octets                   */
} FetchItem;

typedef struct FetchItems {
        const FetchItem *items; /* no kind up to FETCH_BODYSTRUCTURE twice */
        gsize n;
        guint kinds;   /* bits 1 << FetchKind                     */
        guint summary; /* SummarySection bits they may ask for    */
        gboolean sets_seen;
} FetchItems;
#define FETCH_ITEMS_MAX 1000

/* One macro, one item or a list. FALSE: none. */
gboolean imap_fetch_items_parse(ImapArgs *a, FetchItems *ret) G_GNUC_WARN_UNUSED_RESULT;
/* The same with an item of that kind, which has no arguments, before the others, if it was not asked for. FALSE: the
 * arena is over. */
gboolean imap_fetch_items_need(ImapArgs *a, FetchItems *items, FetchKind kind) G_GNUC_WARN_UNUSED_RESULT;

typedef struct FetchModifiers {
        gboolean has_changed_since;
        guint64 changed_since;
        gboolean has_vanished;
        gboolean has_partial;
        gboolean from_end;   /* PARTIAL -1:-10                   */
        guint32 first, last; /* positions from 1, first <= last  */
} FetchModifiers;

/* " (CHANGEDSINCE 5 VANISHED)" or nothing up to the end of the command. */
gboolean imap_fetch_modifiers_parse(ImapArgs *a, FetchModifiers *ret) G_GNUC_WARN_UNUSED_RESULT;
