/* gw/export.h: visibility, must-check, and how sized structs are begun.
 *
 * Every sized struct starts as GW_SPEC(type): all zero, but for its size. A size of 0 is
 * GW_EINVAL. Zero means default in every field; GW_OFF in a uint32_t field means none, never,
 * no bound. The library copies what the caller's size covers onto its defaults, and refuses a
 * larger struct whose extra bytes are not zero (GW_EINVAL): old callers and new libraries, and
 * the reverse, work together. An array of sized structs has the stride of its first element.
 */
#ifndef GW_EXPORT_H
#define GW_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GW_API __attribute__((visibility("default")))
#define GW_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GW_API
#define GW_MUST_CHECK
#endif

/* None, never, no bound: in any uint32_t field of a spec. */
#define GW_OFF UINT32_MAX

#ifdef __cplusplus
extern "C++" {
template <class T> inline T gw_spec_of()
{
    T t = T();
    t.size = static_cast<uint32_t>(sizeof(T));
    return t;
}
}
#define GW_SPEC(type) gw_spec_of<type>()
#else
#define GW_SPEC(type) ((type){ .size = (uint32_t)sizeof(type) })
#endif

#endif
