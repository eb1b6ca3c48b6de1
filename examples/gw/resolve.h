/* resolve.h: host names in endpoints, asked of the system when a file is loaded. */
#ifndef GW_PROGRAM_RESOLVE_H
#define GW_PROGRAM_RESOLVE_H

#include <gw/yaml.h>

/* A gw_yaml_resolve_fn; ctx is unused. What does not resolve is said on stderr. */
size_t resolve_name(void *ctx, gw_str address, gw_yaml_answer *out, size_t max);

#endif
