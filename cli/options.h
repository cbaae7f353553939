/* Arguments of a command: one table of options gives parsing, help and completion. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option_spec {
	char letter;		/* '\0': none */
	const char *name;	/* without the dashes; NULL ends a table */
	const char *arg;	/* what it takes: "FILE", "DIR", "IMAGE", "ID", …; NULL: nothing */
	const char *help;	/* one line */
	const char *choices;	/* "a|b|c": nothing else is taken; NULL: anything */
	bool many;		/* may be given several times; else the last one wins */
};

#define OPTIONS_MAX 24

struct args {
	const struct option_spec *specs[OPTIONS_MAX];
	struct {
		const char **texts;	/* NULL for what takes no argument */
		size_t count;		/* how often it was given */
	} values[OPTIONS_MAX];
	size_t spec_count;
	char **operands;
	int operand_count;
};

/* Parse argv[1]… with the options of two tables; where both have a letter or name, the first table wins. stop: end at
 * the first operand. On failure returns -1 and gives *ret_error (free()): a sentence. */
int args_parse(struct args *args, int argc, char **argv, const struct option_spec *own,
	       const struct option_spec *common, bool stop, char **ret_error);
void args_release(struct args *args);
#define AUTO_ARGS __attribute__((cleanup(args_release)))

/* Whether the command has such an option at all. */
bool args_has(const struct args *args, const char *name);
/* For the others name must be in the table. */
bool args_flag(const struct args *args, const char *name);
const char *args_text(const struct args *args, const char *name);	/* the last one; NULL: not given */
/* All of them, ended with NULL; NULL when there are none. */
const char *const *args_texts(const struct args *args, const char *name);

/* Edit distance, for suggestions. */
unsigned text_distance(const char *a, const char *b);

#endif
