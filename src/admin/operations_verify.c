/* operations_verify.c -- verify: does everything that was acknowledged stand where the tables say? */
#include "admin/operations.h"

#define COMPLAINTS_MAX 1000

typedef struct Complaints {
        json_t *array;
        guint64 n;
} Complaints;

static void
complain(const char *text, gpointer data)
{
        Complaints *c = data;

        if (c->n++ < COMPLAINTS_MAX)
                json_array_append_new(c->array, json_pack("{s:o}", "complaint", json_text(text)));
}

static gboolean
verify_database(AdminCall *call, Complaints *c, GError **error)
{
        g_autoptr(GError) e = NULL;
        g_autofree char *text = db_integrity(admin_rooms(call)->db, &e);

        if (e != NULL) {
                g_propagate_error(error, g_steal_pointer(&e));
                return FALSE;
        }
        if (text == NULL)
                return TRUE;
        g_auto(GStrv) lines = g_strsplit(text, "\n", COMPLAINTS_MAX);
        for (gsize i = 0; lines[i] != NULL; i++)
                if (lines[i][0] != '\0')
                        complain(lines[i], c);
        return TRUE;
}

static AdminResult
verify_run(AdminCall *call)
{
        g_autoptr(GError) error = NULL;
        Complaints c = {json_array(), 0};
        gboolean with_bodies = admin_option(call, "--quick") == NULL;
        Usec started = clock_monotonic();
        guint64 entries = 0;
        json_t *row;
        gsize i;

        gboolean is_looked = verify_database(call, &c, &error) &&
                             store_verify(admin_rooms(call)->store, with_bodies, complain, &c, &entries, &error);
        json_array_foreach(c.array, i, row) admin_row(call, json_incref(row));
        json_decref(c.array);
        if (!is_looked)
                return admin_refuse(call, "not everything could be looked at: %s", error->message);

        BlobStats blobs;
        blob_stats(admin_rooms(call)->blob, &blobs);
        admin_result(call, json_pack("{s:I, s:I, s:I, s:b, s:I, s:f}", "entries", (json_int_t) entries, "segments",
                                     (json_int_t) blobs.segments, "octets", (json_int_t) blobs.stored_octets,
                                     "bodies_read", with_bodies, "complaints", (json_int_t) c.n, "seconds",
                                     (double) (clock_monotonic() - started) / (double) USEC_PER_SEC));
        if (c.n > 0)
                return admin_refuse(call, "%" G_GUINT64_FORMAT " complaint%s", c.n, c.n == 1 ? "" : "s");
        return ADMIN_DONE;
}

const Operation VERIFY = {
        .noun = "verify",
        .summary = "prove that every message is whole and where the tables say",
        .manual = "Runs the database's own check, compares mailboxes with their entries and bodies with their "
                  "references, and reads every body against its checksum. The server goes on serving meanwhile. Exit "
                  "status 1 when there is something to complain about.",
        .example = "restante verify",
        .options = {{"--quick", NULL, "leave out reading the bodies"}},
        .columns = {{"complaint", "complaint"},
                    {"entries", "mailbox entries", COLUMN_NUMBER},
                    {"segments", "segments", COLUMN_NUMBER},
                    {"octets", "stored", COLUMN_SIZE},
                    {"bodies_read", "bodies read", COLUMN_YES_NO},
                    {"complaints", "complaints", COLUMN_NUMBER},
                    {"seconds", "seconds"}},
        .rows = "complaint_list",
        .run = verify_run,
};
