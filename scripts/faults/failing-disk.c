/* Lets the calls of a process fail that bring data to the disk, to be loaded by LD_PRELOAD.
 *
 * STARLING_DISK_FAULT names a file. While it is there, calls that its text names fail with EIO: "sync" for fsync and
 * fdatasync, "write" for pwrite. A sync that fails has not been done, and as on Linux, one that is asked for later
 * succeeds without having written what the first one lost. What failed is counted by bytes appended to the file NAME.count.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call) {
    const char *name = getenv("STARLING_DISK_FAULT");
    char text[16] = {0}, count[4096] = {0};
    int kept = errno, file, found;
    if (name == NULL || (file = open(name, O_RDONLY | O_CLOEXEC)) < 0) {
        errno = kept;
        return 0;
    }
    found = read(file, text, sizeof text - 1) > 0 && strstr(text, call) != NULL;
    close(file);
    if (found && strlen(name) < sizeof count - 8) {
        strcpy(count, name);
        strcat(count, ".count");
        if ((file = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0) {
            (void)!write(file, "x", 1);
            close(file);
        }
    }
    errno = found ? EIO : kept;
    return found;
}

int fsync(int file) { return fails("sync") ? -1 : (int)syscall(SYS_fsync, file); }
int fdatasync(int file) { return fails("sync") ? -1 : (int)syscall(SYS_fdatasync, file); }

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return fails("write") ? -1 : (ssize_t)syscall(SYS_pwrite64, file, bytes, count, at);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return pwrite64(file, bytes, count, at); }
