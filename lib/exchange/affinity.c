/* exchange/affinity.c: a client comes back to the endpoint that its cookie names, and is told another one
 * where it went elsewhere. What the cookie says is a stranger's word: it can name an endpoint of this
 * cluster, and nothing else. */

#include "config/bounds.h"
#include "exchange/exchange.h"
#include "http/hop.h"
#include "http/pair.h"

static const struct gw_pins *pins_of(const struct gw_exchange *x)
{
    return &gw_exchange_use(x)->endpoints->pins;
}

/* Clients may keep several of that name, of several paths: the first that means something. */
static uint32_t find(const struct gw_exchange *x)
{
    const struct gw_affinity_conf *conf = x->cluster->affinity;
    uint32_t found = UINT32_MAX, i = 0;
    const struct gw_field *f;

    while (found == UINT32_MAX && (f = gw_fields_next(&x->request.fields, &i)) != NULL) {
        gw_str rest = f->value, value;
        uint64_t pin;
        if (f->id != GW_FIELD_COOKIE)
            continue;
        while (found == UINT32_MAX && gw_pair_next(&rest, ';', conf->cookie, &value))
            if (gw_pin_parse(value, &pin))
                found = gw_pins_find(pins_of(x), pin);
    }
    return found;
}

/* In panic too: its clients need not leave it for another one that is no better. */
uint32_t gw_affinity_choose(struct gw_exchange *x)
{
    uint32_t i = find(x);

    if (i == UINT32_MAX || gw_exchange_has_tried(x, i))
        return UINT32_MAX;
    return gw_guards_is_asked(x, i) ? i : UINT32_MAX;
}

void gw_affinity_tell(struct gw_exchange *x)
{
    enum { SIZE = GW_TOKEN_MAX + GW_PIN_TEXT + GW_COOKIE_PATH_MAX + 128 };
    const struct gw_affinity_conf *conf = x->cluster->affinity;
    char value[SIZE], pin[GW_PIN_TEXT];
    struct gw_text text;

    if (find(x) == x->endpoint->index)
        return;
    gw_pin_format(gw_pin_of(conf->key, x->endpoint->name), pin);
    gw_text_init(&text, value, sizeof value);
    gw_text_str(&text, conf->cookie);
    gw_text_cstr(&text, "=");
    gw_text_str(&text, (gw_str){ pin, sizeof pin });
    gw_text_str(&text, conf->attributes);
    gw_hop_unname(&x->response); /* else Connection could take it off */
    /* Benign: without it the client is led anywhere. */
    (void)!gw_fields_add_copy(&x->response.fields, GW_STR("Set-Cookie"), gw_cstr(value));
}
