/* base/map.c: linear probing; an entry is dropped by moving its followers back, so that there are
 * no tombstones and a search ends at the first empty place. Empty: value NULL. */

#include "base/map.h"

#include "base/assert.h"
#include "base/text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { ROOM_FIRST = 8 };
#define ROOM_MAX (1u << 30)

static uint64_t hash_of(const struct gw_map *map, gw_str key)
{
    return XXH64(key.len == 0 ? "" : key.ptr, key.len, map->seed);
}

void gw_map_init(struct gw_map *map, struct gw_heap *heap, uint64_t seed)
{
    *map = (struct gw_map){ .heap = heap, .seed = seed };
}

void gw_map_fini(struct gw_map *map)
{
    gw_heap_release(map->heap, map->entries, map->room * sizeof *map->entries);
    gw_map_init(map, map->heap, map->seed);
}

/* The place of the key, or the empty place where it belongs. There is always an empty one. */
static uint32_t place_of(const struct gw_map *map, gw_str key, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (map->room - 1);
    while (map->entries[at].value != NULL &&
           (map->entries[at].hash != hash || !gw_str_eq(map->entries[at].key, key)))
        at = (at + 1) & (map->room - 1);
    return at;
}

void *gw_map_find(const struct gw_map *map, gw_str key)
{
    if (map->count == 0)
        return NULL;
    return map->entries[place_of(map, key, hash_of(map, key))].value;
}

static gw_status grow(struct gw_map *map)
{
    uint32_t room = map->room == 0 ? ROOM_FIRST : map->room * 2;
    if (room > ROOM_MAX)
        return GW_ENOMEM;
    struct gw_map_entry *entries = gw_heap_zalloc(map->heap, room * sizeof *entries);
    if (entries == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < map->room; i++) {
        if (map->entries[i].value == NULL)
            continue;
        uint32_t at = (uint32_t)map->entries[i].hash & (room - 1);
        while (entries[at].value != NULL)
            at = (at + 1) & (room - 1);
        entries[at] = map->entries[i];
    }
    gw_heap_release(map->heap, map->entries, map->room * sizeof *entries);
    map->entries = entries;
    map->room = room;
    return GW_OK;
}

gw_status gw_map_put(struct gw_map *map, gw_str key, void *value)
{
    GW_ASSERT(value != NULL);
    uint64_t hash = hash_of(map, key);
    uint32_t at = map->room == 0 ? 0 : place_of(map, key, hash);
    if (map->room == 0 || map->entries[at].value == NULL) {
        if (map->count >= map->room / 4 * 3) {
            gw_status status = grow(map);
            if (status != GW_OK)
                return status;
            at = place_of(map, key, hash);
        }
        map->count++;
    }
    map->entries[at] = (struct gw_map_entry){ key, value, hash };
    return GW_OK;
}

void *gw_map_drop(struct gw_map *map, gw_str key)
{
    if (map->count == 0)
        return NULL;
    uint32_t mask = map->room - 1;
    uint32_t hole = place_of(map, key, hash_of(map, key));
    void *value = map->entries[hole].value;
    if (value == NULL)
        return NULL;
    /* A follower may fill the hole if its own place is not behind the hole on the way to it. */
    for (uint32_t at = (hole + 1) & mask; map->entries[at].value != NULL; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)map->entries[at].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->entries[hole] = map->entries[at];
            hole = at;
        }
    }
    map->entries[hole] = (struct gw_map_entry){ .value = NULL };
    map->count--;
    return value;
}

const struct gw_map_entry *gw_map_next(const struct gw_map *map, uint32_t *at)
{
    while (*at < map->room) {
        const struct gw_map_entry *entry = &map->entries[(*at)++];
        if (entry->value != NULL)
            return entry;
    }
    return NULL;
}
