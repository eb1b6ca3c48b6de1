/* base/sort.c: bottom-up merge sort. */

#include "base/sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"

/* Merges from[start, middle) and from[middle, end) into to[start, end). */
static void merge(const uint32_t *from, uint32_t *to, const size_t at[3], gw_compare_fn *compare,
                  const void *ctx)
{
    size_t left = at[0], right = at[1];
    for (size_t i = at[0]; i < at[2]; i++) {
        bool is_left = right == at[2] ||
                       (left < at[1] && compare(ctx, from[left], from[right]) <= 0);
        to[i] = is_left ? from[left++] : from[right++];
    }
}

void gw_sort(uint32_t *order, uint32_t *spare, size_t n, gw_compare_fn *compare, const void *ctx)
{
    GW_ASSERT(compare != NULL && n <= UINT32_MAX);
    uint32_t *from = order, *to = spare;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = n - start < width ? n : start + width;
            size_t end = n - start < 2 * width ? n : start + 2 * width;
            merge(from, to, (size_t[3]){ start, middle, end }, compare, ctx);
        }
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != order && n > 0)
        memcpy(order, from, n * sizeof *order);
}
