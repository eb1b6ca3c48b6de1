/* fuzz/fuzz.h: what all targets share: a check that stops, an allocator that must end empty, and
 * bytes taken off the input one after another. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gw/env.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ctx points at a count of pieces that are out. */
static inline void *fuzz_alloc_(void *ctx, size_t size)
{
    void *ptr = malloc(size);
    if (ptr == NULL)
        abort();
    ++*(uint64_t *)ctx;
    return ptr;
}
static inline void fuzz_release_(void *ctx, void *ptr, size_t size)
{
    (void)size;
    --*(uint64_t *)ctx;
    free(ptr);
}
static inline gw_allocator fuzz_allocator(uint64_t *live)
{
    *live = 0;
    return (gw_allocator){ .ctx = live, .alloc = fuzz_alloc_, .release = fuzz_release_ };
}

struct fuzz_input {
    const uint8_t *at;
    size_t len;
};
/* 0 when there is none left. */
static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->at++;
}
static inline gw_str fuzz_rest(const struct fuzz_input *in)
{
    return (gw_str){ (const char *)in->at, in->len };
}

/* The number that hex digits alone say; at most 16 of them. */
static inline bool hex_number(gw_str s, uint64_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF", *at = strchr(digits, s.ptr[i]);
        if (at == NULL || *at == '\0')
            return false;
        n = n << 4 | (uint64_t)(at - digits) % 16;
    }
    *out = n;
    return s.len > 0 && s.len <= 16;
}

#endif
