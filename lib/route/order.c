/* route/order.c: the order of rules, and what it says about each of them.
 *
 * Rules of one host and path are tried in this order: those that name methods, those that name a
 * listener, the greater priority. So only rules that agree in host, path, kind of path, a method
 * and the listener compete, and priority alone tells them apart: of two such with one priority
 * neither wins (a tie), and the lesser never gets that method. CONNECT has no path: all rules of a
 * host that take it compete there. */

#include "route/order.h"

#include "base/assert.h"
#include "base/sort.h"

/* One method of one rule: what can compete. An empty method is "any". */
struct claim {
    uint32_t rule;
    uint32_t is_connect;
    gw_str method;
};
struct claims {
    const struct gw_route_rule *rules;
    struct claim *at;
    size_t len;
};

static int compare_numbers(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

gw_str gw_route_host_text(gw_str host)
{
    if (host.len > 0 && host.ptr[0] == '*')
        return gw_str_slice(host, 1, host.len);
    return host;
}

/* From the last byte to the first: hosts of one suffix lie side by side. */
static int compare_hosts(gw_str a, gw_str b)
{
    gw_str left = gw_route_host_text(a), right = gw_route_host_text(b);
    while (left.len > 0 && right.len > 0) {
        unsigned char x = (unsigned char)left.ptr[--left.len];
        unsigned char y = (unsigned char)right.ptr[--right.len];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return left.len > 0 ? 1 : right.len > 0 ? -1 : 0;
}

int gw_route_compare(const void *ctx, uint32_t a, uint32_t b)
{
    const struct gw_route_rule *x = (const struct gw_route_rule *)ctx + a;
    const struct gw_route_rule *y = (const struct gw_route_rule *)ctx + b;
    int order = compare_hosts(x->host, y->host);
    if (order == 0)
        order = gw_str_compare(x->path, y->path);
    if (order == 0)
        order = compare_numbers(!x->is_exact, !y->is_exact);
    if (order == 0)
        order = compare_numbers(x->methods_len == 0, y->methods_len == 0);
    if (order == 0)
        order = compare_numbers(x->listener == UINT32_MAX, y->listener == UINT32_MAX);
    return order != 0 ? order : compare_numbers(y->priority, x->priority);
}

int gw_route_compare_connect(const void *ctx, uint32_t a, uint32_t b)
{
    const struct gw_route_rule *x = (const struct gw_route_rule *)ctx + a;
    const struct gw_route_rule *y = (const struct gw_route_rule *)ctx + b;
    int order = compare_hosts(x->host, y->host);
    if (order == 0)
        order = compare_numbers(x->listener == UINT32_MAX, y->listener == UINT32_MAX);
    return order != 0 ? order : compare_numbers(y->priority, x->priority);
}

/* 0: they compete. */
static int compare_places(const struct claims *claims, uint32_t a, uint32_t b)
{
    const struct claim *left = &claims->at[a], *right = &claims->at[b];
    const struct gw_route_rule *x = &claims->rules[left->rule], *y = &claims->rules[right->rule];
    int order = compare_hosts(x->host, y->host);
    if (order == 0)
        order = compare_numbers(left->is_connect, right->is_connect);
    if (order == 0 && !left->is_connect)
        order = gw_str_compare(x->path, y->path);
    if (order == 0 && !left->is_connect)
        order = compare_numbers(x->is_exact, y->is_exact);
    if (order == 0)
        order = gw_str_compare(left->method, right->method);
    return order != 0 ? order : compare_numbers(x->listener, y->listener);
}

static int compare_claims(const void *ctx, uint32_t a, uint32_t b)
{
    const struct claims *claims = ctx;
    int order = compare_places(claims, a, b);
    if (order != 0)
        return order;
    return compare_numbers(claims->rules[claims->at[b].rule].priority,
                           claims->rules[claims->at[a].rule].priority);
}

static size_t count_claims(const struct gw_route_rule *rules, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += (rules[i].methods_len > 0 ? rules[i].methods_len : 1) + rules[i].takes_connect;
    return count;
}

static void list_claims(struct claims *claims, size_t n)
{
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct gw_route_rule *rule = &claims->rules[i];
        for (size_t m = 0; m < rule->methods_len; m++)
            claims->at[len++] = (struct claim){ .rule = i, .method = rule->methods[m] };
        if (rule->methods_len == 0)
            claims->at[len++] = (struct claim){ .rule = i };
        if (rule->takes_connect)
            claims->at[len++] = (struct claim){ .rule = i, .is_connect = 1 };
    }
    GW_ASSERT(len == claims->len);
}

/* Walks the claims in their order; open[i] counts the claims that rule i keeps. */
static gw_status judge(const struct claims *claims, const uint32_t *order, uint32_t *open,
                       uint32_t *by, size_t tie[2])
{
    gw_status status = GW_OK;
    for (size_t i = 0; i < claims->len; i++)
        open[claims->at[i].rule]++;
    for (size_t i = 1; i < claims->len; i++) {
        uint32_t above = claims->at[order[i - 1]].rule, below = claims->at[order[i]].rule;
        if (above == below || compare_places(claims, order[i - 1], order[i]) != 0)
            continue;
        bool is_tie = claims->rules[above].priority == claims->rules[below].priority;
        if (is_tie && status == GW_OK) {
            tie[0] = above < below ? above : below;
            tie[1] = above < below ? below : above;
            status = GW_EINVAL;
        }
        if (!is_tie && --open[below] == 0)
            by[below] = above;
    }
    return status;
}

gw_status gw_route_judge(struct gw_heap *heap, const struct gw_route_rule *rules, size_t n,
                         uint32_t *by, size_t tie[2])
{
    if (n == 0)
        return GW_OK;
    struct claims claims = { .rules = rules, .len = count_claims(rules, n) };
    size_t at_size = claims.len * sizeof *claims.at;
    size_t order_size = 2 * claims.len * sizeof(uint32_t);
    claims.at = gw_heap_alloc(heap, at_size);
    uint32_t *order = gw_heap_alloc(heap, order_size);
    uint32_t *open = gw_heap_zalloc(heap, n * sizeof *open);
    gw_status status = GW_ENOMEM;
    if (claims.at == NULL || order == NULL || open == NULL)
        goto done;
    list_claims(&claims, n);
    for (uint32_t i = 0; i < claims.len; i++)
        order[i] = i;
    gw_sort(order, order + claims.len, claims.len, compare_claims, &claims);
    for (size_t i = 0; i < n; i++)
        by[i] = UINT32_MAX;
    status = judge(&claims, order, open, by, tie);
done:
    gw_heap_release(heap, open, n * sizeof *open);
    gw_heap_release(heap, order, order_size);
    gw_heap_release(heap, claims.at, at_size);
    return status;
}
