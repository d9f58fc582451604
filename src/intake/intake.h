/* intake.h -- THE way in: every new message becomes mail here, or is refused here (DESIGN.md §1).
 *
 *      sub = intake_begin(...)                 who brings it, and its sender
 *      intake_recipient(sub, ...)              a decision for each, so that an SMTP door refuses at RCPT
 *      intake_add(sub, octets) ...             the body, as it arrives
 *      intake_accept(&sub, 1, ...)             route again what has changed -> rules -> ONE transaction -> body synced
 *                                              -> commit
 *      intake_reply(sub), intake_answer(sub, i)
 *
 * Local entries, queue rows for remote recipients, DSNs and the trace record of a message commit together; what is
 * called accepted is on disk. SMTP says 250 when any recipient was accepted: those refused after their RCPT (quota) get
 * a DSN, one that failed temporarily becomes a queue row with next hop `local`. LMTP gives each answer. Nothing else
 * creates mail.
 *
 * What intake writes: our Received on top of the shared body (with `for` only when there is exactly one recipient; in
 * copies sent on, with the loop token in its id clause), and per copy on final delivery Return-Path, Delivered-To and a
 * catch-all's envelope header above it; incoming fields of those names are cut from the copy (Return-Path; the envelope
 * header's name; Delivered-To only where it would name another recipient of ours).
 *
 * Threads  Intake: any. A Submission: one thread at a time; may be carried from one to another (parked sessions).
 * Memory   a Submission keeps its own arenas: 1 KiB per accepted recipient, 64 KiB of message before it spools.
 * RFC      5321 §4.4 (trace), §6.1 (responsibility), §6.3 (loops); 3461-3464 (DSN); 3834.
 */
#pragma once

#include "base/arena.h"
#include "base/id.h"
#include "blob/blob.h"
#include "directory/directory.h"
#include "mail/address.h"
#include "mail/status.h"
#include "queue/queue.h"
#include "router/router.h"
#include "store/store.h"

typedef struct Intake Intake;
typedef struct Submission Submission;

typedef struct IntakeSettings {
        const char *hostname;
        guint64 max_size;     /* octets of one message */
        guint max_recipients; /* of one transaction, at least 100 (RFC 5321 §4.5.3.1.8); default 1,000 */
        guint max_received;   /* 100: more Received lines are a loop, 5.4.6 */
        Span loop_key;        /* 32 secret octets of this site */
} IntakeSettings;

typedef struct IntakeRooms {
        Db *db;
        Blob *blob;
        Directory *directory;
        Router *router;
        Store *store;
        Queue *queue;
} IntakeRooms;

Intake *intake_new(const IntakeRooms *rooms, const IntakeSettings *settings) G_GNUC_WARN_UNUSED_RESULT;
void intake_free(Intake *intake);

/* Who brings a message. Copied. */
typedef struct IntakeOrigin {
        Standing standing;
        const char *protocol; /* of Received's `with`: SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTPS, LMTP, POP3, local */
        const char *client;   /* address text of the peer, or NULL                                    */
        const char *helo;     /* what it called itself, or NULL                                       */
        const char *account;  /* the authenticated account's address, or NULL (not in Received, in the trace) */
        const char *tls;      /* "TLSv1.3 cipher", or NULL                                            */
        const char *source;   /* fetch: name of the source, or NULL                                   */
} IntakeOrigin;

/* NULL: a fault, 451. sender: the null sender has empty parts. */
Submission *intake_begin(Intake *intake, const IntakeOrigin *origin, const Address *sender, guint needs,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
void submission_free(Submission *sub); /* not accepted: nothing is kept; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Submission, submission_free)
Id submission_id(const Submission *sub);

typedef enum IntakeVerdict {
        INTAKE_FAILED = 0, /* could not find out: 451 4.3.0; the reply says so too   */
        INTAKE_ACCEPTED,
        INTAKE_REFUSED,  /* 5yz */
        INTAKE_DEFERRED, /* 4yz */
} IntakeVerdict;

typedef struct IntakeReply {
        IntakeVerdict verdict;
        Status status;
        const char *text;    /* one line of printable ASCII, without code; lives as long as the submission */
        gboolean is_unknown; /* refused because nobody has this address: count the guess */
} IntakeReply;

/* One more recipient. Only accepted ones become recipients, numbered from 0 in order. */
IntakeReply intake_recipient(Submission *sub, const Address *recipient);

/* Ways of fetch, for an address that intake_recipient() did not take: */
IntakeReply intake_recipient_postmaster(Submission *sub, const Address *original, const char *reason);
IntakeReply intake_recipient_bounce(Submission *sub, const Address *original, Status status,
                                    const char *text); /* guarded, ROUTING §6 */
IntakeReply intake_recipient_discard(Submission *sub, const Address *original, const char *reason);

guint submission_n_recipients(const Submission *sub);

/* The body, in wire form: CRLF lines, dots already undone. FALSE: over the size limit or a fault; intake_accept() will
 * say which. */
gboolean intake_add(Submission *sub, Span octets) G_GNUC_WARN_UNUSED_RESULT;
guint64 submission_size(const Submission *sub);
/* The body so far (for multidrop recipes: the header), at most max octets from its start. */
gboolean submission_view(Submission *sub, guint64 max, Span *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Something that must commit together with this message (fetch: outcome of a UIDL). Runs inside the transaction after
 * the deliveries; FALSE rolls this call's whole transaction back. May run twice. */
typedef gboolean (*IntakeAlso)(DbTxn *txn, Submission *sub, gpointer data, GError **error);
void intake_also(Submission *sub, IntakeAlso fn, gpointer data);

/* Take responsibility for n messages in one transaction (doors: one; fetch: a batch). Afterwards each has its replies.
 * A message that is refused does not hold up the others. FALSE: nothing of any of them was kept; doors answer 451
 * (FAULT_FULL: 452 4.3.1) and the client may come back. */
gboolean intake_accept(Submission *const *subs, gsize n, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* After intake_accept() returned TRUE: the answer for the whole (SMTP) and for each recipient (LMTP). */
IntakeReply intake_reply(const Submission *sub);
IntakeReply intake_answer(const Submission *sub, guint i);

/* Write the refusals gathered in memory since the last call into the trace (trace.h). For the housekeeping thread,
 * every minute; intake_free() does it a last time. */
gboolean intake_flush_refusals(Intake *intake, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Try the due queue rows with next hop `local` again; returns after one pass. For the housekeeping thread. */
gboolean intake_retry_local(Intake *intake, GError **error) G_GNUC_WARN_UNUSED_RESULT;
