/* fuzz/fuzz_dns.c: responses of name servers. The first byte picks the question, the rest is the response.
 * What is found is sorted, each once, within its bounds, and the same when it is read again. */

#include "fuzz.h"

#include "base/text.h"
#include "dns/answer.h"

static struct gw_dns_answer answer, again; /* large */

static int compare_names(const struct gw_dns_name *a, const struct gw_dns_name *b)
{
    return gw_str_compare(gw_dns_name_text(a), gw_dns_name_text(b));
}

static void check_targets(const struct gw_dns_answer *a)
{
    for (uint32_t i = 0; i < a->len; i++) {
        const struct gw_dns_target *t = &a->targets[i], *before = i > 0 ? t - 1 : NULL;
        CHECK(t->port != 0 && gw_dns_name_fault(gw_dns_name_text(&t->name)) == NULL);
        CHECK(before == NULL || before->priority <= t->priority);
        for (uint32_t j = 0; j < i; j++)
            CHECK(a->targets[j].port != t->port ||
                  compare_names(&a->targets[j].name, &t->name) != 0);
    }
}

static void check_ips(const struct gw_dns_answer *a)
{
    for (uint32_t i = 1; i < a->len; i++)
        CHECK(memcmp(a->ips[i - 1].bytes, a->ips[i].bytes, sizeof a->ips[i].bytes) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum gw_dns_type types[] = { GW_DNS_TYPE_A, GW_DNS_TYPE_AAAA, GW_DNS_TYPE_SRV };
    struct gw_dns_name name;
    enum gw_dns_type type;

    if (size == 0)
        return 0;
    type = types[data[0] % 3];
    gw_dns_name_set(&name, GW_STR("api.example"));
    gw_dns_answer_read(data + 1, size - 1, &name, type, &answer);
    gw_dns_answer_read(data + 1, size - 1, &name, type, &again);
    CHECK(answer.result == again.result && answer.ttl == again.ttl && answer.len == again.len);
    CHECK(answer.result == GW_DNS_FAILED || answer.ttl <= INT32_MAX);
    CHECK((answer.result == GW_DNS_FOUND) == (answer.len > 0));
    CHECK(answer.result != GW_DNS_FAILED || answer.why != NULL);
    CHECK(answer.len <= (type == GW_DNS_TYPE_SRV ? (uint32_t)GW_DNS_TARGETS_MAX
                                                 : (uint32_t)GW_DNS_ADDRESSES_MAX));
    if (type == GW_DNS_TYPE_SRV)
        check_targets(&answer);
    else
        check_ips(&answer);
    return 0;
}
