/* grpc/timeout.h: grpc-timeout to nanoseconds and back: 1 to 8 digits and one of H M S m u n. */
#ifndef GW_GRPC_TIMEOUT_H
#define GW_GRPC_TIMEOUT_H

#include "base/text.h"

/* GW_EINVAL: malformed. What 64 bits of nanoseconds cannot hold (584 years) becomes UINT64_MAX. */
gw_status gw_grpc_timeout_parse(gw_str text, gw_nanos *out) GW_MUST_CHECK;
enum { GW_GRPC_TIMEOUT_MAX = 9 };
/* Rounded up to the finest unit that 8 digits can say; 0 gives "0n". At most 9 bytes. */
size_t gw_grpc_timeout_format(gw_nanos ns, char *out);

#endif
