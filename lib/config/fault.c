/* config/fault.c: a fault has the mark of its part, the path of its field, and a sentence. */

#include "config/fault.h"

#include "base/assert.h"

/* NULL: enough is known already, or there is no memory for more. */
static struct gw_fault *take(const struct gw_part *part)
{
    struct gw_builder *b = part->builder;
    if (part->faults->len == GW_CONFIG_ERRORS_MAX)
        return NULL;
    struct gw_fault *fault = gw_store_take(&b->store, 1, sizeof *fault);
    if (fault == NULL) {
        b->has_no_memory = true;
        return NULL;
    }
    struct gw_faults *faults = part->faults;
    if (faults->last != NULL)
        faults->last->next = fault;
    else
        faults->first = fault;
    faults->last = fault;
    if (faults->unread == NULL)
        faults->unread = fault;
    faults->len++;
    return fault;
}

static void say_index(struct gw_text *text, const char *list, uint64_t index)
{
    gw_text_cstr(text, list);
    gw_text_cstr(text, "[");
    gw_text_u64(text, index);
    gw_text_cstr(text, "]");
}

const char *gw_fault_element(char out[GW_ELEMENT_MAX], const char *list, size_t i,
                             const char *behind)
{
    struct gw_text text;
    gw_text_init(&text, out, GW_ELEMENT_MAX);
    say_index(&text, list, i);
    gw_text_cstr(&text, behind);
    return out;
}

static void say_where(const struct gw_part *part, const char *field, gw_config_error *error)
{
    struct gw_text where;
    gw_text_init(&where, error->where, sizeof error->where);
    if (part->inside != NULL) {
        say_index(&where, "clusters", part->inside->index);
        gw_text_cstr(&where, ".");
    }
    say_index(&where, part->list, part->draft->index);
    if (field != NULL) {
        gw_text_cstr(&where, ".");
        gw_text_cstr(&where, field);
    }
}

struct gw_text gw_fault_begin(const struct gw_part *part, const char *field, gw_status status)
{
    GW_ASSERT(status != GW_OK);
    part->draft->is_bad = true;
    struct gw_fault *fault = take(part);
    if (fault == NULL)
        fault = &part->builder->spare;
    gw_config_error *error = &fault->error;
    *error = (gw_config_error){ .size = sizeof *error,
                                .status = status,
                                .mark = part->draft->mark };
    say_where(part, field, error);
    struct gw_text text;
    gw_text_init(&text, error->text, sizeof error->text);
    return text;
}

void gw_fault_add(const struct gw_part *part, const char *field, gw_status status, const char *text)
{
    struct gw_text message = gw_fault_begin(part, field, status);
    gw_text_cstr(&message, text);
}

void gw_fault_add_range(const struct gw_part *part, const char *field, uint64_t least,
                        uint64_t most, bool may_be_off)
{
    bool is_time = gw_str_ends(gw_cstr(field), GW_STR("_ms"));
    void (*say)(struct gw_text *, uint64_t) = is_time ? gw_text_ms : gw_text_u64;
    struct gw_text text = gw_fault_begin(part, field, GW_EINVAL);
    gw_text_cstr(&text, "it is from ");
    say(&text, least);
    gw_text_cstr(&text, " to ");
    say(&text, most);
    gw_text_cstr(&text, may_be_off ? ", or off" : "");
}

struct gw_text gw_fault_begin_value(const struct gw_part *part, const char *field, gw_str value)
{
    struct gw_text message = gw_fault_begin(part, field, GW_EINVAL);
    gw_text_cstr(&message, "\"");
    gw_text_quoted(&message, gw_str_slice(value, 0, value.len < 80 ? value.len : 80));
    gw_text_cstr(&message, value.len <= 80 ? "\": " : "...\": ");
    return message;
}

void gw_fault_add_value(const struct gw_part *part, const char *field, gw_str value,
                        const char *text)
{
    struct gw_text message = gw_fault_begin_value(part, field, value);
    gw_text_cstr(&message, text);
}
