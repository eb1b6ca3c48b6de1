/* http/reason.h: the one table of causes. A failure anywhere names a row; the row says what the
 * client is told in each protocol, and what logs and metrics call it. Numbers are public
 * (gw_reason_of): rows are only appended between releases.
 *
 * X(id, http status (0: cannot be answered), grpc-status, HTTP/2 error code of a stream that is cut,
 *   text)
 */
#ifndef GW_HTTP_REASON_H
#define GW_HTTP_REASON_H

#include <gw/exchange.h>

#include "base/text.h"

/* RFC 9113 7 */
enum gw_h2_code {
    GW_H2_NO_ERROR = 0,
    GW_H2_PROTOCOL_ERROR = 1,
    GW_H2_INTERNAL_ERROR = 2,
    GW_H2_FLOW_CONTROL_ERROR = 3,
    GW_H2_SETTINGS_TIMEOUT = 4,
    GW_H2_STREAM_CLOSED = 5,
    GW_H2_FRAME_SIZE_ERROR = 6,
    GW_H2_REFUSED_STREAM = 7,
    GW_H2_CANCEL = 8,
    GW_H2_COMPRESSION_ERROR = 9,
    GW_H2_CONNECT_ERROR = 10,
    GW_H2_ENHANCE_YOUR_CALM = 11,
    GW_H2_INADEQUATE_SECURITY = 12,
    GW_H2_HTTP_1_1_REQUIRED = 13
};

#define GW_REASONS(X)                                                                              \
    X(none, 0, 0, 0, "ended whole")                                                                \
    /* what a client sent */                                                                       \
    X(bad_request_line, 400, 13, 1, "the request line is malformed")                               \
    X(bad_field, 400, 13, 1, "a header field is malformed")                                        \
    X(bad_framing, 400, 13, 1, "the length of the body is ambiguous")                              \
    X(bad_chunk, 400, 13, 1, "a chunk of the body is malformed")                                   \
    X(bad_target, 400, 13, 1, "the request target is malformed")                                   \
    X(bad_host, 400, 13, 1, "Host is missing, repeated or malformed")                              \
    X(bad_pseudo_field, 400, 13, 1, "pseudo-header fields are missing or malformed")               \
    X(bad_connection_field, 400, 13, 1, "a field that HTTP/2 forbids")                             \
    X(bad_length, 400, 13, 1, "the body is not as long as Content-Length says")                    \
    X(bad_trailers, 400, 13, 1, "the trailers are malformed")                                      \
    X(bad_upgrade, 400, 13, 1, "the Upgrade is malformed")                                         \
    X(head_too_large, 431, 8, 11, "the head is larger than the limit")                             \
    X(target_too_long, 414, 8, 11, "the request target is longer than the limit")                  \
    X(body_too_large, 413, 8, 8, "the body is larger than the limit")                              \
    X(method_not_allowed, 405, 12, 8, "the method is not allowed here")                            \
    X(coding_unknown, 501, 12, 1, "a transfer coding that is not implemented")                     \
    X(version_unknown, 505, 12, 1, "an HTTP version that is not implemented")                      \
    X(expectation_unknown, 417, 12, 1, "an expectation that cannot be met")                        \
    X(client_closed, 0, 1, 8, "the client closed its connection")                                  \
    X(client_reset, 0, 1, 8, "the client reset the stream or the connection")                      \
    X(client_h2_error, 0, 13, 1, "the client broke HTTP/2")                                        \
    X(client_head_timeout, 408, 4, 8, "the request head did not arrive in time")                   \
    X(client_body_timeout, 408, 4, 8, "the request body stalled")                                  \
    X(client_read_timeout, 0, 4, 8, "the client stopped reading the response")                     \
    X(client_abuse, 400, 8, 11, "the client made too much work that is of no use")                 \
    /* what the gateway could not or would not */                                                  \
    X(no_route, 404, 12, 8, "no route matches")                                                    \
    X(no_endpoint, 503, 14, 7, "the cluster has no endpoint to send to")                           \
    X(pool_full, 503, 14, 7, "all connections to the cluster are busy")                            \
    X(no_memory, 503, 8, 7, "memory or a limit is exhausted")                                      \
    X(request_timeout, 504, 4, 8, "the request took longer than its route allows")                 \
    X(grpc_deadline, 504, 4, 8, "the deadline that the client set has passed")                     \
    X(draining, 503, 14, 8, "the gateway is shutting down")                                        \
    X(not_representable, 502, 13, 2, "the message cannot be said in the other protocol")           \
    X(tunnel_idle, 0, 4, 8, "the tunnel was idle for too long")                                    \
    X(stream_idle, 504, 4, 8, "nothing moved for too long")                                        \
    X(internal, 500, 13, 2, "the gateway failed")                                                  \
    /* what an upstream did */                                                                     \
    X(upstream_connect_refused, 503, 14, 8, "the upstream refused the connection")                 \
    X(upstream_unreachable, 503, 14, 8, "the upstream cannot be reached")                          \
    X(upstream_connect_timeout, 504, 14, 8, "connecting to the upstream took too long")            \
    X(upstream_response_timeout, 504, 4, 8, "the upstream did not answer in time")                 \
    X(upstream_body_timeout, 504, 4, 8, "the upstream stalled")                                    \
    X(upstream_closed, 502, 14, 8, "the upstream closed before it had answered")                   \
    X(upstream_reset, 502, 14, 8, "the upstream reset the stream or the connection")               \
    X(upstream_refused_stream, 503, 14, 7, "the upstream refused the stream unprocessed")          \
    X(upstream_goaway, 503, 14, 7, "the upstream is shutting down")                                \
    X(upstream_bad_response, 502, 14, 2, "the upstream's answer is malformed")                     \
    X(upstream_head_too_large, 502, 14, 2, "the upstream's head is larger than the limit")         \
    X(upstream_cut, 502, 14, 2, "the upstream broke off in the middle of its answer")              \
    /* what the host wanted */                                                                     \
    X(host_abort, 502, 10, 8, "the host cut the exchange off")                                     \
    X(host_gone, 503, 14, 8, "the host took the worker or the connection away")                    \
    X(loop_detected, 508, 9, 8, "the request has come through this gateway before")                \
    X(handed_back, 0, 0, 8, "no route claimed it: the connection went back to the host")           \
    X(filter_full, 500, 13, 2, "a filter held more of a body than it may")                         \
    X(limited, 429, 8, 8, "too many requests: a limit was reached")                                \
    /* what guards a cluster */                                                                    \
    X(breaker_open, 503, 14, 7, "the upstream has failed too often: it is not asked for a while")  \
    X(forced_out, 503, 14, 7, "the host has shut the upstream off for a while")                    \
    X(throttled, 503, 14, 7, "the upstream fails too often: it is asked less")                     \
    X(cluster_full, 503, 8, 7, "the cluster has as many requests as it may have at once")          \
    /* how long anything may last */                                                               \
    X(connection_age, 503, 14, 8, "the client's connection is older than its listener allows")     \
    X(tunnel_timeout, 0, 4, 8, "the tunnel was open for longer than its route allows")             \
    /* only of a try that another one followed */                                                  \
    X(upstream_status, 0, 0, 0, "the upstream answered what its route takes for a failure")        \
    /* of the host's balancer */                                                                   \
    X(bad_choice, 500, 13, 2, "the host's balancer chose an endpoint that there is not")           \
    /* of probes */                                                                                \
    X(endpoints_unhealthy, 503, 14, 7, "no endpoint of the cluster is healthy")                    \
    /* of a ceiling */                                                                             \
    X(connections_full, 503, 14, 7, "the cluster has as many connections as it may have at once")  \
    /* of TLS */                                                                                   \
    X(upstream_tls_failed, 502, 14, 8, "the upstream could not be secured")                        \
    X(tls_on_clear_port, 400, 13, 1, "TLS on a port of clear HTTP")                                \
    X(not_tls, 400, 13, 1, "the client does not speak TLS")                                        \
    X(bad_hello, 400, 13, 1, "the ClientHello is malformed, or none that can be read")

enum gw_reason_id {
#define GW_REASON_ENUM(id, http, grpc, h2, text) GW_REASON_##id,
    GW_REASONS(GW_REASON_ENUM)
#undef GW_REASON_ENUM
        GW_REASON_COUNT
};

/* gw_reason_of is public: gw/exchange.h. */
uint32_t gw_reason_h2_code(enum gw_reason_id reason);

#endif
