/* shares.c: asks the configuration; nothing is sampled. */
#include "shares.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a cluster was before. OTHER: it did not hash, or had no endpoints of its own. */
enum was { WAS_NOT, WAS_OTHER, WAS_HASHED };
enum { MILLION = 1000000 };

struct cluster {
    gw_str name;
    gw_share *shares; /* to free */
    size_t len;
    enum was was;
    gw_share before; /* what all of its shares had in common: unit, halved */
    uint32_t moved;  /* of a million, if it was */
};

/* The shares of the i-th, to free; false: no memory. */
static bool get_shares(const gw_config *config, size_t i, gw_share **out, size_t *out_len)
{
    size_t len = 0;
    *out_len = 0;
    *out = NULL;
    if (gw_config_shares(config, i, NULL, NULL, 0, &len) != GW_OK || len == 0)
        return true;
    *out = calloc(len, sizeof **out);
    if (*out == NULL)
        return false;
    (*out)[0].size = sizeof **out;
    return gw_config_shares(config, i, NULL, *out, len, out_len) == GW_OK;
}

static bool find(const gw_config *config, gw_str name, size_t *out)
{
    gw_str at;
    size_t len;
    for (*out = 0; gw_config_shares(config, *out, &at, NULL, 0, &len) == GW_OK; ++*out)
        if (at.len == name.len && memcmp(at.ptr, name.ptr, at.len) == 0)
            return true;
    return false;
}

static bool compare(const gw_config *config, const gw_config *old, struct cluster *out)
{
    size_t at, len;
    gw_share *shares;
    if (!find(old, out->name, &at))
        return true;
    bool is_fine = get_shares(old, at, &shares, &len);
    out->was = len > 0 ? WAS_HASHED : WAS_OTHER;
    out->moved = MILLION;
    if (len > 0)
        out->before = shares[0];
    free(shares);
    return is_fine && (len == 0 || out->len == 0 ||
                       gw_config_moved(old, config, out->name, &out->moved) == GW_OK);
}

/* The i-th; len 0: it does not hash. False: no memory. */
static bool get_cluster(const gw_config *config, const gw_config *old, size_t i,
                        struct cluster *out)
{
    size_t len;
    *out = (struct cluster){ .len = 0 };
    return gw_config_shares(config, i, &out->name, NULL, 0, &len) == GW_OK &&
           get_shares(config, i, &out->shares, &out->len) &&
           (old == NULL || compare(config, old, out));
}

static size_t count_clusters(const gw_config *config)
{
    size_t n = 0, len;
    while (gw_config_shares(config, n, NULL, NULL, 0, &len) == GW_OK)
        n++;
    return n;
}

/* 25.3 of 253,000 millionths. */
static void print_percent(uint32_t millionths)
{
    uint32_t tenths = (millionths + 500) / 1000;
    printf("%3u.%u %%", tenths / 10, tenths % 10);
}

/* Then keys move that belong to endpoints of which nothing was changed. */
static bool is_scaled_anew(const struct cluster *c)
{
    return c->was == WAS_HASHED && c->len > 0 &&
           (c->before.unit != c->shares[0].unit || c->before.halved != c->shares[0].halved);
}

static void print_scale(const char *before, const gw_share *share)
{
    printf("%s%u", before, share->unit);
    if (share->halved > 0)
        printf(", halved %u times", share->halved);
}

static void print_comparison(const struct cluster *c)
{
    if (c->was == WAS_NOT)
        printf("    it is new\n");
    if (c->was == WAS_OTHER)
        printf("    it had none before: all keys may move\n");
    if (c->was != WAS_HASHED)
        return;
    printf("    ");
    print_percent(c->moved);
    printf("  of the keys move\n");
    if (!is_scaled_anew(c))
        return;
    print_scale("    the unit of weight was ", &c->before);
    print_scale(", and is ", &c->shares[0]);
    printf(": keys move that need not");
    if (c->before.unit != c->shares[0].unit)
        printf("; with hash.unit: %u they stay", c->before.unit);
    printf("\n");
}

static void print_cluster(const struct cluster *c, bool is_compared)
{
    printf("  cluster %.*s, shares of keys:\n", (int)c->name.len, c->name.ptr);
    for (size_t i = 0; i < c->len; i++) {
        printf("    ");
        print_percent(c->shares[i].millionths);
        printf("  %.*s, by weight ", (int)c->shares[i].endpoint.len, c->shares[i].endpoint.ptr);
        print_percent(c->shares[i].due);
        printf(", %u points\n", c->shares[i].points);
    }
    if (is_compared)
        print_comparison(c);
}

bool shares_print(const gw_config *config, const gw_config *old)
{
    size_t n = count_clusters(config);
    for (size_t i = 0; i < n; i++) {
        struct cluster c;
        bool is_fine = get_cluster(config, old, i, &c);
        if (is_fine && c.len > 0)
            print_cluster(&c, old != NULL);
        else if (is_fine && c.was == WAS_HASHED)
            printf("  cluster %.*s has no shares of keys any more: all keys may move\n",
                   (int)c.name.len, c.name.ptr);
        free(c.shares);
        if (!is_fine)
            return false;
    }
    return true;
}

/* A text that grows. */
struct grown {
    char *text;
    size_t len, room;
};

static bool add(struct grown *g, const char *text, size_t len)
{
    if (g->room - g->len <= len) {
        size_t room = (g->room + len + 64) * 2;
        char *larger = realloc(g->text, room);
        if (larger == NULL)
            return false;
        g->text = larger;
        g->room = room;
    }
    memcpy(g->text + g->len, text, len);
    g->len += len;
    g->text[g->len] = '\0';
    return true;
}

/* A cluster is {"name":...,"unit":...,"halved":...,"moved":...,"shares":[...]}. */
static bool add_cluster(struct grown *g, const struct cluster *c)
{
    char line[2048];
    struct json j;
    json_open(&j, line, sizeof line);
    json_text(&j, "name", c->name, 512);
    if (c->len > 0) {
        json_number(&j, "unit", c->shares[0].unit);
        json_number(&j, "halved", c->shares[0].halved);
    }
    if (is_scaled_anew(c)) {
        json_number(&j, "unit_before", c->before.unit);
        json_number(&j, "halved_before", c->before.halved);
    }
    if (c->was != WAS_NOT)
        json_number(&j, "moved", c->moved);
    size_t len = json_close(&j);
    bool is_fine = add(g, ",", g->len > 1 ? 1 : 0) && add(g, line, len - 1) &&
                   add(g, ",\"shares\":[", strlen(",\"shares\":["));
    for (size_t i = 0; i < c->len && is_fine; i++) {
        json_open(&j, line, sizeof line);
        json_text(&j, "endpoint", c->shares[i].endpoint, 1024);
        json_number(&j, "millionths", c->shares[i].millionths);
        json_number(&j, "due", c->shares[i].due);
        json_number(&j, "points", c->shares[i].points);
        len = json_close(&j);
        is_fine = add(g, ",", i > 0 ? 1 : 0) && add(g, line, len);
    }
    return is_fine && add(g, "]}", 2);
}

char *shares_json(const gw_config *config, const gw_config *old)
{
    struct grown g = { .text = NULL };
    size_t n = count_clusters(config);
    bool is_fine = add(&g, "[", 1);
    for (size_t i = 0; i < n && is_fine; i++) {
        struct cluster c;
        is_fine = get_cluster(config, old, i, &c);
        if (is_fine && (c.len > 0 || c.was == WAS_HASHED))
            is_fine = add_cluster(&g, &c);
        free(c.shares);
    }
    if (is_fine && add(&g, "]", 1))
        return g.text;
    free(g.text);
    return NULL;
}
