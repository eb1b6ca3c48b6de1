/* recall.c: what became of a worker's last requests, as JSON. */
#include "recall.h"
#include "json.h"
#include "say.h"

#include <gw/recall.h>

static gw_str reason_name(const gw_record *r)
{
    gw_reason row = GW_SPEC(gw_reason);
    return gw_cstr(gw_reason_of(r->cause.reason, &row) == GW_OK ? row.name : NULL);
}

static void print(uint32_t worker, const gw_record *r)
{
    char line[960];
    struct json j;
    json_open(&j, line, sizeof line);
    json_number(&j, "worker", worker);
    json_number(&j, "id", r->id);
    json_number(&j, "started_ns", r->started);
    json_number(&j, "ended_ns", r->ended);
    json_number(&j, "code", r->code);
    json_text(&j, "by", gw_cstr(gw_by_name(r->cause.by)), 32);
    json_text(&j, "phase", gw_cstr(gw_phase_name(r->cause.phase)), 32);
    json_text(&j, "reason", reason_name(r), 64);
    json_number(&j, "retries", r->retries);
    json_bool(&j, "split", (r->flags & GW_RECORD_SPLIT) != 0);
    json_bool(&j, "fell_back", (r->flags & GW_RECORD_FELL_BACK) != 0);
    json_bool(&j, "local", (r->flags & GW_RECORD_LOCAL) != 0);
    json_text(&j, "route", r->route, 128);
    json_text(&j, "cluster", r->cluster, 128);
    json_text(&j, "endpoint", r->endpoint, 256);
    size_t len = json_close(&j);
    say_plain("%.*s", (int)len, line);
}

void recall(struct crew_member *member, void *ctx)
{
    gw_record record = GW_SPEC(gw_record);
    const gw_worker *worker = gw_loop_worker(member->loop);
    (void)ctx;
    for (size_t i = 0; gw_worker_recall(worker, i, &record) == GW_OK; i++)
        print(member->index + 1, &record);
}
