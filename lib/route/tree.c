/* route/tree.c: which route a request takes.
 *
 * Of all rules that match a request the most specific wins: by host, then by path, then as
 * route/order.h says. One tree holds the hosts, byte for byte from their end, so that a suffix is a
 * node above the hosts it covers; each host has a tree of paths. Walking down a tree passes every
 * suffix or prefix that matches, and the deepest of them knows the next one above itself that
 * matches too (up): when no rule at the most specific place takes the method or the listener, the
 * less specific ones are asked in turn. So a search reads the host once, the path once a host that
 * has rules for it, and the rules of the places that match. */

#include "route/tree.h"

#include "base/assert.h"
#include "base/sort.h"
#include "route/order.h"
#include "route/radix.h"

#define NONE GW_RADIX_NONE

/* Rules of one host and path: rows from exact to prefix, then from prefix to end. */
struct place {
    uint32_t exact, prefix, end;
    uint32_t up; /* the longest shorter prefix that matches whatever this one matches; NONE */
};

struct host {
    uint32_t root; /* of its paths                                        */
    uint32_t first_place;
    uint32_t connect, connect_end; /* rows that take CONNECT                              */
    uint32_t up;                   /* the longest shorter suffix, at last any host; NONE  */
    bool is_suffix;
};

struct gw_route_tree {
    struct gw_heap *heap;
    struct gw_route_rule *rows; /* in order */
    uint32_t *connect_routes;
    uint32_t *connect_listeners;
    struct place *places;
    struct host *hosts;
    char *host_bytes; /* of all hosts, each from its end */
    size_t host_bytes_len;
    uint32_t rows_len, places_len, hosts_len, hosts_root;
    struct gw_radix radix;
};

/* --- the search --- */

/* Does the place matter to this host? A suffix needs at least one byte before its dot. */
static bool host_fits(const struct host *host, size_t matched, size_t len)
{
    if (matched == 0)
        return true; /* any host */
    return host->is_suffix ? matched < len : matched == len;
}

static bool host_has_edge(gw_str host, size_t matched, const struct gw_radix_node *node)
{
    if (host.len - matched < node->edge_len)
        return false;
    if (node->edge_len == 0)
        return true;
    const char *at = host.ptr + host.len - matched;
    for (uint32_t i = 0; i < node->edge_len; i++)
        if (gw_ascii_lower(*--at) != node->edge[i])
            return false;
    return true;
}

/* The most specific host that is there but for except; NONE. */
static uint32_t find_host(const struct gw_route_tree *tree, gw_str host, uint32_t except)
{
    uint32_t best = NONE, at = tree->hosts_root;
    size_t matched = 0;
    while (at != NONE) {
        const struct gw_radix_node *node = &tree->radix.nodes[at];
        if (!host_has_edge(host, matched, node))
            break;
        matched += node->edge_len;
        if (node->value != NONE && node->value != except &&
            host_fits(&tree->hosts[node->value], matched, host.len))
            best = node->value;
        if (matched == host.len)
            break;
        at = gw_radix_child(&tree->radix, node, gw_ascii_lower(host.ptr[host.len - matched - 1]));
    }
    return best;
}

struct found {
    uint32_t exact;  /* a place that has exact rules for this very path */
    uint32_t prefix; /* the longest prefix                              */
};

static bool is_segment_end(gw_str path, size_t matched)
{
    return matched == path.len || path.ptr[matched] == '/' || path.ptr[matched - 1] == '/';
}

static struct found find_place(const struct gw_route_tree *tree, uint32_t root, gw_str path,
                               uint32_t except)
{
    struct found found = { .exact = NONE, .prefix = NONE };
    uint32_t at = root;
    size_t matched = 0;
    while (at != NONE) {
        const struct gw_radix_node *node = &tree->radix.nodes[at];
        if (path.len - matched < node->edge_len ||
            memcmp(path.ptr + matched, node->edge, node->edge_len) != 0)
            break;
        matched += node->edge_len;
        if (node->value != NONE && node->value != except) {
            const struct place *place = &tree->places[node->value];
            if (place->prefix < place->end && is_segment_end(path, matched))
                found.prefix = node->value;
            if (place->exact < place->prefix && matched == path.len)
                found.exact = node->value;
        }
        if (matched == path.len)
            break;
        at = gw_radix_child(&tree->radix, node, path.ptr[matched]);
    }
    return found;
}

static bool takes_method(const struct gw_route_rule *row, gw_str method)
{
    for (size_t i = 0; i < row->methods_len; i++)
        if (gw_str_eq(row->methods[i], method))
            return true;
    return row->methods_len == 0 && !gw_str_eq(method, GW_STR("CONNECT"));
}

static uint32_t ask_rows(const struct gw_route_tree *tree, uint32_t start, uint32_t end,
                         const struct gw_route_key *key, bool *is_method_missing)
{
    for (uint32_t i = start; i < end; i++) {
        const struct gw_route_rule *row = &tree->rows[i];
        if (row->listener != UINT32_MAX && row->listener != key->listener)
            continue;
        if (takes_method(row, key->method))
            return row->route;
        *is_method_missing = true;
    }
    return UINT32_MAX;
}

static uint32_t ask_host(const struct gw_route_tree *tree, const struct host *host, gw_str path,
                         const struct gw_route_key *key, bool *is_method_missing)
{
    uint32_t route = UINT32_MAX;
    struct found found = find_place(tree, host->root, path, NONE);
    if (found.exact != NONE) {
        const struct place *place = &tree->places[found.exact];
        route = ask_rows(tree, place->exact, place->prefix, key, is_method_missing);
    }
    for (uint32_t at = found.prefix; at != NONE && route == UINT32_MAX; at = tree->places[at].up) {
        const struct place *place = &tree->places[at];
        route = ask_rows(tree, place->prefix, place->end, key, is_method_missing);
    }
    return route;
}

static uint32_t ask_connect(const struct gw_route_tree *tree, const struct host *host,
                            uint32_t listener)
{
    for (uint32_t i = host->connect; i < host->connect_end; i++)
        if (tree->connect_listeners[i] == UINT32_MAX || tree->connect_listeners[i] == listener)
            return tree->connect_routes[i];
    return UINT32_MAX;
}

/* "example.com." is "example.com", said in full. */
static gw_str without_last_dot(gw_str host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

uint32_t gw_route_tree_find(const struct gw_route_tree *tree, const struct gw_route_key *key,
                            bool *is_method_missing)
{
    /* OPTIONS * is about the whole server: for whom all of its paths go to. */
    bool is_all = gw_str_eq(key->path, GW_STR("*"));
    gw_str path = is_all ? GW_STR("/") : key->path;
    uint32_t route = UINT32_MAX;
    bool is_missing = false;
    for (uint32_t at = find_host(tree, without_last_dot(key->host), NONE);
         at != NONE && route == UINT32_MAX; at = tree->hosts[at].up) {
        const struct host *host = &tree->hosts[at];
        if (path.len == 0)
            route = ask_connect(tree, host, key->listener);
        else
            route = ask_host(tree, host, path, key, &is_missing);
    }
    *is_method_missing = route == UINT32_MAX && is_missing;
    return route;
}

/* --- the building --- */

static bool same_host(const struct gw_route_rule *a, const struct gw_route_rule *b)
{
    return gw_str_eq(a->host, b->host);
}

static bool starts_host(const struct gw_route_tree *tree, uint32_t row)
{
    return row == 0 || !same_host(&tree->rows[row - 1], &tree->rows[row]);
}

static bool starts_place(const struct gw_route_tree *tree, uint32_t row)
{
    return starts_host(tree, row) || !gw_str_eq(tree->rows[row - 1].path, tree->rows[row].path);
}

static gw_status sort_rows(struct gw_route_tree *tree, const struct gw_route_rule *rules,
                           uint32_t *order)
{
    uint32_t n = tree->rows_len;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    gw_sort(order, order + n, n, gw_route_compare, rules);
    tree->rows = gw_heap_alloc(tree->heap, n * sizeof *tree->rows);
    if (tree->rows == NULL)
        return GW_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        tree->rows[i] = rules[order[i]];
    for (uint32_t i = 0; i < n; i++) {
        tree->places_len += starts_place(tree, i);
        if (!starts_host(tree, i))
            continue;
        tree->hosts_len++;
        tree->host_bytes_len += gw_route_host_text(tree->rows[i].host).len;
    }
    return GW_OK;
}

static gw_status make_room(struct gw_route_tree *tree)
{
    size_t n = tree->rows_len;
    tree->connect_routes = gw_heap_alloc(tree->heap, n * sizeof(uint32_t));
    tree->connect_listeners = gw_heap_alloc(tree->heap, n * sizeof(uint32_t));
    tree->places = gw_heap_alloc(tree->heap, tree->places_len * sizeof *tree->places);
    tree->hosts = gw_heap_alloc(tree->heap, tree->hosts_len * sizeof *tree->hosts);
    tree->host_bytes = gw_heap_alloc(tree->heap, tree->host_bytes_len + 1);
    if (tree->connect_routes == NULL || tree->connect_listeners == NULL || tree->places == NULL ||
        tree->hosts == NULL || tree->host_bytes == NULL)
        return GW_ENOMEM;
    return gw_radix_init(&tree->radix, tree->heap, tree->places_len + tree->hosts_len);
}

static struct place place_from(const struct gw_route_tree *tree, uint32_t row)
{
    struct place place = { .exact = row, .prefix = row, .end = row + 1, .up = NONE };
    while (place.end < tree->rows_len && !starts_place(tree, place.end))
        place.end++;
    while (place.prefix < place.end && tree->rows[place.prefix].is_exact)
        place.prefix++;
    return place;
}

/* Adds the places of the host whose rows begin at row, and their tree; returns the row behind. */
static uint32_t add_places(struct gw_route_tree *tree, uint32_t row, uint32_t *places_len,
                           gw_str *texts, struct host *host)
{
    uint32_t first = *places_len, len = first;
    host->first_place = first;
    do {
        texts[len - first] = tree->rows[row].path;
        tree->places[len] = place_from(tree, row);
        row = tree->places[len++].end;
    } while (row < tree->rows_len && !starts_host(tree, row));
    host->root = gw_radix_add(&tree->radix, texts, len - first, first);
    for (uint32_t i = first; i < len; i++)
        tree->places[i].up = find_place(tree, host->root, texts[i - first], i).prefix;
    *places_len = len;
    return row;
}

static gw_str host_of(const struct gw_route_tree *tree, uint32_t i)
{
    return tree->rows[tree->places[tree->hosts[i].first_place].exact].host;
}

static gw_str reversed(gw_str host, char *out)
{
    for (size_t i = 0; i < host.len; i++)
        out[i] = host.ptr[host.len - 1 - i];
    return (gw_str){ out, host.len };
}

/* texts has room for as many as there are places, or hosts. */
static void add_hosts(struct gw_route_tree *tree, gw_str *texts)
{
    uint32_t row = 0, places_len = 0;
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        gw_str text = tree->rows[row].host;
        tree->hosts[i] = (struct host){ .is_suffix = gw_str_starts(text, GW_STR("*")) };
        row = add_places(tree, row, &places_len, texts, &tree->hosts[i]);
    }
    GW_ASSERT(row == tree->rows_len && places_len == tree->places_len);
    char *bytes = tree->host_bytes;
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        texts[i] = reversed(gw_route_host_text(host_of(tree, i)), bytes);
        bytes += texts[i].len;
    }
    tree->hosts_root = gw_radix_add(&tree->radix, texts, tree->hosts_len, 0);
    for (uint32_t i = 0; i < tree->hosts_len; i++)
        tree->hosts[i].up = find_host(tree, host_of(tree, i), i);
}

/* Which rows of each host take CONNECT, in their order. */
static void add_connects(struct gw_route_tree *tree, uint32_t *order)
{
    uint32_t n = 0, at = 0;
    for (uint32_t i = 0; i < tree->rows_len; i++)
        if (tree->rows[i].takes_connect)
            order[n++] = i;
    gw_sort(order, order + n, n, gw_route_compare_connect, tree->rows);
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        struct host *host = &tree->hosts[i];
        host->connect = at;
        for (; at < n && gw_str_eq(tree->rows[order[at]].host, host_of(tree, i)); at++) {
            tree->connect_routes[at] = tree->rows[order[at]].route;
            tree->connect_listeners[at] = tree->rows[order[at]].listener;
        }
        host->connect_end = at;
    }
    GW_ASSERT(at == n);
}

static gw_status fill(struct gw_route_tree *tree, const struct gw_route_rule *rules)
{
    size_t order_size = 2 * (size_t)tree->rows_len * sizeof(uint32_t);
    size_t texts_size = tree->rows_len * sizeof(gw_str);
    uint32_t *order = gw_heap_alloc(tree->heap, order_size);
    gw_str *texts = gw_heap_alloc(tree->heap, texts_size);
    gw_status status = GW_ENOMEM;
    if (order == NULL || texts == NULL)
        goto done;
    status = sort_rows(tree, rules, order);
    if (status == GW_OK)
        status = make_room(tree);
    if (status != GW_OK)
        goto done;
    add_hosts(tree, texts);
    add_connects(tree, order);
done:
    gw_heap_release(tree->heap, texts, texts_size);
    gw_heap_release(tree->heap, order, order_size);
    return status;
}

static gw_status refuse_ties(struct gw_heap *heap, const struct gw_route_rule *rules, size_t n,
                             size_t tie[2])
{
    uint32_t *by = gw_heap_alloc(heap, n * sizeof *by);
    if (by == NULL)
        return GW_ENOMEM;
    gw_status status = gw_route_judge(heap, rules, n, by, tie);
    gw_heap_release(heap, by, n * sizeof *by);
    return status;
}

gw_status gw_route_tree_new(struct gw_heap *heap, const struct gw_route_rule *rules, size_t n,
                            struct gw_route_tree **out, size_t tie[2])
{
    GW_ASSERT(n < UINT32_MAX / 8);
    struct gw_route_tree *tree = gw_heap_alloc(heap, sizeof *tree);
    if (tree == NULL)
        return GW_ENOMEM;
    *tree = (struct gw_route_tree){ .heap = heap, .rows_len = (uint32_t)n, .hosts_root = NONE };
    gw_status status = GW_OK;
    if (n > 0)
        status = refuse_ties(heap, rules, n, tie);
    if (n > 0 && status == GW_OK)
        status = fill(tree, rules);
    if (status != GW_OK) {
        gw_route_tree_free(tree);
        return status;
    }
    *out = tree;
    return GW_OK;
}

void gw_route_tree_free(struct gw_route_tree *tree)
{
    if (tree == NULL)
        return;
    struct gw_heap *heap = tree->heap;
    if (tree->radix.nodes != NULL)
        gw_radix_fini(&tree->radix, heap);
    gw_heap_release(heap, tree->host_bytes, tree->host_bytes_len + 1);
    gw_heap_release(heap, tree->hosts, tree->hosts_len * sizeof *tree->hosts);
    gw_heap_release(heap, tree->places, tree->places_len * sizeof *tree->places);
    gw_heap_release(heap, tree->connect_listeners, tree->rows_len * sizeof(uint32_t));
    gw_heap_release(heap, tree->connect_routes, tree->rows_len * sizeof(uint32_t));
    gw_heap_release(heap, tree->rows, tree->rows_len * sizeof *tree->rows);
    gw_heap_release(heap, tree, sizeof *tree);
}
