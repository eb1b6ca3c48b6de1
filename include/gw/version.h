/* gw/version.h: numbers, and the history of every change of the ABI, newest first.
 *
 * 0.1.0  first release: nothing is frozen before 1.0.
 */
#ifndef GW_VERSION_H
#define GW_VERSION_H

#include <gw/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_VERSION_MAJOR 0
#define GW_VERSION_MINOR 1
#define GW_VERSION_PATCH 0

/* major << 16 | minor << 8 | patch of the library that is linked. Pure; any thread. */
GW_API uint32_t gw_version(void);
/* What is compiled in, as words: "h1 h2=nghttp2/1.52.0 yaml poll epoll dns=c-ares/1.18.1". Static. Pure; any
 * thread. */
GW_API const char *gw_build_features(void);

#ifdef __cplusplus
}
#endif
#endif
