/* statement.c -- running statements inside a transaction. */
#include "db/internal.h"

#include <stdarg.h>

struct DbRows {
        DbTxn *txn; /* NULL once its transaction is over */
        Stmt *stmt;
        DbRows *next, **link; /* among the open rows of the transaction */
};

static int
bind_one(sqlite3_stmt *handle, int at, char letter, va_list *args)
{
        Span span;

        switch (letter) {
        case 'i':
                return sqlite3_bind_int64(handle, at, va_arg(*args, gint64));
        case 's':
                return sqlite3_bind_text(handle, at, va_arg(*args, const char *), -1, SQLITE_STATIC);
        case 't':
                span = va_arg(*args, Span);
                return sqlite3_bind_text64(handle, at, span.len > 0 ? (const char *) span.data : "", span.len,
                                           SQLITE_STATIC, SQLITE_UTF8);
        case 'b':
                span = va_arg(*args, Span);
                return sqlite3_bind_blob64(handle, at, span.len > 0 ? (const void *) span.data : "", span.len,
                                           SQLITE_STATIC);
        case 'n':
                return sqlite3_bind_null(handle, at);
        default:
                g_error("db: unknown letter '%c' in a statement's format", letter);
        }
}

static gboolean
bind_all(DbTxn *txn, Stmt *stmt, GError **error, const char *format, va_list *args)
{
        g_assert(sqlite3_bind_parameter_count(stmt->handle) == (int) strlen(format));

        for (int i = 0; format[i] != '\0'; i++)
                if (bind_one(stmt->handle, i + 1, format[i], args) != SQLITE_OK)
                        return conn_fault(txn->conn, error, sqlite3_sql(stmt->handle));
        return TRUE;
}

/* The statement, bound and ready, or NULL. */
static Stmt *
statement_start(DbTxn *txn, const DbSql *sql, const char *text, GError **error, const char *format, va_list *args)
{
        if (txn->is_dead) {
                fault(error, txn->fault != NULL ? (FaultCode) txn->fault->code : FAULT_IO,
                      "the transaction was rolled back by the engine");
                return NULL;
        }
        Stmt *stmt = sql != NULL ? conn_statement(txn->conn, sql, error) : conn_prepare(txn->conn, text, FALSE, error);
        if (stmt == NULL)
                return NULL;
        stmt->is_busy = TRUE;
        txn->has_written |= !stmt->is_readonly;
        if (!bind_all(txn, stmt, error, format, args)) {
                stmt_release(stmt);
                return NULL;
        }
        return stmt;
}

/* A step failed: say so, and see whether the engine took the whole batch with it. */
static void
statement_failed(DbTxn *txn, Stmt *stmt, GError **error)
{
        g_autoptr(GError) cause = NULL;

        txn->was_conflict = (sqlite3_extended_errcode(txn->conn->handle) & 0xff) == SQLITE_CONSTRAINT;
        conn_fault(txn->conn, &cause, sqlite3_sql(stmt->handle));
        sqlite3_reset(stmt->handle); /* an abandoned statement would hold the rollback back */
        batch_check(txn, cause);
        g_propagate_error(error, g_steal_pointer(&cause));
}

gboolean
db_run(DbTxn *txn, const DbSql *sql, GError **error, const char *format, ...)
{
        va_list args;
        int rc;

        txn->was_conflict = FALSE;
        va_start(args, format);
        Stmt *stmt = statement_start(txn, sql, NULL, error, format, &args);
        va_end(args);
        if (stmt == NULL)
                return FALSE;
        do
                rc = sqlite3_step(stmt->handle);
        while (rc == SQLITE_ROW);
        if (rc == SQLITE_DONE) {
                txn->changes = stmt->is_readonly ? 0 : sqlite3_changes64(txn->conn->handle);
                txn->last_id = sqlite3_last_insert_rowid(txn->conn->handle);
        } else
                statement_failed(txn, stmt, error);
        stmt_release(stmt);
        return rc == SQLITE_DONE;
}

gint64
db_changes(const DbTxn *txn)
{
        return txn->changes;
}

gint64
db_last_id(const DbTxn *txn)
{
        return txn->last_id;
}

gboolean
db_was_conflict(const DbTxn *txn)
{
        return txn->was_conflict;
}

static DbRows *
rows_new(DbTxn *txn, Stmt *stmt)
{
        DbRows *rows = g_new0(DbRows, 1);

        rows->txn = txn;
        rows->stmt = stmt;
        rows->link = &txn->rows;
        rows->next = txn->rows;
        if (rows->next != NULL)
                rows->next->link = &rows->next;
        txn->rows = rows;
        return rows;
}

static void
rows_detach(DbRows *rows)
{
        if (rows->txn == NULL)
                return;
        stmt_release(rows->stmt);
        *rows->link = rows->next;
        if (rows->next != NULL)
                rows->next->link = rows->link;
        rows->txn = NULL;
        rows->stmt = NULL;
}

/* Rows whose scope ends after their transaction give nothing more, and harm nobody. */
void
rows_detach_all(DbTxn *txn)
{
        while (txn->rows != NULL)
                rows_detach(txn->rows);
}

void
db_rows_free(DbRows *rows)
{
        if (rows == NULL)
                return;
        rows_detach(rows);
        g_free(rows);
}

DbRows *
db_query(DbTxn *txn, const DbSql *sql, GError **error, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        Stmt *stmt = statement_start(txn, sql, NULL, error, format, &args);
        va_end(args);
        return stmt != NULL ? rows_new(txn, stmt) : NULL;
}

DbRows *
db_query_text(DbTxn *txn, const char *sql, GError **error, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        Stmt *stmt = statement_start(txn, NULL, sql, error, format, &args);
        va_end(args);
        return stmt != NULL ? rows_new(txn, stmt) : NULL;
}

DbStep
db_rows_next(DbRows *rows, GError **error)
{
        if (rows->txn == NULL || rows->txn->is_dead) {
                fault(error, FAULT_INTERNAL, "rows were read after the end of their transaction");
                return DB_ROW_FAILED;
        }
        switch (sqlite3_step(rows->stmt->handle)) {
        case SQLITE_ROW:
                return DB_ROW;
        case SQLITE_DONE:
                return DB_ROW_END;
        default:
                statement_failed(rows->txn, rows->stmt, error);
                return DB_ROW_FAILED;
        }
}

gint64
db_int(const DbRows *rows, int column)
{
        return rows->stmt != NULL ? sqlite3_column_int64(rows->stmt->handle, column) : 0;
}

Span
db_bytes(const DbRows *rows, int column)
{
        if (rows->stmt == NULL)
                return SPAN_EMPTY;
        const void *data = sqlite3_column_blob(rows->stmt->handle, column);
        int len = sqlite3_column_bytes(rows->stmt->handle, column);

        return data != NULL && len > 0 ? span_make(data, (gsize) len) : SPAN_EMPTY;
}

const char *
db_text(const DbRows *rows, int column)
{
        return rows->stmt != NULL ? (const char *) sqlite3_column_text(rows->stmt->handle, column) : NULL;
}

gboolean
db_is_null(const DbRows *rows, int column)
{
        return rows->stmt == NULL || sqlite3_column_type(rows->stmt->handle, column) == SQLITE_NULL;
}

DbStep
db_get_int(DbTxn *txn, const DbSql *sql, gint64 *ret, GError **error, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        Stmt *stmt = statement_start(txn, sql, NULL, error, format, &args);
        va_end(args);
        if (stmt == NULL)
                return DB_ROW_FAILED;

        int rc = sqlite3_step(stmt->handle);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(stmt->handle, 0);
        else if (rc != SQLITE_DONE)
                statement_failed(txn, stmt, error);
        stmt_release(stmt);
        return rc == SQLITE_ROW ? DB_ROW : rc == SQLITE_DONE ? DB_ROW_END : DB_ROW_FAILED;
}
