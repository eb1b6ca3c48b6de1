/* route/tree.h: which route a request takes. Of all that match it the most specific wins: host (exact,
 * then the longest "*." suffix, then any), then path on whole segments (exact, then longest prefix),
 * then one that names methods, then one that names a listener, then the greater priority. So where
 * the most specific host or path has no rule for the method or the listener, less specific ones are
 * asked. Built once, read only, never allocates in a search. Pure. */
#ifndef GW_ROUTE_TREE_H
#define GW_ROUTE_TREE_H

#include "base/heap.h"
#include "base/text.h"

/* One row: what a route wants. Views are the owner's and live as long as the tree. */
struct gw_route_rule {
    gw_str host; /* lower case; exact, "*.suffix", or empty         */
    gw_str path; /* canonical                                       */
    bool is_exact;
    bool takes_connect; /* may match CONNECT                            */
    const gw_str *methods;
    size_t methods_len;
    uint32_t listener; /* index; UINT32_MAX: any                        */
    uint32_t priority;
    uint32_t route; /* the answer                                       */
};
struct gw_route_tree;

struct gw_route_key {
    gw_str host; /* without port, any case */
    gw_str path; /* canonical; empty for CONNECT (matches rules that take CONNECT, by host, then
                    listener, then priority alone); "*" is matched as "/" */
    gw_str method;
    uint32_t listener;
};

/* On a tie without a priority: GW_EINVAL and the two rows. GW_ENOMEM. */
gw_status gw_route_tree_new(struct gw_heap *heap, const struct gw_route_rule *rules, size_t n,
                            struct gw_route_tree **out, size_t tie[2]) GW_MUST_CHECK;
void gw_route_tree_free(struct gw_route_tree *tree); /* NULL is fine */
/* The route, or UINT32_MAX. *is_method_missing: there is none, and a rule matched in all but the
 * method (405). */
uint32_t gw_route_tree_find(const struct gw_route_tree *tree, const struct gw_route_key *key,
                            bool *is_method_missing);

/* Why a rule is the one, or is not. */
enum gw_route_why {
    GW_ROUTE_CHOSEN,
    GW_ROUTE_LESS_SPECIFIC, /* it matches, and so does a more specific one */
    GW_ROUTE_OTHER_METHOD,
    GW_ROUTE_OTHER_LISTENER,
    GW_ROUTE_OTHER_PATH,
    GW_ROUTE_OTHER_HOST,
    GW_ROUTE_WHY_COUNT
};
struct gw_route_trace {
    void *ctx;
    void (*tell)(void *ctx, uint32_t route, enum gw_route_why why);
};
/* The same search; every rule is told of once: first those that were asked, in that order. O(rules). */
uint32_t gw_route_tree_explain(const struct gw_route_tree *tree, const struct gw_route_key *key,
                               bool *is_method_missing, const struct gw_route_trace *trace);

#endif
