/* http/pair.c: lists of pairs looked through. */

#include "http/pair.h"

#include "base/text.h"

/* Up to the first c, or all; rest: what stands behind it. */
static gw_str cut(gw_str *rest, char c)
{
    size_t at = gw_str_find(*rest, c);
    gw_str piece = gw_str_slice(*rest, 0, at);
    *rest = gw_str_slice(*rest, at < rest->len ? at + 1 : at, rest->len);
    return piece;
}

bool gw_pair_next(gw_str *rest, char between, gw_str name, gw_str *value)
{
    while (rest->len > 0) {
        *value = gw_str_trim(cut(rest, between));
        gw_str key = cut(value, '=');
        if (gw_str_eq(key, name))
            return true;
    }
    return false;
}

gw_str gw_pair_find(gw_str list, char between, gw_str name)
{
    gw_str value;
    return gw_pair_next(&list, between, name, &value) ? value : (gw_str){ NULL, 0 };
}

gw_str gw_pair_cookie(const struct gw_fields *fields, gw_str name)
{
    gw_str value = { NULL, 0 };
    uint32_t i = 0;
    for (const struct gw_field *f; value.ptr == NULL && (f = gw_fields_next(fields, &i)) != NULL;)
        if (f->id == GW_FIELD_COOKIE)
            value = gw_pair_find(f->value, ';', name);
    return value;
}
