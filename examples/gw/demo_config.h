/* demo_config.h: the two configurations of the demo, made with the C builder. */
#ifndef GW_PROGRAM_DEMO_CONFIG_H
#define GW_PROGRAM_DEMO_CONFIG_H

#include "demo.h"

/* The names of the upstreams' listeners: they answer with theirs. */
extern const char *const demo_upstream_names[DEMO_UPSTREAMS];

/* NULL: it was said what is wrong. The caller's to unref. */
gw_config *demo_config_upstreams(const struct demo *demo);
gw_config *demo_config_gateway(const struct demo *demo, bool is_logged);

#endif
