/* context.h -- what the files of live searches share (RFC 5267 §4.3). For these only:
 *
 *      context.c            live searches of a session, and what it is told of them
 *      context_update.c     one of them made to be of a newer view, in pieces of time
 *      context_response.c   ADDTO and REMOVEFROM
 */
#pragma once

#include "imap/find.h"

typedef struct Context {
        char *tag;
        Arena *arena; /* of the tree */
        FindTree tree;
        SortCriterion criteria[SORTER_CRITERIA_MAX];
        gsize n_criteria; /* 0: SEARCH */
        gboolean is_uid;
        GArray *uids; /* guint32, as told; of SEARCH rising */
        View *of;     /* what they are right for */
} Context;

/* ADDTO and REMOVEFROM (context_response.c) -------------------------------------------------------------------------
 */

/* One response under way: "* ESEARCH (TAG "x") UID REMOVEFROM (0 1:3,7)". Nothing is written of one without a pair. */
typedef struct ContextResponse {
        GString *to;
        const Context *c;
        const View *view; /* whose numbers the client knows */
        const char *item;
        gboolean is_begun;
        gboolean is_in_set;  /* behind "(position " something is already */
        guint32 position;    /* of the pair                              */
        guint32 first, last; /* range that is being made; 0: none        */
} ContextResponse;

void context_begin_pair(ContextResponse *r, guint32 position);
void context_add_uid(ContextResponse *r, guint32 uid);
void context_end_response(ContextResponse *r);

/* Those that `leaves` says are told, in view's numbers, and dropped. */
void context_remove(Context *c, GString *to, const View *view, gboolean (*leaves)(guint32 uid, gconstpointer data),
                    gconstpointer data);

/* Up to date (context_update.c) -------------------------------------------------------------------------------------
 */

typedef struct ContextUpdate ContextUpdate;

/* c from what it is of to `now`. NULL: no memory. */
ContextUpdate *context_update_new(Store *store, Context *c, View *now) G_GNUC_WARN_UNUSED_RESULT;
void context_update_free(ContextUpdate *u); /* NULL is fine; c stays what it was, or in between: the next one makes it right */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ContextUpdate, context_update_free)

/* Of which search, and to which view. */
const Context *context_update_context(const ContextUpdate *u);
const View *context_update_view(const ContextUpdate *u);

/* What the client is told is added to `to`. */
FindStep context_update_step(ContextUpdate *u, GString *to, Usec until, GError **error) G_GNUC_WARN_UNUSED_RESULT;
