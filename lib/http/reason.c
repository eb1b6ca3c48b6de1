/* http/reason.c: the one table of causes, as rows. */

#include "http/reason.h"

#include "base/spec.h"

struct row {
    uint16_t http_code;
    uint8_t grpc_status, h2_code;
    const char *name, *text;
};

static const struct row rows[] = {
#define ROW(id, http, grpc, h2, text) { http, grpc, h2, #id, text },
    GW_REASONS(ROW)
#undef ROW
};
_Static_assert(sizeof rows / sizeof rows[0] == GW_REASON_COUNT, "a row for each reason");

gw_status gw_reason_of(uint32_t reason, gw_reason *out)
{
    if (reason >= GW_REASON_COUNT)
        return GW_EUNKNOWN;
    const struct row *row = &rows[reason];
    gw_reason own = GW_SPEC(gw_reason);
    own.http_code = row->http_code;
    own.grpc_status = row->grpc_status;
    own.name = row->name;
    own.text = row->text;
    return gw_spec_fill(out, &own, sizeof own);
}

uint32_t gw_reason_h2_code(enum gw_reason_id reason)
{
    return (unsigned)reason < GW_REASON_COUNT ? rows[reason].h2_code : GW_H2_INTERNAL_ERROR;
}
