/* internal.h -- what the files of store/ share. Private to the room.
 *
 * Who may touch what: everything marked (turn) belongs to the thread that has the write connection, hooks included.
 * Locks: Store.lock, a leaf.
 */
#pragma once

#include "base/thread.h"
#include "store/change.h"
#include "store/pack.h"
#include "store/page.h"
#include "store/registry.h"
#include "store/search_index.h"
#include "store/store.h"

typedef struct Numbers Numbers;
typedef struct RecentMarks RecentMarks; /* recent.c */
typedef struct Parts Parts; /* packs.c: parts of packs that were read lately */
typedef struct Pace Pace;   /* packing.c                                     */
typedef struct Claims Claims; /* copy_stage.c */

struct Store {
        Db *db;
        Blob *blob;
        Directory *directory;
        Numbers *numbers;       /* (turn) */
        Registry *registry;
        RecentMarks *recent;
        Parts *parts;
        Pace *pace;             /* of the one thread that packs */
        Claims *claims;
        guint stage_min;        /* UIDs; so many are copied in slices. Tests set it, and the next, before anything is copied */
        guint slice_cost;       /* of a slice of COPY, MOVE and undelete, in us, as they are reckoned in copy.c */
        Mutex lock;             /* leaf: the set below */
        SearchIndex *search;    /* NULL: messages are read */
        GHashTable *open_drops; /* ids of accounts whose maildrop a session has */
};

/* numbers.c: what the next entry of a mailbox gets, and what its account holds ------------------------------------- */

/* One mailbox, as the write connection sees it. */
typedef struct Slot {
        gint64 id, account;
        const char *name;
        guint32 uid_validity;
        guint32 folded;         /* UIDs up to this are in pages; the tail has the higher ones */
        guint32 n_tail;
        guint32 n_rows;         /* of `entry`: not packed yet; may count some that are gone */
        gboolean is_ripe;       /* it waits to be packed: packing.c                         */
        guint64 uid_next;       /* UID_MAX + 1: none is left */
        guint32 copying;        /* first UID of a block that is being copied in (copy_stage.c); 0: none */
        guint64 modseq;         /* the highest given out */
        guint64 noted;          /* private from here */
        GList link;
} Slot;

typedef struct Usage {
        gint64 account;
        guint64 messages, octets;
        guint64 noted; /* private */
} Usage;

Numbers *numbers_new(void);
void numbers_free(Numbers *numbers);

/* The slot of a mailbox by its name or id; INBOX is made when it is missing. Lives until the transaction ends. Whoever
 * gets it may change it: it is read anew should the transaction be undone. */
StoreAnswer slot_by_name(Store *store, DbTxn *txn, gint64 account, const char *name, Slot **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
StoreAnswer slot_by_id(Store *store, DbTxn *txn, gint64 mailbox, Slot **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* No UID is left, for ever or while a block is copied in. */
static inline gboolean
slot_is_full(const Slot *slot)
{
        return slot->uid_next > (slot->copying != 0 ? slot->copying - 1 : UID_MAX);
}
/* What changes in the counts of a mailbox's row: of what is in its pages, and of what was expunged from them. */
typedef struct Counts {
        gint64 messages, octets, gone_messages, gone_octets;
        Usec gone_at; /* of an expunge; 0: none */
} Counts;
/* UIDs and MODSEQ so far, for when rows that show them go, and counts (NULL: as they are). */
gboolean slot_save(Store *store, DbTxn *txn, const Slot *slot, const Counts *counts,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Rows of `entry` are about to be added: when they make a page's worth, the mailbox waits to be packed from now on. The caller counts them (n_rows)
 * when they are there. */
gboolean slot_ripen(DbTxn *txn, Slot *slot, guint more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Readers shall look at this again once the transaction is on disk. */
void touch(Store *store, DbTxn *txn, gint64 mailbox, MarkKind kind, gint64 number);
/* The mailbox is removed in this transaction; mailboxes of the account are made, renamed or removed: look again. */
void numbers_forget_mailbox(Store *store, gint64 mailbox);
void numbers_forget_account(Store *store, gint64 account);

Usage *usage_of(Store *store, DbTxn *txn, gint64 account, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Entries came (positive) or went, if anybody counts. */
void usage_add(Store *store, DbTxn *txn, gint64 account, gint64 messages, gint64 octets);
/* What an account may hold; 0: as much as it likes. Asks the directory: not within a transaction. */
typedef struct Limits {
        guint64 messages, octets;
} Limits;
gboolean limits_of(Store *store, gint64 account, Limits *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Would so much more be within the limits? */
gboolean limits_allow(const Limits *limits, const Usage *usage, guint64 messages, guint64 octets);
/* The same as usage_of() from any transaction, from the tables. */
gboolean usage_read(DbTxn *txn, gint64 account, guint64 *ret_messages, guint64 *ret_octets,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* pages.c: entries of pages in a write transaction ------------------------------------------------------------------ */

/* A page and its state, decoded. Some 16 KiB. */
typedef struct Page {
        gint64 key;
        guint n;
        ViewEntry entries[PAGE_ENTRIES]; /* without flags and MODSEQ */
        State states[PAGE_ENTRIES];
} Page;

/* Adds entries behind the last ones of a mailbox's pages. */
typedef struct PageWriter {
        Store *store;
        DbTxn *txn;
        Slot *slot;
        Counts counts;
        gboolean is_new; /* the page has no row yet */
        GArray *hidden;  /* of guint32: pages that nobody is told of, by their first UIDs; NULL: everybody is */
        Page page;
} PageWriter;

/* is_fresh: on a page of its own, whatever room the last one has. */
PageWriter *page_writer_new(Store *store, DbTxn *txn, Slot *slot, gboolean is_fresh,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_writer_add(PageWriter *writer, const ViewEntry *entry, const State *state,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Writes the last page. */
gboolean page_writer_flush(PageWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same and the mailbox's row; its pages reach to the last UID added then. */
gboolean page_writer_finish(PageWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Put at most `max` entries of the tail into pages. */
gboolean tail_fold(Store *store, DbTxn *txn, Slot *slot, guint max, gboolean *ret_more,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for the whole tail, in as many transactions as it takes. */
ChangeAnswer tail_fold_all(Store *store, gint64 mailbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Pages in the order of their UIDs, from the one that has `from` on: at most max. States are as stored, in the arena. */
typedef struct PageRow {
        gint64 key;
        guint32 first;
        guint64 behind; /* its UIDs: first <= UID < behind */
        Span state;
} PageRow;
gboolean pages_list(DbTxn *txn, Arena *arena, const Slot *slot, guint32 from, guint32 to, guint max,
                    const PageRow **ret, gsize *ret_n, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_load_uids(DbTxn *txn, const PageRow *row, guint n_states, guint32 ret_uids[PAGE_ENTRIES],
                        guint64 ret_sizes[PAGE_ENTRIES], GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_load(DbTxn *txn, gint64 key, Page *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_save_state(Store *store, DbTxn *txn, gint64 key, const State *states, guint n,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_save(Store *store, DbTxn *txn, const Page *page, MarkKind kind, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean page_damaged(gint64 key, GError **error); /* FALSE */

/* sets.c: UIDs as ranges --------------------------------------------------------------------------------------------- */

/* Asked for rising UIDs. set NULL: all. */
typedef struct SetWalk {
        const UidSet *set;
        gsize at;
} SetWalk;
gboolean set_walk_has(SetWalk *walk, guint32 uid);
gboolean set_covers(const UidSet *set, guint64 first, guint64 behind); /* every UID in first <= UID < behind */
guint32 set_first(const UidSet *set);                                  /* G_MAXUINT32: it is empty */
guint32 set_last(const UidSet *set);

void ranges_add(GArray *ranges, guint32 uid); /* at the end; uid is higher than all before */
GArray *ranges_union(const GArray *a, const GArray *b);
GArray *ranges_without(const GArray *a, const GArray *b);

/* A write transaction, run as often as it must be. work() gets a fresh one each time; an answer other than CHANGED_DONE rolls back. */
typedef ChangeAnswer (*ChangeWork)(gpointer data, DbTxn *txn, GError **error);
ChangeAnswer change_run(Store *store, gboolean is_freeing, ChangeWork work, gpointer data,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* STORE_ as CHANGED_. */
ChangeAnswer change_answer(StoreAnswer answer);

/* flags.c: bits of keywords by name, added to *ret; unknown ones are made, or passed over. */
ChangeAnswer keywords_bits(Store *store, DbTxn *txn, gint64 mailbox, const Span *names, gsize n, gboolean may_add,
                           guint64 *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* expunge.c: within a transaction of the caller, those of the set, whatever their flags. The counts of the mailbox are written. */
ChangeAnswer entries_remove(Store *store, DbTxn *txn, gint64 mailbox, const UidSet *set,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* append.c: CHANGED_NO_MAILBOX or what its owner may hold. */
ChangeAnswer owner_limits(Store *store, gint64 mailbox, gint64 *ret_account, Limits *ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What else belongs to the transaction of an append: before() runs in it, ahead of the entries, as often as it is run. is_over_quota: the owner's quota is
 * not asked. */
typedef struct AppendHook {
        ChangeAnswer (*before)(gpointer data, DbTxn *txn, Slot *slot, GError **error);
        gpointer data;
        gboolean is_over_quota;
} AppendHook;
ChangeAnswer append_with_hook(Store *store, gint64 mailbox, gint64 reader, Append *messages, gsize n, const Replaced *replaced,
                              const AppendHook *hook, guint32 *ret_uid_validity, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* import.c: what was imported into a mailbox that goes is forgotten, some 2,000 keys a call. */
gboolean import_forget_mailbox(DbTxn *txn, gint64 mailbox, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* seen.c: what an account has seen of somebody else's mailbox -------------------------------------------------------- */

gboolean reader_seen_get(DbTxn *txn, gint64 mailbox, gint64 reader, GArray *ret_ranges,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean reader_seen_add(Store *store, DbTxn *txn, gint64 mailbox, gint64 reader, const GArray *more,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean reader_seen_put(Store *store, DbTxn *txn, gint64 mailbox, gint64 reader, const GArray *ranges,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of all mailboxes, some hundred a call. */
gboolean reader_seen_forget(DbTxn *txn, gint64 reader, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* message.c: reading copies ------------------------------------------------------------------------------------------ */

struct StoredMessage {
        Copy copy;
        CopyReader reader;
        BlobBody *body;
        guint64 header_size; /* 0: not asked for yet */
        Cut cuts[COPY_CUTS_MAX];
        guint8 prefix[];
};

/* What a look-up found of a message: all but its octets. */
typedef struct LookedUp {
        StoredMessage *message;
        BlobPlace place;
} LookedUp;

/* From this index on, one or more, at most `most` (and 16). */
gboolean messages_look_up(Store *store, const View *view, guint32 index, guint most, LookedUp *ret, guint *ret_n,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean looked_up_take_open(Store *store, LookedUp *found, StoredMessage **ret,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* summaries.c: the stored form into its sections. */
gboolean summary_decode(Span stored, StoredSummary *ret) G_GNUC_WARN_UNUSED_RESULT;
/* The sections from the message itself, in the arena; untouched for one that can't be summarised. */
gboolean summary_make_again(Store *store, Arena *arena, gint64 body, StoredSummary *ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* packs.c: packs as they are stored -------------------------------------------------------------------------------------- */

/* The parts that were read last, some 16 MiB of them. Any thread; one that is given out is the caller's to unref. */
Parts *parts_new(void) G_GNUC_WARN_UNUSED_RESULT;
void parts_free(Parts *parts);
/* Without looking into the database; NULL: it is not kept. */
PackedPart *parts_find(Parts *parts, gint64 pack, PackPart which) G_GNUC_WARN_UNUSED_RESULT;
/* Takes a reference of its own; a large one it does not keep. */
void parts_keep(Parts *parts, gint64 pack, PackPart which, PackedPart *part);

/* A part of a pack; *ret NULL: that pack is not there, or what is there can't be read (*ret_damaged). */
gboolean pack_read(DbTxn *txn, Unpacker *unpacker, gint64 pack, PackPart which, PackedPart **ret, gboolean *ret_damaged,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same where a part that is kept is taken from there, and one that is read is kept. *unpacker may be NULL: it is made when it is needed. A damaged
 * PACK_COPY is a fault. */
gboolean pack_read_kept(Store *store, DbTxn *txn, Unpacker **unpacker, gint64 pack, PackPart which, PackedPart **ret, gboolean *ret_damaged,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* PACK_COPY, for who reads no other part. */
gboolean pack_read_copies(Store *store, DbTxn *txn, gint64 pack, PackedPart **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Pages as they are now, for entries of an older view: where an entry is packed changes after it was made. */
typedef struct Places {
        gint64 mailbox; /* of the page; 0: none was read */
        guint32 first;  /* of its key                    */
        guint n;
        ViewEntry entries[PAGE_ENTRIES];
} Places;
/* In the page that was read last; NULL: not there. */
const ViewEntry *places_find(const Places *places, gint64 mailbox, guint32 uid) G_GNUC_PURE;
/* Reads the page that has this UID; *ret NULL: none has it. */
gboolean places_read(Places *places, DbTxn *txn, gint64 mailbox, guint32 uid, const ViewEntry **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* packing.c: what a pass of store_pack() does, piece by piece ------------------------------------------------------------ */

Pace *pace_new(void) G_GNUC_WARN_UNUSED_RESULT;
void pace_free(Pace *pace);

/* recent.c */
RecentMarks *recent_new(void) G_GNUC_WARN_UNUSED_RESULT;
void recent_free(RecentMarks *recent);

typedef enum PackWork {
        PACK_FAILED = 0,
        PACK_IDLE,  /* nothing of this mailbox (is ready to) be packed */
        PACK_AGAIN, /* a piece was done: call again                    */
} PackWork;
/* A piece of one mailbox: folds some of its tail, or packs a page. is_forced: also a last page that is not full. */
PackWork mailbox_pack(Store *store, gint64 mailbox, gboolean is_forced, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* refs.c: references ------------------------------------------------------------------------------------------------- */

#define KEYS_OF_PACK 8 /* keys of pack_part that one pack has */

typedef struct Refs {
        GArray *bodies, *packed, *slots; /* private */
} Refs;

void refs_done(Refs *refs);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Refs, refs_done)
void refs_add_body(Refs *refs, gint64 body);
void refs_add_entry(Refs *refs, const ViewEntry *entry); /* of a page: its slot's, or while it is not packed its body's */
gboolean refs_give_back(Refs *refs, Store *store, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean refs_take_more(Refs *refs, Store *store, DbTxn *txn, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* search_fill.c: packs are made in this transaction: they are indexed soon after its commit. */
void search_packs_made(Store *store, DbTxn *txn);

/* copy_stage.c: who copies many messages into which mailbox. */
Claims *claims_new(void) G_GNUC_WARN_UNUSED_RESULT;
void claims_free(Claims *claims);
gboolean claims_has(Claims *claims, gint64 mailbox);

/* tidy.c: some pages of the block that a COPY has left behind; then the mailbox has none. */
gboolean block_drop(Store *store, DbTxn *txn, Slot *slot, gboolean *ret_more, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* tidy.c: everything of a mailbox, some 2,000 entries a call, then its row. */
gboolean mailbox_empty(Store *store, DbTxn *txn, gint64 mailbox, gboolean *ret_more,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
