/* route/radix.c: built depth first, so that a fork near the leaves shares its lines of the cache with
 * them. */

#include "route/radix.h"

#include "base/assert.h"

enum { WORD = sizeof(uint32_t), HEAD_WORDS = sizeof(struct gw_radix_node) / WORD };

gw_status gw_radix_init(struct gw_radix *radix, struct gw_heap *heap, uint32_t strings_max,
                        uint32_t bytes_max)
{
    /* n strings make at most 2n nodes, each with its place in a parent, a first byte and less than a
     * word lost behind its bytes. Edges share what strings share: all are no longer than the strings. */
    uint64_t nodes = 2 * (uint64_t)strings_max + 1;
    uint64_t room = nodes * (HEAD_WORDS + 2) + (nodes + bytes_max) / WORD + 1;
    GW_ASSERT(room < GW_RADIX_NONE);
    *radix = (struct gw_radix){ .room = (uint32_t)room };
    radix->words = gw_heap_alloc(heap, (size_t)room * WORD);
    return radix->words != NULL ? GW_OK : GW_ENOMEM;
}

void gw_radix_fini(struct gw_radix *radix, struct gw_heap *heap)
{
    gw_heap_release(heap, radix->words, (size_t)radix->room * WORD);
    *radix = (struct gw_radix){ .words = NULL };
}

static size_t common(gw_str a, gw_str b, size_t from)
{
    size_t at = from;
    while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
        at++;
    return at;
}

/* Plans the children of what stands for strings from at to end, which agree in depth bytes; returns how
 * many they are. */
static uint32_t plan(struct gw_radix_plan *plans, const gw_str *strings, uint32_t at, uint32_t end,
                     uint32_t depth)
{
    uint32_t len = 0;
    while (at < end) {
        uint32_t start = at;
        while (at < end && strings[at].ptr[depth] == strings[start].ptr[depth])
            at++;
        plans[len++] = (struct gw_radix_plan){ .start = start, .end = at, .depth = depth + 1 };
    }
    return len;
}

static uint32_t take_words(struct gw_radix *radix, const struct gw_radix_node *node)
{
    uint32_t at = radix->len, len = HEAD_WORDS + gw_radix_bytes_words(node) + node->children_len;
    GW_ASSERT(len <= radix->room - at);
    radix->len += len;
    memcpy(radix->words + at, node, sizeof *node);
    return at;
}

/* Makes what is planned and plans its children; returns how many they are. */
static uint32_t make(struct gw_radix *radix, struct gw_radix_plan planned, const gw_str *strings,
                     const uint32_t *values, struct gw_radix_plan *plans)
{
    gw_str first = strings[planned.start];
    size_t depth = common(first, strings[planned.end - 1], planned.depth);
    bool has_value = first.len == depth;
    GW_ASSERT(depth - planned.depth <= UINT16_MAX);
    uint32_t len = plan(plans, strings, planned.start + has_value, planned.end, (uint32_t)depth);
    struct gw_radix_node node = { .value = has_value ? values[planned.start] : GW_RADIX_NONE,
                                  .edge_len = (uint16_t)(depth - planned.depth),
                                  .children_len = (uint16_t)len };
    uint32_t at = take_words(radix, &node), bytes = at + HEAD_WORDS;
    char *firsts = (char *)(radix->words + bytes);
    for (uint32_t i = 0; i < len; i++) {
        firsts[i] = strings[plans[i].start].ptr[depth];
        plans[i].parent = bytes + gw_radix_bytes_words(&node) + i;
    }
    if (node.edge_len > 0)
        memcpy(firsts + len, first.ptr + planned.depth, node.edge_len);
    if (planned.parent != GW_RADIX_NONE)
        radix->words[planned.parent] = at;
    return len;
}

uint32_t gw_radix_add(struct gw_radix *radix, const gw_str *strings, const uint32_t *values,
                      uint32_t n, struct gw_radix_plan *plans)
{
    GW_ASSERT(n > 0);
    uint32_t root = radix->len, len = 1;
    plans[0] = (struct gw_radix_plan){ .end = n, .parent = GW_RADIX_NONE };
    while (len > 0) {
        len--;
        len += make(radix, plans[len], strings, values, plans + len);
    }
    return root;
}
