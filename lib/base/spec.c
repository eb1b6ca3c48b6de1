/* base/spec.c: sized structs, copied both ways. */

#include "base/spec.h"

#include <string.h>

#include "base/assert.h"

static uint32_t size_of(const void *spec)
{
    uint32_t size;
    memcpy(&size, spec, sizeof size);
    return size;
}

gw_status gw_spec_copy(void *own, size_t own_size, const void *spec)
{
    GW_ASSERT(own != NULL && own_size >= sizeof(uint32_t) && own_size <= UINT32_MAX);
    if (spec == NULL)
        return GW_EINVAL;
    size_t size = size_of(spec);
    if (size < sizeof(uint32_t))
        return GW_EINVAL;
    const unsigned char *bytes = spec;
    for (size_t i = own_size; i < size; i++)
        if (bytes[i] != 0)
            return GW_EINVAL;
    memcpy(own, spec, size < own_size ? size : own_size);
    uint32_t covered = (uint32_t)own_size;
    memcpy(own, &covered, sizeof covered);
    return GW_OK;
}

gw_status gw_spec_fill(void *out, const void *own, size_t own_size)
{
    GW_ASSERT(own != NULL && own_size >= sizeof(uint32_t));
    if (out == NULL)
        return GW_EINVAL;
    uint32_t size = size_of(out);
    if (size < sizeof(uint32_t))
        return GW_EINVAL;
    unsigned char *bytes = out;
    size_t copied = size < own_size ? size : own_size;
    memcpy(bytes, own, copied);
    /* A newer caller's fields, which this library does not know, read as zero: the default. */
    memset(bytes + copied, 0, size - copied);
    memcpy(out, &size, sizeof size);
    return GW_OK;
}
