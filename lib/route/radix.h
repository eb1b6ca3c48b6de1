/* route/radix.h: a frozen tree of byte strings, compressed: a node's edge is all the bytes up to the
 * next fork. Children of a node lie side by side, found by their first byte. Built once from sorted
 * strings, breadth first. */
#ifndef GW_ROUTE_RADIX_H
#define GW_ROUTE_RADIX_H

#include "base/heap.h"
#include "base/text.h"

#define GW_RADIX_NONE UINT32_MAX

struct gw_radix_node {
    const char *edge; /* a view of a string it was built from */
    uint32_t edge_len;
    uint32_t children, children_len;
    uint32_t value; /* of the string that ends here; GW_RADIX_NONE */
};

/* Nodes of any number of trees, in one table: n strings need at most 2n of them. */
struct gw_radix {
    struct gw_radix_node *nodes;
    char *firsts; /* the first byte of each node's edge */
    uint32_t len, room;
};

gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max)
    GW_MUST_CHECK;
void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap);
/* Adds the tree of n > 0 strings, sorted and different, whose values are value, value + 1, ...;
 * returns its root. The strings' bytes must stay. */
uint32_t gw_radix_add(struct gw_radix *radix, const gw_str *strings, uint32_t n, uint32_t value);
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
