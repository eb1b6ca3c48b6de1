/* base/store.h: memory of things that end together: handed out bit by bit, taken back all at
 * once. */
#ifndef GW_BASE_STORE_H
#define GW_BASE_STORE_H

#include "base/heap.h"

struct gw_store {
    struct gw_heap *heap;
    void *chunks; /* list, linked through their heads */
    char *at, *end;
};

void gw_store_init(struct gw_store *store, struct gw_heap *heap);
void gw_store_fini(struct gw_store *store);
/* Zeroed, aligned to 16; n * size may be 0. NULL: refused, or too much to count. */
void *gw_store_take(struct gw_store *store, size_t n, size_t size) GW_MUST_CHECK;
/* A copy with a zero byte behind. GW_ENOMEM. */
gw_status gw_store_copy(struct gw_store *store, gw_str text, gw_str *out) GW_MUST_CHECK;

#endif
