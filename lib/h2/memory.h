/* h2/memory.h: memory for what lives and dies with requests: cells of a few sizes, cut from chunks of
 * the heap and kept for the next request, so that a request in steady state never reaches the
 * allocator. What is larger than any cell goes to the heap itself. Shared by the HTTP/2 connections
 * of one worker. */
#ifndef GW_H2_MEMORY_H
#define GW_H2_MEMORY_H

#include "base/heap.h"

enum { GW_H2_MEMORY_CLASSES = 14 };

struct gw_h2_memory {
    struct gw_heap *heap;
    void *free[GW_H2_MEMORY_CLASSES]; /* lists, linked through the first word     */
    void *chunks;                     /* list                                     */
    char *at, *end;                   /* the part of the last chunk not cut yet   */
    uint64_t bytes, bytes_max;        /* taken from the heap, and the bound on it */
    uint64_t live;                    /* pieces that are out                      */
};

void gw_h2_memory_init(struct gw_h2_memory *m, struct gw_heap *heap, uint64_t bytes_max);
void gw_h2_memory_fini(struct gw_h2_memory *m); /* asserts that all came back */
/* NULL: the bound, the heap's cap or the allocator. Aligned to 16, not zeroed. */
void *gw_h2_memory_take(struct gw_h2_memory *m, size_t size) GW_MUST_CHECK;
void *gw_h2_memory_retake(struct gw_h2_memory *m, void *ptr, size_t size) GW_MUST_CHECK;
void gw_h2_memory_give(struct gw_h2_memory *m, void *ptr); /* NULL is fine */

#endif
