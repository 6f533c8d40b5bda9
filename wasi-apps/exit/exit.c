/* Ends with the code that it is given: exit 3 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int code = argc > 1 ? atoi(argv[1]) : 0;
    puts("going");
    fprintf(stderr, "exit with %d\n", code);
    return code;
}
