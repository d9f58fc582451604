/* sandbox_test.c -- what the server process can't do, tried in children that enter the sandbox (RELIABILITY.md §3). */
#include "app/sandbox.h"
#include "base/testing.h"
#include "base/thread.h"
#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *data_dir, *read_dir, *foreign_dir;

typedef int (*Attempt)(void);

/* Exit status of an attempt inside; -SIGNAL when it was killed; 77: the kernel has no such sandbox. */
static int
inside(Attempt attempt, gboolean needs_landlock)
{
        pid_t child = fork();
        int status;

        g_assert_cmpint(child, >=, 0);
        if (child == 0) {
                const char *write[] = {data_dir, NULL}, *read[] = {read_dir, NULL};
                g_autoptr(GError) error = NULL;
                SandboxReport report;

                sandbox_preload();
                if (!sandbox_enter(write, read, &report, &error)) {
                        fprintf(stderr, "%s\n", error->message);
                        _exit(100);
                }
                if ((needs_landlock && report.landlock_abi == 0) || (!needs_landlock && !report.has_seccomp))
                        _exit(77);
                _exit(attempt());
        }
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
check(Attempt attempt, gboolean needs_landlock, int expected)
{
        int result = inside(attempt, needs_landlock);

        if (result == 77)
                g_test_skip("this kernel has no such sandbox");
        else
                g_assert_cmpint(result, ==, expected);
}

static int
try_exec(void)
{
        execl("/bin/true", "true", NULL);
        return 1; /* not killed */
}

static int
try_fork(void)
{
        pid_t child = fork();

        if (child == 0)
                _exit(0);
        return child < 0 && errno == EPERM ? 0 : 1;
}

static int
try_ptrace(void)
{
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM ? 0 : 1;
}

/* The system call itself: the C library's setuid() asks it of every thread, and sanitizers have one that is outside. */
static int
try_become_other(void)
{
        return syscall(SYS_setuid, 12345) < 0 && errno == EPERM ? 0 : 1;
}

static int
is_refused(const char *dir, int flags)
{
        g_autofree char *path = g_build_filename(dir, "file", NULL);
        int fd = open(path, flags, 0600);

        return fd < 0 && errno == EACCES ? 0 : 1;
}

static int
try_foreign_read(void)
{
        return is_refused(foreign_dir, O_RDONLY);
}

static int
try_shadow(void)
{
        return open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
}

static int
try_foreign_make(void)
{
        g_autofree char *path = g_build_filename(foreign_dir, "new", NULL);

        return open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES ? 0 : 1;
}

static int
try_write_where_only_read(void)
{
        return is_refused(read_dir, O_RDWR);
}

static int
try_read_settings(void)
{
        return is_refused(read_dir, O_RDONLY) == 0 ? 1 : 0;
}

static int
try_unlink_foreign(void)
{
        g_autofree char *path = g_build_filename(foreign_dir, "file", NULL);

        return unlink(path) < 0 && errno == EACCES ? 0 : 1;
}

static void
thread_mark(gpointer data)
{
        *(gboolean *) data = TRUE;
}

static int
try_thread(void)
{
        gboolean was_here = FALSE;
        Thread *thread = thread_new("inside", thread_mark, &was_here, NULL);

        if (thread == NULL)
                return 1;
        thread_take_join(thread);
        return was_here ? 0 : 2;
}

static int
try_names(void)
{
        struct addrinfo *found = NULL;

        return getaddrinfo("localhost", "25", NULL, &found) == 0 ? 0 : 1;
}

/* Files are made, grown, renamed and truncated in the data directory: what the database and segments need. */
static int
try_work(void)
{
        g_autofree char *a = g_build_filename(data_dir, "sub", NULL);
        g_autofree char *b = g_build_filename(a, "x", NULL);
        g_autofree char *c = g_build_filename(data_dir, "y", NULL);
        int fd;

        if (mkdir(a, 0700) < 0 || (fd = open(b, O_RDWR | O_CREAT, 0600)) < 0 || posix_fallocate(fd, 0, 65536) != 0 ||
            mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED || ftruncate(fd, 10) < 0 ||
            fdatasync(fd) < 0)
                return 1;
        if (rename(b, c) < 0)
                return 2;
        return unlink(c) == 0 && rmdir(a) == 0 ? 0 : 3;
}

static int
try_database(void)
{
        DB_SQL(INSERT, "INSERT INTO setting (name, value) VALUES ('a', 'b')");
        g_autoptr(GError) error = NULL;
        g_autofree char *dir = g_build_filename(data_dir, "db", NULL);

        if (mkdir(dir, 0700) < 0)
                return 1;
        Db *db = db_open(dir, &error);
        if (db == NULL)
                return 2;
        DbTxn *txn = db_begin(db, &error);
        if (txn == NULL || !db_run(txn, &INSERT, &error, "") || db_take_commit(txn, &error) != DB_COMMITTED)
                return 3;
        db_close(db);
        return 0;
}

static void
exec_kills(void)
{
        check(try_exec, FALSE, -SIGSYS);
}

#define INSIDE(name, attempt, needs_landlock)                                                                          \
        static void name(void)                                                                                         \
        {                                                                                                              \
                check(attempt, needs_landlock, 0);                                                                     \
        }
INSIDE(fork_refused, try_fork, FALSE)
INSIDE(ptrace_refused, try_ptrace, FALSE)
INSIDE(other_user_refused, try_become_other, FALSE)
INSIDE(threads_work, try_thread, FALSE)
INSIDE(foreign_read_refused, try_foreign_read, TRUE)
INSIDE(shadow_refused, try_shadow, TRUE)
INSIDE(foreign_make_refused, try_foreign_make, TRUE)
INSIDE(foreign_unlink_refused, try_unlink_foreign, TRUE)
INSIDE(settings_write_refused, try_write_where_only_read, TRUE)
INSIDE(settings_read_works, try_read_settings, TRUE)
INSIDE(names_work, try_names, FALSE)
INSIDE(files_work, try_work, TRUE)
INSIDE(database_works, try_database, TRUE)

static char *
make_dir(void)
{
        g_autoptr(GError) error = NULL;
        char *dir = test_dir_make();
        g_autofree char *file = g_build_filename(dir, "file", NULL);

        g_assert_true(g_file_set_contents(file, "x", 1, &error));
        return dir;
}

int
main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        data_dir = make_dir();
        read_dir = make_dir();
        foreign_dir = make_dir();
        g_test_add_func("/app/sandbox/exec-kills", exec_kills);
        g_test_add_func("/app/sandbox/fork-is-refused", fork_refused);
        g_test_add_func("/app/sandbox/ptrace-is-refused", ptrace_refused);
        g_test_add_func("/app/sandbox/another-user-is-refused", other_user_refused);
        g_test_add_func("/app/sandbox/foreign-files-are-not-read", foreign_read_refused);
        g_test_add_func("/app/sandbox/shadow-is-not-read", shadow_refused);
        g_test_add_func("/app/sandbox/foreign-files-are-not-made", foreign_make_refused);
        g_test_add_func("/app/sandbox/foreign-files-are-not-removed", foreign_unlink_refused);
        g_test_add_func("/app/sandbox/settings-are-not-written", settings_write_refused);
        g_test_add_func("/app/sandbox/settings-are-read", settings_read_works);
        g_test_add_func("/app/sandbox/threads-start", threads_work);
        g_test_add_func("/app/sandbox/names-are-looked-up", names_work);
        g_test_add_func("/app/sandbox/files-of-the-site-are-written", files_work);
        g_test_add_func("/app/sandbox/the-database-works", database_works);
        int status = g_test_run();
        test_dir_remove(data_dir);
        test_dir_remove(read_dir);
        test_dir_remove(foreign_dir);
        return status;
}
