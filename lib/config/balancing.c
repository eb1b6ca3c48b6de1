/* config/balancing.c: parameters of the ways of balancing. What a way does not know is refused where it
 * says something, so that nobody believes in a bound that does not hold. */

#include "config/balancing.h"

#include "base/spec.h"
#include "config/keys.h"

static void check_range(const struct gw_part *part, const char *field, uint32_t value,
                        uint32_t least, uint32_t most, bool may_be_off)
{
    if (value == 0 || (may_be_off && value == GW_OFF) || (value >= least && value <= most))
        return;
    gw_fault_add_range(part, field, least, most, may_be_off);
}

static void take_hash(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    const gw_hash_spec *given = draft->spec.hash;
    draft->spec.hash = &draft->hash;
    if (gw_spec_copy(&draft->hash, sizeof draft->hash, given) != GW_OK) {
        gw_fault_add(part, "hash.size", GW_EINVAL, "start it as GW_SPEC(gw_hash_spec)");
        draft->spec.hash = NULL;
        return;
    }
    gw_keys_take(part, &(struct gw_keys_field){ "hash.keys", false }, &draft->hash.keys,
                 &draft->hash.keys_len);
    check_range(part, "hash.points", draft->hash.points, 1, GW_RING_POINTS_MAX, false);
    check_range(part, "hash.load_percent", draft->hash.load_percent, 100, 1000, false);
    check_range(part, "hash.unit", draft->hash.unit, 1, GW_WEIGHT_MAX, false);
    bool is_custom = draft->spec.balancer.len > 0;
    if (draft->spec.balance != GW_BALANCE_CONSISTENT_HASH && !is_custom)
        gw_fault_add(part, "hash", GW_EINVAL, "it is for consistent hash alone");
    if (is_custom && draft->hash.points != 0)
        gw_fault_add(part, "hash.points", GW_EINVAL, "a balancer of the host's has no ring");
    if (is_custom && draft->hash.unit != 0)
        gw_fault_add(part, "hash.unit", GW_EINVAL, "a balancer of the host's has no ring");
    if (is_custom && draft->hash.load_percent != 0)
        gw_fault_add(part, "hash.load_percent", GW_EINVAL, "a balancer of the host's has no ring");
}

/* The host decides all that these are for. */
static void check_custom(const struct gw_part *part, const gw_cluster_spec *spec)
{
    static const char text[] = "a balancer of the host's decides that itself";
    if (spec->balance != 0)
        gw_fault_add(part, "balancer", GW_EINVAL, "a policy and a balancer exclude each other");
    if (spec->panic_percent != 0)
        gw_fault_add(part, "panic_percent", GW_EINVAL, text);
    if (spec->spare_percent != 0)
        gw_fault_add(part, "spare_percent", GW_EINVAL, text);
    if (spec->slow_start_ms != 0)
        gw_fault_add(part, "slow_start_ms", GW_EINVAL, text);
    if (spec->origin != NULL)
        gw_fault_add(part, "balancer", GW_EINVAL, "an origin has no endpoints to choose from");
}

void gw_balancing_take(const struct gw_part *part, struct gw_cluster_draft *draft)
{
    const gw_cluster_spec *spec = &draft->spec;
    if (spec->balance > GW_BALANCE_RANDOM)
        gw_fault_add(part, "balance", GW_EINVAL, "not a way of balancing");
    if (spec->hash != NULL)
        take_hash(part, draft);
    if (spec->balancer.len > 0)
        check_custom(part, spec);
    check_range(part, "choices", spec->choices, 2, GW_CHOICES_MAX, false);
    if (spec->choices != 0 && spec->balance != GW_BALANCE_LEAST_REQUEST)
        gw_fault_add(part, "choices", GW_EINVAL, "they are for least request alone");
    check_range(part, "panic_percent", spec->panic_percent, 1, 100, true);
    check_range(part, "spare_percent", spec->spare_percent, 100, 1000, false);
    if (spec->slow_start_ms != 0 && spec->slow_start_ms != GW_OFF &&
        spec->balance == GW_BALANCE_CONSISTENT_HASH)
        gw_fault_add(part, "slow_start_ms", GW_EINVAL,
                     "not with consistent hash: keys stay where they are");
}

void gw_balancing_check_endpoint(const struct gw_part *part, const gw_endpoint_spec *spec)
{
    if (spec->priority >= GW_LEVELS_MAX)
        gw_fault_add(part, "priority", GW_EINVAL, "it is from 0 to 15");
}

static gw_status freeze_keys(const gw_hash_spec *hash, struct gw_store *store,
                             struct gw_balance_conf *out)
{
    static const gw_str by_default = { "client", 6 };
    bool has_none = hash == NULL || hash->keys_len == 0;
    return gw_keys_freeze(store, has_none ? &by_default : hash->keys, has_none ? 1 : hash->keys_len,
                          &out->keys, &out->keys_len);
}

gw_status gw_balancing_freeze(const gw_cluster_spec *spec, const gw_balancer *custom,
                              struct gw_store *store, struct gw_balance_conf *out)
{
    uint32_t slow_start_ms = spec->slow_start_ms == GW_OFF ? 0 : spec->slow_start_ms;
    *out = (struct gw_balance_conf){
        .rule = { .kind = spec->balance == 0 ? GW_BALANCE_ROUND_ROBIN : spec->balance,
                  .choices = spec->choices,
                  .panic_percent = spec->panic_percent,
                  .spare_percent = spec->spare_percent },
        .slow_start = GW_MS(slow_start_ms),
    };
    if (spec->hash != NULL) {
        out->rule.points = spec->hash->points;
        out->rule.unit = spec->hash->unit;
        out->rule.load_percent = spec->hash->load_percent;
    }
    if (custom != NULL) {
        out->rule.kind = GW_BALANCE_HOST;
        out->custom = custom;
    }
    return spec->hash != NULL || out->rule.kind == GW_BALANCE_CONSISTENT_HASH
               ? freeze_keys(spec->hash, store, out)
               : GW_OK;
}
