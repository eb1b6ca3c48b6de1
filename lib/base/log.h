/* base/log.h: level check, bounded lines, and a bound on their rate (a burst of 50, then 10 a
 * second of the machine's own time; what was left out is counted in the next line). */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include <gw/env.h>

#include "base/text.h"

enum { GW_LOG_LINE_MAX = 400 };
struct gw_log {
    gw_log_fn *write; /* NULL: silent */
    void *ctx;
    uint32_t level; /* highest reported; 0: none */
    uint32_t dropped;
    gw_nanos tokens_at; /* of the rate's bucket */
};
void gw_log_init(struct gw_log *log, const gw_env *env);
static inline bool gw_log_wants(const struct gw_log *log, uint32_t level)
{
    return log->write != NULL && level <= log->level;
}
/* text is one line. GW_LOG_ERROR is never dropped. */
void gw_log_line(struct gw_log *log, gw_nanos now, uint32_t level, const char *event,
                 const char *text);

#endif
