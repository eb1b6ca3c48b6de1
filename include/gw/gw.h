/* gw/gw.h: all of libgw. */
#ifndef GW_GW_H
#define GW_GW_H

#include <gw/bytes.h>
#include <gw/config.h>
#include <gw/engine.h>
#include <gw/env.h>
#include <gw/exchange.h>
#include <gw/export.h>
#include <gw/filter.h>
#include <gw/io.h>
#include <gw/limits.h>
#include <gw/link.h>
#include <gw/loop.h>
#include <gw/message.h>
#include <gw/origin.h>
#include <gw/stats.h>
#include <gw/status.h>
#include <gw/trace.h>
#include <gw/version.h>
#include <gw/worker.h>
#include <gw/yaml.h>

#endif
