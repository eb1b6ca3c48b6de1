/* balance/levels.c: the rule as Envoy documents it, with weights in the place of counts. */

#include "balance/levels.h"

static uint32_t score_of(const struct gw_level_weight *level, uint32_t spare_percent)
{
    if (level->available == 0)
        return 0;
    uint64_t score = level->available * spare_percent / level->total;
    return score > 100 ? 100 : score > 0 ? (uint32_t)score : 1;
}

static bool is_short(const struct gw_level_weight *level, uint32_t panic_percent)
{
    return level->total > 0 && level->available * 100 < level->total * panic_percent;
}

/* What rounding left over goes to the first that has anything. */
static void give_rest(struct gw_levels_share *out, uint32_t n, uint32_t given)
{
    for (uint32_t i = 0; i < n; i++) {
        if (out->percent[i] == 0)
            continue;
        out->percent[i] = (uint8_t)(out->percent[i] + (100 - given));
        return;
    }
}

/* Nobody is there anywhere: everybody is asked, by weight. */
static void share_blindly(const struct gw_level_weight *levels, uint32_t n,
                          struct gw_levels_share *out)
{
    uint64_t total = 0;
    uint32_t given = 0, heaviest = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += levels[i].total;
        heaviest = levels[i].total > levels[heaviest].total ? i : heaviest;
    }
    if (total == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        out->percent[i] = (uint8_t)(levels[i].total * 100 / total);
        given += out->percent[i];
    }
    out->percent[heaviest] = (uint8_t)(out->percent[heaviest] + (100 - given));
}

void gw_levels_share(const struct gw_level_weight *levels, uint32_t n,
                     const struct gw_levels_rule *rule, struct gw_levels_share *out)
{
    uint32_t scores[GW_LEVELS_MAX], sum = 0, given = 0;
    *out = (struct gw_levels_share){ .panic = 0 };
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = score_of(&levels[i], rule->spare_percent);
        sum += scores[i];
    }
    for (uint32_t i = 0; i < n && sum < 100; i++)
        if (is_short(&levels[i], rule->panic_percent))
            out->panic = (uint16_t)(out->panic | 1u << i);
    if (sum == 0 && out->panic != 0)
        share_blindly(levels, n, out);
    if (sum == 0)
        return;
    uint32_t whole = sum < 100 ? sum : 100;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t part = scores[i] * 100 / whole;
        out->percent[i] = (uint8_t)(part < 100 - given ? part : 100 - given);
        given += out->percent[i];
    }
    give_rest(out, n, given);
}

uint32_t gw_levels_at(const struct gw_levels_share *share, uint32_t n, uint32_t place)
{
    uint32_t until = 0;
    for (uint32_t i = 0; i < n; i++) {
        until += share->percent[i];
        if (place < until)
            return i;
    }
    return UINT32_MAX;
}

uint32_t gw_slow_start(uint64_t since, uint64_t now, uint64_t window)
{
    enum { LEAST = GW_WARM / 10 };
    if (window == 0 || (now >= since && now - since >= window))
        return GW_WARM;
    uint64_t age = now > since ? now - since : 0;
    /* window / GW_WARM would be 0 for less than a microsecond; GW_WARM * age could be too much */
    uint64_t warmth = age <= UINT64_MAX / GW_WARM ? age * GW_WARM / window
                                                  : age / (window / GW_WARM);
    return warmth < LEAST ? LEAST : warmth > GW_WARM ? GW_WARM : (uint32_t)warmth;
}
