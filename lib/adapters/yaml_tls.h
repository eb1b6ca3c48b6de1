/* adapters/yaml_tls.h: the key tls of a listener and of a cluster: the files that it names are asked of the
 * host and become settings. It knows files by what stands in the configuration, never where they are. */
#ifndef GW_ADAPTERS_YAML_TLS_H
#define GW_ADAPTERS_YAML_TLS_H

#include <gw/tls.h>

#include "adapters/yaml_value.h"

struct gw_yaml_tls {
    struct gw_yaml_reader *reader;
    const gw_env *env;
    gw_yaml_read_fn *read;
    void *read_ctx;
    bool is_known; /* this build has TLS */
};

/* Settings of role from the value of tls; out: a reference. err says what is wrong, with the name of the
 * file that is. */
gw_status gw_yaml_tls_read(struct gw_yaml_tls *y, const struct gw_yaml_node *node, uint32_t role,
                           gw_tls **out) GW_MUST_CHECK;

#endif
