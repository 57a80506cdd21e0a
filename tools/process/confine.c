/* tools/process/confine.c: capabilities by system calls: two masks need no library. */
#include "tools/process/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/err.h"

#define BIT(capability) (UINT64_C(1) << (capability))

struct caps {
    uint64_t effective, permitted, inheritable;
};

static int
get_caps(struct caps *c)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];

    if (syscall(SYS_capget, &head, d) < 0)
        return GVS_E_SYS;
    c->effective = d[0].effective | (uint64_t)d[1].effective << 32;
    c->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
    c->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
    return GVS_OK;
}

static int
set_caps(uint64_t caps)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {
        {.effective = (uint32_t)caps, .permitted = (uint32_t)caps},
        {.effective = (uint32_t)(caps >> 32), .permitted = (uint32_t)(caps >> 32)},
    };

    return syscall(SYS_capset, &head, d) < 0 ? GVS_E_SYS : GVS_OK;
}

/* What a program that we started could get back. Without CAP_SETPCAP it stays as it is: then there
 * is nobody of uid 0 who could use it, or somebody else has cut it down already. */
static void
narrow_bounding_set(uint64_t keep)
{
    for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (c >= 64 || (keep & BIT(c)) == 0)
            prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static int
drop_caps(uint64_t keep, uint64_t *left)
{
    struct caps c;

    *left = 0;
    if (get_caps(&c) < 0)
        return GVS_E_SYS;
    keep &= c.permitted;
    *left = c.permitted;
    narrow_bounding_set(keep);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (c.permitted == keep && c.effective == keep && c.inheritable == 0)
        return GVS_OK; /* nothing to ask for, where capset may be forbidden */
    if (set_caps(keep) < 0)
        return GVS_E_SYS;
    *left = keep;
    return GVS_OK;
}

void
gvs_confine_memory(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
gvs_confine(char *text, size_t cap)
{
    uint64_t keep = BIT(CAP_NET_ADMIN) | (geteuid() == 0 ? BIT(CAP_DAC_READ_SEARCH) : 0), left;
    const char *caps = "no capability", *failed = NULL;
    int err = 0, calls;

    if (drop_caps(keep, &left) < 0) {
        failed = "drop capabilities";
        err = errno;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        failed = "set no_new_privs";
        err = errno;
    }
    calls = gvs_confine_calls();
    if (calls < 0) {
        failed = "filter system calls";
        err = errno;
    }
    if (failed != NULL) {
        snprintf(text, cap, "cannot %s: %s; going on without", failed, strerror(err));
        return GVS_E_SYS;
    }
    if (left == BIT(CAP_NET_ADMIN))
        caps = "CAP_NET_ADMIN";
    else if (left == (BIT(CAP_NET_ADMIN) | BIT(CAP_DAC_READ_SEARCH)))
        caps = "CAP_NET_ADMIN and CAP_DAC_READ_SEARCH";
    else if (left != 0)
        caps = "CAP_DAC_READ_SEARCH";
    if (calls > 0)
        snprintf(text, cap, "confined to %s, and to %d system calls", caps, calls);
    else
        snprintf(text, cap, "confined to %s", caps);
    return GVS_OK;
}

int
gvs_confine_helper(void)
{
    uint64_t left;
    int err = 0;

    if (drop_caps(BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_ADMIN), &left) < 0)
        err = errno;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        err = errno;
    if (gvs_confine_helper_calls() < 0)
        err = errno;
    errno = err;
    return err ? GVS_E_SYS : GVS_OK;
}
