/* gw/config.h: what listens, what matches, where it goes. Specs are plain data, copied by the
 * call that takes them; names join them, in any order of calls. docs/configuration.md has the same
 * vocabulary as a file, with what each may be, and how many there may be.
 */
#ifndef GW_CONFIG_H
#define GW_CONFIG_H

#include <gw/balancer.h>
#include <gw/origin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits. 0: H1 and H2, told apart by the first bytes. TLS is a listener's, and alone: bytes are passed through
 * by the name in the ClientHello; TCP a cluster's: whatever bytes (docs/pass-through.md). */
enum { GW_PROTO_H1 = 1u, GW_PROTO_H2 = 2u, GW_PROTO_TLS = 4u, GW_PROTO_TCP = 8u };

typedef uint32_t gw_id; /* a handle inside one builder, from 1; nowhere else */

/* A place where connections come in. An accepted link names its listener. */
typedef struct gw_listener_spec {
    uint32_t size;
    uint32_t mark;                 /* the host's number for this part, given back in errors    */
    uint32_t protocols;            /* GW_PROTO_*; h2 in clear text is by prior knowledge       */
    uint32_t head_timeout_ms;      /* a request head must be whole after, and the rest of a
                                      body that nobody wants be there; 10,000                  */
    uint32_t body_idle_timeout_ms; /* a body or a reader may stall so long; 30,000             */
    uint32_t idle_timeout_ms;      /* a connection without a request is kept so long; 60,000   */
    gw_str name;                   /* unique                                                   */
    gw_str address;                /* for loops; empty: the host brings connections            */
    uint32_t body_rate;            /* bytes a second that a body, and who reads one, must reach
                                      on average when body_idle_timeout is used up; 100        */
    uint32_t flags;                /* GW_LISTENER_*                                            */
    /* Whom requests are from, and what their upstreams are told of it (docs/identity.md). */
    gw_str via;            /* our name in Via, a token; drawn for each engine               */
    const gw_str *trusted; /* who may say whom it speaks for: "10.0.0.0/8", "::1", "unix"   */
    size_t trusted_len;    /* none                                                          */
    uint32_t trusted_hops; /* so do the nearest hops, whoever they are; up to 32; none      */
    uint32_t forwarded;    /* GW_FORWARDED_*; X; GW_OFF: nothing is said                    */
    /* How long connections are used (docs/ages.md). */
    uint32_t age_ms;             /* then one takes no more requests; none                   */
    uint32_t age_jitter_percent; /* of each up to so much more or less, drawn; up to 90; 10;
                                    GW_OFF: none                                            */
    uint32_t age_grace_ms;       /* what it has begun may then take so long; no end         */
    uint32_t requests_max;       /* on one connection; none                                 */
    gw_tls *tls;                 /* GW_TLS_SERVER; a reference is taken; NULL: bytes are clear,
                                    or the host ends TLS and says so in gw_facts             */
} gw_listener_spec;

/* X-Forwarded-For, -Proto, -Host and -Port; or Forwarded. The other one is always taken off. */
enum { GW_FORWARDED_X = 1, GW_FORWARDED_RFC7239 = 2 };
enum { GW_LISTENER_NO_VIA = 1u }; /* no Via is sent, none is looked at */

enum {
    GW_BALANCE_ROUND_ROBIN = 1,
    GW_BALANCE_CONSISTENT_HASH = 2,
    GW_BALANCE_LEAST_REQUEST = 3,
    GW_BALANCE_RANDOM = 4
};
enum {
    GW_CLUSTER_LIVE = 1u /* may have no endpoints; what gw/live.h puts there outlives this one   */
};

/* What consistent hashing puts on its ring (docs/balancing.md); of keys alone a balancer of the host's
 * has some use. */
typedef struct gw_hash_spec {
    uint32_t size;
    uint32_t points;       /* of an endpoint, for each unit of weight; up to 65,536; 256         */
    uint32_t load_percent; /* nobody has more than this part of its share of what is in flight,
                              100 to 1,000; none                                                 */
    uint32_t unit;      /* the unit of weight, up to 65,535; the greatest power of ten that is not
                              above the greatest weight of a level: while it stays, only keys of who
                              comes, goes or is weighed anew move                                */
    const gw_str *keys; /* "client", "path", "given", "header:NAME", "cookie:NAME", "query:NAME",
                           "metadata:NAME", "label:NAME", "identity", "server_name" (docs/keys.md): the first that a request has;
                           without any its endpoint is drawn; "client"                          */
    size_t keys_len;    /* up to 8 */
} gw_hash_spec;

/* What of an upstream counts as a failure, for all of its cluster's guards (docs/breaking.md); never what
 * a client breaks off, nor what a limit of ours refuses. */
enum {
    GW_FAILURE_CONNECT = 1u,        /* no connection: refused, unreachable, too slow           */
    GW_FAILURE_TIMEOUT = 2u,        /* it has not answered, or not gone on, in time            */
    GW_FAILURE_RESET = 4u,          /* closed or reset before the answer was whole             */
    GW_FAILURE_MALFORMED = 8u,      /* what it says is no answer                               */
    GW_FAILURE_STATUS = 16u,        /* 502, 503, 504                                           */
    GW_FAILURE_GRPC = 32u,          /* a grpc-status of grpc_failures                          */
    GW_FAILURE_SLOW = 64u,          /* a good answer later than slow_ms                        */
    GW_FAILURE_SERVER_ERROR = 128u, /* any other 5xx; not by default                           */
    GW_FAILURE_DEADLINE = 256u      /* the client's own deadline has passed; not by default    */
};

/* The numbers of 0: those of the preset. HYSTRIX: half of 20 requests in 10 seconds, 5 seconds of sleep,
 * one probe; and for the cluster 1,000 of response_timeout_ms, gRPC too, and 10 of exchanges_max. */
enum { GW_BREAKER_HYSTRIX = 1 };
/* Each endpoint has one: who fails is not asked for a while, then by a few probes. */
typedef struct gw_breaker_spec {
    uint32_t size;
    uint32_t preset;           /* GW_BREAKER_*                                                 */
    uint32_t failures;         /* so many in a row open it; 5; GW_OFF: none                    */
    uint32_t error_percent;    /* so large a share in the window does; 50; GW_OFF: none        */
    uint32_t volume_min;       /* ... of at least so many; 20                                  */
    uint32_t window_ms;        /* 10 to 3,600,000; 10,000                                      */
    uint32_t sleep_ms;         /* not asked for so long; up to a day; 5,000                    */
    uint32_t sleep_max_ms;     /* it doubles up to that while probes fail; 60,000              */
    uint32_t jitter_percent;   /* up to so much is added; 10; GW_OFF: none                     */
    uint32_t probes;           /* at once, and so many good ones close it; up to 100; 1        */
    uint32_t probe_timeout_ms; /* another takes the place of one unheard of for so long; 30,000 */
    uint32_t reserved;
} gw_breaker_spec;

/* Endpoints that are worse than the others of their cluster are left out for a while. */
typedef struct gw_outlier_spec {
    uint32_t size;
    uint32_t failures;         /* so many in a row; 5; GW_OFF: none                            */
    uint32_t rate_deviations;  /* a share of good answers so many thousandths of the standard
                                  deviation below the mean; 1,900; GW_OFF: none                */
    uint32_t latency_percent;  /* a mean latency of so much of the others'; over 100; none     */
    uint32_t latency_least_ms; /* ... and over that; 10                                        */
    uint32_t endpoints_min;    /* that can be compared; 5                                      */
    uint32_t volume_min;       /* with so many answers in an interval; 100                     */
    uint32_t interval_ms;      /* of comparing, and of forgiving one ejection; 10,000          */
    uint32_t time_ms;          /* of the first ejection; the n-th is n times as long; 30,000   */
    uint32_t time_max_ms;      /* and never longer; 300,000                                    */
    uint32_t share_percent;    /* that may be out, for whatever reason; one at least, and never
                                  the last; 10                                                 */
    uint32_t reserved;
} gw_outlier_spec;

/* Requests are refused with the chance (requests - good / success) / (requests + 1) of the window. */
typedef struct gw_throttle_spec {
    uint32_t size;
    uint32_t success_percent; /* that should be good; 60                                       */
    uint32_t volume_min;      /* with fewer requests in the window none is refused; 100        */
    uint32_t window_ms;       /* 10 to 3,600,000; 3,000                                        */
} gw_throttle_spec;

/* What is given at once to who is refused by a breaker, a throttle or a ceiling, or because all endpoints
 * are unhealthy, forced out or gone: another cluster's answer, or this one. */
typedef struct gw_fallback_spec {
    uint32_t size;
    uint32_t code;     /* not 0: answer this                                                   */
    gw_str type, body; /* ... with that                                                        */
    gw_str cluster;    /* whose own fallback is not asked                                      */
} gw_fallback_spec;

enum {
    GW_AFFINITY_SECURE = 1u, /* only over TLS                         */
    GW_AFFINITY_SCRIPTS = 2u /* scripts may read it: without HttpOnly */
};
enum { GW_SAME_SITE_LAX = 1, GW_SAME_SITE_STRICT = 2, GW_SAME_SITE_NONE = 3 };
/* A cookie by which a client comes back to the endpoint that has answered it (docs/balancing.md). */
typedef struct gw_affinity_spec {
    uint32_t size;
    uint32_t flags;     /* GW_AFFINITY_*                                                       */
    uint32_t ttl_ms;    /* the client keeps it so long, in whole seconds, rounded up; at least
                           1,000; as long as it runs                                           */
    uint32_t same_site; /* GW_SAME_SITE_*; LAX; GW_OFF: nothing is said                        */
    gw_str cookie;      /* its name: a token of up to 64 bytes                                 */
    gw_str path;        /* up to 255 bytes; "/"                                                */
    gw_str secret;      /* makes its values those of nobody else; up to 256 bytes; none        */
} gw_affinity_spec;

enum { GW_DNS_A = 1u, GW_DNS_AAAA = 2u, GW_DNS_SRV = 4u };
/* A cluster's endpoints are what DNS says; gw/resolver.h asks (docs/dns.md). */
typedef struct gw_dns_spec {
    uint32_t size;
    uint32_t types;        /* GW_DNS_*; A and AAAA; with SRV: of its targets                   */
    uint32_t port;         /* of each endpoint; with SRV: 0, it says them                      */
    uint32_t ttl_min_ms;   /* an answer holds so long at least, 10 to a day; 5,000             */
    uint32_t ttl_max_ms;   /* ... and at most, up to seven days; 300,000                       */
    uint32_t retry_ms;     /* asked again after a failure, 10 to a day; it doubles; 1,000      */
    uint32_t retry_max_ms; /* ... up to that; 60,000                                           */
    uint32_t stale_ms;     /* an answer stays so long after its time while asking fails, up to
                              seven days; a day; GW_OFF: not at all                            */
    uint32_t empty_ms;     /* that there are none is believed after so long, up to a day;
                              30,000; GW_OFF: at once                                          */
    uint32_t reserved;
    gw_str name;           /* whole: no search list, no file of hosts is looked at             */
    const gw_str *servers; /* "10.0.0.1", "[::1]:53"; up to 8; none: those of the system       */
    size_t servers_len;
} gw_dns_spec;

enum { GW_HEALTH_HTTP = 1, GW_HEALTH_TCP = 2, GW_HEALTH_GRPC = 3 };
enum { GW_HEALTH_FIRST_ASKED = 1, GW_HEALTH_FIRST_LEFT_OUT = 2 };
/* Each endpoint is probed, by one worker at a time: who does not answer as it should is not asked, until
 * it does again (docs/health.md). */
typedef struct gw_health_spec {
    uint32_t size;
    uint32_t kind;                  /* GW_HEALTH_*: a request; a connection alone; the health
                                    protocol of gRPC, for clusters of h2 alone; HTTP           */
    uint32_t interval_ms;           /* from the begin of one probe to that of the next; 10 to a
                                    day; 5,000                                                 */
    uint32_t unhealthy_interval_ms; /* the same, of who is not well; interval_ms                  */
    uint32_t jitter_percent;        /* of these that are added at most; 10; GW_OFF: none          */
    uint32_t timeout_ms;            /* up to the answer; up to an hour; 2,000                     */
    uint32_t rise;                  /* so many good ones in a row: well; up to 1,000; 2           */
    uint32_t fall;                  /* so many failed ones in a row: not well; up to 1,000; 3     */
    uint32_t first;                 /* GW_HEALTH_FIRST_*: what it is before its first probe, whose
                                    outcome counts at once; asked                              */
    uint32_t port;                  /* instead of the address's; Unix sockets have none; none     */
    gw_str method;                  /* of HTTP: GET or HEAD; GET                                  */
    gw_str path;                    /* ... with a query, if there is one; "/"                     */
    gw_str host;                    /* of HTTP and gRPC; the endpoint's address                   */
    gw_str service;                 /* of gRPC; empty: the server as a whole                      */
    const gw_str *expect;           /* of HTTP: "200", "200-399": codes that are good, 200 to 599 */
    size_t expect_len;              /* up to 32; "200-299"                                        */
} gw_health_spec;

/* Endpoints that are interchangeable, or the host itself (origin). */
typedef struct gw_cluster_spec {
    uint32_t size;
    uint32_t mark;
    uint32_t protocols;           /* GW_PROTO_H1 (default), GW_PROTO_H2 or GW_PROTO_TCP        */
    uint32_t balance;             /* GW_BALANCE_*; default round robin (smooth, weighted)      */
    uint32_t connect_timeout_ms;  /* 2,000                                                     */
    uint32_t response_timeout_ms; /* request sent to response head; 15,000; gRPC: off          */
    uint32_t idle_timeout_ms;     /* a pooled connection without use is kept so long; 60,000   */
    uint32_t connections_max;     /* to one endpoint, a worker; 64; TCP: none                  */
    uint32_t streams_max;         /* h2: exchanges at once on a connection; 100                */
    uint32_t requests_max;        /* on one connection, then it is closed; none                */
    gw_str name;                  /* unique                                                    */
    const gw_origin *origin;      /* not NULL: the host answers; no endpoints                  */
    /* How many of the requests of ten seconds may be retried, by one worker (docs/retries.md): */
    uint32_t retry_percent;   /* so large a share of them, up to 1,000; 20; GW_OFF: none         */
    uint32_t retry_least;     /* and so many whatever the share; 100; GW_OFF: none               */
    const gw_hash_spec *hash; /* for consistent hash, and for balancer; copied; NULL: as if all in
                                 it were 0                                                       */
    uint32_t choices;         /* least request: so many are compared, 2 to 8; 2                  */
    uint32_t panic_percent;   /* of a level's weight: below so much available all are asked, 1 to
                                 100; 50; GW_OFF: never                                          */
    uint32_t spare_percent;   /* a level takes this part of what its available endpoints' weight
                                 is of all, up to everything; 100 to 1,000; 140                  */
    uint32_t
        slow_start_ms; /* who is new, or back, takes a tenth of its share at first, and all of it
                                 after; not with consistent hash; none                           */
    uint32_t flags;    /* GW_CLUSTER_*                                                    */
    uint32_t all_connections_max; /* to all endpoints, by all workers, beside probes'; none      */
    /* Copied; NULL: none. All workers share what these count (docs/breaking.md): */
    const gw_breaker_spec *breaker;
    const gw_outlier_spec *outlier;
    const gw_throttle_spec *throttle;
    const gw_fallback_spec *fallback;
    uint32_t failures;      /* GW_FAILURE_*; all but the last two; GW_OFF: none                */
    uint32_t grpc_failures; /* a bit a grpc-status; 4, 13 and 14; GW_OFF: none                 */
    uint32_t slow_ms;       /* none                                                            */
    uint32_t exchanges_max; /* at once; none                                                   */
    uint32_t pending_max;   /* of these without a connection; none                             */
    uint32_t retries_max;   /* of these not the first try; none                                */
    uint32_t age_ms;        /* a connection of that age takes no more requests; none           */
    uint32_t age_jitter_percent; /* as of a listener; 10; GW_OFF: none                         */
    gw_str balancer; /* instead of balance: the name of one of gw_builder_balancer      */
    const gw_affinity_spec *affinity; /* copied; NULL: none                                     */
    const gw_health_spec *health; /* copied; NULL: nobody is probed                            */
    const gw_dns_spec *dns; /* instead of endpoints; copied; NULL: none                        */
    gw_tls *tls; /* GW_TLS_CLIENT; a reference is taken; NULL: bytes are clear                 */
} gw_cluster_spec;

typedef struct gw_endpoint_spec {
    uint32_t size;
    uint32_t mark;
    uint32_t weight;   /* share of new exchanges; 1 to 65,535, default 1; GW_OFF: none            */
    uint32_t priority; /* 0 to 15: those of 0 are asked while enough of them are available      */
    gw_str name;    /* stable identity, unique in its cluster; empty: the address               */
    gw_str address; /* numeric or unix: in the loops of gw/loop.h                               */
} gw_endpoint_spec;

enum { GW_SCOPE_SHARED = 1, GW_SCOPE_PER_WORKER = 2 };
enum {
    GW_LIMITER_SHADOW = 1u, /* counts what it would refuse, and refuses nothing */
    GW_LIMITER_CLOSED = 2u, /* a key for which there is no room is refused; else it passes */
    GW_LIMITER_FIELDS = 4u, /* responses say RateLimit and RateLimit-Policy */
    GW_LIMITER_KEYED = 8u   /* who lacks a key passes; else those share a bucket */
};
/* So many requests in a time, or so many at once: docs/limiting.md. */
typedef struct gw_limiter_spec {
    uint32_t size;
    uint32_t mark;
    uint32_t tokens;      /* so many requests ...; 0: a ceiling instead of a rate              */
    uint32_t period_ms;   /* ... in each such time; 1,000                                      */
    uint32_t burst;       /* so many at once where there were none for long; tokens            */
    uint32_t concurrency; /* so many in flight at once                                         */
    uint32_t scope;       /* GW_SCOPE_*; shared: all workers count together; else each worker
                             has its part of rate, burst and concurrency, at least one          */
    uint32_t keys_max;    /* how many keys it knows at once; 8,192, up to 1,048,576             */
    uint32_t flags;       /* GW_LIMITER_*; CLOSED and KEYED only with keys                     */
    uint32_t code;        /* what a client is told, 400 to 599; 429                            */
    uint32_t grpc_status; /* ... of gRPC, 1 to 16; 8: RESOURCE_EXHAUSTED                       */
    uint32_t reserved;
    gw_str name; /* unique                                                      */
    const gw_str
        *keys;       /* as gw_hash_spec.keys, and each may end in "=VALUE": then the limiter is only
                           for requests that have it; all together tell requests apart; up to 8 */
    size_t keys_len; /* none: one bucket for all                                            */
} gw_limiter_spec;

/* One of the clusters that share a route's requests. */
typedef struct gw_split_spec {
    uint32_t size;
    uint32_t weight; /* share of the requests; 1 to 65,535, default 1; GW_OFF: none            */
    gw_str cluster;
} gw_split_spec;

/* After what a request is sent again (docs/retries.md). What does not prove that nothing was done is only
 * for methods that may be repeated (RFC 9110 9.2.2), unless GW_RETRY_UNSAFE. */
enum {
    GW_RETRY_CONNECT = 1u,        /* no connection could be had                                */
    GW_RETRY_REFUSED = 2u,        /* proof that nothing was processed: a refused stream, GOAWAY */
    GW_RETRY_REUSED = 4u,         /* a connection that had served others ended without a word  */
    GW_RETRY_RESET = 8u,          /* any ended, or the stream was reset, before a response     */
    GW_RETRY_TIMEOUT = 16u,       /* no response in time: the try's, or the cluster's          */
    GW_RETRY_GATEWAY_ERROR = 32u, /* 502, 503, 504                                             */
    GW_RETRY_5XX = 64u            /* any 5xx                                                   */
};
enum { GW_RETRY_UNSAFE = 1u }; /* whatever the method */
/* What of a failed try is followed by another: how often, gw_route_spec.retries says. */
typedef struct gw_retry_spec {
    uint32_t size;
    uint32_t on;                 /* GW_RETRY_*; CONNECT, REFUSED and REUSED; GW_OFF: none      */
    uint32_t grpc;               /* a bit a grpc-status, 1 to 16; needs GW_RETRY_UNSAFE; none  */
    uint32_t flags;              /* GW_RETRY_UNSAFE                                            */
    uint32_t per_try_timeout_ms; /* from asking for a connection to the response's head; none  */
    uint32_t backoff_base_ms;    /* the n-th retry waits up to 2^(n-1) times that, drawn; 25,
                                    and none where nothing was processed; GW_OFF: none         */
    uint32_t backoff_max_ms;     /* and never more; 10 times backoff_base_ms                   */
    uint32_t replay_bytes_max;   /* of a request's body that has left, to be sent again; up to
                                    1 GiB and pipe_bytes_max; 4,096; GW_OFF: none              */
    const uint32_t *codes; /* further codes of responses, 400 to 599                           */
    size_t codes_len;      /* none                                                             */
} gw_retry_spec;

enum { GW_MATCH_PREFIX = 1, GW_MATCH_EXACT = 2 }; /* default: prefix, on whole segments */
enum {
    GW_ROUTE_CONNECT = 1u,   /* this route takes CONNECT, to its own cluster                   */
    GW_ROUTE_NO_UPGRADE = 2u /* no Upgrade token is forwarded                                  */
};

/* The most specific route wins whatever the order: exact host over longest suffix over any; then
 * exact path over longest prefix; then one that names methods; then one that names a listener. A
 * route that does not take the method or the listener does not hide less specific ones. Two
 * routes that tie and are not told apart by priority are an error, and so is one that nothing
 * can reach. */
typedef struct gw_route_spec {
    uint32_t size;
    uint32_t mark;
    uint32_t match;              /* GW_MATCH_*                                                 */
    uint32_t flags;              /* GW_ROUTE_*                                                 */
    uint32_t priority;           /* the greater wins a tie; 0                                  */
    uint32_t request_timeout_ms; /* whole exchange; none                                       */
    uint32_t idle_timeout_ms;    /* silence of a tunnel, of an upstream's body, of an upload, of
                                    whatever has no other deadline; 300,000                    */
    uint32_t reply_code;         /* not 0: answer this, no cluster                             */
    gw_str name;                 /* unique                                                     */
    gw_str listener;             /* empty: any                                                 */
    gw_str host;                 /* exact, or *.example.com; empty: any                        */
    gw_str path;                 /* "/v1" matches /v1 and /v1/x, not /v10; empty: "/"          */
    gw_str cluster;
    gw_str reply_type, reply_body;
    const gw_str *methods; /* empty: any but CONNECT                                           */
    size_t methods_len;
    const gw_str *upgrades; /* tokens that are forwarded; empty: websocket                     */
    size_t upgrades_len;
    void *user;       /* gw_exchange_route_user                                                */
    uint32_t retries; /* of a request, after what retry says; 1, up to 5; GW_OFF: none         */
    uint32_t tunnel_timeout_ms; /* all of a tunnel; none                                         */
    const gw_str *limiters; /* names, asked in that order; in one entry several with spaces between:
                               the first of them that is for the request (docs/limiting.md)    */
    size_t limiters_len;    /* none                                                            */
    const gw_split_spec *splits; /* instead of cluster: up to 32, each as long as the first says  */
    size_t splits_len;           /* (docs/splits.md)                                           */
    const gw_retry_spec *retry;  /* copied; NULL: its defaults                                  */
    const gw_str *split_keys; /* as gw_hash_spec.keys: a request that has one of them stays with the
                                 cluster that its value leads to; none: each takes its turn    */
    size_t split_keys_len;
} gw_route_spec;

/* mark: of the spec at fault. where: the path of the field ("routes[3].cluster"). text: what is
 * wrong, with the nearest valid name where there is one. The library fills what size covers. */
typedef struct gw_config_error {
    uint32_t size;
    gw_status status;
    uint32_t mark;
    uint32_t reserved;
    char where[128];
    char text[256];
} gw_config_error;

/* An empty one, which one thread at a time may use. env is copied; NULL: defaults. The caller owns
 * it until gw_builder_build or gw_builder_free. Any thread. GW_EINVAL: half an allocator;
 * GW_ENOMEM. Allocates. */
GW_API gw_status gw_builder_new(const gw_env *env, gw_builder **out) GW_MUST_CHECK;
/* Adds a listener, copied. This and the next six return 0 on failure, which gw_builder_build then
 * reports. GW_EINVAL there: a field out of range, a bad name, address, host or path; GW_EUNKNOWN: a
 * name that nothing has; GW_EUNSUPPORTED: a build without it; GW_ELIMIT: too many; GW_ENOMEM. Each
 * allocates, and checks its own fields alone: O(their length). */
GW_API gw_id gw_builder_listener(gw_builder *b, const gw_listener_spec *spec);
/* Adds a cluster. The origin is copied too; its ctx must outlive the configuration. */
GW_API gw_id gw_builder_cluster(gw_builder *b, const gw_cluster_spec *spec);
/* Adds an endpoint to a cluster of the same builder; 0 is passed on as the failure it came from. */
GW_API gw_id gw_builder_endpoint(gw_builder *b, gw_id cluster, const gw_endpoint_spec *spec);
/* Adds a route. Names of clusters and listeners may be added later; they are looked up by the
 * build. */
GW_API gw_id gw_builder_route(gw_builder *b, const gw_route_spec *spec);
/* Adds a balancer of the host's; clusters name it, in any order of calls. Its ctx must outlive the
 * configuration: see gw_builder_keep. */
GW_API gw_id gw_builder_balancer(gw_builder *b, const gw_balancer *balancer);
/* Adds a limiter; routes name it, in any order of calls. */
GW_API gw_id gw_builder_limiter(gw_builder *b, const gw_limiter_spec *spec);
/* Adds a filter behind those that are there; its ctx must outlive the configuration: see
 * gw_builder_keep. It is on everywhere until gw_builder_use says something else. */
GW_API gw_id gw_builder_filter(gw_builder *b, const gw_filter *filter);

enum { GW_USE_ON = 1, GW_USE_OFF = 2 };
typedef struct gw_use_spec {
    uint32_t size;
    uint32_t mode; /* GW_USE_*; on                                                             */
    void *config;  /* gw_exchange_config in the filter's hooks; must outlive the configuration */
} gw_use_spec;
/* Where a filter runs, and with which configuration. route 0: where no call names the route, and
 * before there is a route (on_request); so a filter that is off there and on for a route has its
 * hooks from on_route on. Of two calls for the same the later one counts. GW_EINVAL: no ids of this
 * builder, or what is no use; GW_ELIMIT: too many; GW_ENOMEM; each is reported by gw_builder_build
 * too. O(1); allocates. */
GW_API gw_status gw_builder_use(gw_builder *b, gw_id filter, gw_id route, const gw_use_spec *use);
/* Ties the host's object (a ctx, user or config) to a part of the same builder, or, after a refused
 * one, to 0: done runs once, when the configuration is gone from everywhere, or was not built; in the
 * thread that lets go of it last, which may be a worker's in a step. An object that several
 * configurations name is tied once to each. GW_EINVAL: no such part, or done is NULL; GW_ELIMIT: too
 * many; GW_ENOMEM: then done does not run. O(1); allocates. */
GW_API gw_status gw_builder_keep(gw_builder *b, gw_id part, void *object, gw_done_fn *done,
                                 void *ctx);

/* Every error found so far and by the checks across parts, one a call, before build; fills what
 * out->size covers. False: no more, or out has no size. */
GW_API bool gw_builder_next_error(gw_builder *b, gw_config_error *out);
/* Checks everything once and freezes it. The first error of any earlier call is reported here too.
 * out has one owner, the caller. Frees b, in failure too. err may be NULL. Errors as of the calls
 * that add parts. O(n log n) in routes and endpoints; allocates. */
GW_API gw_status gw_builder_build(gw_builder *b, gw_config **out, gw_config_error *err)
    GW_MUST_CHECK;
/* Frees it: only to give up. NULL is fine. */
GW_API void gw_builder_free(gw_builder *b);

/* One more owner. Returns config. Any thread. */
GW_API gw_config *gw_config_ref(gw_config *config);
/* One owner less; the last one frees it. NULL is fine. Any thread. */
GW_API void gw_config_unref(gw_config *config);
/* The i-th listener, in the order added, with all defaults filled in; fills what out->size covers.
 * Views live as long as config. Any thread. GW_EUNKNOWN: no such. */
GW_API gw_status gw_config_listener(const gw_config *config, size_t i, gw_listener_spec *out);

/* What is asked of DNS for the i-th cluster, in the order added, with all defaults filled in; out->name is
 * empty where nothing is; fills what out->size covers. cluster may be NULL. Views live as long as config. Any
 * thread. GW_EUNKNOWN: no such cluster. */
GW_API gw_status gw_config_dns(const gw_config *config, size_t i, gw_str *cluster,
                               gw_dns_spec *out);

/* An endpoint of consistent hash. */
typedef struct gw_share {
    uint32_t size;
    uint32_t millionths; /* of all keys: counted on the ring                                     */
    uint32_t due;        /* ... what its weight says                                             */
    uint32_t points;     /* on the ring                                                          */
    gw_str endpoint;
    uint32_t unit;   /* of weight, of all of them (gw_hash_spec.unit)                            */
    uint32_t halved; /* so often were the points of all, to fit                                  */
} gw_share;
/* How the i-th cluster, in the order added, shares its keys while all its endpoints are there: those
 * of its first level. out has room for max, each as long as out[0].size says; len: how many there are,
 * 0 if it does not hash. cluster may be NULL. Views live as long as config. Any thread. GW_EUNKNOWN:
 * no such cluster; GW_ENOMEM. O(points); allocates. */
GW_API gw_status gw_config_shares(const gw_config *config, size_t i, gw_str *cluster, gw_share *out,
                                  size_t max, size_t *len);
/* The part of a cluster's keys, in millionths, whose endpoint in after has another name than in
 * before; all, if they are found otherwise (gw_hash_spec.keys). Any thread. GW_EUNKNOWN: it is not in both, or hashes not in both. O(points). */
GW_API gw_status gw_config_moved(const gw_config *before, const gw_config *after, gw_str cluster,
                                 uint32_t *out);

#ifdef __cplusplus
}
#endif
#endif
