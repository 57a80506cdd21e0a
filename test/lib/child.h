/* test/lib/child.h: a child process that is meant to be stopped by an assertion. */
#pragma once

#include <signal.h>
#include <sys/resource.h>

/* First thing in the child: cmocka's handlers would report a failure of ours, and a core file tells
 * nobody anything. */
static inline void
child_begin(void)
{
    signal(SIGILL, SIG_DFL);  /* __builtin_trap on x86 */
    signal(SIGTRAP, SIG_DFL); /* and on arm64 */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}
