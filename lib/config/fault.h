/* config/fault.h: says what is wrong and where. */
#ifndef GW_CONFIG_FAULT_H
#define GW_CONFIG_FAULT_H

#include "base/text.h"
#include "config/builder.h"

/* A part under examination: the last of a list, or one inside another. */
struct gw_part {
    struct gw_builder *builder;
    struct gw_faults *faults;
    const char *list; /* "clusters" */
    struct gw_draft *draft;
    const struct gw_draft *inside; /* the cluster of an endpoint; NULL */
};

/* The path of a field inside a list of a part, "splits[2].weight", in out; behind: ".weight", or "". */
enum { GW_ELEMENT_MAX = 64 };
const char *gw_fault_element(char out[GW_ELEMENT_MAX], const char *list, size_t i,
                             const char *behind);
/* Begins a fault of a field; field NULL: of the whole part. The caller goes on with the text. */
struct gw_text gw_fault_begin(const struct gw_part *part, const char *field, gw_status status);
/* "it is from 10ms to 24h, or off": of a field that counts milliseconds as a time. */
void gw_fault_add_range(const struct gw_part *part, const char *field, uint64_t least,
                        uint64_t most, bool may_be_off);
void gw_fault_add(const struct gw_part *part, const char *field, gw_status status,
                  const char *text);
/* The quoted value, ": ", and what the caller goes on with; GW_EINVAL. */
struct gw_text gw_fault_begin_value(const struct gw_part *part, const char *field, gw_str value);
/* The quoted value, ": ", text; GW_EINVAL. */
void gw_fault_add_value(const struct gw_part *part, const char *field, gw_str value,
                        const char *text);
#endif
