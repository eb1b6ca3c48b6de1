/* config/group.h: groups of numbers inside a spec, each number one row: its range, and what 0 means. */
#ifndef GW_CONFIG_GROUP_H
#define GW_CONFIG_GROUP_H

#include "config/fault.h"

/* One uint32_t of a group. */
struct gw_number {
    const char *field;
    size_t at;
    uint32_t least, most;
    uint32_t normal; /* what 0 is          */
    bool may_be_off; /* GW_OFF, which is 0 from then on */
};

/* Copies the group that given points to; false: there is none, or a fault was added at field. */
bool gw_group_take(const struct gw_part *part, const char *field, void *own, size_t size,
                   const void *given);
/* Checks a group and completes it: defaults are filled in, and what is off is 0. */
void gw_group_complete(const struct gw_part *part, const struct gw_number *rows, size_t len,
                       void *group);

#endif
