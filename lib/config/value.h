/* config/value.h: the checks of single fields. Each adds a fault at field if the value is wrong. */
#ifndef GW_CONFIG_VALUE_H
#define GW_CONFIG_VALUE_H

#include "config/fault.h"

/* Printable ASCII without space, quotes and backslash; 1 to max bytes. */
void gw_value_name(const struct gw_part *part, gw_str name, size_t max);
/* In the forms of gw_address_parse. */
void gw_value_listener_address(const struct gw_part *part, gw_str address);
void gw_value_endpoint_address(const struct gw_part *part, gw_str address);
/* Lower case: exact, "*.suffix" or empty. */
void gw_value_host(const struct gw_part *part, gw_str host);
/* Canonical. GW_ENOMEM is noted in the builder. */
void gw_value_path(const struct gw_part *part, gw_str path);
/* field: "methods", "upgrades"; i: which of them. */
void gw_value_method(const struct gw_part *part, const gw_str *methods, size_t i,
                     bool takes_connect);
void gw_value_upgrade(const struct gw_part *part, const gw_str *upgrades, size_t i);
/* A prefix of addresses, or "unix". */
void gw_value_trusted(const struct gw_part *part, const gw_str *trusted, size_t i);
void gw_value_via(const struct gw_part *part, gw_str via, bool is_off);
/* An answer that the gateway gives by itself; code 0: none. */
struct gw_value_reply {
    uint32_t code;
    gw_str type, body;
    const char *code_field, *type_field, *body_field;
};
void gw_value_reply(const struct gw_part *part, const struct gw_value_reply *reply);

#endif
