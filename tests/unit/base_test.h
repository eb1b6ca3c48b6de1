/* unit/base_test.h: the suites of unit-base, one a source file. */
#ifndef UNIT_BASE_TEST_H
#define UNIT_BASE_TEST_H

#include "check_main.h"

Suite *status_suite(void);
Suite *text_suite(void);
Suite *memory_suite(void);
Suite *map_suite(void);
Suite *timer_suite(void);

#endif
