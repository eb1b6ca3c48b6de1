/* config/keys.h: lists of keys ("header:x-user") as specs have them: taken and checked, and frozen. */
#ifndef GW_CONFIG_KEYS_H
#define GW_CONFIG_KEYS_H

#include "config/fault.h"
#include "http/key.h"

struct gw_keys_field {
    const char *name;
    bool has_values; /* keys may end in =VALUE */
};
/* Copies the list, and adds a fault for what is no key. */
void gw_keys_take(const struct gw_part *part, const struct gw_keys_field *of, const gw_str **keys,
                  size_t *len);
/* GW_ENOMEM. They were checked. */
gw_status gw_keys_freeze(struct gw_store *store, const gw_str *keys, size_t n,
                         const struct gw_key **out, uint32_t *out_len) GW_MUST_CHECK;

#endif
