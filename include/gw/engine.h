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

/* GW_EINVAL: a limit out of range; GW_ENOMEM. */
GW_API gw_status gw_engine_new(const gw_engine_spec *spec, gw_engine **out) GW_MUST_CHECK;
/* Any thread. Takes its own references. Each worker adopts it at the start of its next step;
 * exchanges in flight finish on the one they started with. A refused one (err says why; may be
 * NULL) leaves the old in place. Of two that are applied at once, the later call wins
 * everywhere. Workers may be made and freed meanwhile. GW_ELIMIT: filters, or they and an origin,
 * ask more memory per exchange than there can be; GW_ENOMEM. */
GW_API gw_status gw_engine_apply(gw_engine *e, gw_config *config, gw_config_error *err)
    GW_MUST_CHECK;
/* The number of the newest configuration that was applied: 1, 2, ...; 0: none yet. Any thread. */
GW_API uint64_t gw_engine_generation(const gw_engine *e);
/* After all its workers are freed; else it does nothing. NULL is fine. */
GW_API void gw_engine_free(gw_engine *e);

#ifdef __cplusplus
}
#endif
#endif
