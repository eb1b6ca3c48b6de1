/* base/arena.c: moves a pointer through the owner's cell, then through chunks. */

#include "base/arena.h"

#include <string.h>

#include "base/assert.h"

enum { ALIGN = 8, CHUNK_HEAD = 8 };
_Static_assert(sizeof(void *) <= CHUNK_HEAD, "the link to the next chunk");

void gw_arena_init(struct gw_arena *a, void *first, size_t first_len,
                   const struct gw_arena_source *source, size_t used_max)
{
    GW_ASSERT(first != NULL || first_len == 0);
    GW_ASSERT(source == NULL || source->chunk_bytes > CHUNK_HEAD);
    *a = (struct gw_arena){ .source = source,
                            .at = first,
                            .end = first == NULL ? NULL : (char *)first + first_len,
                            .used_max = used_max };
}

size_t gw_arena_piece_max(size_t chunk_bytes)
{
    return chunk_bytes - CHUNK_HEAD;
}

void gw_arena_fini(struct gw_arena *a)
{
    for (void *chunk = a->chunks; chunk != NULL;) {
        void *next = *(void **)chunk;
        a->source->give(a->source->ctx, chunk);
        chunk = next;
    }
    *a = (struct gw_arena){ .source = a->source };
}

static size_t padding(const char *at, size_t align)
{
    return (size_t)(-(uintptr_t)at & (align - 1));
}

static size_t room(const struct gw_arena *a)
{
    return a->at == NULL ? 0 : (size_t)(a->end - a->at);
}

static gw_status take(struct gw_arena *a, size_t len, size_t align, char **out)
{
    if (len > a->used_max - a->used)
        return GW_ELIMIT;
    if (a->at != NULL) {
        size_t pad = padding(a->at, align);
        if (pad <= room(a) && len <= room(a) - pad) {
            *out = a->at + pad;
            a->at += pad + len;
            a->used += len;
            return GW_OK;
        }
    }
    if (a->source == NULL || len > gw_arena_piece_max(a->source->chunk_bytes))
        return GW_ELIMIT;
    char *chunk = a->source->take(a->source->ctx, a);
    if (chunk == NULL)
        return GW_ENOMEM;
    GW_ASSERT(padding(chunk, ALIGN) == 0);
    *(void **)(void *)chunk = a->chunks;
    a->chunks = chunk;
    *out = chunk + CHUNK_HEAD;
    a->used += len;
    /* A long piece that fills its chunk does not cost what was free before. */
    char *at = *out + len, *end = chunk + a->source->chunk_bytes;
    if ((size_t)(end - at) >= room(a)) {
        a->at = at;
        a->end = end;
    }
    return GW_OK;
}

void *gw_arena_alloc(struct gw_arena *a, size_t len)
{
    char *out;
    return take(a, len, ALIGN, &out) == GW_OK ? out : NULL;
}

gw_status gw_arena_copy(struct gw_arena *a, gw_str text, gw_str *out)
{
    char *copy;
    if (text.len == 0) {
        *out = (gw_str){ "", 0 };
        return GW_OK;
    }
    gw_status status = take(a, text.len, 1, &copy);
    if (status != GW_OK)
        return status;
    memcpy(copy, text.ptr, text.len);
    *out = (gw_str){ copy, text.len };
    return GW_OK;
}
