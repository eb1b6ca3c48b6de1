/* base/assert.h: invariants. GW_ASSERT is cheap and on by default, also in release builds;
 * GW_ASSERT_SLOW checks whole structures and is on in tests (-Dassertions=full). Never on bytes of
 * a peer or on allocation: those are statuses. A failing one traps (base/assert.c). */
#ifndef GW_BASE_ASSERT_H
#define GW_BASE_ASSERT_H

#include "gw_features.h"

#if defined(__GNUC__)
#define GW_LIKELY(x) __builtin_expect(!!(x), 1)
#define GW_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define GW_NORETURN __attribute__((noreturn, cold))
#define GW_NOINLINE __attribute__((noinline)) /* so that who calls it seldom does not pay for it */
#else
#define GW_LIKELY(x) (x)
#define GW_UNLIKELY(x) (x)
#define GW_NORETURN
#define GW_NOINLINE
#endif

/* Ends the process: an invariant is broken and going on would be wrong. */
GW_NORETURN void gw_panic(const char *what, const char *file, int line);

#if GW_ASSERTIONS
#define GW_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (GW_UNLIKELY(!(condition)))                                                             \
            gw_panic(#condition, __FILE__, __LINE__);                                              \
    } while (0)
#else
#define GW_ASSERT(condition) ((void)sizeof(condition))
#endif

#if GW_ASSERTIONS_SLOW
#define GW_ASSERT_SLOW(condition) GW_ASSERT(condition)
#else
#define GW_ASSERT_SLOW(condition) ((void)sizeof(condition))
#endif

#endif
