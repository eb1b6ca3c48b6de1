/* gw/gw.h: all of libgw.
 *
 * How to read the comments of these headers. Each says, in this order: what it does, in which
 * shapes and units; who owns what, and for how long; from where it may be called; what can go wrong;
 * what it costs; and names the RFC where a rule comes from one. What is left out is the usual:
 *   ownership  what is given is copied or only looked at; views and pointers that are returned are
 *              borrowed, until the hook returns or the object they came from is changed
 *   when       in the worker's thread, also inside hooks (the list of exceptions and of what any
 *              thread may call stands in gw/env.h)
 *   errors     none; a gw_status that is returned is GW_OK or one of those named; GW_EINVAL
 *              wherever an argument breaks the contract; a handle that is NULL is answered with
 *              GW_EINVAL, 0, NULL or by doing nothing; on failure outputs are as they were
 *   units      lengths and sizes are bytes; names end in the unit of times: _ms, or gw_nanos
 *   cost       O(1) without allocation
 *   since      0.1.0
 */
#ifndef GW_GW_H
#define GW_GW_H

#include <gw/balancer.h>
#include <gw/bytes.h>
#include <gw/call.h>
#include <gw/config.h>
#include <gw/engine.h>
#include <gw/env.h>
#include <gw/exchange.h>
#include <gw/explain.h>
#include <gw/export.h>
#include <gw/filter.h>
#include <gw/io.h>
#include <gw/limits.h>
#include <gw/link.h>
#include <gw/live.h>
#include <gw/loop.h>
#include <gw/message.h>
#include <gw/origin.h>
#include <gw/recall.h>
#include <gw/resolver.h>
#include <gw/stats.h>
#include <gw/status.h>
#include <gw/tls.h>
#include <gw/trace.h>
#include <gw/version.h>
#include <gw/worker.h>
#include <gw/yaml.h>

#endif
