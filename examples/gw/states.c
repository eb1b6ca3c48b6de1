/* states.c: a view, line by line. Times are told from now, in milliseconds. */
#include "states.h"
#include "json.h"
#include "say.h"

#include <gw/live.h>

#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, NAME_MAX_BYTES = 256 };
#define MS 1000000u

#define WORD(words, n) ((n) < sizeof(words) / sizeof *(words) ? (words)[n] : NULL)

static const char *const kinds[] = { NULL,      "cluster",  "endpoint", "split",  "breaker",
                                     "outlier", "throttle", "health",   "limiter" };
static const char *const states[] = { NULL,      "closed",   "open",      "half_open",
                                      "ejected", "draining", "unhealthy", "untried" };
static const char *const causes[] = {
    NULL,     "failures", "share",  "latency", "probe",  "time",
    "probed", "forced",   "weight", "breaker", "health", "outlier"
};

/* Not where there is none. */
static void put_name(struct json *j, const char *member, gw_str name)
{
    if (name.len > 0)
        json_text(j, member, name, NAME_MAX_BYTES);
}

static void put_word(struct json *j, const char *member, const char *word)
{
    if (word != NULL)
        json_text(j, member, gw_cstr(word), NAME_MAX_BYTES);
}

static void put_count(struct json *j, const char *member, uint64_t n)
{
    if (n > 0 && n != UINT32_MAX)
        json_number(j, member, n);
}

static void put_state(struct json *j, const gw_state *s, gw_nanos now)
{
    put_word(j, "state", WORD(states, s->state));
    put_word(j, "cause", WORD(causes, s->cause));
    if (s->since > 0 && s->since <= now)
        json_number(j, "since_ms_ago", (now - s->since) / MS);
    if (s->state != 0 && s->next != UINT64_MAX)
        json_number(j, "next_in_ms", s->next > now ? (s->next - now) / MS : 0);
    put_word(j, "forced", WORD(states, s->forced));
    if (s->forced_until > now)
        json_number(j, "forced_for_ms", (s->forced_until - now) / MS);
    if (s->failed_at > 0 && s->failed_at <= now)
        json_number(j, "failed_ms_ago", (now - s->failed_at) / MS);
}

static size_t line_of(const gw_state *s, gw_nanos now, char *out)
{
    const struct {
        const char *member;
        uint64_t n;
    } counts[] = {
        { "weight", s->weight },
        { "inflight", s->inflight },
        { "inflight_most", s->inflight_most },
        { "pending", s->pending },
        { "pending_most", s->pending_most },
        { "retries", s->retries },
        { "retries_most", s->retries_most },
        { "connections", s->connections },
        { "connections_most", s->connections_most },
        { "connections_wanted", s->connections_wanted },
        { "connecting", s->connecting },
        { "requests", s->requests },
        { "refused", s->refused },
        { "successes", s->successes },
        { "failures", s->failures },
        { "row", s->row },
        { "times", s->times },
        { "code", s->code },
        { "refused_ppm", s->refused_ppm },
        { "tokens", s->tokens },
        { "period_ms", s->period_ns / MS },
        { "level", s->level },
        { "level_most", s->level_most },
        { "keys", s->keys },
        { "keys_most", s->keys_most },
    };
    struct json j;
    json_open(&j, out, LINE_MAX_BYTES - 1);
    put_word(&j, "kind", WORD(kinds, s->kind));
    put_name(&j, "cluster", s->cluster);
    put_name(&j, "name", s->name);
    put_name(&j, "address", s->address);
    put_name(&j, "route", s->route);
    put_state(&j, s, now);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        put_count(&j, counts[i].member, counts[i].n);
    size_t len = json_close(&j);
    out[len++] = '\n';
    return len;
}

static bool write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

void states_print(gw_engine *engine)
{
    char line[LINE_MAX_BYTES];
    gw_state state = GW_SPEC(gw_state);
    struct timespec t;
    gw_view *view;
    if (gw_view_open(engine, &view) != GW_OK) {
        say("no memory to look at the states");
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    gw_nanos now = (gw_nanos)t.tv_sec * 1000000000u + (gw_nanos)t.tv_nsec;
    gw_view_at(view, now);
    while (gw_view_next(view, &state))
        if (!write_all(line, line_of(&state, now, line)))
            break;
    gw_view_close(view);
}
