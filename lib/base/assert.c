/* base/assert.c: the end of the process when an invariant is broken. It traps at once, so that a
 * core dump or a debugger shows the very state; nothing of the host runs on top of it. */

#include "base/assert.h"

void gw_panic(const char *what, const char *file, int line)
{
    /* Volatile: what a debugger shows of this frame also where the rest is optimised. */
    const char *volatile shown_what = what;
    const char *volatile shown_file = file;
    volatile int shown_line = line;
    (void)shown_what;
    (void)shown_file;
    (void)shown_line;
#if defined(__GNUC__)
    __builtin_trap();
#else
    for (;;)
        *(volatile int *)0 = 0;
#endif
}
