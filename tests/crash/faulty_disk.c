/* A preloaded library that stands between a program and the disk. Only calls that change something
   below one folder count; they come one at a time over all processes of a run, so that the n-th is
   a moment of the whole run. Each may be counted, put down, made to fail, or be the last one.

   FAULTY_FOLDER   the folder, without links
   FAULTY_SHARED   a file outside of it: the count of calls (8 bytes), and the lock
   FAULTY_JOURNAL  a file outside of it: every call that succeeded, as a record (see replay.py)
   FAULTY_WHO      count in these processes only: "command", "worker", "" for all
   FAULTY_CALLS    count these calls only, as " write fsync ", "" for all
   FAULTY_AT       the n-th that is counted fails, from 1 on; 0 for none
   FAULTY_WITH     an errno; 0: the process dies; -1: its whole group dies
   FAULTY_ON       1: so do all calls after it */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder, *shared, *calls;
static int journal = -1, counts, with, on;
static uint64_t at;

static const char *text(const char *name) {
    const char *found = getenv(name);
    return found ? found : "";
}

/* "worker", "decoder", "command": by the words that this process was started with. */
static const char *role(void) {
    static char words[4096];
    int file = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY);
    ssize_t size = file < 0 ? 0 : syscall(SYS_read, file, words, sizeof words - 1);
    if (file >= 0) syscall(SYS_close, file);
    for (ssize_t i = 0; i < size; i++)
        if (!words[i]) words[i] = ' ';
    if (strstr(words, "ldimport.engine.worker")) return "worker";
    return strstr(words, "ldimport.media") ? "decoder" : "command";
}

__attribute__((constructor)) static void begin(void) {
    folder = text("FAULTY_FOLDER");
    shared = text("FAULTY_SHARED");
    calls = text("FAULTY_CALLS");
    counts = !*text("FAULTY_WHO") || !strcmp(text("FAULTY_WHO"), role());
    at = strtoull(text("FAULTY_AT"), NULL, 10);
    with = atoi(text("FAULTY_WITH"));
    on = *text("FAULTY_ON") == '1';
}

/* -- places ------------------------------------------------------------------------------------ */

static void link_of(const char *of, char *to) {
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, of, to, PATH_MAX - 1);
    to[size < 0 ? 0 : size] = 0;
}

static void name_of(int fd, char *to) {
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    link_of(from, to);
}

static int inside(const char *path) {
    size_t size = strlen(folder);
    return size && !strncmp(path, folder, size) && (path[size] == '/' || !path[size]);
}

/* Whether a path leads below the folder; its whole name in `to`. */
static int located(int at_folder, const char *path, char *to) {
    char base[PATH_MAX] = "";
    if (!path) return 0;
    if (*path != '/' && at_folder == AT_FDCWD) link_of("/proc/self/cwd", base);
    else if (*path != '/') name_of(at_folder, base);
    return snprintf(to, PATH_MAX, *path == '/' ? "%s%s" : "%s/%s", base, path) < PATH_MAX && inside(to);
}

/* Whether a descriptor is a file, or a folder, below the folder. */
static int held(int fd, uint64_t *ino) {
    int kept = errno;
    struct stat found;
    char name[PATH_MAX];
    int fine = fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
    if (fine) {
        *ino = found.st_ino;
        name_of(fd, name);
        fine = inside(name);
    }
    errno = kept;
    return fine;
}

static uint64_t ino_of(const char *path) {
    struct stat found;
    int kept = errno;
    uint64_t ino = lstat(path, &found) == 0 ? found.st_ino : 0;
    errno = kept;
    return ino;
}

/* Splits a path into the inode of its folder and its last name. */
static uint64_t parent_of(const char *path, const char **name) {
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    char *slash = strrchr(copy, '/');
    *name = path + (slash - copy) + 1;
    *slash = 0;
    return ino_of(copy);
}

/* -- one call after the other -------------------------------------------------------------------- */

static int enter(void) {
    int lock = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC);
    if (lock >= 0) while (flock(lock, LOCK_EX) != 0 && errno == EINTR) {}
    return lock;
}

static void leave(int lock) {
    int kept = errno;
    if (lock >= 0) syscall(SYS_close, lock);
    errno = kept;
}

/* Counts a call; whether it has to fail. Does not return when it is the last of its process. */
static int fails(int lock, const char *call) {
    char word[32];
    uint64_t n = 0;
    snprintf(word, sizeof word, " %s ", call);
    if (lock < 0 || !counts || (*calls && !strstr(calls, word))) return 0;
    pread(lock, &n, sizeof n, 0);
    n++;
    syscall(SYS_pwrite64, lock, &n, sizeof n, 0L);
    if (!at || n < at || (n > at && !on)) return 0;
    if (with > 0) {
        errno = with;
        return 1;
    }
    kill(with ? 0 : getpid(), SIGKILL);
    for (;;) pause();
}

static void put_down(char kind, uint64_t a, uint64_t b, uint64_t c, const char *data, size_t size) {
    int kept = errno;
    struct __attribute__((packed)) { char kind; uint64_t a, b, c; uint32_t size; } head = {kind, a, b, c, size};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, size}};
    if (journal < 0 && *text("FAULTY_JOURNAL"))
        journal = syscall(SYS_openat, AT_FDCWD, text("FAULTY_JOURNAL"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal >= 0) syscall(SYS_writev, journal, parts, 2);
    errno = kept;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
/* Does a call between the locks: `call` is its word, `real_call` the call, `then` what is put down. */
#define STEP(call, real_call, then) \
    int lock = enter(); \
    __typeof__(real_call) result = -1; \
    if (!fails(lock, call)) result = (real_call); \
    if (result >= 0) { then; } \
    leave(lock); \
    return result

/* -- bytes --------------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    uint64_t ino;
    if (fd == 1 && *folder && !strcmp(role(), "command")) { /* what it has said */
        ssize_t said = real(fd, data, size);
        int lock = enter();
        if (said > 0) put_down('O', 0, 0, 0, data, said);
        leave(lock);
        return said;
    }
    if (!*folder || !held(fd, &ino)) return real(fd, data, size);
    STEP("write", real(fd, data, size), put_down('W', ino, lseek(fd, 0, SEEK_CUR) - result, 0, data, result));
}

#define PWRITE(name, type) \
    ssize_t name(int fd, const void *data, size_t size, type from) { \
        REAL(name); \
        uint64_t ino; \
        if (!*folder || !held(fd, &ino)) return real(fd, data, size, from); \
        STEP("write", real(fd, data, size, from), put_down('W', ino, from, 0, data, result)); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(name, type) \
    int name(int fd, type size) { \
        REAL(name); \
        uint64_t ino; \
        if (!*folder || !held(fd, &ino)) return real(fd, size); \
        STEP("ftruncate", real(fd, size), put_down('T', ino, size, 0, "", 0)); \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        uint64_t ino; \
        if (!*folder || !held(fd, &ino)) return real(fd); \
        STEP("fsync", real(fd), put_down('S', ino, 0, 0, "", 0)); \
    }
SYNC(fsync)
SYNC(fdatasync)

/* -- names --------------------------------------------------------------------------------------- */

static void put_name(char kind, const char *path, uint64_t ino) {
    const char *name;
    uint64_t parent = parent_of(path, &name);
    put_down(kind, parent, ino, 0, name, strlen(name));
}

static void put_opened(int fd, const char *path, int flags, uint64_t before) {
    uint64_t ino = 0;
    if (!held(fd, &ino)) return;
    if ((flags & O_TMPFILE) == O_TMPFILE) put_down('C', 0, ino, 0, "", 0);
    else if (!before) put_name('C', path, ino);
    else if (flags & O_TRUNC) put_down('T', ino, 0, 0, "", 0);
}

/* Only opening that makes a file, or empties one, is a step. */
#define OPENED(real_call) \
    mode_t mode = 0; \
    char whole[PATH_MAX]; \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, int); \
        va_end(more); \
    } \
    uint64_t before = 0; \
    int changes = *folder && ((flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE) \
        && located(at_folder, path, whole); \
    if (changes) before = ino_of(whole); \
    if (!changes || (before && !(flags & O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE)) return real_call; \
    STEP("create", real_call, put_opened(result, whole, flags, before))

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        int at_folder = AT_FDCWD; \
        OPENED(real(path, flags, mode)); \
    }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
    int name(int at_folder, const char *path, int flags, ...) { \
        REAL(name); \
        OPENED(real(at_folder, path, flags, mode)); \
    }
OPENAT(openat)
OPENAT(openat64)

#define NAMED(call, at_folder, path, real_call, then) \
    char whole[PATH_MAX]; \
    if (!*folder || !located(at_folder, path, whole)) return real_call; \
    STEP(call, real_call, then)

int mkdir(const char *path, mode_t mode) { REAL(mkdir); NAMED("mkdir", AT_FDCWD, path, real(path, mode), put_name('D', whole, ino_of(whole))); }
int mkdirat(int f, const char *path, mode_t mode) { REAL(mkdirat); NAMED("mkdir", f, path, real(f, path, mode), put_name('D', whole, ino_of(whole))); }
int unlink(const char *path) { REAL(unlink); NAMED("unlink", AT_FDCWD, path, real(path), put_name('U', whole, 0)); }
int unlinkat(int f, const char *path, int flags) { REAL(unlinkat); NAMED("unlink", f, path, real(f, path, flags), put_name('U', whole, 0)); }
int rmdir(const char *path) { REAL(rmdir); NAMED("unlink", AT_FDCWD, path, real(path), put_name('U', whole, 0)); }
int link(const char *from, const char *to) { REAL(link); NAMED("link", AT_FDCWD, to, real(from, to), put_name('L', whole, ino_of(whole))); }
int linkat(int f, const char *from, int t, const char *to, int flags) { REAL(linkat); NAMED("link", t, to, real(f, from, t, to, flags), put_name('L', whole, ino_of(whole))); }

static void put_renamed(int at_folder, const char *from, const char *to) {
    char whole[PATH_MAX];
    put_name('L', to, ino_of(to));
    if (located(at_folder, from, whole)) put_name('U', whole, 1); /* 1: with the record before */
}
int rename(const char *from, const char *to) { REAL(rename); NAMED("rename", AT_FDCWD, to, real(from, to), put_renamed(AT_FDCWD, from, whole)); }
int renameat(int f, const char *from, int t, const char *to) { REAL(renameat); NAMED("rename", t, to, real(f, from, t, to), put_renamed(f, from, whole)); }
