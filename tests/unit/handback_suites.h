/* unit/handback_suites.h: the suites of this program, one a source file. */
#ifndef UNIT_HANDBACK_SUITES_H
#define UNIT_HANDBACK_SUITES_H

#include "check_main.h"

Suite *facts_suite(void);
Suite *handback_suite(void);
Suite *handback_loop_suite(void);

#endif
