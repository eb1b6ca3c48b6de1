/* base/arena.h: memory that dies together: a first cell given by the owner, then chunks of one size
 * from a source (the worker's block pool), up to a bound. Nothing is freed singly. */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include <gw/env.h>

/* Where chunks come from: all of one size. */
struct gw_arena;
struct gw_arena_source {
    void *ctx;
    void *(*take)(void *ctx, struct gw_arena *for_whom); /* NULL: refused */
    void (*give)(void *ctx, void *chunk);
    size_t chunk_bytes;
};

struct gw_arena {
    const struct gw_arena_source *source;
    char *at, *end;        /* free part of the current cell or chunk */
    void *chunks;          /* list, linked through the first word    */
    size_t used, used_max; /* bytes handed out, and their bound      */
};

/* first may be NULL with first_len 0. source may be NULL: then only the first cell. */
void gw_arena_init(struct gw_arena *a, void *first, size_t first_len,
                   const struct gw_arena_source *source, size_t used_max);
/* The longest piece, with chunks of that size. */
size_t gw_arena_piece_max(size_t chunk_bytes);
void gw_arena_fini(struct gw_arena *a); /* gives the chunks back */
/* Aligned to 8. NULL: over the bound, longer than a chunk, or the source refused. */
void *gw_arena_alloc(struct gw_arena *a, size_t len) GW_MUST_CHECK;
/* A copy (unaligned, no zero byte). GW_ELIMIT: over the bound or longer than a chunk; GW_ENOMEM. */
gw_status gw_arena_copy(struct gw_arena *a, gw_str text, gw_str *out) GW_MUST_CHECK;

#endif
