/* base/poison.h: tells the address sanitizer that memory on a free list is not to be touched, so
 * that a use after giving back is found as with malloc. Nothing in other builds. */
#ifndef GW_BASE_POISON_H
#define GW_BASE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define GW_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GW_POISONS 1
#endif
#endif

#ifdef GW_POISONS
#include <sanitizer/asan_interface.h>
#define GW_POISON(ptr, len) __asan_poison_memory_region((ptr), (len))
#define GW_UNPOISON(ptr, len) __asan_unpoison_memory_region((ptr), (len))
#else
#define GW_POISON(ptr, len) ((void)(ptr), (void)(len))
#define GW_UNPOISON(ptr, len) ((void)(ptr), (void)(len))
#endif

#endif
