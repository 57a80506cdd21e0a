/* tools/process/confine_calls.c: the calls that an agent makes, and nothing else.
 *
 * The list was measured (strace -f under test/tools/test_agents; test/kernel/t_confined shows that
 * it is enough for the kernel's side) and then rounded up by family, since the next libc, libuv or
 * resolver asks for the next member of one: openat2 for openat, newfstatat for fstat. What is not
 * on it answers ENOSYS, as a kernel without it would, and libraries fall back: an update of libc
 * must not stop a balancer. (That is also why clone3 is not there: its flags lie in memory, where a
 * filter cannot see them, and libc then uses clone.) io_uring is refused in the same way and not by
 * death, because libuv tries it.
 *
 * Only what nobody but an intruder can mean kills: starting programs, looking into processes, other
 * namespaces, modules, mounts. */
#include "tools/process/confine.h"

#ifndef GVS_SECCOMP

int
gvs_confine_calls(void)
{
    return 0;
}

int
gvs_confine_helper_calls(void)
{
    return 0;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "core/err.h"

static const int allowed[] = {
    /* files: the store, configuration, services.d, what the C library reads for itself */
    SCMP_SYS(access),
    SCMP_SYS(close),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fallocate),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(fchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(fcntl),
    SCMP_SYS(fcntl64),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(fstatat64),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fstatfs64),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(ftruncate64),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(ioctl),
    SCMP_SYS(_llseek),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(lstat64),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(preadv2),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(pwritev2),
    SCMP_SYS(read),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(sendfile),
    SCMP_SYS(sendfile64),
    SCMP_SYS(stat),
    SCMP_SYS(stat64),
    SCMP_SYS(statfs),
    SCMP_SYS(statfs64),
    SCMP_SYS(statx),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(umask),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* sockets; socket itself by family, below */
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(listen),
    SCMP_SYS(recv),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmmsg_time64),
    SCMP_SYS(recvmsg),
    SCMP_SYS(send),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    SCMP_SYS(socketpair),
    /* waiting */
    SCMP_SYS(_newselect),
    SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(ppoll_time64),
    SCMP_SYS(pselect6),
    SCMP_SYS(pselect6_time64),
    SCMP_SYS(select),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(timerfd_settime),
    /* time */
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_getres_time64),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep),
    SCMP_SYS(time),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mincore),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(mmap),
    SCMP_SYS(mmap2),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(msync),
    SCMP_SYS(munlock),
    SCMP_SYS(munmap),
    /* threads; clone itself by its flags, below */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(futex_time64),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(getcpu),
    SCMP_SYS(gettid),
    SCMP_SYS(membarrier),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    /* signals; kill and the like to anybody: a bug's abort() must work, and the kernel asks who */
    SCMP_SYS(kill),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sigreturn),
    SCMP_SYS(tgkill),
    /* who and where we are */
    SCMP_SYS(capget),
    SCMP_SYS(getegid),
    SCMP_SYS(getegid32),
    SCMP_SYS(geteuid),
    SCMP_SYS(geteuid32),
    SCMP_SYS(getgid),
    SCMP_SYS(getgid32),
    SCMP_SYS(getgroups),
    SCMP_SYS(getgroups32),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getresgid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(getuid),
    SCMP_SYS(getuid32),
    SCMP_SYS(sysinfo),
    SCMP_SYS(times),
    SCMP_SYS(ugetrlimit),
    SCMP_SYS(uname),
    /* how the helper ended */
    SCMP_SYS(wait4),
};

/* Of the process that enters namespaces; setns by the kind, openat for reading alone: below. */
static const int allowed_helper[] = {
    SCMP_SYS(close),   SCMP_SYS(exit_group), SCMP_SYS(fstat),           SCMP_SYS(fstat64),
    SCMP_SYS(fstatfs), SCMP_SYS(fstatfs64),  SCMP_SYS(getsockopt),      SCMP_SYS(newfstatat),
    SCMP_SYS(recv),    SCMP_SYS(recvfrom),   SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmsg), SCMP_SYS(sigreturn),  SCMP_SYS(statx),
};

static const int deadly[] = {
    SCMP_SYS(bpf),
    SCMP_SYS(delete_module),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(finit_module),
    SCMP_SYS(init_module),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load),
    SCMP_SYS(mount),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(pivot_root),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace),
    SCMP_SYS(reboot),
    SCMP_SYS(umount2),
    SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd),
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int
add_families(scmp_filter_ctx f)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof families / sizeof *families && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    return rc;
}

/* Adds what depends on an argument. A negative number of libseccomp's. */
static int
add_conditions(scmp_filter_ctx f)
{
    const uint32_t pass = SCMP_ACT_ALLOW;
    int rc = add_families(f);

    if (rc == 0) /* threads, never processes */
        rc = seccomp_rule_add(f, pass, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (rc == 0) /* to read a limit, never to set one */
        rc = seccomp_rule_add(f, pass, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
    if (rc == 0)
        rc = seccomp_rule_add(f, pass, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 0);
    return rc;
}

/* Network namespaces, and no others. */
static int
add_conditions_helper(scmp_filter_ctx f)
{
    const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
    int rc = add_families(f);

    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setns), 1,
                              SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET, 0));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, SCMP_SYS(setns), 1,
                              SCMP_A1(SCMP_CMP_NE, CLONE_NEWNET, 0));
    return rc;
}

static int
add_rules(scmp_filter_ctx f, const int *pass, size_t count, int (*conditions)(scmp_filter_ctx))
{
    int rc = conditions(f);

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, pass[i], 0);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    return rc;
}

static int
load(const int *pass, size_t count, int (*conditions)(scmp_filter_ctx))
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc;

    if (f == NULL) {
        errno = ENOMEM;
        return GVS_E_SYS;
    }
    rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) /* which gvs_confine has set, filter or not */
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0);
    if (rc == 0) /* sorted: 20 comparisons a call would else be 200 */
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (rc == 0)
        rc = add_rules(f, pass, count, conditions);
    if (rc == 0)
        rc = seccomp_load(f);
    seccomp_release(f);
    if (rc < 0) {
        errno = -rc;
        return GVS_E_SYS;
    }
    return (int)count;
}

int
gvs_confine_calls(void)
{
    size_t count = sizeof allowed / sizeof *allowed;
    int rc = load(allowed, count, add_conditions);

    return rc < 0 ? rc : rc + 4; /* and those of add_conditions */
}

int
gvs_confine_helper_calls(void)
{
    size_t count = sizeof allowed_helper / sizeof *allowed_helper;
    int rc = load(allowed_helper, count, add_conditions_helper);

    return rc < 0 ? rc : rc + 3;
}

#endif
