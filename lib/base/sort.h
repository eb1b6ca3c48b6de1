/* base/sort.h: a stable merge sort of indices: no recursion, no allocation. */
#ifndef GW_BASE_SORT_H
#define GW_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Under 0: a comes first; 0: they are equal and keep their order. */
typedef int gw_compare_fn(const void *ctx, uint32_t a, uint32_t b);
/* Sorts n indices in place; spare has room for n more. O(n log n) comparisons. */
void gw_sort(uint32_t *order, uint32_t *spare, size_t n, gw_compare_fn *compare, const void *ctx);

#endif
