/* watch.c -- who is woken when an account changes.
 *
 *  1. A watch is in the table from its birth to its end; it is in `pending` while is_pending.
 *  2. One watch's function runs at a time, without the lock; its end waits for it.
 */
#include "directory/internal.h"

struct AccountWatch {
        Directory *directory;
        gint64 account;
        void (*fn)(gpointer data);
        gpointer data;
        gboolean is_pending;
};

static void
watches_free(gpointer data)
{
        g_ptr_array_unref(data);
}

void
directory_watches_init(Directory *directory)
{
        mutex_init(&directory->watches_mutex, "directory.watches");
        cond_init(&directory->watches_called);
        directory->watches = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, watches_free);
        directory->watches_pending = g_ptr_array_new();
}

void
directory_watches_done(Directory *directory)
{
        g_assert(g_hash_table_size(directory->watches) == 0);
        g_hash_table_unref(directory->watches);
        g_ptr_array_unref(directory->watches_pending);
        cond_done(&directory->watches_called);
        mutex_done(&directory->watches_mutex);
}

AccountWatch *
directory_watch_account(Directory *directory, gint64 account, void (*fn)(gpointer data), gpointer data)
{
        AccountWatch *watch = g_new0(AccountWatch, 1);

        *watch = (AccountWatch){.directory = directory, .account = account, .fn = fn, .data = data};
        MUTEX_SCOPE(&directory->watches_mutex);
        GPtrArray *watches = g_hash_table_lookup(directory->watches, &account);
        if (watches == NULL) {
                watches = g_ptr_array_new();
                g_hash_table_insert(directory->watches, g_memdup2(&account, sizeof(account)), watches);
        }
        g_ptr_array_add(watches, watch);
        return watch;
}

void
account_watch_free(AccountWatch *watch)
{
        if (watch == NULL)
                return;
        Directory *directory = watch->directory;

        mutex_lock(&directory->watches_mutex);
        GPtrArray *watches = g_hash_table_lookup(directory->watches, &watch->account);
        g_ptr_array_remove_fast(watches, watch);
        if (watches->len == 0)
                g_hash_table_remove(directory->watches, &watch->account);
        if (watch->is_pending)
                g_ptr_array_remove_fast(directory->watches_pending, watch);
        while (directory->watches_called_now == watch)
                cond_wait(&directory->watches_called, &directory->watches_mutex);
        mutex_unlock(&directory->watches_mutex);
        g_free(watch);
}

static void
watches_gather(Directory *directory, gint64 account)
{
        const GPtrArray *watches = g_hash_table_lookup(directory->watches, &account);

        for (guint i = 0; watches != NULL && i < watches->len; i++) {
                AccountWatch *watch = watches->pdata[i];
                if (!watch->is_pending)
                        g_ptr_array_add(directory->watches_pending, watch);
                watch->is_pending = TRUE;
        }
}

/* With the lock, which is put down around each call. */
static void
watches_call(Directory *directory)
{
        GPtrArray *pending = directory->watches_pending;

        while (pending->len > 0) {
                AccountWatch *watch = g_ptr_array_steal_index_fast(pending, pending->len - 1);
                watch->is_pending = FALSE;
                directory->watches_called_now = watch;
                mutex_unlock(&directory->watches_mutex);
                watch->fn(watch->data);
                mutex_lock(&directory->watches_mutex);
                directory->watches_called_now = NULL;
                cond_broadcast(&directory->watches_called);
        }
}

typedef struct Changed {
        Directory *directory;
        gint64 account;
} Changed;

/* Commits have their hooks one after the other, so nobody else is calling. Who is woken finds the change. */
static void
publish_account(gpointer data)
{
        const Changed *changed = data;

        directory_publish(changed->directory);
        mutex_lock(&changed->directory->watches_mutex);
        watches_gather(changed->directory, changed->account);
        watches_call(changed->directory);
        mutex_unlock(&changed->directory->watches_mutex);
}

void
directory_touch_account(Directory *directory, DbTxn *txn, gint64 account)
{
        const Changed changed = {directory, account};

        db_on_commit(txn, publish_account, g_memdup2(&changed, sizeof(changed)), g_free);
}
