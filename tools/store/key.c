/* tools/store/key.c */
#include "tools/store/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"

#define PATH_LEN_MAX 300
#define FILE_LEN (GVS_KEY_SECRET_LEN + 8)

static int
sys_fault(struct gvs_fault *fault, const char *what, const char *path)
{
    gvs_fault_set(fault, GVS_EXIT_USAGE, "cannot %s %s (%s)", what, path, strerror(errno));
    return GVS_E_SYS;
}

static int
check_file(const struct stat *st, const char *path, struct gvs_fault *fault)
{
    unsigned mode = st->st_mode & 07777;

    if (!S_ISREG(st->st_mode) || st->st_nlink > 1) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is not a file of one name; refusing", path);
        return GVS_E_SYS;
    }
    if ((mode & 077) != 0) {
        gvs_fault_set(fault, GVS_EXIT_USAGE, "%s is open to others (%04o); refusing", path, mode);
        gvs_fault_hint(fault, "chmod 0600 %s", path);
        return GVS_E_SYS;
    }
    return GVS_OK;
}

int
gvs_store_key_read(uint8_t key[static GVS_KEY_SECRET_LEN], const char *dir, struct gvs_fault *fault)
{
    uint8_t b[FILE_LEN + 1];
    char path[PATH_LEN_MAX];
    struct stat st;
    ssize_t n = -1;
    int fd, rc = GVS_E_SYS;

    snprintf(path, sizeof path, "%s/node.key", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? GVS_E_NOTFOUND : sys_fault(fault, "read", path);
    if (fstat(fd, &st) < 0)
        sys_fault(fault, "read", path);
    else
        rc = check_file(&st, path, fault);
    if (rc == GVS_OK && (n = read(fd, b, sizeof b)) < 0)
        rc = sys_fault(fault, "read", path);
    close(fd);
    if (rc == GVS_OK && (n != FILE_LEN || gvs_crypto_checksum(b, GVS_KEY_SECRET_LEN) !=
                                              gvs_get64(b + GVS_KEY_SECRET_LEN)))
        rc = GVS_E_NOTFOUND;
    if (rc == GVS_OK)
        memcpy(key, b, GVS_KEY_SECRET_LEN);
    gvs_crypto_wipe(b, sizeof b);
    return rc;
}

/* So that a rename in the directory outlives a power cut. */
static int
sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

int
gvs_store_key_write(const uint8_t key[static GVS_KEY_SECRET_LEN], const char *dir,
                    struct gvs_fault *fault)
{
    char path[PATH_LEN_MAX], fresh[PATH_LEN_MAX];
    uint8_t b[FILE_LEN];
    ssize_t n = -1;
    bool ok;
    int fd;

    snprintf(path, sizeof path, "%s/node.key", dir);
    snprintf(fresh, sizeof fresh, "%s/node.key.new", dir);
    unlink(fresh); /* of an agent that died here; the directory is locked */
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sys_fault(fault, "write", fresh);
    memcpy(b, key, GVS_KEY_SECRET_LEN);
    gvs_put64(b + GVS_KEY_SECRET_LEN, gvs_crypto_checksum(key, GVS_KEY_SECRET_LEN));
    n = write(fd, b, sizeof b);
    gvs_crypto_wipe(b, sizeof b);
    if (n >= 0 && n != FILE_LEN)
        errno = ENOSPC;
    ok = n == FILE_LEN && fsync(fd) == 0;
    close(fd);
    if (!ok || rename(fresh, path) < 0 || sync_dir(dir) < 0)
        return sys_fault(fault, "write", fresh);
    return GVS_OK;
}
