/* Prints what a C guest sees: arguments, environment, files, stdin. The same as
   wasi-apps/hello does, but for the first line. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

static int failed(const char *what) {
    fprintf(stderr, "hello: %s: %s\n", what, strerror(errno));
    return 1;
}

/* By name alone: "A=1" comes before "A-B=1", as the name "A" does. */
static int by_name(const void *a, const void *b) {
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    size_t left_length = strcspn(left, "="), right_length = strcspn(right, "=");
    int order = memcmp(left, right, left_length < right_length ? left_length : right_length);
    if (order) return order;
    return (left_length > right_length) - (left_length < right_length);
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* One line a file: `/path size`; folders end in `/`. */
static int list(const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, not_dots, by_bytes), status = 0;
    if (count < 0) return 0; /* a host may give the guest no root at all */
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct stat found;
        snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") ? folder : "", entries[i]->d_name);
        free(entries[i]);
        if (lstat(path, &found)) {
            status = failed(path);
        } else if (S_ISDIR(found.st_mode)) {
            printf("%s/\n", path);
            status |= list(path);
        } else {
            printf("%s %lld\n", path, (long long)found.st_size);
        }
    }
    free(entries);
    return status;
}

/* Copies all of a file to stdout. A heading comes first if there is anything,
   or if there needn't be. */
static int copy(FILE *file, const char *name, int even_if_empty) {
    char buffer[4096];
    size_t length = fread(buffer, 1, sizeof buffer, file);
    if (length || even_if_empty) printf("--- %s\n", name);
    for (; length > 0; length = fread(buffer, 1, sizeof buffer, file)) fwrite(buffer, 1, length, stdout);
    return ferror(file) ? failed(name) : 0;
}

static int append(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "/%s", name + strspn(name, "/"));
    FILE *file = fopen(path, "a");
    if (!file) return failed(path);
    fputs("written by hello\n", file);
    return fclose(file) ? failed(path) : 0;
}

int main(int argc, char **argv) {
    puts("hello from c");
    for (int i = 0; i < argc; i++) printf("arg[%d]=%s\n", i, argv[i]);

    size_t count = 0;
    while (environ && environ[count]) count++;
    if (count) qsort(environ, count, sizeof *environ, by_name);
    for (size_t i = 0; i < count; i++) puts(environ[i]);

    /* Written before the listing, so that the listing shows it. */
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--write") != 0) continue;
        if (append(argv[i + 1])) return 1;
        break;
    }
    if (list("/")) return 1;

    const char *wanted = getenv("FILE"), *shown = wanted ? wanted : "/input.txt";
    FILE *file = fopen(shown, "r");
    if (file) {
        int status = copy(file, shown, 1);
        fclose(file);
        if (status) return status;
    } else if (wanted) {
        return failed(shown);
    }
    return copy(stdin, "stdin", 0);
}
