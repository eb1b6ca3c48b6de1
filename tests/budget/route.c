/* budget/route.c: looks routes up and nothing else, so that route.py can count what one look costs.
 *
 *     route hosts|paths ROUTES LOOKS [none]
 *
 * hosts: ten paths for each host; paths: all for one host. none: all but the looks. Prints how many found
 * what they were to, and the seconds that all of them took. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/prng.h"
#include "plain_heap.h"
#include "route/tree.h"

enum { ROUTES_MAX = 100000, PATHS_OF_HOST = 10 };

struct texts {
    char host[sizeof "h00000000.example.org"];
    char path[sizeof "/api/v1/00000000/items"];
};
static const struct texts nobodys = { "h00000000.example.org", "/api/v1/00000000/items" };
static struct texts texts[ROUTES_MAX];
static struct gw_route_rule rules[ROUTES_MAX];

/* Scattered, so that neighbours have no long beginnings in common. */
static void write_number(char *out, uint32_t i)
{
    uint32_t scattered = i * 2654435761u;

    for (int digit = 7; digit >= 0; digit--, scattered >>= 4)
        out[digit] = "0123456789abcdef"[scattered & 15];
}

static void write_texts(struct texts *out, uint32_t i)
{
    write_number(out->host + 1, i / PATHS_OF_HOST);
    write_number(out->path + 8, i);
}

static gw_str host_of(const struct texts *of, bool is_by_host)
{
    return (gw_str){ of->host, is_by_host ? sizeof of->host - 1 : 0 };
}

static gw_str path_of(const struct texts *of)
{
    return (gw_str){ of->path, sizeof of->path - 1 };
}

static void make_rules(uint32_t n, bool is_by_host)
{
    for (uint32_t i = 0; i < n; i++) {
        texts[i] = nobodys;
        write_texts(&texts[i], i);
        rules[i] = (struct gw_route_rule){
            .host = host_of(&texts[i], is_by_host),
            .path = path_of(&texts[i]),
            .listener = UINT32_MAX,
            .route = i,
        };
    }
}

int main(int argc, char **argv)
{
    struct gw_heap heap;
    struct gw_route_tree *tree;
    struct gw_prng prng = { 1 };
    struct texts asked = nobodys;
    bool is_none = argc == 5, is_by_host = argc >= 4 && strcmp(argv[1], "hosts") == 0;
    uint32_t n = argc >= 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    uint64_t looks = argc >= 4 ? strtoull(argv[3], NULL, 10) : 0, right = 0;
    size_t tie[2];

    if (n == 0 || n > ROUTES_MAX)
        return 2;
    make_rules(n, is_by_host);
    plain_heap_init(&heap);
    if (gw_route_tree_new(&heap, rules, n, &tree, tie) != GW_OK)
        return 1;
    clock_t start = clock();
    for (uint64_t i = 0; i < looks; i++) {
        uint32_t wanted = (uint32_t)gw_prng_below(&prng, n);
        struct gw_route_key key = { .host = host_of(&asked, is_by_host),
                                    .path = path_of(&asked),
                                    .method = { "GET", 3 } };
        bool is_method_missing;
        /* A request has just been read: its bytes are near, whichever route they are of. */
        write_texts(&asked, wanted);
        right += is_none ? key.path.ptr[8] > 0
                         : gw_route_tree_find(tree, &key, &is_method_missing) == wanted;
    }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    gw_route_tree_free(tree);
    printf("%llu %.6f\n", (unsigned long long)right, seconds);
    return right == looks ? 0 : 1;
}
