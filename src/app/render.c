/* render.c -- JSON values as aligned tables, lines and blocks. */
#include "app/render.h"
#include "base/clock.h"
#include "base/text.h"

#include <time.h>

struct Render {
        const Operation *operation;
        gboolean as_json;
        FILE *out;
        json_t *rows; /* that wait */
        json_t *result;
        guint n_printed;
};

#define CELL_MAX 160
#define GAP 2
#define STREAM_MIN 12 /* columns of rows that are printed before the next is known */

static const OperationColumn *
column_of(const Operation *operation, const char *key)
{
        for (guint i = 0; i < OPERATION_COLUMNS && operation->columns[i].key != NULL; i++)
                if (strcmp(operation->columns[i].key, key) == 0)
                        return &operation->columns[i];
        return NULL;
}

const char *
render_size(guint64 octets, char *buffer, gsize size)
{
        static const char UNITS[] = " KMGTPE";
        double value = (double) octets;
        guint unit = 0;

        while (value >= 1000 && unit < sizeof(UNITS) - 2) {
                value /= 1024;
                unit++;
        }
        if (unit == 0)
                g_snprintf(buffer, size, "%" G_GUINT64_FORMAT, octets);
        else
                g_snprintf(buffer, size, value < 9.95 ? "%.1f%c" : "%.0f%c", value, UNITS[unit]);
        return buffer;
}

/* "2026-01-31 12:34:56" in the zone of whoever looks. */
static char *
time_text(const char *iso)
{
        struct tm local;
        char text[32];
        Usec real;

        if (!clock_parse_iso(iso, &real))
                return g_strdup(iso);
        time_t seconds = (time_t) (real / USEC_PER_SEC);
        if (localtime_r(&seconds, &local) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
                return g_strdup(iso);
        return g_strdup(text);
}

static char *
array_text(const json_t *array)
{
        GString *s = g_string_new(NULL);
        const json_t *item;
        gsize i;

        json_array_foreach(array, i, item)
        {
                char *dumped = json_is_string(item) ? NULL : json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);
                g_string_append_printf(s, "%s%s", i > 0 ? ", " : "", dumped != NULL ? dumped : json_string_value(item));
                free(dumped);
        }
        return g_string_free(s, FALSE);
}

/* One value in a few words; escaped, so that no stranger's subject moves the cursor. */
static char *
value_text(const json_t *value, ColumnKind kind)
{
        char size[32];

        switch (json_typeof(value)) {
        case JSON_NULL:
                return g_strdup("");
        case JSON_TRUE:
        case JSON_FALSE:
                return g_strdup(json_is_true(value) ? "yes" : "no");
        case JSON_INTEGER:
                if (kind == COLUMN_SIZE)
                        return g_strdup(render_size((guint64) json_integer_value(value), size, sizeof(size)));
                return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        case JSON_REAL:
                return g_strdup_printf("%.2f", json_real_value(value));
        case JSON_STRING:
                if (kind == COLUMN_SENDER && json_string_length(value) == 0)
                        return g_strdup("<>");
                if (kind == COLUMN_TIME)
                        return time_text(json_string_value(value));
                return text_escape(span_make(json_string_value(value), json_string_length(value)), 4096);
        case JSON_ARRAY: {
                g_autofree char *text = array_text(value);
                return text_escape(span_of(text), 4096);
        }
        case JSON_OBJECT:
                break;
        }
        return g_strdup("...");
}

/* Columns of a terminal, not octets. */
static gsize
text_width(const char *text)
{
        gsize width = 0;

        for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
        }
        return width;
}

/* Cut where something stands behind it. */
static char *
cell_text(const json_t *row, const OperationColumn *column, gboolean is_last)
{
        const json_t *value = json_object_get(row, column->key);
        g_autofree char *text = value != NULL ? value_text(value, column->kind) : g_strdup("");

        if (is_last || g_utf8_strlen(text, -1) <= CELL_MAX)
                return g_steal_pointer(&text);
        g_autofree char *cut = g_utf8_substring(text, 0, CELL_MAX - 3);
        return g_strconcat(cut, "...", NULL);
}

/* Tables -------------------------------------------------------------------------------------------------------- */

static void
put_cell(FILE *out, const char *text, gsize width, gboolean is_right, gboolean is_last)
{
        gsize pad = width > text_width(text) ? width - text_width(text) : 0;

        if (is_right)
                fprintf(out, "%*s%s%s", (int) pad, "", text, is_last ? "" : "  ");
        else
                fprintf(out, "%s%*s", text, is_last ? 0 : (int) pad + GAP, "");
}

static gboolean
column_is_right(const OperationColumn *column)
{
        return column->kind == COLUMN_NUMBER || column->kind == COLUMN_SIZE;
}

/* The last column that has anything; trailing white space helps nobody. */
static void
put_line(Render *r, char *const *cells, const gsize *widths, const gboolean *shown, guint n)
{
        guint last = 0;

        for (guint i = 0; i < n; i++)
                if (shown[i] && cells[i][0] != '\0')
                        last = i;
        for (guint i = 0; i <= last && i < n; i++)
                if (shown[i])
                        put_cell(r->out, cells[i], widths[i], column_is_right(&r->operation->columns[i]), i == last);
        fputc('\n', r->out);
}

static void
table_print(Render *r)
{
        const OperationColumn *columns = r->operation->columns;
        gsize n_rows = json_array_size(r->rows), n = 0;
        gsize widths[OPERATION_COLUMNS] = {0};
        gboolean shown[OPERATION_COLUMNS] = {FALSE};
        char *titles[OPERATION_COLUMNS];

        while (n < OPERATION_COLUMNS && columns[n].key != NULL)
                n++;
        g_autofree char **cells = g_new0(char *, n_rows *n + 1);
        for (gsize i = 0; i < n_rows * n; i++) {
                cells[i] = cell_text(json_array_get(r->rows, i / n), &columns[i % n], i % n == n - 1);
                widths[i % n] = MAX(widths[i % n], text_width(cells[i]));
                shown[i % n] |= cells[i][0] != '\0'; /* a column that nobody fills is left out */
        }
        for (gsize i = 0; i < n; i++) {
                titles[i] = g_ascii_strup(columns[i].title, -1);
                widths[i] = MAX(widths[i], text_width(titles[i]));
        }
        if (n_rows > 0)
                put_line(r, titles, widths, shown, (guint) n);
        for (gsize i = 0; i < n_rows; i++)
                put_line(r, cells + i * n, widths, shown, (guint) n);
        for (gsize i = 0; i < n; i++)
                g_free(titles[i]);
        for (gsize i = 0; i < n_rows * n; i++)
                g_free(cells[i]);
}

/* A row at once, in columns of guessed width. */
static void
stream_row(Render *r, const json_t *row)
{
        const OperationColumn *columns = r->operation->columns;
        gsize widths[OPERATION_COLUMNS];
        gboolean shown[OPERATION_COLUMNS];
        char *cells[OPERATION_COLUMNS];
        guint n = 0;

        for (; n < OPERATION_COLUMNS && columns[n].key != NULL; n++) {
                cells[n] = cell_text(row, &columns[n], n + 1 == OPERATION_COLUMNS || columns[n + 1].key == NULL);
                shown[n] = json_object_get(row, columns[n].key) != NULL;
                widths[n] = columns[n].width != 0 ? columns[n].width : column_is_right(&columns[n]) ? 6 : STREAM_MIN;
        }
        put_line(r, cells, widths, shown, n);
        fflush(r->out);
        for (guint i = 0; i < n; i++)
                g_free(cells[i]);
}

/* Lines --------------------------------------------------------------------------------------------------------- */

static void
put_name(FILE *out, const Operation *operation, const char *key, guint indent, guint width)
{
        const OperationColumn *column = column_of(operation, key);
        g_autofree char *name = g_strdup(column != NULL ? column->title : key);

        g_strdelimit(name, "_", ' ');
        fprintf(out, "%*s%-*s", (int) indent, "", (int) width, name);
}

static guint
name_width(const Operation *operation, const json_t *object)
{
        const char *key;
        const json_t *value;
        guint width = 0;

        json_object_foreach((json_t *) object, key, value)
        {
                const OperationColumn *column = column_of(operation, key);
                if (!json_is_null(value))
                        width = MAX(width, (guint) strlen(column != NULL ? column->title : key));
        }
        return width + GAP;
}

static void lines_print(Render *r, const json_t *object, const char *except, guint indent, gboolean is_first_indented);

/* An object in a list: its first value as a headline, the others below it. */
static void
item_print(Render *r, const json_t *object, guint indent)
{
        void *first = json_object_iter((json_t *) object);

        if (first == NULL)
                return;
        g_autofree char *headline = value_text(json_object_iter_value(first), COLUMN_TEXT);
        fprintf(r->out, "%s\n", headline);
        lines_print(r, object, json_object_iter_key(first), indent + GAP, TRUE);
}

/* A list below its name: texts one a line, objects as blocks. Our own values are nested two or three deep. */
static void
list_print(Render *r, const json_t *array, guint indent)
{
        const json_t *item;
        gsize i;

        json_array_foreach(array, i, item)
        {
                if (i > 0)
                        fprintf(r->out, "%*s", (int) indent, "");
                if (json_is_object(item)) {
                        item_print(r, item, indent);
                } else {
                        g_autofree char *text = value_text(item, COLUMN_TEXT);
                        fprintf(r->out, "%s\n", text);
                }
        }
}

/* "key  value" lines without `except`; the first one stands where the cursor is unless told otherwise. */
static void
lines_print(Render *r, const json_t *object, const char *except, guint indent, gboolean is_first_indented)
{
        guint width = name_width(r->operation, object);
        gboolean is_first = TRUE;
        const char *key;
        const json_t *value;

        json_object_foreach((json_t *) object, key, value)
        {
                const OperationColumn *column = column_of(r->operation, key);

                if (json_is_null(value) || g_strcmp0(key, except) == 0 ||
                    (json_is_array(value) && json_array_size(value) == 0))
                        continue;
                put_name(r->out, r->operation, key, is_first && !is_first_indented ? 0 : indent, width);
                is_first = FALSE;
                if (json_is_object(value)) {
                        lines_print(r, value, NULL, indent + width, FALSE);
                } else if (json_is_array(value)) {
                        list_print(r, value, indent + width);
                } else {
                        g_autofree char *text = value_text(value, column != NULL ? column->kind : COLUMN_TEXT);
                        fprintf(r->out, "%s\n", text[0] != '\0' ? text : "-");
                }
        }
        if (is_first && except == NULL)
                fputc('\n', r->out);
}

/* Operations whose values hold lists of objects are shown as blocks of lines. */
static gboolean
rows_are_blocks(const Render *r)
{
        const json_t *first = json_array_get(r->rows, 0);
        const char *key;
        const json_t *value;

        json_object_foreach((json_t *) first, key,
                            value) if (json_is_object(value) ||
                                       (json_is_array(value) && json_is_object(json_array_get(value, 0)))) return TRUE;
        return FALSE;
}

/* --------------------------------------------------------------------------------------------------------------- */

Render *
render_new(const Operation *operation, gboolean as_json, FILE *out)
{
        Render *r = g_new0(Render, 1);

        r->operation = operation;
        r->as_json = as_json;
        r->out = out;
        r->rows = json_array();
        return r;
}

void
render_row(Render *r, const json_t *row)
{
        if (r->as_json && r->operation->is_list) {
                char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(6));
                fprintf(r->out, "%s%s", r->n_printed++ > 0 ? ",\n " : "[", text);
                free(text);
        } else if (!r->as_json && r->operation->rows != NULL) {
                stream_row(r, row);
        } else {
                json_array_append(r->rows, (json_t *) row);
        }
}

void
render_result(Render *r, const json_t *object)
{
        json_decref(r->result);
        r->result = json_incref((json_t *) object);
}

static void
render_end_json(Render *r, gboolean is_done)
{
        if (r->operation->is_list) {
                if (r->n_printed > 0)
                        fputs("]\n", r->out);
                else if (is_done)
                        fputs("[]\n", r->out);
                return;
        }
        if (r->result == NULL && r->operation->rows == NULL && !is_done)
                return;
        json_t *object = r->result != NULL ? json_copy(r->result) : json_object();
        if (r->operation->rows != NULL)
                json_object_set(object, r->operation->rows, r->rows);
        char *text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
        fprintf(r->out, "%s\n", text);
        free(text);
        json_decref(object);
}

gboolean
render_end(Render *r, gboolean is_done)
{
        const json_t *row;
        gsize i;

        if (r->as_json) {
                render_end_json(r, is_done);
        } else {
                if (r->operation->is_list && rows_are_blocks(r)) {
                        json_array_foreach(r->rows, i, row)
                        {
                                if (i > 0)
                                        fputc('\n', r->out);
                                lines_print(r, row, NULL, 0, TRUE);
                        }
                } else if (r->operation->is_list) {
                        table_print(r);
                }
                if (r->result != NULL)
                        lines_print(r, r->result, NULL, 0, TRUE);
        }
        return fflush(r->out) == 0 && !ferror(r->out);
}

void
render_free(Render *r)
{
        if (r == NULL)
                return;
        json_decref(r->rows);
        json_decref(r->result);
        g_free(r);
}
