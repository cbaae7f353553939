#include "options.h"

#include "mem.h"

#include <assert.h>
#include <getopt.h>

#define LONG_BASE 256

static size_t find_name(const struct args *args, const char *name)
{
	for (size_t i = 0; i < args->spec_count; i++)
		if (strcmp(args->specs[i]->name, name) == 0)
			return i;
	return OPTIONS_MAX;
}

static size_t find_letter(const struct args *args, int letter)
{
	for (size_t i = 0; i < args->spec_count; i++)
		if (letter && args->specs[i]->letter == letter)
			return i;
	return OPTIONS_MAX;
}

static void add_specs(struct args *args, const struct option_spec *table)
{
	for (; table && table->name; table++) {
		if (find_name(args, table->name) < OPTIONS_MAX)
			continue;
		assert(args->spec_count < OPTIONS_MAX);
		args->specs[args->spec_count++] = table;
	}
}

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);

	for (const char *at = choices; at; at = strchr(at, '|')) {
		at += *at == '|';
		if (strncmp(at, text, len) == 0 && (at[len] == '|' || at[len] == '\0'))
			return len > 0;
	}
	return false;
}

/* "a|b|c" as "a, b or c". */
static char *say_choices(const char *choices)
{
	struct text said = { .data = NULL };
	const char *last = strrchr(choices, '|');

	for (const char *at = choices; *at; at++) {
		if (*at != '|')
			text_add(&said, at, 1);
		else
			text_adds(&said, at == last ? " or " : ", ");
	}
	return must(said.data);
}

static char *take_value(struct args *args, size_t i, const char *given)
{
	const struct option_spec *spec = args->specs[i];
	size_t count = args->values[i].count;

	if (spec->arg) {
		if (spec->choices && !is_choice(spec->choices, given)) {
			AUTO_FREE char *choices = say_choices(spec->choices);

			return must_printf("--%s takes %s, not '%s'", spec->name, choices, given);
		}
		args->values[i].texts = must_grow(args->values[i].texts, count + 2, sizeof(char *));
		args->values[i].texts[count] = given;
		args->values[i].texts[count + 1] = NULL;
	}
	args->values[i].count = count + 1;
	return NULL;
}

/* Why getopt_long did not take the long option in word. */
static char *explain_long(const struct args *args, const char *word)
{
	size_t len = strcspn(word + 2, "="), fits = 0, best = OPTIONS_MAX;
	AUTO_FREE char *name = must_copyn(word + 2, len);
	unsigned best_distance = 3;

	for (size_t i = 0; i < args->spec_count; i++) {
		unsigned distance = text_distance(name, args->specs[i]->name);

		fits += strncmp(args->specs[i]->name, name, len) == 0;
		if (distance < best_distance) {
			best = i;
			best_distance = distance;
		}
	}
	if (fits > 1)
		return must_printf("option '--%s' is ambiguous", name);
	if (fits == 1)
		return must_printf("option '--%s' takes no value", name);
	if (best < OPTIONS_MAX)
		return must_printf("unknown option '--%s'; did you mean '--%s'?", name, args->specs[best]->name);
	return must_printf("unknown option '--%s'", name);
}

int args_parse(struct args *args, int argc, char **argv, const struct option_spec *own,
	       const struct option_spec *common, bool stop, char **ret_error)
{
	struct option longs[OPTIONS_MAX + 1] = { { .name = NULL } };
	char shorts[2 * OPTIONS_MAX + 3];
	size_t len = 0;
	int c;

	*args = (struct args){ .spec_count = 0 };
	add_specs(args, own);
	add_specs(args, common);
	if (stop)
		shorts[len++] = '+';
	shorts[len++] = ':';
	for (size_t i = 0; i < args->spec_count; i++) {
		const struct option_spec *spec = args->specs[i];

		longs[i] = (struct option){ .name = spec->name,
					    .has_arg = spec->arg ? required_argument : no_argument,
					    .val = LONG_BASE + (int)i };
		if (find_letter(args, spec->letter) != i)
			continue;
		shorts[len++] = spec->letter;
		if (spec->arg)
			shorts[len++] = ':';
	}
	shorts[len] = '\0';

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		char *error = NULL;

		if (c == ':' && optopt >= LONG_BASE)
			error = must_printf("option '--%s' needs a value", args->specs[optopt - LONG_BASE]->name);
		else if (c == ':')
			error = must_printf("option '-%c' needs a value", optopt);
		else if (c == '?' && optopt > 0 && optopt < LONG_BASE)
			error = must_printf("unknown option '-%c'", optopt);
		else if (c == '?')
			error = explain_long(args, argv[optind - 1]);
		else
			error = take_value(args, c >= LONG_BASE ? (size_t)(c - LONG_BASE) : find_letter(args, c),
					   optarg);
		if (error) {
			args_release(args);
			*ret_error = error;
			return -1;
		}
	}
	args->operands = argv + optind;
	args->operand_count = argc - optind;
	return 0;
}

void args_release(struct args *args)
{
	for (size_t i = 0; i < args->spec_count; i++)
		free(args->values[i].texts);
	*args = (struct args){ .spec_count = 0 };
}

bool args_has(const struct args *args, const char *name)
{
	return find_name(args, name) < OPTIONS_MAX;
}

bool args_flag(const struct args *args, const char *name)
{
	size_t i = find_name(args, name);

	assert(i < OPTIONS_MAX);
	return args->values[i].count > 0;
}

const char *const *args_texts(const struct args *args, const char *name)
{
	size_t i = find_name(args, name);

	assert(i < OPTIONS_MAX && args->specs[i]->arg);
	return args->values[i].texts;
}

const char *args_text(const struct args *args, const char *name)
{
	const char *const *texts = args_texts(args, name);

	while (texts && texts[1])
		texts++;
	return texts ? texts[0] : NULL;
}

unsigned text_distance(const char *a, const char *b)
{
	enum { LONGEST = 32 };
	unsigned row[LONGEST + 1];
	size_t width = strlen(b);

	if (width > LONGEST || strlen(a) > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= width; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= width; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] > row[j - 1])
				row[j] = row[j - 1];
			row[j]++;
			if (row[j] > replaced)
				row[j] = replaced;
		}
	}
	return row[width];
}
