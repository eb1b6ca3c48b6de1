/* config/keys.c: lists of keys, checked and frozen. */

#include "config/keys.h"

static void check_key(const struct gw_part *part, const struct gw_keys_field *of, gw_str text,
                      size_t i)
{
    struct gw_key key;
    char field[GW_ELEMENT_MAX];
    gw_fault_element(field, of->name, i, "");
    if (text.len > GW_KEY_MAX) {
        gw_fault_add_value(part, field, text, "the key is too long; at most 256 bytes");
    } else if (gw_key_parse(text, of->has_values, &key) != GW_OK) {
        struct gw_text message = gw_fault_begin_value(part, field, text);
        gw_key_say_wrong(text, of->has_values, &message);
    }
}

void gw_keys_take(const struct gw_part *part, const struct gw_keys_field *of, const gw_str **keys,
                  size_t *len)
{
    struct gw_store *store = &part->builder->config->store;
    size_t n = *keys == NULL ? 0 : *len;
    if (*keys == NULL && *len > 0)
        gw_fault_add(part, of->name, GW_EINVAL, "the list has a length and is NULL");
    if (n > GW_KEYS_MAX) {
        gw_fault_add(part, of->name, GW_ELIMIT, "the list is too long; at most 8");
        n = 0;
    }
    gw_str *copy = gw_store_take(store, n, sizeof *copy);
    for (size_t i = 0; i < n && copy != NULL; i++)
        if (gw_store_copy(store, (*keys)[i], &copy[i]) != GW_OK)
            copy = NULL;
    if (copy == NULL)
        part->builder->has_no_memory = true;
    *keys = copy;
    *len = copy == NULL ? 0 : n;
    for (size_t i = 0; i < *len; i++)
        check_key(part, of, copy[i], i);
}

gw_status gw_keys_freeze(struct gw_store *store, const gw_str *keys, size_t n,
                         const struct gw_key **out, uint32_t *out_len)
{
    struct gw_key *made = gw_store_take(store, n, sizeof *made);
    if (made == NULL)
        return GW_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        gw_status status = gw_key_parse(keys[i], true, &made[i]);
        if (status != GW_OK)
            return status;
    }
    *out = made;
    *out_len = (uint32_t)n;
    return GW_OK;
}
