/* gw/message.h: request and response heads, and trailers.
 *
 * Views live until the hook returns or the message is changed. Names compare without regard to
 * ASCII case; the case a peer sent is kept. Setters copy into the exchange's arena and answer
 * GW_EINVAL for bytes that HTTP forbids there (RFC 9110 5.1, 5.5), GW_ELIMIT when the head would
 * pass the limits, GW_ENOMEM, GW_ESTATE when the head has left. All belong to the worker's thread.
 */
#ifndef GW_MESSAGE_H
#define GW_MESSAGE_H

#include <gw/env.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    GW_PART_METHOD = 1,
    GW_PART_SCHEME = 2,
    GW_PART_AUTHORITY = 3,
    GW_PART_PATH = 4,              /* canonical: what is matched, logged and forwarded        */
    GW_PART_QUERY = 5,             /* without its "?"; ptr NULL: none                         */
    GW_PART_PROTOCOL = 6,          /* of an extended CONNECT (RFC 8441) or an Upgrade         */
    GW_PART_TARGET_AS_RECEIVED = 7 /* for logs only                                           */
};
/* A part of the request line or of the pseudo-fields; the empty view where it is absent. */
GW_API gw_str gw_message_part(const gw_message *m, uint32_t part);
/* Another method, scheme, authority, path or query of a request, by the rules of a request that is
 * read: a path is made canonical, a query with ptr NULL is none, Host follows the authority. What is
 * matched is what is there when on_request has run: see gw_exchange_reroute. GW_EINVAL: bytes that
 * may not be there, any part of a CONNECT, a method from or to CONNECT or HEAD, of an upgrade, or
 * that does not suit the path "*"; GW_ENOMEM; GW_ESTATE. O(length). */
GW_API gw_status gw_message_set_part(gw_message *m, uint32_t part, gw_str value);
/* The status of a response; 0 for requests and trailers. */
GW_API uint32_t gw_message_code(const gw_message *m);
/* Another status, 200 to 599, for a response that has not left (GW_ESTATE); not from a status with
 * a body to one without, or back (GW_EINVAL; RFC 9110 6.4.1). */
GW_API gw_status gw_message_set_code(gw_message *m, uint32_t code);
/* The value of the first field of that name; ptr NULL: none. O(fields). */
GW_API gw_str gw_message_field(const gw_message *m, gw_str name);
/* How many fields there are. O(fields). */
GW_API size_t gw_message_fields(const gw_message *m);
/* The i-th field in the order received; name or value may be NULL. GW_EUNKNOWN: no such.
 * O(fields). */
GW_API gw_status gw_message_field_at(const gw_message *m, size_t i, gw_str *name, gw_str *value);
/* Replaces every field of that name by one. O(fields). */
GW_API gw_status gw_message_set_field(gw_message *m, gw_str name, gw_str value);
/* One more field of that name, behind those that are there. Fields of the connection and lengths
 * are not a host's to set (GW_EINVAL, or they are passed over; RFC 9110 7.6.1, 8.6). */
GW_API gw_status gw_message_add_field(gw_message *m, gw_str name, gw_str value);
/* Drops every field of that name. GW_EUNKNOWN: there was none; GW_ESTATE. O(fields). */
GW_API gw_status gw_message_drop_field(gw_message *m, gw_str name);
/* Drops every field; parts, code and the length of the body stay. GW_EINVAL, GW_ESTATE. O(fields). */
GW_API gw_status gw_message_clear(gw_message *m);

#ifdef __cplusplus
}
#endif
#endif
