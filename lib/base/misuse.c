/* base/misuse.c: what becomes of a host's misuse: the panic hook at once, one line in the log later. */

#include "base/misuse.h"

#include "base/log.h"
#include "base/text.h"

static const struct row {
    const char *call, *text;
} rows[GW_MISUSE_END] = { { "", "" },
#define ROW(id, call, text) { call, text },
                          GW_MISUSES(ROW)
#undef ROW
};

#define ONE ((uint64_t)1 << 32)

void gw_misuse_note(struct gw_misuse *m, enum gw_misuse_id id)
{
    uint64_t noted = atomic_load_explicit(&m->noted, memory_order_relaxed), more;

    GW_ASSERT(id > GW_MISUSE_NONE && id < GW_MISUSE_END);
    if (GW_ASSERTIONS && m->env->panic != NULL)
        m->env->panic(m->env->panic_ctx, rows[id].call, rows[id].text);
    do {
        more = noted == 0 ? ONE | (uint64_t)id : noted + ONE;
        if (more < ONE)
            return; /* more than can be counted */
    } while (!atomic_compare_exchange_weak_explicit(&m->noted, &noted, more, memory_order_relaxed,
                                                    memory_order_relaxed));
}

uint32_t gw_misuse_say(struct gw_misuse *m, struct gw_log *log, gw_nanos now)
{
    uint64_t noted = atomic_exchange_explicit(&m->noted, 0, memory_order_relaxed);
    const struct row *row = &rows[(uint32_t)noted];
    uint32_t n = (uint32_t)(noted >> 32);
    char line[GW_LOG_LINE_MAX];
    struct gw_text text;

    if (n == 0 || !gw_log_wants(log, GW_LOG_WARN))
        return n;
    gw_text_init(&text, line, sizeof line);
    gw_text_cstr(&text, row->call);
    gw_text_cstr(&text, ": ");
    gw_text_cstr(&text, row->text);
    if (n > 1) {
        gw_text_cstr(&text, ", and ");
        gw_text_u64(&text, n - 1);
        gw_text_cstr(&text, " more since");
    }
    gw_log_line(log, now, GW_LOG_WARN, "host.misuse", line);
    return n;
}
