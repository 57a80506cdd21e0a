/* test/fuzz/scratch.h: a directory of this process's own, for what is read from files, in memory if
 * there is /dev/shm. It goes when the process ends well. */
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include "test/fuzz/fuzz.h"

#define SCRATCH_FILES 8

struct scratch {
    char dir[48];
    char path[SCRATCH_FILES][96];
    size_t count;
};

static inline struct scratch *
scratch_get(void)
{
    static struct scratch s;

    return &s;
}

static inline void
scratch_remove(void)
{
    struct scratch *s = scratch_get();

    for (size_t i = 0; i < s->count; i++)
        unlink(s->path[i]);
    rmdir(s->dir);
}

/* The path of a file there, which need not exist; for the life of the process. */
static inline const char *
scratch_path(const char *name)
{
    struct scratch *s = scratch_get();
    char path[sizeof s->path[0]];

    if (s->dir[0] == '\0') {
        bool shm = access("/dev/shm", W_OK) == 0;

        snprintf(s->dir, sizeof s->dir, "%s/gossipvs-fuzz.XXXXXX", shm ? "/dev/shm" : "/tmp");
        must(mkdtemp(s->dir));
        atexit(scratch_remove);
    }
    must((size_t)snprintf(path, sizeof path, "%s/%s", s->dir, name) < sizeof path);
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->path[i], path) == 0)
            return s->path[i];
    must(s->count < SCRATCH_FILES);
    memcpy(s->path[s->count], path, sizeof path);
    return s->path[s->count++];
}

static inline void
scratch_write(const char *path, const uint8_t *b, size_t len)
{
    FILE *f = fopen(path, "wb");

    must(f);
    must(fwrite(b, 1, len, f) == len);
    must(fclose(f) == 0);
}
