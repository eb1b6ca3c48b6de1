/* gw/explain.h: what would become of a request, and why. The decisions are those that serve requests,
 * made dry: nothing is taken from a limiter, no turn passes, and no hook runs, but a balancer of the
 * host's where it says by which worker. So the answer is of this moment, and of filters that let everything
 * be as it is; what they would say can be said in their place. docs/explain.md has the steps, and what
 * they do not foresee.
 */
#ifndef GW_EXPLAIN_H
#define GW_EXPLAIN_H

#include <gw/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a step is about, in the order in which they come. */
enum {
    GW_EXPLAIN_REQUEST = 1,  /* what the head says, or what is wrong with it                      */
    GW_EXPLAIN_ROUTE = 2,    /* each route: those that were asked first                           */
    GW_EXPLAIN_FILTER = 3,   /* those that are on, in their order                                 */
    GW_EXPLAIN_LIMITER = 4,  /* each of the route's, in their order                               */
    GW_EXPLAIN_SPLIT = 5,    /* each of the clusters that share the route                         */
    GW_EXPLAIN_CLUSTER = 6,  /* it, and of what guards it what holds now                          */
    GW_EXPLAIN_ENDPOINT = 7, /* each of its endpoints: may it be asked                            */
    GW_EXPLAIN_PICK = 8,     /* which one, and how it was found                                   */
    GW_EXPLAIN_RETRY = 9,    /* after what it would be sent again                                 */
    GW_EXPLAIN_DEADLINE = 10 /* how long what may take                                            */
};
enum {
    GW_EXPLAIN_NOTE = 0, /* it is so, and decides nothing                                         */
    GW_EXPLAIN_YES = 1,  /* this one; it goes on                                                  */
    GW_EXPLAIN_NO = 2,   /* not this one; it goes on all the same                                 */
    GW_EXPLAIN_ENDS = 3  /* the request is refused here                                           */
};

/* Frozen. Names of times end in _ns. */
typedef struct gw_explain_number {
    const char *name; /* static */
    uint64_t value;
} gw_explain_number;
enum { GW_EXPLAIN_NUMBERS_MAX = 6 };
/* The library fills it. Views live until the callback returns. */
typedef struct gw_explain_step {
    uint32_t size;
    uint32_t kind;    /* GW_EXPLAIN_REQUEST ...                                               */
    uint32_t verdict; /* GW_EXPLAIN_NOTE ...                                                  */
    uint32_t numbers_len;
    const char *what; /* the name of kind: "route". Static                                    */
    const char *text; /* why: "its host is another one". Static                               */
    gw_str name;      /* of the route, the limiter, the endpoint ...                          */
    gw_explain_number numbers[GW_EXPLAIN_NUMBERS_MAX];
} gw_explain_step;
/* Must not call the library. */
typedef void gw_explain_fn(void *ctx, const gw_explain_step *step);

enum { GW_EXPLAIN_HTTP_1_0 = 1u };
/* Zero and empty are defaults. */
typedef struct gw_explain_spec {
    uint32_t size;
    uint32_t protocol;  /* GW_PROTO_*: what the client speaks; H1. TLS: it is passed through, by
                           host; without method, target and fields                                */
    uint32_t flags;     /* GW_EXPLAIN_HTTP_1_0                                                    */
    uint32_t steps_max; /* the first so many are told; 1,000                                      */
    gw_explain_fn *on_step; /* NULL: nobody is told                                               */
    void *ctx;
    gw_worker *worker; /* as it would be there, whose turns and draws are its own; then only in its
                          thread. NULL: as a worker would that has just been made with that seed  */
    uint64_t seed;
    gw_nanos now;    /* 0: the worker's last step                                               */
    gw_str listener; /* name; empty: the first                                                  */
    gw_str client;   /* address of the peer, with or without a port; empty: not known           */
    gw_str method;   /* GET                                                                     */
    gw_str scheme;   /* "http", or "https": the client came under TLS; as the listener says     */
    gw_str host;     /* Host, or :authority; empty: none is sent                                */
    gw_str target;   /* "/path?query", as HTTP/1 sends it; "/"                                  */
    const gw_call_field *fields; /* as they are received; no Host                                 */
    size_t fields_len;
    /* What filters would say: gw_exchange_set_cluster, _set_hash_key, _set_label. */
    gw_str cluster, hash_key;
    const gw_call_field *labels;
    size_t labels_len;
    gw_str server_name, identity; /* as gw_facts says them; scheme is "https" then */
} gw_explain_spec;

enum {
    GW_ENDS_ENDPOINT =
        1,              /* it is sent there; an empty one: where the host's balancer says        */
    GW_ENDS_ORIGIN = 2, /* the host answers                                                     */
    GW_ENDS_REPLY = 3,  /* the route's reply, or a fallback's                                   */
    GW_ENDS_FAILURE = 4 /* refused, for cause                                                   */
};
/* The library fills it; texts end with a zero byte, and are empty where nothing was chosen. */
typedef struct gw_explained {
    uint32_t size;
    uint32_t ends;        /* GW_ENDS_*                                                            */
    uint32_t kind;        /* GW_EXCHANGE_*                                                        */
    uint32_t code;        /* what the gateway itself would answer; 0: it would not                */
    uint32_t grpc_status; /* of that answer to a gRPC client; GW_OFF: none                        */
    uint32_t steps;       /* how many there were                                                  */
    gw_cause cause;       /* as gw_exchange_cause would say it                                    */
    char listener[132], route[132], cluster[132];
    char endpoint[404], address[264];
} gw_explained;

/* Explains what would become of that request; fills what out->size covers. Any thread, and inside hooks,
 * but see worker. GW_EINVAL: a protocol or a flag that there is not, a client's address that is none, an
 * empty hash_key with a pointer; GW_EUNKNOWN: no such listener, or no such cluster; GW_ESTATE: no
 * configuration was applied yet, or the worker's thread is another one; GW_ENOMEM. What is wrong with
 * the request itself is no error, but how it ends. O(routes, endpoints of its cluster, clusters);
 * allocates. */
GW_API gw_status gw_explain(gw_engine *e, const gw_explain_spec *spec, gw_explained *out)
    GW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
