/* gw/limits.h: every bound that a host can set, and what the bounds add up to. */
#ifndef GW_LIMITS_H
#define GW_LIMITS_H

#include <gw/env.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is the default beside each field. Per worker, but where another scope is named. Fixed
 * when an engine is made. */
typedef struct gw_limits {
    uint32_t size;
    uint32_t block_bytes;        /* payload of a pool block; 16640, 1024 to 1 MiB              */
    uint32_t blocks_max;         /* blocks in the pool: the hard bound on bytes held; 32768; at
                                    least 16, and room for 131070 bytes more if HTTP/2 is spoken:
                                    what a client who reads nothing may hold, and another one */
    uint32_t links_max;          /* connections, both sides together; 10000                    */
    uint32_t h2_links_max;       /* of those, HTTP/2 ones; 2048; GW_OFF: no HTTP/2             */
    uint32_t exchanges_max;      /* 20000                                                      */
    uint32_t head_bytes_max;     /* a request or response head, trailers too; 32768; else 431  */
    uint32_t fields_max;         /* 100; else 431                                              */
    uint32_t pipe_bytes_max;     /* body bytes held a direction of an exchange; 262144         */
    uint32_t exchange_bytes_max; /* what origins and filters ask per exchange; 65536           */
    uint32_t h2_streams_max;     /* concurrent streams a client may open on a connection; 128; no
                                    more are announced than the pool could take at once        */
    uint32_t step_budget;        /* units of work in one gw_worker_step; 4096                  */
    uint64_t body_bytes_max;     /* a request body; 0: no bound; else 413                      */
    uint32_t records_max;        /* requests that gw_worker_recall remembers; 256, up to 65,536;
                                    GW_OFF: none                                            */
    uint32_t tls_links_max;      /* connections under TLS; 2048: 4 to 80 KB each (docs/tls.md)   */
} gw_limits;

/* Worst case in bytes, for one worker but for config, shared and total. */
typedef struct gw_footprint {
    uint32_t size;
    uint32_t workers;
    uint64_t blocks;  /* the block pool                        */
    uint64_t objects; /* links, exchanges, slices              */
    uint64_t h2;      /* HTTP/2 codec memory                   */
    uint64_t config;  /* two configurations, as in a reload    */
    uint64_t total;   /* all workers, config and shared        */
    uint64_t shared;  /* what policies know of clusters, endpoints and limiters' keys, twice too */
    uint64_t replay;  /* of blocks: what bodies may hold at once to be sent again: half at most */
    uint64_t tls;     /* sessions of the TLS library, which takes its memory itself: of a
                         configuration that has TLS                    */
} gw_footprint;

/* Computes the worst case for out->workers workers (0: 1). limits NULL: defaults; config NULL:
 * without one. GW_EINVAL: a limit outside its range. Pure; any thread. */
GW_API gw_status gw_limits_footprint(const gw_limits *limits, const gw_config *config,
                                     gw_footprint *out) GW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
