/* gw/status.h: one error space. A status is 0 or negative; bits 8-15 of its magnitude are its
 * category, which is what a host switches on. No errno, no thread-local, no strings compared.
 */
#ifndef GW_STATUS_H
#define GW_STATUS_H

#include <gw/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t gw_status;

#define GW_STATUS_(category, n) (-(((category) << 8) | (n)))

enum {
    GW_CAT_FLOW = 1,  /* no failure: nothing to do now, or the orderly end */
    GW_CAT_LIMIT = 2, /* a bound was reached                               */
    GW_CAT_USAGE = 3, /* the caller broke the contract                     */
    GW_CAT_PEER = 4,  /* the peer's bytes break the protocol               */
    GW_CAT_WORLD = 5  /* the transport, the clock, the network             */
};

enum {
    GW_OK = 0,
    GW_AGAIN = GW_STATUS_(1, 1),        /* no progress now; a notice will come           */
    GW_EOF = GW_STATUS_(1, 2),          /* orderly end (FIN, close_notify)               */
    GW_ENOMEM = GW_STATUS_(2, 1),       /* the allocator refused                         */
    GW_ELIMIT = GW_STATUS_(2, 2),       /* a configured bound was reached                */
    GW_EINVAL = GW_STATUS_(3, 1),       /* an argument breaks the contract               */
    GW_ESTATE = GW_STATUS_(3, 2),       /* too late, too early, or stale                 */
    GW_EUNSUPPORTED = GW_STATUS_(3, 3), /* this build or this object cannot              */
    GW_EUNKNOWN = GW_STATUS_(3, 4),     /* no such name                                  */
    GW_EPROTO = GW_STATUS_(4, 1),       /* bytes that break the protocol                 */
    GW_ETLS = GW_STATUS_(4, 2),         /* TLS failed                                    */
    GW_EIO = GW_STATUS_(5, 1),          /* the transport failed                          */
    GW_ETIMEDOUT = GW_STATUS_(5, 2),    /* a deadline passed                             */
    GW_ECANCELED = GW_STATUS_(5, 3),    /* given up on purpose                           */
    GW_EREFUSED = GW_STATUS_(5, 4),     /* nobody listens there                          */
    GW_EUNREACHABLE = GW_STATUS_(5, 5), /* no way there                                  */
    GW_ERESET = GW_STATUS_(5, 6)        /* the peer cut it off                           */
};

/* GW_CAT_*, or 0 for GW_OK. Pure; any thread. */
GW_API uint32_t gw_status_category(gw_status status);
/* "GW_ENOMEM"; "GW_UNKNOWN_STATUS" for a number that is none. Never NULL. Pure; any thread. */
GW_API const char *gw_status_name(gw_status status);
/* A sentence for people. Never NULL. Pure; any thread. */
GW_API const char *gw_status_text(gw_status status);

#ifdef __cplusplus
}
#endif
#endif
