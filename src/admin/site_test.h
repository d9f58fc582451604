/* site_test.h -- a site in a directory of its own, with all rooms below admin, for the tests of this room. */
#pragma once

#include "admin/admin.h"
#include "base/testing.h"

#include <unistd.h>

typedef struct TestSite {
        char *dir;
        AdminRooms rooms;
} TestSite;

static void
test_site_open(TestSite *site)
{
        g_autoptr(GError) error = NULL;
        static guint8 key[32] = {1, 2, 3};

        memset(site, 0, sizeof(*site));
        site->dir = test_dir_make();
        AdminRooms *r = &site->rooms;
        r->hostname = "mx.test.example";
        r->is_loopback_site = TRUE;
        r->db = db_open(site->dir, &error);
        g_assert_no_error(error);
        r->blob = blob_open(site->dir, r->db, &error);
        g_assert_no_error(error);
        r->directory = directory_new(r->db);
        directory_set_postmaster(r->directory, "postmaster@mx.test.example");
        static const RouterListener LISTENERS[] = {{"127.0.0.1", 2525}};
        RouterSettings router = {.hostname = r->hostname, .postmaster = "postmaster@mx.test.example",
                                 .listeners = LISTENERS, .n_listeners = G_N_ELEMENTS(LISTENERS)};
        r->router = router_new(r->directory, r->db, &router);
        r->store = store_new(r->db, r->blob, r->directory);
        r->queue = queue_new(r->db, r->blob);
        r->guesses = guesses_new();
        IntakeRooms below = {r->db, r->blob, r->directory, r->router, r->store, r->queue};
        IntakeSettings settings = {.hostname = r->hostname, .max_size = 1000000, .max_recipients = 100, .max_received = 100,
                                   .loop_key = span_make(key, sizeof(key))};
        r->intake = intake_new(&below, &settings);
        FetchSettings fetch = {.hostname = r->hostname, .is_loopback_site = TRUE, .seal_key = span_make(key, sizeof(key)),
                               .max_parallel = 1, .own_ports = (const guint16[]){2110, 0}, .max_size = 1000000};
        r->fetch = fetch_new(r->db, r->directory, r->router, r->intake, &fetch, &error);
        g_assert_no_error(error);
}

static void
test_site_close(TestSite *site)
{
        AdminRooms *r = &site->rooms;

        fetch_free(r->fetch);
        intake_free(r->intake);
        guesses_free(r->guesses);
        queue_free(r->queue);
        store_free(r->store);
        router_free(r->router);
        directory_free(r->directory);
        blob_close(r->blob);
        db_close(r->db);
        test_dir_remove(site->dir);
        g_free(site->dir);
}

/* One call and everything it answered. */
typedef struct TestAnswer {
        AdminResult result;
        json_t *rows, *object;
        GString *warnings;
        char *reason;
        const char *input;
        gsize input_at;
} TestAnswer;

static void
test_row(const json_t *row, gpointer data)
{
        json_array_append(((TestAnswer *) data)->rows, (json_t *) row);
}

static void
test_result(const json_t *object, gpointer data)
{
        ((TestAnswer *) data)->object = json_incref((json_t *) object);
}

static void
test_warning(const char *text, gpointer data)
{
        g_string_append_printf(((TestAnswer *) data)->warnings, "%s\n", text);
}

/* In small pieces, so that line ends fall between two. */
static gssize
test_read(void *buffer, gsize len, gpointer data)
{
        TestAnswer *answer = data;
        gsize left = strlen(answer->input) - answer->input_at;
        gsize n = MIN(MIN(len, left > 1000 ? 4093 : 7), left);

        memcpy(buffer, answer->input + answer->input_at, n);
        answer->input_at += n;
        return (gssize) n;
}

static void
test_answer_init(TestAnswer *ret, const char *input)
{
        *ret = (TestAnswer){.rows = json_array(), .warnings = g_string_new(NULL), .input = input};
}

static void
test_answer_clear(TestAnswer *answer)
{
        json_decref(answer->rows);
        json_decref(answer->object);
        g_string_free(answer->warnings, TRUE);
        g_free(answer->reason);
}

/* words: "domain", "add", ... split at blanks by the caller's hand: verb NULL for single words. */
static G_GNUC_UNUSED void
test_call(TestSite *site, TestAnswer *ret, const char *password, const char *input, const char *noun, const char *verb,
          const char *const *args)
{
        static const char *const NO_ARGS[] = {NULL};
        AdminRequest request = {admin_find(noun, verb), args != NULL ? args : NO_ARGS, password, (guint) geteuid()};
        AdminOutput output = {.row = test_row, .result = test_result, .warning = test_warning, .read = test_read, .data = ret};

        g_assert_nonnull(request.operation);
        test_answer_init(ret, input != NULL ? input : "");
        ret->result = admin_run(&site->rooms, &request, &output, &ret->reason);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
