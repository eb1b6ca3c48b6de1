/* echo.h: an upstream of the demo: sends a request's body back while it arrives. */
#ifndef GW_PROGRAM_ECHO_H
#define GW_PROGRAM_ECHO_H

#include <gw/origin.h>

/* Shared by all listeners it is routed from; it names the one a request came by, in the field
 * "x-upstream". Static: there is nothing to free. */
const gw_origin *echo_origin(void);

#endif
