/* unit/check_quick.h: Check, without the note that it makes of the place of each assertion: that is a
 * system call, so that it can name the last one before a crash; tests here assert millions of times
 * over random operations. Without it they take seconds, not minutes. */
#ifndef UNIT_CHECK_QUICK_H
#define UNIT_CHECK_QUICK_H

#include <check.h>

#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                   \
    do {                                                                                           \
        if (!(expr))                                                                               \
            _ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", __VA_ARGS__);    \
    } while (0)

#endif
