/* sandbox.c -- Landlock and seccomp. */
#include "app/sandbox.h"

#include "mail/charset.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Landlock ------------------------------------------------------------------------------------------------------ */

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LANDLOCK_WRITE                                                                                                 \
        (LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
         LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define LANDLOCK_ALL_V1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* the thirteen rights of the first version */
#define LANDLOCK_REFER (1ULL << 13)                              /* since version 2 */
#define LANDLOCK_TRUNCATE (1ULL << 14)                           /* since version 3 */
#define LANDLOCK_FILE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_TRUNCATE)

/* What libraries read by themselves. Those that are missing are left out. */
/* clang-format off */
static const char *const SYSTEM_READ[] = {
        "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
        "/etc/protocols", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/timezone", "/etc/ssl", "/etc/pki",
        "/etc/ld.so.cache", "/run/systemd/resolve", "/usr/share/zoneinfo", "/usr/share/ca-certificates",
        "/usr/local/share/ca-certificates", "/usr/share/dns", "/var/lib/unbound", "/etc/unbound", "/usr/lib", "/lib",
        "/lib64", "/proc/sys", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random", NULL,
};
/* clang-format on */

static gboolean
landlock_add(int ruleset, const char *path, guint64 rights, GError **error)
{
        struct stat st;
        int fd = open(path, O_PATH | O_CLOEXEC);

        if (fd < 0 && (errno == ENOENT || errno == EACCES))
                return TRUE;
        if (fd < 0 || fstat(fd, &st) < 0) {
                fault_errno(error, "sandbox: %s", path);
                if (fd >= 0)
                        close(fd);
                return FALSE;
        }
        struct landlock_path_beneath_attr rule = {
                .allowed_access = S_ISDIR(st.st_mode) ? rights : rights & LANDLOCK_FILE_RIGHTS, .parent_fd = fd};
        long added = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        if (added < 0)
                fault_errno(error, "sandbox: %s", path);
        close(fd);
        return added == 0;
}

static gboolean
landlock_enter(const char *const *write, const char *const *read, int abi, GError **error)
{
        guint64 later = (abi >= 2 ? LANDLOCK_REFER : 0) | (abi >= 3 ? LANDLOCK_TRUNCATE : 0);
        struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ALL_V1 | later};
        int ruleset = (int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
        gboolean is_in = ruleset >= 0;

        for (gsize i = 0; is_in && write[i] != NULL; i++)
                is_in = landlock_add(ruleset, write[i], LANDLOCK_WRITE | later, error);
        for (gsize i = 0; is_in && read[i] != NULL; i++)
                is_in = landlock_add(ruleset, read[i], LANDLOCK_READ, error);
        for (gsize i = 0; is_in && SYSTEM_READ[i] != NULL; i++)
                is_in = landlock_add(ruleset, SYSTEM_READ[i], LANDLOCK_READ, error);
        is_in = is_in && landlock_add(ruleset, "/dev/null", LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE, error);
        if (is_in && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                is_in = fault_errno(error, "sandbox: landlock");
        if (ruleset >= 0)
                close(ruleset);
        else
                fault_errno(error, "sandbox: landlock");
        return is_in;
}

/* seccomp ------------------------------------------------------------------------------------------------------- */

/* Nothing in a mail server asks for these; a library that tries is told no. */
/* clang-format off */
static const char *const REFUSED[] = {
        "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "mount",
        "umount2", "umount", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
        "pivot_root", "chroot", "setns", "unshare", "kexec_load", "kexec_file_load", "init_module", "finit_module",
        "delete_module", "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "personality",
        "swapon", "swapoff", "reboot", "sethostname", "setdomainname", "acct", "quotactl", "quotactl_fd",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "open_by_handle_at", "name_to_handle_at",
        "io_uring_setup", "io_uring_enter", "io_uring_register", "setuid", "setgid", "setreuid", "setregid",
        "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset", "mknod", "mknodat", "ioperm",
        "iopl", "modify_ldt", "vhangup", "nfsservctl", "lookup_dcookie", "syslog", "fanotify_init", "tuxcall",
        "uselib", NULL,
};
/* clang-format on */

static gboolean
seccomp_rules(scmp_filter_ctx ctx)
{
        for (gsize i = 0; REFUSED[i] != NULL; i++) {
                int number = seccomp_syscall_resolve_name(REFUSED[i]);
                if (number >= 0 && seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), number, 0) < 0)
                        return FALSE;
        }
        /* glibc falls back from clone3, whose flags can't be seen from here, to clone, whose flags can: threads only.
         */
        return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
               seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0 &&
               seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execve), 0) == 0 &&
               seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SCMP_SYS(execveat), 0) == 0;
}

static gboolean
seccomp_enter(gboolean *ret_has, GError **error)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

        *ret_has = FALSE;
        if (ctx == NULL)
                return TRUE; /* not on this machine */
        gboolean is_made = seccomp_rules(ctx);
        int loaded = is_made ? seccomp_load(ctx) : -EINVAL;
        seccomp_release(ctx);
        if (!is_made)
                return fault(error, FAULT_INTERNAL, "sandbox: the seccomp rules could not be made");
        *ret_has = loaded == 0;
        if (loaded == 0 || loaded == -EINVAL || loaded == -ENOSYS)
                return TRUE; /* a kernel without it */
        errno = -loaded;
        return fault_errno(error, "sandbox: seccomp");
}

/* --------------------------------------------------------------------------------------------------------------- */

void
sandbox_preload(void)
{
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;

        if (getaddrinfo("localhost", NULL, &hints, &found) == 0)
                freeaddrinfo(found);
        (void) getpwuid(0);
        tzset();
        mail_charsets_preload();
}

gboolean
sandbox_enter(const char *const *write, const char *const *read, SandboxReport *ret, GError **error)
{
        int abi = (int) syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        *ret = (SandboxReport){0};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fault_errno(error, "sandbox: no_new_privs");
        if (abi > 0) {
                if (!landlock_enter(write, read, abi, error))
                        return FALSE;
                ret->landlock_abi = abi;
        }
        return seccomp_enter(&ret->has_seccomp, error);
}
