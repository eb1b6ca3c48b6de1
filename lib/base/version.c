/* base/version.c: what this library is, and what was built into it. */

#include <gw/version.h>

#include "gw_features.h"

uint32_t gw_version(void)
{
    return GW_VERSION_MAJOR << 16 | GW_VERSION_MINOR << 8 | GW_VERSION_PATCH;
}

const char *gw_build_features(void)
{
    return "h1"
#if GW_HAVE_H2
           " h2=nghttp2/" GW_NGHTTP2_VERSION
#endif
#if GW_HAVE_YAML
           " yaml"
#endif
           " poll"
#if defined(__linux__)
           " epoll"
#endif
#if GW_HAVE_URING
           " io_uring=liburing/" GW_LIBURING_VERSION
#endif
#if GW_HAVE_TLS
           " tls=wolfssl/" GW_WOLFSSL_VERSION
#endif
#if GW_HAVE_CARES
           " dns=c-ares/" GW_CARES_VERSION
#endif
        ;
}
