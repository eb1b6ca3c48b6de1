/* h2/memory.c: cells of fourteen sizes, each with its free list. A cell knows its size by a word in
 * front of it, because whoever gives it back does not say. */

#include "h2/memory.h"

#include <string.h>

#include "base/assert.h"
#include "base/poison.h"

enum { HEAD = 16, CHUNK = 16384, CELL_MAX = 3072 };

/* Bytes of a cell, its head included; two sizes an octave, so that little is lost. */
static const uint16_t sizes[GW_H2_MEMORY_CLASSES] = { 32,  48,  64,  96,   128,  192,  256,
                                                      384, 512, 768, 1024, 1536, 2048, CELL_MAX };

struct head {
    size_t size;  /* of the whole, head included: a cell's, or what the heap was asked for */
    size_t class; /* index in sizes; GW_H2_MEMORY_CLASSES: from the heap */
};
_Static_assert(sizeof(struct head) <= HEAD, "the head keeps what follows aligned");

struct chunk {
    struct chunk *next;
};
_Static_assert(sizeof(struct chunk) <= HEAD, "likewise");

void gw_h2_memory_init(struct gw_h2_memory *m, struct gw_heap *heap, uint64_t bytes_max)
{
    *m = (struct gw_h2_memory){ .heap = heap, .bytes_max = bytes_max };
}

void gw_h2_memory_fini(struct gw_h2_memory *m)
{
    GW_ASSERT(m->live == 0);
    for (struct chunk *chunk = m->chunks; chunk != NULL;) {
        struct chunk *next = chunk->next;
        GW_UNPOISON(chunk, CHUNK);
        gw_heap_release(m->heap, chunk, CHUNK);
        chunk = next;
    }
    *m = (struct gw_h2_memory){ .heap = m->heap };
}

static void *from_heap(struct gw_h2_memory *m, size_t size)
{
    if (size > m->bytes_max - m->bytes)
        return NULL;
    void *ptr = gw_heap_alloc(m->heap, size);
    if (ptr != NULL)
        m->bytes += size;
    return ptr;
}

static size_t class_of(size_t size)
{
    size_t c = size <= 128 ? 0 : size <= 384 ? 5 : 8;
    while (sizes[c] < size) /* at most six rounds */
        c++;
    return c;
}

/* What is left of the old chunk, at most the largest cell, becomes cells of its own. */
static void cut_rest(struct gw_h2_memory *m)
{
    for (size_t c = GW_H2_MEMORY_CLASSES; c-- > 0;) {
        if ((size_t)(m->end - m->at) < sizes[c])
            continue;
        GW_UNPOISON(m->at, sizeof(void *));
        *(void **)(void *)m->at = m->free[c];
        m->free[c] = m->at;
        GW_POISON(m->at, sizes[c]);
        m->at += sizes[c];
    }
}

static void *cut(struct gw_h2_memory *m, size_t size)
{
    if ((size_t)(m->end - m->at) < size) {
        struct chunk *chunk = from_heap(m, CHUNK);
        if (chunk == NULL)
            return NULL;
        cut_rest(m);
        chunk->next = m->chunks;
        m->chunks = chunk;
        m->at = (char *)chunk + HEAD;
        m->end = (char *)chunk + CHUNK;
        GW_POISON(m->at, CHUNK - HEAD);
    }
    void *cell = m->at;
    m->at += size;
    return cell;
}

static void *take_cell(struct gw_h2_memory *m, size_t class)
{
    void *cell = m->free[class];
    if (cell == NULL) {
        cell = cut(m, sizes[class]);
        if (cell != NULL)
            GW_UNPOISON(cell, sizes[class]);
        return cell;
    }
    GW_UNPOISON(cell, sizes[class]);
    m->free[class] = *(void **)cell;
    return cell;
}

void *gw_h2_memory_take(struct gw_h2_memory *m, size_t size)
{
    if (size > SIZE_MAX - HEAD)
        return NULL;
    struct head head = { .size = size + HEAD, .class = GW_H2_MEMORY_CLASSES };
    void *whole;
    if (head.size <= CELL_MAX) {
        head.class = class_of(head.size);
        head.size = sizes[head.class];
        whole = take_cell(m, head.class);
    } else {
        whole = from_heap(m, head.size);
    }
    if (whole == NULL)
        return NULL;
    *(struct head *)whole = head;
    m->live++;
    return (char *)whole + HEAD;
}

void *gw_h2_memory_retake(struct gw_h2_memory *m, void *ptr, size_t size)
{
    if (ptr == NULL)
        return gw_h2_memory_take(m, size);
    struct head *head = (struct head *)(void *)((char *)ptr - HEAD);
    if (size <= head->size - HEAD && head->class < GW_H2_MEMORY_CLASSES)
        return ptr;
    void *new = gw_h2_memory_take(m, size);
    if (new == NULL)
        return NULL;
    memcpy(new, ptr, size < head->size - HEAD ? size : head->size - HEAD);
    gw_h2_memory_give(m, ptr);
    return new;
}

void gw_h2_memory_give(struct gw_h2_memory *m, void *ptr)
{
    if (ptr == NULL)
        return;
    struct head *whole = (struct head *)(void *)((char *)ptr - HEAD);
    struct head head = *whole;
    GW_ASSERT(m->live > 0);
    m->live--;
    if (head.class == GW_H2_MEMORY_CLASSES) {
        m->bytes -= head.size;
        gw_heap_release(m->heap, whole, head.size);
        return;
    }
    GW_ASSERT(head.class < GW_H2_MEMORY_CLASSES && head.size == sizes[head.class]);
    *(void **)(void *)whole = m->free[head.class];
    m->free[head.class] = whole;
    GW_POISON(whole, head.size);
}
