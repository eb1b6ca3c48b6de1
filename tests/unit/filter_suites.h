/* unit/filter_suites.h: the suites of the program for filters. */
#ifndef UNIT_FILTER_SUITES_H
#define UNIT_FILTER_SUITES_H

#include <check.h>

Suite *every_suite(void);
Suite *show_suite(void);

#endif
