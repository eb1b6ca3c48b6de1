/* base/spec.h: the rule of sized structs: copy a caller's spec of any size onto defaults. */
#ifndef GW_BASE_SPEC_H
#define GW_BASE_SPEC_H

#include <gw/env.h>

/* own: a zeroed struct of own_size; both start with uint32_t size. Copies min(size, own_size) and sets
 * own's size to own_size. GW_EINVAL: spec NULL, size 0 or under 4, or bytes beyond own_size that are
 * not zero. */
gw_status gw_spec_copy(void *own, size_t own_size, const void *spec) GW_MUST_CHECK;
/* The other way, for structs the library fills: copies what out->size covers; keeps out's size. */
gw_status gw_spec_fill(void *out, const void *own, size_t own_size) GW_MUST_CHECK;

#endif
