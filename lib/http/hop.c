/* http/hop.c: what a proxy takes off a message. */

#include "http/hop.h"

/* Fields that Connection names, beside those that we know. */
static void drop_named(struct gw_fields *f, gw_str token)
{
    enum gw_field_id id = gw_field_find_id(token);
    if (id != GW_FIELD_UNKNOWN) {
        /* TE is settled by the caller. */
        if (id != GW_FIELD_TE)
            gw_fields_drop(f, id);
        return;
    }
    for (struct gw_field *field; (field = gw_fields_find_name(f, token)) != NULL;)
        field->is_dropped = 1;
}

static void drop_connection(struct gw_fields *f)
{
    if (gw_fields_find(f, GW_FIELD_CONNECTION) == NULL)
        return;
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->at[i].id != GW_FIELD_CONNECTION || f->at[i].is_dropped)
            continue;
        gw_str rest = f->at[i].value, token;
        f->at[i].is_dropped = 1;
        while (gw_str_next_element(&rest, &token))
            drop_named(f, token);
    }
}

void gw_hop_unname(struct gw_message *m)
{
    drop_connection(&m->fields);
}

gw_status gw_hop_strip(struct gw_message *m)
{
    struct gw_fields *f = &m->fields;
    bool has_trailers = m->kind == GW_MESSAGE_REQUEST &&
                        gw_fields_has_token(f, GW_FIELD_TE, GW_STR("trailers"));
    drop_connection(f);
    for (uint32_t i = 0; i < f->count; i++)
        if ((f->at[i].flags & GW_FIELD_HOP) != 0)
            f->at[i].is_dropped = 1;
    gw_fields_drop(f, GW_FIELD_CONTENT_LENGTH);
    if (m->kind == GW_MESSAGE_REQUEST)
        gw_fields_drop(f, GW_FIELD_HOST);
    if (!has_trailers)
        return GW_OK;
    return gw_fields_add(f, GW_FIELD_TE, GW_STR("te"), GW_STR("trailers"));
}
