/* route/radix.h: a frozen set of byte strings as a compressed tree: each node stands for the bytes up to
 * the next fork. A search in a large one costs misses of the cache more than instructions: so what it
 * reads of a node lies in one piece, and what is below a fork right behind it. Built once from sorted
 * strings, depth first. */
#ifndef GW_ROUTE_RADIX_H
#define GW_ROUTE_RADIX_H

#include "base/heap.h"
#include "base/text.h"

#define GW_RADIX_NONE UINT32_MAX

/* Behind it: the first byte of each child's edge; the bytes of its own; from the next word on, where each
 * child is. */
struct gw_radix_node {
    uint32_t value; /* of the string that ends here; GW_RADIX_NONE */
    uint16_t edge_len, children_len;
};

/* Nodes of any number of trees; a node is known by its first word. */
struct gw_radix {
    uint32_t *words;
    uint32_t len, room;
};

/* A node that is not made yet: it stands for strings from start to end that agree in depth bytes. */
struct gw_radix_plan {
    uint32_t start, end, depth;
    uint32_t parent; /* the word that says where it is; GW_RADIX_NONE */
};

/* Room for so many strings, of up to UINT16_MAX bytes, of so many in all. */
gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max,
                        uint32_t bytes_max) GW_MUST_CHECK;
void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap);
/* Adds the tree of n > 0 strings, sorted and different, that have these values; returns its root. The
 * strings are not needed any more. plans: room for n, to work with. */
uint32_t gw_radix_add(struct gw_radix *radix, const gw_str *strings, const uint32_t *values,
                      uint32_t n, struct gw_radix_plan *plans);

static inline const struct gw_radix_node *gw_radix_at(const struct gw_radix *radix, uint32_t at)
{
    return (const struct gw_radix_node *)&radix->words[at];
}

static inline const char *gw_radix_edge(const struct gw_radix_node *node)
{
    return (const char *)(node + 1) + node->children_len;
}

/* How many words its bytes take. */
static inline uint32_t gw_radix_bytes_words(const struct gw_radix_node *node)
{
    return ((uint32_t)node->children_len + node->edge_len + 3) / 4;
}

/* The child whose edge begins with c; GW_RADIX_NONE. */
static inline uint32_t gw_radix_child(const struct gw_radix_node *node, char c)
{
    if (node->children_len == 0)
        return GW_RADIX_NONE;
    const char *firsts = (const char *)(node + 1);
    const char *found = memchr(firsts, c, node->children_len);
    const uint32_t *children = (const uint32_t *)(node + 1) + gw_radix_bytes_words(node);
    return found == NULL ? GW_RADIX_NONE : children[found - firsts];
}

#endif
