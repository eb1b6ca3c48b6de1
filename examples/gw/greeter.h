/* greeter.h: an upstream of the demo: the gRPC greeter, all four kinds of call. */
#ifndef GW_PROGRAM_GREETER_H
#define GW_PROGRAM_GREETER_H

#include <gw/origin.h>

enum { GREETER_REPLIES = 10 }; /* of LotsOfReplies */

/* Shared by all listeners it is routed from; it names the one a call came by, in the field
 * "x-upstream". Static: there is nothing to free. */
const gw_origin *greeter_origin(void);

#endif
