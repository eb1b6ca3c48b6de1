/* unit/check_main.h: the main of a unit program, over one suite function a source file.
 *
 *     Suite *chain_suite(void) { Suite *s = suite_create("chain"); ...; return s; }
 *     CHECK_MAIN(chain_suite, pipe_suite)
 *
 * A test is added with check_add(suite, test): a case of its own, without a time limit, since
 * no test here may pass or fail by time. CK_RUN_SUITE=chain and CK_RUN_CASE=name run a part. */
#ifndef UNIT_CHECK_MAIN_H
#define UNIT_CHECK_MAIN_H

#include "check_quick.h"
#include <stdlib.h>

static inline void check_add_loop_(Suite *suite, const char *name, const TTest *test, int from,
                                   int to)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, test, from, to);
    suite_add_tcase(suite, tcase);
}
/* The name of the case is the test's own. In a loop test, _i is the number. */
#define check_add(suite, test) check_add_loop_((suite), #test, (test), 0, 1)
#define check_add_loop(suite, test, from, to) check_add_loop_((suite), #test, (test), (from), (to))

#define CHECK_MAIN(...)                                                                            \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *(*const suites[])(void) = { __VA_ARGS__ };                                          \
        SRunner *runner = srunner_create(NULL);                                                    \
        for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)                              \
            srunner_add_suite(runner, suites[i]());                                                \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#endif
