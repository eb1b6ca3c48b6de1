/* budget/route.c: looks routes up and nothing else, so that route.py can count what one look costs.
 *
 *     route hosts|paths ROUTES LOOKS [none]
 *
 * hosts: ten paths for each host; paths: all for one host. none: all but the looks, so that their time is
 * what is left. */

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "plain_heap.h"
#include "route/tree.h"

enum { ROUTES_MAX = 100000, TEXT = 64, PATHS_OF_HOST = 10 };

static char hosts[ROUTES_MAX][TEXT], paths[ROUTES_MAX][TEXT];
static struct gw_route_rule rules[ROUTES_MAX];

/* Scattered, so that neighbours have no long beginnings in common. */
static unsigned scatter(uint32_t i)
{
    return i * 2654435761u;
}

static void write_rule(uint32_t i, bool is_by_host)
{
    struct gw_route_rule *r = &rules[i];

    if (is_by_host)
        snprintf(hosts[i], TEXT, "h%08x.example.org", scatter(i / PATHS_OF_HOST));
    snprintf(paths[i], TEXT, "/api/v1/%08x/items", scatter(i));
    *r = (struct gw_route_rule){
        .host = { hosts[i], strlen(hosts[i]) },
        .path = { paths[i], strlen(paths[i]) },
        .listener = UINT32_MAX,
        .route = i,
    };
}

/* A request has its own bytes, and has just read them. */
static struct gw_route_key asked(const struct gw_route_rule *rule)
{
    static char host[TEXT], path[TEXT];

    memcpy(host, rule->host.ptr, TEXT);
    memcpy(path, rule->path.ptr, TEXT);
    return (struct gw_route_key){
        .host = { host, rule->host.len },
        .path = { path, rule->path.len },
        .method = { "GET", 3 },
    };
}

int main(int argc, char **argv)
{
    struct gw_heap heap;
    struct gw_route_tree *tree;
    struct gw_prng prng = { 1 };
    bool is_none = argc == 5;
    uint32_t n = argc >= 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    uint64_t looks = argc >= 4 ? strtoull(argv[3], NULL, 10) : 0, right = 0;
    size_t tie[2];

    if (n == 0 || n > ROUTES_MAX)
        return 2;
    for (uint32_t i = 0; i < n; i++)
        write_rule(i, strcmp(argv[1], "hosts") == 0);
    plain_heap_init(&heap);
    if (gw_route_tree_new(&heap, rules, n, &tree, tie) != GW_OK)
        return 1;
    for (uint64_t i = 0; i < looks; i++) {
        uint32_t wanted = (uint32_t)gw_prng_below(&prng, n);
        struct gw_route_key key = asked(&rules[wanted]);
        bool is_method_missing;
        right += is_none ? key.path.len > 0
                         : gw_route_tree_find(tree, &key, &is_method_missing) == wanted;
    }
    gw_route_tree_free(tree);
    printf("%llu\n", (unsigned long long)right);
    return right == looks ? 0 : 1;
}
