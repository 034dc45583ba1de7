/* Kills the process at the n-th write or synchronisation of a database's files, or makes such calls fail.
 *
 * Preloaded (LD_PRELOAD) it does nothing until shim_arm(prefix, n, torn) is called: from then on each
 * pwrite, write, fsync, fdatasync and ftruncate on a file whose path begins with `prefix` is counted (the
 * folder `prefix.logs` is not). At the n-th the process is killed by SIGKILL before the call, or, if `torn`
 * and the call is a write, after half of its bytes. n = 0 only counts.
 *
 * shim_fail(prefix, calls, error, times): from then on the next `times` (-1: all) of the calls named by the
 * bits of `calls` (1 write, 2 synchronise, 4 read) on such a file fail with errno `error`. times = 0 heals.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char prefix[PATH_MAX];
static atomic_long count, target;
static int torn;
static atomic_int armed;

enum { WRITE = 1, SYNC = 2, READ = 4 };
static char failing[PATH_MAX];
static int fail_calls, fail_error;
static atomic_long fail_times;

void shim_fail(const char *path, int calls, int error, long times) {
    atomic_store(&fail_times, 0);
    snprintf(failing, sizeof failing, "%s", path);
    fail_calls = calls;
    fail_error = error;
    atomic_store(&fail_times, times);
}

long shim_left(void) { return atomic_load(&fail_times); }

void shim_arm(const char *path, long n, int half) {
    snprintf(prefix, sizeof prefix, "%s", path);
    atomic_store(&count, 0);
    atomic_store(&target, n);
    torn = half;
    atomic_store(&armed, 1);
}

long shim_count(void) { return atomic_load(&count); }

static int is_below(int fd, const char *prefix) {
    char link[64], path[PATH_MAX];
    size_t length = strlen(prefix);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strncmp(path, prefix, length) == 0 && strncmp(path + length, ".logs", 5) != 0;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* 1 when this is the call at which to die. */
static int is_time(int fd) {
    if (!atomic_load(&armed) || !is_below(fd, prefix)) return 0;
    return atomic_fetch_add(&count, 1) + 1 == atomic_load(&target);
}

/* 1 when this call is to fail; errno is set then. */
static int fails(int call, int fd) {
    long left = atomic_load(&fail_times);
    if (left == 0 || !(fail_calls & call) || !is_below(fd, failing)) return 0;
    if (left > 0 && atomic_fetch_sub(&fail_times, 1) <= 0) return 0;
    errno = fail_error;
    return 1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (fails(WRITE, fd)) return -1;
    if (is_time(fd)) { if (torn) real(fd, data, size / 2); die(); }
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    if (fails(WRITE, fd)) return -1;
    if (is_time(fd)) { if (torn) real(fd, data, size / 2, at); die(); }
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    if (fails(WRITE, fd)) return -1;
    if (is_time(fd)) { if (torn) real(fd, data, size / 2, at); die(); }
    return real(fd, data, size, at);
}

ssize_t pread(int fd, void *data, size_t size, off_t at) {
    REAL(pread);
    return fails(READ, fd) ? -1 : real(fd, data, size, at);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    REAL(pread64);
    return fails(READ, fd) ? -1 : real(fd, data, size, at);
}

int fsync(int fd) { REAL(fsync); if (fails(SYNC, fd)) return -1; if (is_time(fd)) die(); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); if (fails(SYNC, fd)) return -1; if (is_time(fd)) die(); return real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); if (fails(WRITE, fd)) return -1; if (is_time(fd)) die(); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); if (fails(WRITE, fd)) return -1; if (is_time(fd)) die(); return real(fd, size); }
