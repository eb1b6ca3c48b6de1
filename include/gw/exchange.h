/* gw/exchange.h: what a hook may ask of the request in hand, and change.
 *
 * All belong to the worker's thread and are valid inside a hook only, but gw_resume.
 */
#ifndef GW_EXCHANGE_H
#define GW_EXCHANGE_H

#include <gw/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who ended it. */
enum { GW_BY_NONE = 0, GW_BY_CLIENT = 1, GW_BY_UPSTREAM = 2, GW_BY_GATEWAY = 3, GW_BY_HOST = 4 };

/* Who, when, why, and how the machine felt it. phase: see gw_phase_name. reason: a row of the
 * one table of causes, see gw_reason_of. A whole, undisturbed exchange has by GW_BY_NONE, and nothing
 * in the others: phase 0 is a name, too. */
typedef struct gw_cause {
    uint32_t by;
    uint32_t phase;
    uint32_t reason;
    gw_status status;
} gw_cause;

/* One row of the table that answers every failure. */
typedef struct gw_reason {
    uint32_t size;
    uint32_t http_code;   /* 0: nothing can be answered, the stream is cut             */
    uint32_t grpc_status; /* what a gRPC client is told                                */
    uint32_t reserved;
    const char *name; /* "upstream_connect_refused": log token and metric label. Static */
    const char *text; /* a sentence for people. Static                                  */
} gw_reason;
/* The row of reason; rows are numbered from 0 without gaps. Fills what out->size covers. Pure; any
 * thread. GW_EUNKNOWN: none. */
GW_API gw_status gw_reason_of(uint32_t reason, gw_reason *out);
/* "receive", "filter", "route", "limit", "pick", "connect", "await", "relay", "end"; "unknown" for a
 * number that is none. Never NULL; static. Pure; any thread. */
GW_API const char *gw_phase_name(uint32_t phase);
/* "none", "client", "upstream", "gateway", "host"; "unknown". Never NULL; static. Pure; any
 * thread. */
GW_API const char *gw_by_name(uint32_t by);

/* A running number: unique for the worker's life, for logs and traces. */
typedef uint64_t gw_exchange_id;

enum { GW_EXCHANGE_HTTP = 1, GW_EXCHANGE_GRPC = 2, GW_EXCHANGE_TUNNEL = 3 };

/* The library fills it; empty or 0 until known. Views live until the hook returns. */
typedef struct gw_exchange_info {
    uint32_t size;
    uint32_t kind;              /* GW_EXCHANGE_*                                   */
    uint32_t client_protocol;   /* GW_PROTO_*                                      */
    uint32_t upstream_protocol; /* GW_PROTO_*; 0: none or the host                 */
    uint32_t code;              /* the status the client was sent                  */
    uint32_t grpc_status;       /* of a gRPC exchange; GW_OFF: not known           */
    gw_str listener, route, cluster, endpoint, peer;
    gw_nanos started;  /* first byte of the head                                   */
    gw_nanos routed;   /* route chosen                                             */
    gw_nanos sent;     /* request head handed to the upstream                      */
    gw_nanos answered; /* response head received                                   */
    gw_nanos ended;
    uint64_t request_bytes;  /* body bytes received from the client                */
    uint64_t response_bytes; /* body bytes handed to the client's connection       */
    gw_str client;    /* whom it is from: an address without port, that of the peer or, if the
                          listener trusts it, the one it speaks for (docs/identity.md) */
    uint32_t retries; /* tries that failed without the client's notice            */
    uint32_t reserved;
    uint64_t unix_now; /* the wall clock of this step: nanoseconds since 1970      */
} gw_exchange_info;

/* What is known of it now; fills what out->size covers. O(trailers) for gRPC. */
GW_API gw_status gw_exchange_get_info(const gw_exchange *x, gw_exchange_info *out);
/* Its name for logs: may be kept when x is gone. */
GW_API gw_exchange_id gw_exchange_get_id(const gw_exchange *x);
/* The worker that it lives in. */
GW_API gw_worker *gw_exchange_worker(const gw_exchange *x);
/* The client's connection; borrowed, lives at least until on_end has returned. */
GW_API gw_link *gw_exchange_link(const gw_exchange *x);
/* Why it ended; meaningful in on_end, all zero before. */
GW_API gw_cause gw_exchange_cause(const gw_exchange *x);
/* Never NULL, and the same for the life of x: a hook may keep it in its memory, to read it in
 * on_end. Changes made in on_request are what is routed and forwarded. */
GW_API gw_message *gw_exchange_request(gw_exchange *x);
/* The head of the response; NULL before there is one (gw_exchange_reply, gw_exchange_respond, or
 * the upstream's). */
GW_API gw_message *gw_exchange_response(gw_exchange *x);
/* Trailers of one side; never NULL, empty until there are some. A response's may be filled by an
 * origin until it ends its pipe. */
enum { GW_SIDE_REQUEST = 1, GW_SIDE_RESPONSE = 2 };
GW_API gw_message *gw_exchange_trailers(gw_exchange *x, uint32_t side);
/* Zeroed memory of exchange_bytes, aligned to 8, for the filter or origin whose hook runs. NULL: it
 * asked none; and in on_end also when the head never came whole, or there was no memory. */
GW_API void *gw_exchange_memory(const gw_exchange *x);
/* Zeroed memory from the exchange's arena, aligned to 8; dies with it. NULL: len 0 or longer than a
 * block, out of memory, or over exchange_bytes_max. Perhaps takes a block of the pool. */
GW_API void *gw_exchange_alloc(gw_exchange *x, size_t len);
/* The pipe of one side: of an origin both are there in all its hooks; of a filter the one that its body
 * or end hook was given, there and in its on_resume. NULL: not one of these. */
GW_API gw_pipe *gw_exchange_pipe(gw_exchange *x, uint32_t side);
/* Filters: which bodies of this exchange it sees, in place of gw_filter.body. Of the request before
 * on_route has returned, of the response before on_response has; later it says nothing about that
 * side, and GW_ESTATE of both. GW_EINVAL: bits that mean nothing; GW_ENOMEM. O(1). */
GW_API gw_status gw_exchange_show_body(gw_exchange *x, uint32_t body);
/* The user pointer of its route; NULL before it is routed. */
GW_API void *gw_exchange_route_user(const gw_exchange *x);
/* What gw_builder_use said for the filter whose hook runs, on this route; NULL: nothing, or the hook
 * is no filter's; so also in the hooks of the origin of gw_exchange_serve. */
GW_API void *gw_exchange_config(const gw_exchange *x);

/* Filters, in on_route: the route of what the request says now, and the filters that are on there;
 * those behind the one that asks have their on_route. GW_EUNKNOWN: no route matches; GW_ESTATE: in
 * another hook; GW_ENOMEM. On failure the old route and its filters stay. O(length of host and path). */
GW_API gw_status gw_exchange_reroute(gw_exchange *x);
/* Filters, in on_request and on_route: the request goes there, whatever its route says, also where that
 * would answer itself. Its other rules stay the route's. GW_EUNKNOWN: the configuration has no such
 * cluster; GW_ESTATE: in another hook. O(clusters). */
GW_API gw_status gw_exchange_set_cluster(gw_exchange *x, gw_str cluster);
/* Filters, in on_request and on_route: the key of clusters that hash what the host has given
 * ("given"); a later one takes its place. GW_EINVAL: it is empty; GW_ESTATE: in another hook.
 * O(length). */
GW_API gw_status gw_exchange_set_hash_key(gw_exchange *x, gw_str key);
/* Filters, in every hook of the request: a try that fails is not followed by another. GW_ESTATE: in
 * another hook. */
GW_API gw_status gw_exchange_forbid_retry(gw_exchange *x);
/* A word that filters and origins leave for others, and for who writes the log in on_end. Copied; takes
 * the place of one of that name: where the old value lay, if it has room there, else in new memory, and
 * the old is free with x only. Counts against exchange_bytes_max with some bytes more for each name.
 * GW_EINVAL: an empty name; GW_ELIMIT: more than 32, over exchange_bytes_max, or longer than a block;
 * GW_ENOMEM; GW_ESTATE: in on_end. On failure the old value stays. O(labels + length). */
GW_API gw_status gw_exchange_set_label(gw_exchange *x, gw_str name, gw_str value);
/* ptr NULL: none of that name. Valid until it is set again, else as long as x. O(labels). */
GW_API gw_str gw_exchange_label(const gw_exchange *x, gw_str name);

/* 0 and empty: from the reason's row. Copied; texts too. */
typedef struct gw_reply {
    uint32_t size;
    uint32_t code;        /* 200 to 599; 0: of the reason                            */
    uint32_t grpc_status; /* for a gRPC client; 0: derived from code; GW_OFF: OK     */
    uint32_t reserved;
    gw_str type, body, grpc_message;
} gw_reply;
/* The answer that a filter's hook gives with GW_REPLY. Fields may be added with gw_exchange_response.
 * It lives until the verdict of that hook: where that is GW_WAIT, until the one of its on_resume. Of
 * several the last counts, without the fields of those before (so of this and gw_exchange_serve); one
 * that is refused changes nothing.
 * GW_EINVAL: a code or type that cannot be sent; a 2xx to CONNECT, which would say that a tunnel
 * follows (RFC 9110 9.3.6). GW_ELIMIT: a body longer than a pipe holds;
 * GW_ENOMEM; GW_ESTATE: not a filter's hook; a hook of the request when somebody has answered; of the
 * response when its head has left. O(length); takes blocks. */
GW_API gw_status gw_exchange_reply(gw_exchange *x, const gw_reply *reply);
/* Origins: makes the response with that status (200 to 599); its head leaves after the hook. A 2xx
 * to CONNECT makes both pipes a tunnel (RFC 9110 9.3.6). GW_ESTATE: not in a hook of an origin, too
 * late, or again. */
GW_API gw_status gw_exchange_respond(gw_exchange *x, uint32_t code);

/* Origins, before the response: an informational one (100 to 199, but 101; RFC 9110 15.2), whose fields
 * may be set in *out; it leaves after the hook. 100 is said for an origin that says neither that nor an
 * answer when on_request returns (10.1.1). An HTTP/1.0 client, and a call of the host's own, is told
 * none; *out is a message all the same. out may be NULL. GW_EINVAL: another code; GW_ESTATE: not in a hook of an origin, or a
 * response has begun; GW_ELIMIT: more than 8; GW_ENOMEM. */
GW_API gw_status gw_exchange_inform(gw_exchange *x, uint32_t code, gw_message **out);

/* One wait of one hook: pass it to any thread. A stale one is harmless while the worker lives. */
typedef struct gw_ticket {
    gw_worker *worker;
    uint32_t slot;
    uint32_t turn;
} gw_ticket;
/* A ticket for this wait; then return GW_WAIT. Again in the same wait: the same ticket, until it is
 * resumed; of a filter also until its hook returns anything but GW_WAIT. worker NULL: it failed, for want of memory or in on_end; GW_WAIT of a filter then cuts the exchange off.
 * May allocate. */
GW_API gw_ticket gw_exchange_wait(gw_exchange *x);
/* Answers a wait: on_resume gets answer, exactly once, before on_end; whose it is from then on is
 * between the two. Any thread, also before the hook has returned; the worker is woken. GW_ESTATE:
 * stale or already resumed; GW_EINVAL: no ticket; answer stays the caller's then. Lock-free; never
 * allocates. */
GW_API gw_status gw_resume(gw_ticket ticket, void *answer);

#ifdef __cplusplus
}
#endif
#endif
