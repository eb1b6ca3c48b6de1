/* shares.c: asks the configuration; nothing is sampled. */
#include "shares.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cluster {
    gw_str name;
    gw_share *shares; /* to free */
    size_t len;
    bool is_old; /* it was there before, and hashed */
    uint32_t moved;
};

/* The i-th; len 0: it does not hash. False: no memory. */
static bool get_cluster(const gw_config *config, const gw_config *old, size_t i,
                        struct cluster *out)
{
    size_t len = 0;
    *out = (struct cluster){ .len = 0 };
    if (gw_config_shares(config, i, &out->name, NULL, 0, &len) != GW_OK || len == 0)
        return true;
    out->shares = calloc(len, sizeof *out->shares);
    if (out->shares == NULL)
        return false;
    out->shares[0].size = sizeof *out->shares;
    if (gw_config_shares(config, i, NULL, out->shares, len, &out->len) != GW_OK)
        return false;
    out->is_old = old != NULL && gw_config_moved(old, config, out->name, &out->moved) == GW_OK;
    return true;
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
    if (!is_compared)
        return;
    printf("    ");
    if (c->is_old)
        print_percent(c->moved);
    printf("%s\n", c->is_old ? "  of the keys move" : "it is new");
}

bool shares_print(const gw_config *config, const gw_config *old)
{
    size_t n = count_clusters(config);
    for (size_t i = 0; i < n; i++) {
        struct cluster c;
        bool is_fine = get_cluster(config, old, i, &c);
        if (is_fine && c.len > 0)
            print_cluster(&c, old != NULL);
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

/* A cluster is {"name":...,"moved":...,"shares":[...]}. */
static bool add_cluster(struct grown *g, const struct cluster *c)
{
    char line[2048];
    struct json j;
    json_open(&j, line, sizeof line);
    json_text(&j, "name", c->name, 512);
    if (c->is_old)
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
        if (is_fine && c.len > 0)
            is_fine = add_cluster(&g, &c);
        free(c.shares);
    }
    if (is_fine && add(&g, "]", 1))
        return g.text;
    free(g.text);
    return NULL;
}
