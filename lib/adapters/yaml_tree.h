/* adapters/yaml_tree.h: a file as a tree of nodes that know their places. Bounded: bytes, depth and
 * nodes; aliases stand for single values only, and tags are not in use. */
#ifndef GW_ADAPTERS_YAML_TREE_H
#define GW_ADAPTERS_YAML_TREE_H

#include <gw/yaml.h>

#include "base/store.h"
#include "base/text.h"

enum { GW_YAML_BYTES_MAX = 4 << 20, GW_YAML_DEPTH_MAX = 32, GW_YAML_NODES_MAX = 1000000 };

enum gw_yaml_kind { GW_YAML_VALUE = 1, GW_YAML_LIST = 2, GW_YAML_MAP = 3 };

struct gw_yaml_place {
    uint32_t line, column; /* from 1 */
};
struct gw_yaml_node {
    struct gw_yaml_node *parent, *next, *first, *last;
    uint32_t kind;
    uint32_t index; /* among its parent's */
    uint32_t len;   /* how many are inside */
    bool is_plain;  /* a value without quotes */
    struct gw_yaml_place place, key_place;
    gw_str key;  /* in a map */
    gw_str text; /* of a value */
};

/* err is own and complete; on failure it is filled. */
gw_status gw_yaml_tree_parse(struct gw_store *store, gw_str text, struct gw_yaml_node **out,
                             gw_yaml_error *err) GW_MUST_CHECK;
/* "clusters[0].endpoints[1]" */
void gw_yaml_say_where(const struct gw_yaml_node *node, struct gw_text *text);

#endif
