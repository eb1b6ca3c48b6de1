/* exchange/states.h: the phases of an exchange, for people, logs and traces, and which may follow
 * which. The halves of its two streams (http/codec.h) are the other part of its state.
 *
 *   receive -> filter -> route -> limit -> pick -> connect -> await -> relay -> end
 *                                           ^         |        |
 *                                           +---------+--------+   a retry
 *
 * receive: the head arrives. filter: on_request of the filters. route: the route, then on_route. limit:
 * the route's limiters, where it has any.
 * pick: an endpoint, then on_upstream. connect: a stream to it is awaited. await: the request is on its
 * way, no response yet (or the host is asked). relay: the response flows; also every local reply. end:
 * hooks are told, all is let go. In filter, route and pick a filter may wait; what filters of bodies and
 * of the response wait for holds that direction alone, and is no phase.
 *
 * X(id, name, set of phases that may follow)
 */
#ifndef GW_EXCHANGE_STATES_H
#define GW_EXCHANGE_STATES_H

#define GW_PHASES(X)                                                                               \
    X(RECEIVE, "receive", GW_AFTER(FILTER) | GW_AFTER(RELAY) | GW_AFTER(END))                      \
    X(FILTER, "filter", GW_AFTER(ROUTE) | GW_AFTER(RELAY) | GW_AFTER(END))                         \
    X(ROUTE, "route",                                                                              \
      GW_AFTER(LIMIT) | GW_AFTER(PICK) | GW_AFTER(AWAIT) | GW_AFTER(RELAY) | GW_AFTER(END))        \
    X(LIMIT, "limit", GW_AFTER(PICK) | GW_AFTER(AWAIT) | GW_AFTER(RELAY) | GW_AFTER(END))          \
    X(PICK, "pick", GW_AFTER(CONNECT) | GW_AFTER(AWAIT) | GW_AFTER(RELAY) | GW_AFTER(END))         \
    X(CONNECT, "connect", GW_AFTER(PICK) | GW_AFTER(AWAIT) | GW_AFTER(RELAY) | GW_AFTER(END))      \
    X(AWAIT, "await", GW_AFTER(PICK) | GW_AFTER(RELAY) | GW_AFTER(END))                            \
    X(RELAY, "relay", GW_AFTER(END))                                                               \
    X(END, "end", 0)

enum gw_phase {
#define GW_PHASE_ENUM(id, name, after) GW_PHASE_##id,
    GW_PHASES(GW_PHASE_ENUM)
#undef GW_PHASE_ENUM
        GW_PHASE_COUNT
};
#define GW_AFTER(id) (1u << GW_PHASE_##id)

#endif
