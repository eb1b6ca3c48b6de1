/* http/pair.h: NAME=VALUE in a list: cookies, and the parameters of a query. Nothing is decoded. */
#ifndef GW_HTTP_PAIR_H
#define GW_HTTP_PAIR_H

#include "http/field.h"

/* The next of that name, trimmed; rest is the whole at first, and then what lies behind. False: none. */
bool gw_pair_next(gw_str *rest, char between, gw_str name, gw_str *value);
/* The value of the first of that name; ptr NULL: there is none. */
gw_str gw_pair_find(gw_str list, char between, gw_str name);
/* Of all cookies: HTTP/2 clients may send a line each (RFC 9113 8.2.3). */
gw_str gw_pair_cookie(const struct gw_fields *fields, gw_str name);

#endif
