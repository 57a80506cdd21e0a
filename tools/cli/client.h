/* tools/cli/client.h: one connection to the agent's control socket, lines out and lines in
 * (docs/control.md).
 *
 * Each function returns GVS_OK, or a negative number with *fault filled: exit 3 where there is no
 * agent, 4 where the socket is not for this user, 7 where it kept us waiting. Seconds below 0: wait
 * for ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "tools/words/fault.h"

struct gvs_client {
    int fd;           /* -1: not connected */
    char *buf;        /* what came; owned */
    size_t cap, len;  /* of buf */
    size_t at;        /* where the line begins that nobody has read yet */
    size_t scanned;   /* no newline from `at` up to here */
    const char *path; /* borrowed, for the faults */
};

int gvs_client_open(struct gvs_client *c, const char *path, double seconds,
                    struct gvs_fault *fault);
void gvs_client_close(struct gvs_client *c); /* also one that is all zero but for fd -1 */

/* Sends `len` bytes, whose last is the newline. That the agent has hung up is no fault yet: what it
 * said before is for gvs_client_line to find. */
int gvs_client_send(struct gvs_client *c, const char *bytes, size_t len, double seconds,
                    struct gvs_fault *fault);

/* What has come of a line, and lies there unread, without its newline; *end: with it the line ends.
 * Lent until the next call. For lines that are too long to be waited for. */
int gvs_client_piece(struct gvs_client *c, double seconds, const char **bytes, size_t *len,
                     bool *end, struct gvs_fault *fault);

/* The next line, without its newline, followed by a 0; lent until the next call. */
int gvs_client_line(struct gvs_client *c, double seconds, const char **line, size_t *len,
                    struct gvs_fault *fault);
