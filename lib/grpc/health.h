/* grpc/health.h: the two messages of grpc.health.v1.Health/Check, in the frames that gRPC sends: the little
 * of protobuf that is needed for that. */
#ifndef GW_GRPC_HEALTH_H
#define GW_GRPC_HEALTH_H

#include "base/text.h"

/* What a server says of a service. */
enum gw_grpc_serving {
    GW_GRPC_SERVING_UNKNOWN = 0,
    GW_GRPC_SERVING = 1,
    GW_GRPC_NOT_SERVING = 2,
    GW_GRPC_SERVICE_UNKNOWN = 3
};

enum { GW_GRPC_SERVICE_MAX = 256, GW_GRPC_HEALTH_REQUEST_MAX = 5 + 3 + GW_GRPC_SERVICE_MAX };
/* A HealthCheckRequest of a service of at most GW_GRPC_SERVICE_MAX bytes. Returns its length. */
size_t gw_grpc_health_request(gw_str service, char out[GW_GRPC_HEALTH_REQUEST_MAX]);
/* One whole frame with a HealthCheckResponse; fields that we do not know are passed over. GW_EPROTO: it is
 * none, is compressed, or something follows it. */
gw_status gw_grpc_health_response(gw_str bytes, uint32_t *serving) GW_MUST_CHECK;

#endif
