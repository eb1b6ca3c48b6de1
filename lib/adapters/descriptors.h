/* adapters/descriptors.h: Envoy's way of writing limits: a tree of descriptors with a rate at some of them,
 * and routes whose actions make a descriptor of a request. Becomes limiters and names of limiters. */
#ifndef GW_ADAPTERS_DESCRIPTORS_H
#define GW_ADAPTERS_DESCRIPTORS_H

#include "adapters/yaml_value.h"

struct gw_descriptors {
    struct gw_yaml_reader *reader;
    gw_builder *builder;
    gw_str domain;
    struct gw_descriptor *first, **last; /* of the tree, parents first  */
    struct gw_descriptor_limiter *made;  /* limiters that were added    */
};

/* Reads the tree. d is zeroed; err says what is wrong. */
gw_status gw_descriptors_open(struct gw_descriptors *d, struct gw_yaml_reader *reader,
                              gw_builder *builder, const struct gw_yaml_node *node) GW_MUST_CHECK;
/* Adds the limiters that an element of a route's list needs. *out: what stands for it in the route's
 * limiters. */
gw_status gw_descriptors_route(struct gw_descriptors *d, const struct gw_yaml_node *node,
                               gw_str *out) GW_MUST_CHECK;

#endif
