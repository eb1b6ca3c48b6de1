/* commands.h: what main.c may call. One function a command: it gets the arguments after the
 * command's own name and returns the exit code of the program.
 */
#ifndef GW_PROGRAM_COMMANDS_H
#define GW_PROGRAM_COMMANDS_H

enum {
    EXIT_FINE = 0,   /* done, or ended as asked                   */
    EXIT_FAILED = 1, /* something went wrong while it was running */
    EXIT_USAGE = 2,  /* the command line makes no sense           */
    EXIT_CONFIG = 3  /* the configuration file is refused         */
};

int command_check(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_help(int argc, char **argv);
int command_run(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
