/* config/affinity.c: what a browser would not keep is refused, and so is what would be a field of its own
 * in a response. */

#include "config/affinity.h"

#include "http/check.h"

enum { FLAGS = GW_AFFINITY_SECURE | GW_AFFINITY_SCRIPTS };

/* ---- checks ---- */

/* RFC 6265 4.1.1: any character but controls and ";". */
static bool is_path(gw_str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] < ' ' || path.ptr[i] > '~' || path.ptr[i] == ';')
            return false;
    return path.ptr[0] == '/';
}

static bool has_prefix(gw_str name, gw_str prefix)
{
    return name.len >= prefix.len && gw_str_eq_nocase(gw_str_slice(name, 0, prefix.len), prefix);
}

static void check_prefix(const struct gw_part *part, const gw_affinity_spec *spec)
{
    bool is_secure = (spec->flags & GW_AFFINITY_SECURE) != 0;
    bool is_host = has_prefix(spec->cookie, GW_STR("__Host-"));

    if (is_host && (!is_secure || (spec->path.len > 0 && !gw_str_eq(spec->path, GW_STR("/")))))
        gw_fault_add_value(part, "affinity.cookie", spec->cookie,
                           "clients keep it only if it is secure and for the path /");
    else if (!is_secure && has_prefix(spec->cookie, GW_STR("__Secure-")))
        gw_fault_add_value(part, "affinity.cookie", spec->cookie,
                           "clients keep it only if it is secure");
}

void gw_affinity_check(const struct gw_part *part, const gw_affinity_spec *spec)
{
    if (spec->cookie.len == 0)
        gw_fault_add(part, "affinity.cookie", GW_EINVAL, "a name is needed");
    else if (spec->cookie.len > GW_TOKEN_MAX)
        gw_fault_add(part, "affinity.cookie", GW_EINVAL, "it is too long; at most 64 bytes");
    else if (!gw_is_token(spec->cookie))
        gw_fault_add_value(part, "affinity.cookie", spec->cookie, "no cookie can have that name");
    else
        check_prefix(part, spec);
    if (spec->path.len > GW_COOKIE_PATH_MAX)
        gw_fault_add(part, "affinity.path", GW_EINVAL, "it is too long; at most 255 bytes");
    else if (spec->path.len > 0 && !is_path(spec->path))
        gw_fault_add_value(part, "affinity.path", spec->path,
                           "it begins with / and has neither ; nor what cannot be printed");
    if (spec->secret.len > GW_SECRET_MAX)
        gw_fault_add(part, "affinity.secret", GW_EINVAL, "it is too long; at most 256 bytes");
    if (spec->ttl_ms == GW_OFF)
        gw_fault_add(part, "affinity.ttl_ms", GW_EINVAL, "too long");
    if (spec->ttl_ms != 0 && spec->ttl_ms < 1000)
        gw_fault_add(part, "affinity.ttl_ms", GW_EINVAL,
                     "clients count whole seconds: at least 1s");
    if ((spec->flags & ~(uint32_t)FLAGS) != 0)
        gw_fault_add(part, "affinity.flags", GW_EINVAL, "bits that mean nothing are set");
    if (spec->same_site > GW_SAME_SITE_NONE && spec->same_site != GW_OFF)
        gw_fault_add(part, "affinity.same_site", GW_EINVAL, "not a way of being sent");
    if (spec->same_site == GW_SAME_SITE_NONE && (spec->flags & GW_AFFINITY_SECURE) == 0)
        gw_fault_add(part, "affinity.same_site", GW_EINVAL,
                     "clients keep none only of a cookie that is secure");
}

/* ---- what is sent ---- */

/* A seed of its own for each cluster: what is one endpoint's in one means nothing in another. */
static struct gw_sip_key make_key(gw_str secret, gw_str cluster)
{
    struct gw_sip_key from_secret = { gw_siphash((struct gw_sip_key){ 1, 0 }, secret),
                                      gw_siphash((struct gw_sip_key){ 2, 0 }, secret) };
    struct gw_sip_key other = { ~from_secret.k0, ~from_secret.k1 };

    return (struct gw_sip_key){ gw_siphash(from_secret, cluster), gw_siphash(other, cluster) };
}

static gw_status make_attributes(const gw_affinity_spec *spec, struct gw_store *store, gw_str *out)
{
    enum { REST = 128 };
    static const char *const same_sites[] = { "; SameSite=Lax", "; SameSite=Lax",
                                              "; SameSite=Strict", "; SameSite=None" };
    size_t size = spec->path.len + REST;
    char *at = gw_store_take(store, size, 1);
    struct gw_text text;

    if (at == NULL)
        return GW_ENOMEM;
    gw_text_init(&text, at, size);
    gw_text_cstr(&text, "; Path=");
    gw_text_str(&text, spec->path.len > 0 ? spec->path : GW_STR("/"));
    if (spec->ttl_ms != 0) {
        gw_text_cstr(&text, "; Max-Age=");
        gw_text_u64(&text, spec->ttl_ms / 1000 + (spec->ttl_ms % 1000 > 0));
    }
    if ((spec->flags & GW_AFFINITY_SECURE) != 0)
        gw_text_cstr(&text, "; Secure");
    if ((spec->flags & GW_AFFINITY_SCRIPTS) == 0)
        gw_text_cstr(&text, "; HttpOnly");
    if (spec->same_site != GW_OFF)
        gw_text_cstr(&text, same_sites[spec->same_site]);
    *out = (gw_str){ at, (size_t)(text.at - text.start) };
    return GW_OK;
}

gw_status gw_affinity_freeze(const struct gw_cluster_draft *draft, struct gw_store *store,
                             const struct gw_affinity_conf **out)
{
    const gw_affinity_spec *spec = draft->spec.affinity;
    struct gw_affinity_conf *made;

    *out = NULL;
    if (spec == NULL)
        return GW_OK;
    made = gw_store_take(store, 1, sizeof *made);
    if (made == NULL || make_attributes(spec, store, &made->attributes) != GW_OK)
        return GW_ENOMEM;
    made->cookie = spec->cookie;
    made->key = make_key(spec->secret, draft->spec.name);
    *out = made;
    return GW_OK;
}
