/* route/radix.c: built breadth first, so that the children of a node lie side by side. */

#include "route/radix.h"

#include "base/assert.h"

gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max,
                        uint32_t bytes_max)
{
    uint32_t room = strings_max > 0 ? 2 * strings_max : 1;
    GW_ASSERT(room > strings_max);
    *radix = (struct gw_radix){ .room = room, .bytes_room = bytes_max > 0 ? bytes_max : 1 };
    radix->nodes = gw_heap_alloc(heap, room * sizeof *radix->nodes);
    radix->firsts = gw_heap_alloc(heap, room);
    radix->bytes = gw_heap_alloc(heap, radix->bytes_room);
    if (radix->nodes != NULL && radix->firsts != NULL && radix->bytes != NULL)
        return GW_OK;
    gw_radix_fini(radix, heap);
    return GW_ENOMEM;
}

void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap)
{
    gw_heap_release(heap, radix->nodes, radix->room * sizeof *radix->nodes);
    gw_heap_release(heap, radix->firsts, radix->room);
    gw_heap_release(heap, radix->bytes, radix->bytes_room);
    *radix = (struct gw_radix){ .nodes = NULL };
}

/* Edges share what strings share: all of them are no longer than the strings. */
static uint32_t keep(struct gw_radix *radix, const char *from, size_t len)
{
    uint32_t at = radix->bytes_len;

    GW_ASSERT(len <= UINT16_MAX && len <= radix->bytes_room - at);
    if (len > 0)
        memcpy(radix->bytes + at, from, len);
    radix->bytes_len += (uint32_t)len;
    return at;
}

/* A node that is not made yet: it stands for n strings from start that agree in depth bytes. These
 * lie in the fields that making it sets. */
static void plan(struct gw_radix *radix, uint32_t start, uint32_t n, uint32_t depth, char first)
{
    GW_ASSERT(radix->len < radix->room);
    radix->firsts[radix->len] = first;
    radix->nodes[radix->len++] = (struct gw_radix_node){ .children = start,
                                                         .edge = n,
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
    uint32_t at = planned.children, end = at + planned.edge, depth = planned.value;
    size_t shared = common(strings[at], strings[end - 1], depth);
    struct gw_radix_node node = { .edge_len = (uint16_t)(shared - depth),
                                  .children = radix->len,
                                  .value = GW_RADIX_NONE };
    node.edge = keep(radix, shared > depth ? strings[at].ptr + depth : NULL, shared - depth);
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
