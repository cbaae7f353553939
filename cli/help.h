/* Help out of the table of commands. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "commands.h"

/* By name, "image X" being X (and its ls and rm being images and rmi); NULL: there is none. */
const struct command *command_find(const char *name);
/* Reports that there is no such command, with a suggestion. Returns EXIT_USAGE. */
int command_unknown(struct app *app, const char *name);

void help_all(void);
void help_graph(void);
void help_command(const struct command *command);
/* The whole table as JSON, for completions and checks. */
void help_json(void);

#endif
