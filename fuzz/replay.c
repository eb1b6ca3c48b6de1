/* fuzz/replay.c: runs one fuzz target over files and folders of files, without libFuzzer.
 *
 *     replay-fuzz_NAME corpus/fuzz_NAME [more files or folders]
 *
 * Each input is tried whole, and after it once with nothing: a target must take both. A corpus
 * that is not there or is empty is a failure, so that a target cannot pass by testing nothing. */

#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "replay: cannot open %s\n", path);
        return -1;
    }
    uint8_t *bytes = NULL;
    size_t len = 0, size = 0;
    for (;;) {
        if (len == size) {
            size = size ? size * 2 : 4096;
            uint8_t *more = realloc(bytes, size);
            if (!more)
                abort();
            bytes = more;
        }
        size_t got = fread(bytes + len, 1, size - len, file);
        if (got == 0)
            break;
        len += got;
    }
    fclose(file);
    /* A copy of the exact length: reading past the end is seen by the sanitizer and valgrind. */
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        abort();
    memcpy(exact, bytes, len);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 1;
}

/* Returns how many inputs were replayed; negative on failure. Corpora are flat folders. */
static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "replay: %s is not there\n", path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        char name[4096];
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof name)
            continue;
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            count = replay_file(name) < 0 ? -1 : count + 1;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count < 0)
            return EXIT_FAILURE;
        total += count;
    }
    if (total == 0) {
        fprintf(stderr, "replay: no input was there\n");
        return EXIT_FAILURE;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%d inputs\n", total);
    return EXIT_SUCCESS;
}
