/* config/freeze.h: from parts without fault to the tables that the machine reads. */
#ifndef GW_CONFIG_FREEZE_H
#define GW_CONFIG_FREEZE_H

#include "config/builder.h"

/* Fills b->config. GW_ENOMEM. */
gw_status gw_freeze(struct gw_builder *b) GW_MUST_CHECK;

#endif
