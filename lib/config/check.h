/* config/check.h: what only all parts together can be right or wrong about. */
#ifndef GW_CONFIG_CHECK_H
#define GW_CONFIG_CHECK_H

#include "config/builder.h"

/* Adds to check_faults, and notes in each route which cluster and listener it means. */
void gw_check_parts(struct gw_builder *b);

#endif
