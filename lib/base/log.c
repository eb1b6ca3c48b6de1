/* base/log.c: composes bounded lines and holds back floods. The rate is a bucket kept as one time:
 * each line moves it a tenth of a second on, and it may not run more than the burst ahead of now.
 */

#include "base/log.h"

enum { BURST = 50 };
#define LINE_NANOS 100000000u

void gw_log_init(struct gw_log *log, const gw_env *env)
{
    *log = (struct gw_log){ .write = env->log, .ctx = env->log_ctx, .level = env->log_level };
    if (log->level == 0)
        log->level = GW_LOG_WARN;
    else if (log->level == GW_OFF)
        log->level = 0;
}

static bool has_token(struct gw_log *log, gw_nanos now)
{
    gw_nanos ahead = log->tokens_at > now ? log->tokens_at - now : 0;
    if (ahead + LINE_NANOS > (gw_nanos)BURST * LINE_NANOS)
        return false;
    log->tokens_at = now + ahead + LINE_NANOS;
    return true;
}

void gw_log_line(struct gw_log *log, gw_nanos now, uint32_t level, const char *event,
                 const char *text)
{
    if (!gw_log_wants(log, level))
        return;
    if (!has_token(log, now) && level > GW_LOG_ERROR) {
        log->dropped++;
        return;
    }
    char line[GW_LOG_LINE_MAX + 1], note[48];
    struct gw_text t, n;
    gw_text_init(&n, note, sizeof note);
    if (log->dropped > 0) {
        gw_text_cstr(&n, " (");
        gw_text_u64(&n, log->dropped);
        gw_text_cstr(&n, " lines left out before)");
        log->dropped = 0;
    }
    gw_text_init(&t, line, sizeof line - (size_t)(n.at - n.start));
    gw_text_cstr(&t, text);
    gw_text_init(&t, t.at, (size_t)(line + sizeof line - t.at));
    gw_text_cstr(&t, note);
    log->write(log->ctx, level, event, line);
}
