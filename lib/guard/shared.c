/* guard/shared.c: the registry: chains by the hash of a name. */

#include "guard/shared.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/assert.h"
#include "base/text.h"

enum { ROOM_FIRST = 16 };

void gw_registry_init(struct gw_registry *r, const gw_allocator *allocator, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    gw_heap_init(&r->heap, allocator, 0);
    r->seed = seed;
}

void gw_registry_fini(struct gw_registry *r)
{
    gw_registry_sweep(r);
    GW_ASSERT(r->count == 0);
    gw_heap_release(&r->heap, r->buckets, r->room * sizeof(struct gw_shared *));
    GW_ASSERT(r->heap.used == 0);
}

static uint64_t hash_of(const struct gw_registry *r, enum gw_shared_kind kind, gw_str cluster,
                        gw_str name)
{
    uint64_t hash = XXH64(cluster.ptr, cluster.len, r->seed + (uint64_t)kind);

    return XXH64(name.ptr, name.len, hash);
}

static struct gw_shared *find(const struct gw_registry *r, enum gw_shared_kind kind, gw_str cluster,
                              gw_str name, uint64_t hash)
{
    struct gw_shared *s = r->room == 0 ? NULL : r->buckets[hash & (r->room - 1)];

    while (s != NULL && (s->hash != hash || s->kind != kind || !gw_str_eq(s->cluster, cluster) ||
                         !gw_str_eq(s->name, name)))
        s = s->next;
    return s;
}

static void move_chain(struct gw_shared **to, uint32_t room, struct gw_shared *s)
{
    while (s != NULL) {
        struct gw_shared **at = &to[s->hash & (room - 1)], *next = s->next;
        s->next = *at;
        *at = s;
        s = next;
    }
}

static bool has_room(struct gw_registry *r)
{
    uint32_t room = r->room == 0 ? ROOM_FIRST : r->room * 2;
    struct gw_shared **buckets;

    if (r->count < r->room)
        return true;
    buckets = gw_heap_zalloc(&r->heap, room * sizeof(struct gw_shared *));
    if (buckets == NULL)
        return r->room > 0; /* benign: chains grow longer */
    for (uint32_t i = 0; i < r->room; i++)
        move_chain(buckets, room, r->buckets[i]);
    gw_heap_release(&r->heap, r->buckets, r->room * sizeof(struct gw_shared *));
    r->buckets = buckets;
    r->room = room;
    return true;
}

static gw_str put_text(char **at, gw_str text)
{
    gw_str out = { *at, text.len };

    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return out;
}

static struct gw_shared *add(struct gw_registry *r, enum gw_shared_kind kind, gw_str cluster,
                             gw_str name, size_t size, uint64_t hash)
{
    size_t bytes = size + cluster.len + name.len;
    struct gw_shared *s, **bucket;
    char *at;

    GW_ASSERT(size >= sizeof *s);
    if (!has_room(r))
        return NULL;
    s = gw_heap_zalloc(&r->heap, bytes);
    if (s == NULL)
        return NULL;
    at = (char *)s + size;
    atomic_init(&s->refs, 1);
    s->kind = kind;
    s->hash = hash;
    s->bytes = bytes;
    s->cluster = put_text(&at, cluster);
    s->name = put_text(&at, name);
    bucket = &r->buckets[hash & (r->room - 1)];
    s->next = *bucket;
    *bucket = s;
    r->count++;
    return s;
}

struct gw_shared *gw_registry_get(struct gw_registry *r, enum gw_shared_kind kind, gw_str cluster,
                                  gw_str name, size_t size)
{
    uint64_t hash = hash_of(r, kind, cluster, name);
    struct gw_shared *s = find(r, kind, cluster, name, hash);

    if (s == NULL)
        return add(r, kind, cluster, name, size, hash);
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

struct gw_shared *gw_registry_add(struct gw_registry *r, enum gw_shared_kind kind, gw_str name,
                                  size_t size)
{
    return add(r, kind, (gw_str){ NULL, 0 }, name, size,
               hash_of(r, kind, (gw_str){ NULL, 0 }, name));
}

/* One walk; an heir may be left for the next one. */
static void sweep(struct gw_registry *r)
{
    for (uint32_t i = 0; i < r->room; i++) {
        struct gw_shared **at = &r->buckets[i];
        while (*at != NULL) {
            struct gw_shared *s = *at;
            /* Nobody can refer to it again but through the registry, which is ours. */
            if (atomic_load_explicit(&s->refs, memory_order_acquire) > 0) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            r->count--;
            gw_shared_unref(s->heir);
            gw_heap_release(&r->heap, s, s->bytes);
        }
    }
}

void gw_registry_sweep(struct gw_registry *r)
{
    uint32_t before;

    do {
        before = r->count;
        sweep(r);
    } while (r->count < before);
}

void gw_shared_unref(struct gw_shared *s)
{
    if (s == NULL)
        return;
    unsigned before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_release);
    GW_ASSERT(before > 0);
    (void)before;
}
