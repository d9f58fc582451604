/* context_response.c -- ADDTO and REMOVEFROM (RFC 5267 §4.3.3, §4.3.4). */
#include "imap/context.h"

static guint32
number_of(const ContextResponse *r, guint32 uid)
{
        return r->c->is_uid ? uid : view_index_of(r->view, uid) + 1;
}

static void
end_range(ContextResponse *r)
{
        if (r->first == 0)
                return;
        g_string_append_printf(r->to, "%s%u", r->is_in_set ? "," : "", r->first);
        if (r->last != r->first)
                g_string_append_printf(r->to, ":%u", r->last);
        r->is_in_set = TRUE;
        r->first = 0;
}

void
context_begin_pair(ContextResponse *r, guint32 position)
{
        end_range(r);
        if (!r->is_begun)
                g_string_append_printf(r->to, "* ESEARCH (TAG \"%s\")%s %s (", r->c->tag, r->c->is_uid ? " UID" : "",
                                       r->item);
        g_string_append_printf(r->to, "%s%u ", r->is_begun ? " " : "", position);
        r->is_begun = TRUE;
        r->is_in_set = FALSE;
        r->position = position;
}

void
context_add_uid(ContextResponse *r, guint32 uid)
{
        guint32 number = number_of(r, uid);

        if (r->first != 0 && number == r->last + 1) {
                r->last = number;
                return;
        }
        end_range(r);
        r->first = r->last = number;
}

void
context_end_response(ContextResponse *r)
{
        end_range(r);
        if (r->is_begun)
                g_string_append(r->to, ")\r\n");
}

/* Taking away ------------------------------------------------------------------------------------------------------ */

static guint32
uid_at(const Context *c, guint i)
{
        return g_array_index(c->uids, guint32, i);
}

/* Of SORT from the last position to the first, so that the others hold. */
void
context_remove(Context *c, GString *to, const View *view, gboolean (*leaves)(guint32 uid, gconstpointer data),
               gconstpointer data)
{
        ContextResponse r = {.to = to, .c = c, .view = view, .item = "REMOVEFROM"};
        guint kept = 0, end = c->uids->len;

        if (c->n_criteria == 0) {
                for (guint i = 0; i < c->uids->len; i++)
                        if (leaves(uid_at(c, i), data)) {
                                if (!r.is_begun)
                                        context_begin_pair(&r, 0);
                                context_add_uid(&r, uid_at(c, i));
                        }
        } else {
                while (end > 0) {
                        guint from = end;
                        while (from > 0 && leaves(uid_at(c, from - 1), data))
                                from--;
                        if (from < end)
                                context_begin_pair(&r, from + 1);
                        for (guint i = from; i < end; i++)
                                context_add_uid(&r, uid_at(c, i));
                        end = from > 0 ? from - 1 : 0;
                }
        }
        context_end_response(&r);
        for (guint i = 0; i < c->uids->len; i++)
                if (!leaves(uid_at(c, i), data))
                        g_array_index(c->uids, guint32, kept++) = uid_at(c, i);
        g_array_set_size(c->uids, kept);
}
