/* migrate.c -- from the schema found to ours, one step a transaction. */
#include "db/internal.h"

static gboolean
migrate_step(Conn *writer, const DbMigration *step, GError **error)
{
        g_autofree char *mark = g_strdup_printf("PRAGMA user_version=%d; COMMIT", step->version);

        if (conn_exec(writer, "BEGIN IMMEDIATE", error) && conn_exec(writer, step->sql, error) &&
            conn_exec(writer, mark, error))
                return TRUE;
        if (!sqlite3_get_autocommit(writer->handle))
                sqlite3_exec(writer->handle, "ROLLBACK", NULL, NULL, NULL);
        fault_prefix(error, "schema %d: ", step->version);
        return FALSE;
}

gboolean
schema_make(Conn *writer, const DbMigration *schema, GError **error)
{
        gint64 found = 0;

        if (!conn_get_int(writer, "PRAGMA user_version", &found, error))
                return FALSE;
        if (found == 0)
                return migrate_step(writer, schema, error);
        return found == schema->version ||
               fault(error, FAULT_INPUT, "the index has version %d, not %d", (int) found, schema->version);
}

/* FALSE as well when something must be done and may not be. */
gboolean
schema_migrate(Conn *writer, gboolean may_write, GError **error)
{
        gint64 found = 0;

        if (!conn_get_int(writer, "PRAGMA user_version", &found, error))
                return FALSE;
        if (found < 0 || found > DB_SCHEMA_VERSION)
                return fault(error, FAULT_INPUT,
                             "the database has schema %d, this program knows up to %d: use a newer version of restante",
                             (int) found, DB_SCHEMA_VERSION);
        if (found < DB_SCHEMA_VERSION && !may_write)
                return fault(error, FAULT_IO, "the database could not be recovered, so its schema can't be updated");
        for (int i = 0; i < DB_SCHEMA_VERSION; i++)
                if (DB_MIGRATIONS[i].version > found && !migrate_step(writer, &DB_MIGRATIONS[i], error))
                        return FALSE;
        return TRUE;
}
