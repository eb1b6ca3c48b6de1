/* base/status.c: names and texts of statuses, from one table. */

#include <gw/status.h>

#define STATUSES(X)                                                                                \
    X(GW_OK, "fine")                                                                               \
    X(GW_AGAIN, "no progress is possible now")                                                     \
    X(GW_EOF, "the orderly end was reached")                                                       \
    X(GW_ENOMEM, "the allocator refused memory")                                                   \
    X(GW_ELIMIT, "a configured bound was reached")                                                 \
    X(GW_EINVAL, "an argument breaks the contract of the call")                                    \
    X(GW_ESTATE, "the call came too late, too early, or for something gone")                       \
    X(GW_EUNSUPPORTED, "this build or this object cannot do that")                                 \
    X(GW_EUNKNOWN, "nothing has that name")                                                        \
    X(GW_EPROTO, "the peer's bytes break the protocol")                                            \
    X(GW_ETLS, "TLS failed")                                                                       \
    X(GW_EIO, "the transport failed")                                                              \
    X(GW_ETIMEDOUT, "a deadline passed")                                                           \
    X(GW_ECANCELED, "given up on purpose")                                                         \
    X(GW_EREFUSED, "nobody listens there")                                                         \
    X(GW_EUNREACHABLE, "there is no way to that address")                                          \
    X(GW_ERESET, "the peer cut the connection off")

uint32_t gw_status_category(gw_status status)
{
    if (status == GW_OK)
        return 0;
    return ((uint32_t)-status >> 8) & 0xffu;
}

const char *gw_status_name(gw_status status)
{
    switch (status) {
#define NAME(status, text)                                                                         \
    case status:                                                                                   \
        return #status;
        STATUSES(NAME)
#undef NAME
    default:
        return "GW_UNKNOWN_STATUS";
    }
}

const char *gw_status_text(gw_status status)
{
    switch (status) {
#define TEXT(status, text)                                                                         \
    case status:                                                                                   \
        return text;
        STATUSES(TEXT)
#undef TEXT
    default:
        return "a number that is no status";
    }
}
