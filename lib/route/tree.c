/* route/tree.c: which route a request takes.
 *
 * Of all rules that match a request the most specific wins: by host, then by path, then as
 * route/order.h says. One tree holds the hosts, byte for byte from their end, so that a suffix is a
 * node above the hosts it covers; each host has a tree of paths. Walking down a tree passes every
 * suffix or prefix that matches, and the deepest of them knows the next one above itself that
 * matches too (up, shorter): when no rule at the most specific place takes the method or the
 * listener, the less specific ones are asked in turn. So a search reads the host once, the path once a
 * host that has rules for it, and the rules of the places that match. */

#include "route/tree.h"

#include "base/assert.h"
#include "base/sort.h"
#include "route/order.h"
#include "route/radix.h"

#define NONE GW_RADIX_NONE

struct host {
    uint32_t root; /* of its paths                                        */
    uint32_t first_row;
    uint32_t connect, connect_end; /* rows that take CONNECT                              */
    uint32_t up;                   /* the longest shorter suffix, at last any host; NONE  */
    bool is_suffix;
};

/* What each search reads of a rule, and no more: fewer lines of the cache. Rules of one host and path, a
 * place, lie side by side, the exact ones first; a place is known by its first row. */
struct row {
    uint32_t route;
    uint32_t wants : 30;
    uint32_t is_exact : 1, is_last : 1;
};
#define WANTS_MAX (UINT32_MAX >> 2)

/* What a rule asks for beyond host and path. */
struct wants {
    const gw_str *methods;
    uint32_t methods_len;
    uint32_t listener;
};

struct gw_route_tree {
    struct gw_heap *heap;
    struct row *rows;  /* in order */
    uint32_t *shorter; /* of the first row of a prefix: that of the longest shorter one that matches
                          whatever this one matches; NONE */
    struct wants *wants; /* the first: nothing, as most rows do */
    uint32_t *connect_routes;
    uint32_t *connect_listeners;
    struct host *hosts;
    uint32_t rows_len, wants_len, hosts_len, hosts_root;
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

static bool host_has_edge(gw_str host, size_t matched, const char *edge, size_t len)
{
    if (host.len - matched < len)
        return false;
    if (len == 0)
        return true;
    const char *at = host.ptr + host.len - matched;
    for (size_t i = 0; i < len; i++)
        if (gw_ascii_lower(*--at) != edge[i])
            return false;
    return true;
}

/* The most specific host that is there but for except; NONE. */
static uint32_t find_host(const struct gw_route_tree *tree, gw_str host, uint32_t except)
{
    uint32_t best = NONE, at = tree->hosts_root;
    size_t matched = 0;
    while (at != NONE) {
        const struct gw_radix_node *node = gw_radix_at(&tree->radix, at);
        if (!host_has_edge(host, matched, gw_radix_edge(node), node->edge_len))
            break;
        matched += node->edge_len;
        if (node->value != NONE && node->value != except &&
            host_fits(&tree->hosts[node->value], matched, host.len))
            best = node->value;
        if (matched == host.len)
            break;
        matched++;
        at = gw_radix_child(node, gw_ascii_lower(host.ptr[host.len - matched]));
    }
    return best;
}

struct found {
    uint32_t exact;  /* the first row of the exact rules for this very path */
    uint32_t prefix; /* the first row of the longest prefix's               */
};

/* The first row of the place that is a prefix; NONE. */
static uint32_t first_prefix(const struct gw_route_tree *tree, uint32_t place)
{
    for (; tree->rows[place].is_exact; place++)
        if (tree->rows[place].is_last)
            return NONE;
    return place;
}

static bool is_segment_end(gw_str path, size_t matched)
{
    return matched == path.len || path.ptr[matched] == '/' || path.ptr[matched - 1] == '/';
}

static bool path_has_edge(gw_str path, size_t matched, const char *edge, size_t len)
{
    if (path.len - matched < len)
        return false;
    return len == 0 || memcmp(path.ptr + matched, edge, len) == 0;
}

static struct found find_place(const struct gw_route_tree *tree, uint32_t root, gw_str path,
                               uint32_t except)
{
    struct found found = { .exact = NONE, .prefix = NONE };
    uint32_t at = root;
    size_t matched = 0;
    while (at != NONE) {
        const struct gw_radix_node *node = gw_radix_at(&tree->radix, at);
        if (!path_has_edge(path, matched, gw_radix_edge(node), node->edge_len))
            break;
        matched += node->edge_len;
        if (node->value != NONE && node->value != except) {
            uint32_t prefix = first_prefix(tree, node->value);
            if (prefix != NONE && is_segment_end(path, matched))
                found.prefix = prefix;
            if (prefix != node->value && matched == path.len)
                found.exact = node->value;
        }
        if (matched == path.len)
            break;
        at = gw_radix_child(node, path.ptr[matched++]);
    }
    return found;
}

static bool takes_method(const struct wants *wants, gw_str method)
{
    for (size_t i = 0; i < wants->methods_len; i++)
        if (gw_str_eq(wants->methods[i], method))
            return true;
    return wants->methods_len == 0 && !gw_str_eq(method, GW_STR("CONNECT"));
}

struct search {
    const struct gw_route_tree *tree;
    const struct gw_route_key *key;
    gw_str path;
    uint32_t route; /* UINT32_MAX: none yet */
    bool is_method_missing;
    const struct gw_route_trace *trace; /* NULL: nobody wants to know why */
};

/* With a trace those that come too late are asked as well. */
static bool is_over(const struct search *s)
{
    return s->route != UINT32_MAX && s->trace == NULL;
}

static void tell(const struct search *s, uint32_t route, enum gw_route_why why)
{
    if (s->trace != NULL)
        s->trace->tell(s->trace->ctx, route, why);
}

static void take(struct search *s, uint32_t route)
{
    bool is_first = s->route == UINT32_MAX;

    if (is_first)
        s->route = route;
    tell(s, route, is_first ? GW_ROUTE_CHOSEN : GW_ROUTE_LESS_SPECIFIC);
}

static void ask_row(struct search *s, const struct row *row)
{
    const struct wants *wants = &s->tree->wants[row->wants];

    if (wants->listener != UINT32_MAX && wants->listener != s->key->listener) {
        tell(s, row->route, GW_ROUTE_OTHER_LISTENER);
    } else if (takes_method(wants, s->key->method)) {
        take(s, row->route);
    } else {
        s->is_method_missing = true;
        tell(s, row->route, GW_ROUTE_OTHER_METHOD);
    }
}

/* From this one on those of its place that are exact, or that are not, as it is. */
static void ask_rows(struct search *s, uint32_t first)
{
    const struct row *row = &s->tree->rows[first];
    bool is_exact = row->is_exact;

    for (ask_row(s, row); !row->is_last && !is_over(s) && row[1].is_exact == is_exact;)
        ask_row(s, ++row);
}

static void ask_host(struct search *s, const struct host *host)
{
    struct found found = find_place(s->tree, host->root, s->path, NONE);

    if (found.exact != NONE)
        ask_rows(s, found.exact);
    if (is_over(s))
        return;
    for (uint32_t at = found.prefix; at != NONE; at = is_over(s) ? NONE : s->tree->shorter[at])
        ask_rows(s, at);
}

static void ask_connect(struct search *s, const struct host *host)
{
    const struct gw_route_tree *tree = s->tree;

    for (uint32_t i = host->connect; i < host->connect_end && !is_over(s); i++) {
        uint32_t listener = tree->connect_listeners[i];
        if (listener == UINT32_MAX || listener == s->key->listener)
            take(s, tree->connect_routes[i]);
        else
            tell(s, tree->connect_routes[i], GW_ROUTE_OTHER_LISTENER);
    }
}

/* "example.com." is "example.com", said in full. */
static gw_str without_last_dot(gw_str host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

static struct search begin(const struct gw_route_tree *tree, const struct gw_route_key *key,
                           const struct gw_route_trace *trace)
{
    /* OPTIONS * is about the whole server: for whom all of its paths go to. */
    bool is_all = gw_str_eq(key->path, GW_STR("*"));

    return (struct search){ .tree = tree,
                            .key = key,
                            .path = is_all ? GW_STR("/") : key->path,
                            .route = UINT32_MAX,
                            .trace = trace };
}

static uint32_t most_specific(const struct search *s)
{
    return find_host(s->tree, without_last_dot(s->key->host), NONE);
}

static void find(struct search *s)
{
    const struct gw_route_tree *tree = s->tree;

    for (uint32_t at = most_specific(s); at != NONE && !is_over(s); at = tree->hosts[at].up) {
        const struct host *host = &tree->hosts[at];
        if (s->path.len == 0)
            ask_connect(s, host);
        else
            ask_host(s, host);
    }
}

uint32_t gw_route_tree_find(const struct gw_route_tree *tree, const struct gw_route_key *key,
                            bool *is_method_missing)
{
    struct search s = begin(tree, key, NULL);

    find(&s);
    *is_method_missing = s.route == UINT32_MAX && s.is_method_missing;
    return s.route;
}

/* --- those that were not asked --- */

static bool is_asked_host(const struct search *s, uint32_t host)
{
    uint32_t at = most_specific(s);

    while (at != NONE && at != host)
        at = s->tree->hosts[at].up;
    return at == host;
}

static bool is_asked_prefix(const struct search *s, uint32_t prefix, uint32_t first)
{
    while (prefix != NONE && prefix != first)
        prefix = s->tree->shorter[prefix];
    return prefix == first;
}

static bool takes_connect(const struct gw_route_tree *tree, const struct host *host, uint32_t route)
{
    for (uint32_t i = host->connect; i < host->connect_end; i++)
        if (tree->connect_routes[i] == route)
            return true;
    return false;
}

/* Why the row was not asked; CHOSEN: it was. */
static enum gw_route_why why_not(const struct search *s, const struct host *host, uint32_t place,
                                 uint32_t row)
{
    const struct gw_route_tree *tree = s->tree;
    struct found found;
    bool is_asked;

    if (s->path.len == 0)
        return takes_connect(tree, host, tree->rows[row].route) ? GW_ROUTE_CHOSEN
                                                                : GW_ROUTE_OTHER_METHOD;
    found = find_place(tree, host->root, s->path, NONE);
    is_asked = tree->rows[row].is_exact
                   ? found.exact == place
                   : is_asked_prefix(s, found.prefix, first_prefix(tree, place));
    return is_asked ? GW_ROUTE_CHOSEN : GW_ROUTE_OTHER_PATH;
}

static uint32_t end_of_host(const struct gw_route_tree *tree, uint32_t host)
{
    return host + 1 < tree->hosts_len ? tree->hosts[host + 1].first_row : tree->rows_len;
}

static void tell_rest(const struct search *s)
{
    const struct gw_route_tree *tree = s->tree;

    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        uint32_t place = tree->hosts[i].first_row, end = end_of_host(tree, i);
        bool is_asked = is_asked_host(s, i);
        for (uint32_t row = place; row < end; row++) {
            enum gw_route_why why = is_asked ? why_not(s, &tree->hosts[i], place, row)
                                             : GW_ROUTE_OTHER_HOST;
            if (why != GW_ROUTE_CHOSEN)
                tell(s, tree->rows[row].route, why);
            if (tree->rows[row].is_last)
                place = row + 1;
        }
    }
}

uint32_t gw_route_tree_explain(const struct gw_route_tree *tree, const struct gw_route_key *key,
                               bool *is_method_missing, const struct gw_route_trace *trace)
{
    struct search s = begin(tree, key, trace);

    find(&s);
    tell_rest(&s);
    *is_method_missing = s.route == UINT32_MAX && s.is_method_missing;
    return s.route;
}

/* --- the building --- */

/* What is needed until it is built. */
struct work {
    struct gw_route_rule *rules; /* in order */
    uint32_t *order;             /* twice as many, for sorting     */
    gw_str *texts;               /* of the places of a host, or of the hosts */
    uint32_t *values;            /* and what their trees say of them         */
    struct gw_radix_plan *plans;
    char *host_bytes; /* of all hosts, each from its end */
    uint32_t host_bytes_len, bytes_len;
    uint32_t rules_len, places_len;
};

static bool starts_host(const struct work *work, uint32_t row)
{
    return row == 0 || !gw_str_eq(work->rules[row - 1].host, work->rules[row].host);
}

static bool starts_place(const struct work *work, uint32_t row)
{
    return starts_host(work, row) || !gw_str_eq(work->rules[row - 1].path, work->rules[row].path);
}

static bool wants_nothing(const struct gw_route_rule *rule)
{
    return rule->methods_len == 0 && rule->listener == UINT32_MAX;
}

static void sort_rules(struct work *work, const struct gw_route_rule *rules)
{
    uint32_t n = work->rules_len;
    for (uint32_t i = 0; i < n; i++)
        work->order[i] = i;
    gw_sort(work->order, work->order + n, n, gw_route_compare, rules);
    for (uint32_t i = 0; i < n; i++)
        work->rules[i] = rules[work->order[i]];
}

static void count(struct gw_route_tree *tree, struct work *work)
{
    tree->wants_len = 1;
    for (uint32_t i = 0; i < work->rules_len; i++) {
        tree->wants_len += !wants_nothing(&work->rules[i]);
        if (starts_place(work, i)) {
            work->places_len++;
            work->bytes_len += (uint32_t)work->rules[i].path.len;
        }
        if (!starts_host(work, i))
            continue;
        tree->hosts_len++;
        work->host_bytes_len += (uint32_t)gw_route_host_text(work->rules[i].host).len;
    }
    work->bytes_len += work->host_bytes_len;
}

static gw_status make_room(struct gw_route_tree *tree, struct work *work)
{
    size_t n = tree->rows_len;
    tree->rows = gw_heap_alloc(tree->heap, n * sizeof *tree->rows);
    tree->shorter = gw_heap_alloc(tree->heap, n * sizeof *tree->shorter);
    tree->connect_routes = gw_heap_alloc(tree->heap, n * sizeof(uint32_t));
    tree->connect_listeners = gw_heap_alloc(tree->heap, n * sizeof(uint32_t));
    tree->wants = gw_heap_alloc(tree->heap, tree->wants_len * sizeof *tree->wants);
    tree->hosts = gw_heap_alloc(tree->heap, tree->hosts_len * sizeof *tree->hosts);
    work->host_bytes = gw_heap_alloc(tree->heap, work->host_bytes_len + 1);
    if (tree->rows == NULL || tree->shorter == NULL || tree->connect_routes == NULL ||
        tree->connect_listeners == NULL || tree->wants == NULL || tree->hosts == NULL ||
        work->host_bytes == NULL)
        return GW_ENOMEM;
    return gw_radix_init(&tree->radix, tree->heap, work->places_len + tree->hosts_len,
                         work->bytes_len);
}

/* Adds the places of the host whose rows begin at first, and their tree; returns the row behind. */
static uint32_t add_places(struct gw_route_tree *tree, const struct work *work, uint32_t first,
                           struct host *host)
{
    uint32_t len = 0, end = first;
    do {
        if (starts_place(work, end)) {
            work->texts[len] = work->rules[end].path;
            work->values[len++] = end;
        }
        end++;
    } while (end < tree->rows_len && !starts_host(work, end));
    host->root = gw_radix_add(&tree->radix, work->texts, work->values, len, work->plans);
    for (uint32_t i = 0; i < len; i++) {
        uint32_t prefix = first_prefix(tree, work->values[i]);
        if (prefix != NONE)
            tree->shorter[prefix] = find_place(tree, host->root, work->texts[i], work->values[i])
                                        .prefix;
    }
    return end;
}

static gw_str host_of(const struct gw_route_tree *tree, const struct work *work, uint32_t i)
{
    return work->rules[tree->hosts[i].first_row].host;
}

static gw_str reversed(gw_str host, char *out)
{
    for (size_t i = 0; i < host.len; i++)
        out[i] = host.ptr[host.len - 1 - i];
    return (gw_str){ out, host.len };
}

static void add_hosts(struct gw_route_tree *tree, const struct work *work)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        gw_str text = work->rules[row].host;
        tree->hosts[i] = (struct host){ .first_row = row,
                                        .is_suffix = gw_str_starts(text, GW_STR("*")) };
        row = add_places(tree, work, row, &tree->hosts[i]);
    }
    GW_ASSERT(row == tree->rows_len);
    char *bytes = work->host_bytes;
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        work->texts[i] = reversed(gw_route_host_text(host_of(tree, work, i)), bytes);
        bytes += work->texts[i].len;
        work->values[i] = i;
    }
    tree->hosts_root = gw_radix_add(&tree->radix, work->texts, work->values, tree->hosts_len,
                                    work->plans);
    for (uint32_t i = 0; i < tree->hosts_len; i++)
        tree->hosts[i].up = find_host(tree, host_of(tree, work, i), i);
}

/* Which rows of each host take CONNECT, in their order. */
static void add_connects(struct gw_route_tree *tree, const struct work *work)
{
    uint32_t n = 0, at = 0, *order = work->order;
    for (uint32_t i = 0; i < tree->rows_len; i++)
        if (work->rules[i].takes_connect)
            order[n++] = i;
    gw_sort(order, order + n, n, gw_route_compare_connect, work->rules);
    for (uint32_t i = 0; i < tree->hosts_len; i++) {
        struct host *host = &tree->hosts[i];
        host->connect = at;
        for (; at < n && gw_str_eq(work->rules[order[at]].host, host_of(tree, work, i)); at++) {
            tree->connect_routes[at] = work->rules[order[at]].route;
            tree->connect_listeners[at] = work->rules[order[at]].listener;
        }
        host->connect_end = at;
    }
    GW_ASSERT(at == n);
}

static void add_rows(struct gw_route_tree *tree, const struct work *work)
{
    uint32_t wants_len = 0;
    tree->wants[wants_len++] = (struct wants){ .listener = UINT32_MAX };
    for (uint32_t i = 0; i < tree->rows_len; i++) {
        const struct gw_route_rule *rule = &work->rules[i];
        bool is_last = i + 1 == tree->rows_len || starts_place(work, i + 1);
        tree->rows[i] = (struct row){ .route = rule->route,
                                      .wants = (wants_nothing(rule) ? 0 : wants_len) & WANTS_MAX,
                                      .is_exact = rule->is_exact,
                                      .is_last = is_last };
        if (!wants_nothing(rule))
            tree->wants[wants_len++] = (struct wants){ .methods = rule->methods,
                                                       .methods_len = (uint32_t)rule->methods_len,
                                                       .listener = rule->listener };
    }
    GW_ASSERT(wants_len == tree->wants_len);
}

static gw_status fill(struct gw_route_tree *tree, const struct gw_route_rule *rules)
{
    struct gw_heap *heap = tree->heap;
    size_t n = tree->rows_len;
    struct work work = { .rules_len = tree->rows_len };
    gw_status status = GW_ENOMEM;
    work.rules = gw_heap_alloc(heap, n * sizeof *work.rules);
    work.order = gw_heap_alloc(heap, 2 * n * sizeof *work.order);
    work.texts = gw_heap_alloc(heap, n * sizeof *work.texts);
    work.values = gw_heap_alloc(heap, n * sizeof *work.values);
    work.plans = gw_heap_alloc(heap, n * sizeof *work.plans);
    if (work.rules == NULL || work.order == NULL || work.texts == NULL || work.values == NULL ||
        work.plans == NULL)
        goto done;
    sort_rules(&work, rules);
    count(tree, &work);
    status = make_room(tree, &work);
    if (status != GW_OK)
        goto done;
    add_rows(tree, &work);
    add_hosts(tree, &work);
    add_connects(tree, &work);
done:
    if (work.host_bytes != NULL)
        gw_heap_release(heap, work.host_bytes, work.host_bytes_len + 1);
    gw_heap_release(heap, work.plans, n * sizeof *work.plans);
    gw_heap_release(heap, work.values, n * sizeof *work.values);
    gw_heap_release(heap, work.texts, n * sizeof *work.texts);
    gw_heap_release(heap, work.order, 2 * n * sizeof *work.order);
    gw_heap_release(heap, work.rules, n * sizeof *work.rules);
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
    if (tree->radix.words != NULL)
        gw_radix_fini(&tree->radix, heap);
    gw_heap_release(heap, tree->hosts, tree->hosts_len * sizeof *tree->hosts);
    gw_heap_release(heap, tree->wants, tree->wants_len * sizeof *tree->wants);
    gw_heap_release(heap, tree->connect_listeners, tree->rows_len * sizeof(uint32_t));
    gw_heap_release(heap, tree->connect_routes, tree->rows_len * sizeof(uint32_t));
    gw_heap_release(heap, tree->shorter, tree->rows_len * sizeof *tree->shorter);
    gw_heap_release(heap, tree->rows, tree->rows_len * sizeof *tree->rows);
    gw_heap_release(heap, tree, sizeof *tree);
}
