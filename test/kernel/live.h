/* test/kernel/live.h: what the programs that run inside the virtual machine share: one line for
 * each fact, `ok NAME` or `not ok NAME`, and an exit status of 0 only if all held. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline bool *
live_failed(void)
{
    static bool failed;

    return &failed;
}

static inline bool
check(bool good, const char *name)
{
    printf("%s %s\n", good ? "ok" : "not ok", name);
    fflush(stdout);
    *live_failed() |= !good;
    return good;
}

/* Does the shell command succeed? */
static inline bool
holds(const char *command)
{
    return system(command) == 0;
}

/* Seconds, for differences. */
static inline double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
