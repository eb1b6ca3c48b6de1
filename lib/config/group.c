/* config/group.c: groups are copied, checked and completed. */

#include "config/group.h"

#include "base/spec.h"

bool gw_group_take(const struct gw_part *part, const char *field, void *own, size_t size,
                   const void *given)
{
    if (given == NULL)
        return false;
    if (gw_spec_copy(own, size, given) == GW_OK)
        return true;
    gw_fault_add(part, field, GW_EINVAL,
                 "start it as GW_SPEC(type); what this library does not know must be zero");
    return false;
}

void gw_group_complete(const struct gw_part *part, const struct gw_number *rows, size_t len,
                       void *group)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t *n = (uint32_t *)(void *)((char *)group + rows[i].at);
        if (*n == 0)
            *n = rows[i].normal;
        else if (*n == GW_OFF ? !rows[i].may_be_off : *n < rows[i].least || *n > rows[i].most)
            gw_fault_add_range(part, rows[i].field, rows[i].least, rows[i].most,
                               rows[i].may_be_off);
        if (*n == GW_OFF)
            *n = 0;
    }
}
