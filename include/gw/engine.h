/* gw/engine.h: what workers share: limits, environment, configuration. */
#ifndef GW_ENGINE_H
#define GW_ENGINE_H

#include <gw/config.h>
#include <gw/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gw_engine_spec {
    uint32_t size;
    uint32_t workers_max;    /* 1 to 1024; 0: 1 */
    const gw_env *env;       /* copied; NULL: defaults */
    const gw_limits *limits; /* copied; NULL: defaults */
} gw_engine_spec;

/* Makes one, without a worker and a configuration. The caller owns it. Any thread. GW_EINVAL: a
 * limit out of range, half an allocator; GW_ENOMEM. Allocates; O(workers_max). */
GW_API gw_status gw_engine_new(const gw_engine_spec *spec, gw_engine **out) GW_MUST_CHECK;
/* Gives every worker this configuration: each adopts it at the start of its next step; exchanges in
 * flight finish on the one they started with. A refused one (err says why; may be NULL) leaves the
 * old in place. Of two that are applied at once, the later call wins everywhere. Takes its own
 * references. Any thread; workers may be made and freed meanwhile. GW_ELIMIT: filters, or they and
 * an origin, ask more memory per exchange than there can be; GW_ENOMEM. Allocates; O(workers_max
 * times endpoints). */
GW_API gw_status gw_engine_apply(gw_engine *e, gw_config *config, gw_config_error *err)
    GW_MUST_CHECK;
/* The number of what was put in force last: 1, 2, ...: each configuration, and each change of endpoints or
 * weights (gw/live.h, DNS), is one more; 0: none yet. Any thread. */
GW_API uint64_t gw_engine_generation(const gw_engine *e);
/* Frees it, after all its workers, views and its resolver; while one is left it does nothing. NULL is fine. Any thread that
 * knows that no other uses it. O(workers_max). */
GW_API void gw_engine_free(gw_engine *e);

#ifdef __cplusplus
}
#endif
#endif
