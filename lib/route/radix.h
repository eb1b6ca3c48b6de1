/* route/radix.h: a frozen tree of byte strings, compressed: a node's edge is all the bytes up to the
 * next fork. Children of a node lie side by side, found by their first byte, and so do the bytes of their
 * edges: a search in a large one costs misses of the cache more than instructions. Built once from sorted
 * strings, breadth first. */
#ifndef GW_ROUTE_RADIX_H
#define GW_ROUTE_RADIX_H

#include "base/heap.h"
#include "base/text.h"

#define GW_RADIX_NONE UINT32_MAX

struct gw_radix_node {
    uint32_t edge; /* in bytes */
    uint16_t edge_len, children_len;
    uint32_t children;
    uint32_t value; /* of the string that ends here; GW_RADIX_NONE */
};

/* Nodes of any number of trees, in one table: n strings need at most 2n of them. */
struct gw_radix {
    struct gw_radix_node *nodes;
    char *firsts; /* the first byte of each node's edge */
    char *bytes;  /* the edges' */
    uint32_t len, room, bytes_len, bytes_room;
};

/* Room for so many strings, of up to UINT16_MAX bytes, of so many in all. */
gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max,
                        uint32_t bytes_max) GW_MUST_CHECK;
void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap);
/* Adds the tree of n > 0 strings, sorted and different, whose values are value, value + 1, ...;
 * returns its root. The strings are not needed any more. */
uint32_t gw_radix_add(struct gw_radix *radix, const gw_str *strings, uint32_t n, uint32_t value);
static inline const char *gw_radix_edge(const struct gw_radix *radix,
                                        const struct gw_radix_node *node)
{
    return radix->bytes + node->edge;
}

/* The child whose edge begins with c; GW_RADIX_NONE. */
static inline uint32_t gw_radix_child(const struct gw_radix *radix,
                                      const struct gw_radix_node *node, char c)
{
    if (node->children_len == 0)
        return GW_RADIX_NONE;
    const char *first = &radix->firsts[node->children];
    const char *found = memchr(first, c, node->children_len);
    return found == NULL ? GW_RADIX_NONE : node->children + (uint32_t)(found - first);
}

#endif
