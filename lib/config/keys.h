/* config/keys.h: lists of keys ("header:x-user") as specs have them: taken and checked, and frozen. */
#ifndef GW_CONFIG_KEYS_H
#define GW_CONFIG_KEYS_H

#include "balance/hash_key.h"
#include "config/fault.h"

/* Copies the list, and adds a fault for what is no key. */
void gw_keys_take(const struct gw_part *part, const char *field, const gw_str **keys, size_t *len);
/* GW_ENOMEM. They were checked. */
gw_status gw_keys_freeze(struct gw_store *store, const gw_str *keys, size_t n,
                         const struct gw_hash_key **out, uint32_t *out_len) GW_MUST_CHECK;

#endif
