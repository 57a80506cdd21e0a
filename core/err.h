/* core/err.h: every way a call can fail, and assertions for what must not.
 *
 * A call returns GVS_OK or one of these, or a count >= 0 where one is natural. The numbers reach
 * logs and dashboards: never renumber. An assertion states our own bug and stays in release builds:
 * a process that stopped leaves the kernel forwarding, a wrong write to IPVS does not. Bytes that
 * somebody else chose are never asserted on.
 */
#pragma once

#define GVS_ERRORS(X)                                          \
    X(FULL, -1, "a bounded table is full")                     \
    X(MALFORMED, -2, "the bytes do not parse")                 \
    X(FORGED, -3, "the packet fails authentication")           \
    X(NOSPACE, -4, "the output buffer is too small")           \
    X(SYS, -5, "a system call failed; see errno")              \
    X(NOTFOUND, -6, "no such thing")                           \
    X(CONFLICT, -7, "something different is already there")    \
    X(REFUSED, -8, "the kernel refused")                       \
    X(LOST, -9, "the answers were lost; only a look can tell") \
    X(RANGE, -10, "a number is out of range")                  \
    X(UNSUPPORTED, -11, "this kernel or build cannot do it")   \
    X(RETIRED, -12, "that node id is retired for ever")        \
    X(DELETED, -13, "it was deleted, and that was forgotten since")

enum gvs_err {
    GVS_OK = 0,
#define X(name, code, text) GVS_E_##name = (code),
    GVS_ERRORS(X)
#undef X
};

/* Core links against nothing that could print: debugger and core file show the expression. */
#define GVS_ASSERT(cond)      \
    do {                      \
        if (!(cond))          \
            __builtin_trap(); \
    } while (0)
