/* schema.h -- the tables, and how older ones become them. The schema itself, with what each column means, stands in schema.c.
 *
 * A migration is a list of statements from version N to N+1, run in one transaction at db_open(). Tests open the data of every
 * release. Rooms name tables in their own DbSql; a table belongs to the one room named beside it in schema.c.
 */
#pragma once

#include <glib.h>

typedef struct DbMigration DbMigration;
struct DbMigration {
        int version;            /* after it */
        const char *sql;        /* statements separated by ';' */
};

extern const DbMigration DB_MIGRATIONS[];
extern const int DB_SCHEMA_VERSION;
