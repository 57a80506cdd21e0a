/* test/fuzz/replay.c: a fuzz target over its corpus, without a fuzzer: DIR, each file once. */
#include "test/fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>

#define INPUT_MAX (1u << 20)

static void
run_file(const char *path)
{
    uint8_t *b = malloc(INPUT_MAX), *exact;
    FILE *f = fopen(path, "rb");
    size_t len;

    must(b && f);
    len = fread(b, 1, INPUT_MAX, f);
    must(!ferror(f) && len < INPUT_MAX);
    fclose(f);
    exact = malloc(len > 0 ? len : 1);
    must(exact);
    memcpy(exact, b, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    free(b);
}

int
main(int argc, char **argv)
{
    struct dirent **names;
    int count, ran = 0;

    if (argc != 2 || (count = scandir(argv[1], &names, NULL, alphasort)) < 0) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];

        if (names[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
            fprintf(stderr, "%s\n", path); /* before it runs: it may be the last */
            run_file(path);
            ran++;
        }
        free(names[i]);
    }
    free(names);
    printf("%d inputs\n", ran);
    return ran > 0 ? 0 : 1;
}
