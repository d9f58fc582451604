/* registry.h -- which mailboxes are looked at, what has changed in them since they were read, and who wants to hear of it. Private to the room.
 *
 * A transaction that changes a mailbox touches it: the touch is announced at once and counts from the commit on. How views stay whole with that stands at the
 * head of registry.c.
 *
 * Threads  any; touches_end() only by the holder of the write connection. Lock: Registry.lock, a leaf; functions of watches run without it.
 */
#pragma once

#include "base/thread.h"
#include "store/view.h"

/* What may be different. PACKED: only where the entries' summaries are, nothing that a client sees. TREE: of an account, not of a mailbox. */
typedef enum MarkKind {
        MARK_TAIL = 1,
        MARK_STATE, /* of the page that begins at this UID    */
        MARK_PACKED,
        MARK_PAGE,
        MARK_ROW,
        MARK_SEEN,  /* by this account                        */
        MARK_TREE,
} MarkKind;

typedef struct Mark {
        MarkKind kind;
        gint64 number; /* first UID of the page, account, or 0 */
} Mark;

typedef struct Registry Registry;
typedef struct Touches Touches; /* of one transaction */

typedef struct Core Core; /* view.c: what all views of one state share */

/* One mailbox somebody looks at. Its fields are the registry's, but for view.c while it refreshes. */
typedef struct Shown Shown;

Registry *registry_new(void);
void registry_free(Registry *registry);

Touches *touches_new(Registry *registry);
void touches_add(Touches *touches, gint64 mailbox, Mark mark);
/* Takes them. */
void touches_end(Touches *touches, gboolean is_committed);

/* The current view of this reader, if there is one: TRUE, with a reference. FALSE: the caller is to refresh the mailbox and must call shown_publish() or
 * shown_give_up(); nobody else refreshes it meanwhile. *ret_seq: to be given back. */
gboolean registry_find(Registry *registry, gint64 mailbox, gint64 reader, View **ret_view, Shown **ret_shown, guint64 *ret_seq);

/* The same without a promise: NULL when it would have to be refreshed. */
View *registry_peek(Registry *registry, gint64 mailbox, gint64 reader) G_GNUC_WARN_UNUSED_RESULT;

/* What is marked or announced, called when the snapshot has been taken: GArray of Mark, one of each. *ret_core: a reference to the last state, or NULL. */
GArray *shown_marks(Shown *shown, Core **ret_core);
/* view: of `core`; both references are taken. */
void shown_take_publish(Shown *shown, guint64 seq, Core *core, View *view);
/* is_missing: there is no such mailbox (any more). */
void shown_give_up(Shown *shown, gboolean is_missing);

Watch *watch_new(Registry *registry, gint64 mailbox, gint64 account, void (*fn)(gpointer data), gpointer data) G_GNUC_WARN_UNUSED_RESULT;

/* view.c, for the registry */
Core *core_ref(Core *core);
void core_unref(Core *core);
gsize core_octets(const Core *core);
gint64 view_reader(const View *view);
gint64 view_owner(const View *view);
gboolean view_is_shared(const View *view); /* somebody has it besides the registry */
