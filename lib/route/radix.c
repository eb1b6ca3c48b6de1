/* route/radix.c: built breadth first, so that the children of a node lie side by side. */

#include "route/radix.h"

#include "base/assert.h"

gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max)
{
    uint32_t room = strings_max > 0 ? 2 * strings_max : 1;
    GW_ASSERT(room > strings_max);
    struct gw_radix_node *nodes = gw_heap_alloc(heap, room * sizeof *nodes);
    char *firsts = gw_heap_alloc(heap, room);
    if (nodes == NULL || firsts == NULL) {
        gw_heap_release(heap, nodes, room * sizeof *nodes);
        gw_heap_release(heap, firsts, room);
        return GW_ENOMEM;
    }
    *radix = (struct gw_radix){ .nodes = nodes, .firsts = firsts, .room = room };
    return GW_OK;
}

void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap)
{
    gw_heap_release(heap, radix->nodes, radix->room * sizeof *radix->nodes);
    gw_heap_release(heap, radix->firsts, radix->room);
    *radix = (struct gw_radix){ .nodes = NULL };
}

/* A node that is not made yet: it stands for n strings from start that agree in depth bytes. These
 * lie in the fields that making it sets. */
static void plan(struct gw_radix *radix, uint32_t start, uint32_t n, uint32_t depth, char first)
{
    GW_ASSERT(radix->len < radix->room);
    radix->firsts[radix->len] = first;
    radix->nodes[radix->len++] = (struct gw_radix_node){ .children = start,
                                                         .children_len = n,
                                                         .value = depth };
}

static size_t common(gw_str a, gw_str b, size_t from)
{
    size_t at = from;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
        at++;
    return at;
}

/* Makes a planned node and plans its children. */
static void make(struct gw_radix *radix, uint32_t index, const gw_str *strings, uint32_t value)
{
    struct gw_radix_node planned = radix->nodes[index];
    uint32_t at = planned.children, end = at + planned.children_len, depth = planned.value;
    size_t shared = common(strings[at], strings[end - 1], depth);
    struct gw_radix_node node = { .edge = strings[at].ptr == NULL ? "" : strings[at].ptr + depth,
                                  .edge_len = (uint32_t)(shared - depth),
                                  .children = radix->len,
                                  .value = GW_RADIX_NONE };
    if (strings[at].len == shared)
        node.value = value + at++;
    while (at < end) {
        char first = strings[at].ptr[shared];
        uint32_t start = at;
        while (at < end && strings[at].ptr[shared] == first)
            at++;
        plan(radix, start, at - start, (uint32_t)shared, first);
        node.children_len++;
    }
    radix->nodes[index] = node;
}

uint32_t gw_radix_add(struct gw_radix *radix, const gw_str *strings, uint32_t n, uint32_t value)
{
    GW_ASSERT(n > 0);
    uint32_t root = radix->len;
    plan(radix, 0, n, 0, 0);
    for (uint32_t i = root; i < radix->len; i++)
        make(radix, i, strings, value);
    return root;
}
