/* grpc/status.h: is it gRPC, and what a gRPC client is told of HTTP's failures. */
#ifndef GW_GRPC_STATUS_H
#define GW_GRPC_STATUS_H

#include "http/message.h"

/* POST with a content-type of application/grpc, application/grpc+X or application/grpc;X (not
 * grpc-web). */
bool gw_grpc_is_request(const struct gw_message *request);
/* The official table from HTTP statuses (400 INTERNAL 13, 401 16, 403 7, 404 12, 429 502 503 504 14,
 * others UNKNOWN 2). */
uint32_t gw_grpc_of_http(uint32_t http_code);
/* grpc-message: percent-encodes what is not printable ASCII, and "%". Into the arena. */
gw_status gw_grpc_message_encode(struct gw_arena *arena, gw_str text, gw_str *out) GW_MUST_CHECK;

/* grpc-status of a response: in its trailers or in a head that has none; UNKNOWN 2 where it cannot be read. */
uint32_t gw_grpc_status_of(const struct gw_message *head, const struct gw_message *trailers);

#endif
