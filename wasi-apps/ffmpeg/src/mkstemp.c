/* wasi-libc has no mkstemp, as it has nothing to make a name from that other
   processes don't know. A guest has its root for itself: counting is enough. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int mkstemp(char *path) {
    static const char mark[] = "XXXXXX";
    const size_t length = strlen(path), digits = sizeof mark - 1;
    if (length < digits || strcmp(path + length - digits, mark) != 0) {
        errno = EINVAL;
        return -1;
    }
    /* The root of a guest holds what the task was given, and no more. */
    if (strncmp(path, "/tmp/", 5) == 0) mkdir("/tmp", 0700);
    for (int number = 0; number < 1000000; number++) {
        snprintf(path + length - digits, digits + 1, "%06d", number);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    errno = EEXIST;
    return -1;
}
