/* Writes to stdout without end, or as many bytes as it is told: flood 1000000 */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char block[65536];
    long long left = argc > 1 ? atoll(argv[1]) : -1;
    for (size_t i = 0; i < sizeof block; i++) block[i] = i % 64 == 63 ? '\n' : '.';

    while (left != 0) {
        size_t size = left < 0 || left > (long long)sizeof block ? sizeof block : (size_t)left;
        ssize_t written = write(STDOUT_FILENO, block, size);
        if (written <= 0) return 1;
        if (left > 0) left -= written;
    }
    return 0;
}
