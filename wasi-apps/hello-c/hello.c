/* Prints what a C guest sees: arguments, environment, /input.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
    puts("hello from c");
    for (int i = 0; i < argc; i++) printf("arg[%d]=%s\n", i, argv[i]);

    size_t count = 0;
    while (environ && environ[count]) count++;
    if (count) qsort(environ, count, sizeof *environ, by_name);
    for (size_t i = 0; i < count; i++) puts(environ[i]);

    FILE *file = fopen("/input.txt", "r");
    if (file) {
        char buffer[4096];
        size_t length;
        puts("--- /input.txt");
        while ((length = fread(buffer, 1, sizeof buffer, file)) > 0) fwrite(buffer, 1, length, stdout);
        fclose(file);
    }
    return 0;
}
