/* base/store.c: small pieces share a chunk, what is large gets its own. */

#include "base/store.h"

#include <string.h>

#include "base/assert.h"

enum { ALIGN = 16, CHUNK_MIN = 1024 };

struct chunk {
    struct chunk *next;
    size_t size; /* as allocated */
};
_Static_assert(sizeof(struct chunk) <= ALIGN, "a chunk's head takes one unit");

void gw_store_init(struct gw_store *store, struct gw_heap *heap)
{
    *store = (struct gw_store){ .heap = heap };
}

void gw_store_fini(struct gw_store *store)
{
    struct chunk *chunk = store->chunks;
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        gw_heap_release(store->heap, chunk, chunk->size);
        chunk = next;
    }
    *store = (struct gw_store){ .heap = store->heap };
}

static char *add_chunk(struct gw_store *store, size_t size)
{
    struct chunk *chunk = gw_heap_alloc(store->heap, ALIGN + size);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct chunk){ .next = store->chunks, .size = ALIGN + size };
    store->chunks = chunk;
    return (char *)chunk + ALIGN;
}

void *gw_store_take(struct gw_store *store, size_t n, size_t size)
{
    GW_ASSERT(size > 0);
    if (n > (SIZE_MAX / 4) / size)
        return NULL;
    /* Nothing has an address too. */
    size_t len = n == 0 ? ALIGN : (n * size + ALIGN - 1) / ALIGN * ALIGN;
    char *at;
    if (len <= (size_t)(store->end - store->at)) {
        at = store->at;
        store->at += len;
    } else if (len >= CHUNK_MIN / 2) {
        at = add_chunk(store, len);
    } else {
        at = add_chunk(store, CHUNK_MIN);
        store->at = at == NULL ? store->at : at + len;
        store->end = at == NULL ? store->end : at + CHUNK_MIN;
    }
    if (at != NULL)
        memset(at, 0, len);
    return at;
}

gw_status gw_store_copy(struct gw_store *store, gw_str text, gw_str *out)
{
    char *copy = gw_store_take(store, text.len + 1, 1);
    if (copy == NULL)
        return GW_ENOMEM;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    *out = (gw_str){ copy, text.len };
    return GW_OK;
}
