/* help.h: the texts of "gw help". */
#ifndef GW_PROGRAM_HELP_H
#define GW_PROGRAM_HELP_H

#include <stdio.h>

void help_usage(FILE *out);

#endif
