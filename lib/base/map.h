/* base/map.h: from byte strings to pointers; open addressing, seeded hash (xxHash64), grows on its
 * heap. Keys are views: the owner keeps their bytes alive while they are in. */
#ifndef GW_BASE_MAP_H
#define GW_BASE_MAP_H

#include "base/heap.h"

struct gw_map_entry {
    gw_str key;
    void *value;
    uint64_t hash;
};
struct gw_map {
    struct gw_heap *heap;
    struct gw_map_entry *entries;
    uint64_t seed;
    uint32_t count, room; /* room: a power of two or 0 */
};
void gw_map_init(struct gw_map *map, struct gw_heap *heap, uint64_t seed);
void gw_map_fini(struct gw_map *map);
void *gw_map_find(const struct gw_map *map, gw_str key); /* NULL: none */
/* Replaces an equal key. value is not NULL. GW_ENOMEM. */
gw_status gw_map_put(struct gw_map *map, gw_str key, void *value) GW_MUST_CHECK;
void *gw_map_drop(struct gw_map *map, gw_str key); /* what was there; NULL: nothing */
/* Walks all: start with *at = 0; NULL: no more. Do not change the map meanwhile. */
const struct gw_map_entry *gw_map_next(const struct gw_map *map, uint32_t *at);

#endif
