/* A template becomes a flat list of steps with jumps; running it needs one stack, of the loops that are open. */
#include "format.h"

#include "format_expr.h"
#include "json_out.h"
#include "out.h"

#include <ctype.h>

#define NESTING_MAX 16

enum step_kind {
	STEP_TEXT,	/* add text */
	STEP_SHOW,	/* add the expression's value */
	STEP_SET,	/* variable = expression */
	STEP_IF,	/* jump when the expression is false */
	STEP_JUMP,
	STEP_WITH,	/* jump when false, else the dot becomes the value */
	STEP_WITH_END,
	STEP_RANGE,	/* jump when empty, else the dot becomes the first item */
	STEP_NEXT,	/* next item: jump; none: go on */
};

struct step {
	enum step_kind kind;
	char *text;		/* of STEP_TEXT */
	const char *expr;	/* in the template */
	size_t len;
	size_t jump;
	struct format_variable variables[2];	/* of STEP_SET (first), STEP_RANGE (key, value) */
	size_t variable_count;
};

struct format {
	char *template;
	struct step *steps;
	size_t count;
};

#define NO_JUMP SIZE_MAX

struct block {
	enum step_kind kind;	/* IF, WITH or RANGE */
	size_t start;		/* its step */
	size_t open_jump;	/* a step whose jump goes to the coming else or end; NO_JUMP */
	size_t end_jumps;	/* last of the steps that jump to the end; their jump links to the one before */
	size_t variable_count;	/* before the block */
	bool else_seen;
};

struct compiler {
	struct format *format;
	struct block blocks[NESTING_MAX];
	size_t depth;
	struct format_scope scope;
	char *error;
};

static int refuse(struct compiler *compiler, char *error)
{
	if (compiler->error)
		free(error);
	else
		compiler->error = error;
	return -1;
}

/* Lent until the next one is added. */
static struct step *add_step(struct compiler *compiler, enum step_kind kind)
{
	struct format *format = compiler->format;

	format->steps = must_grow(format->steps, format->count + 1, sizeof(format->steps[0]));
	format->steps[format->count] = (struct step){ .kind = kind, .jump = NO_JUMP };
	return &format->steps[format->count++];
}

/* Literal text, with \t and \n made real. */
static void add_text(struct compiler *compiler, const char *text, size_t len, bool trim_left, bool trim_right)
{
	struct text literal = { .data = NULL };

	while (trim_left && len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	while (trim_right && len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '\\' && i + 1 < len && (text[i + 1] == 't' || text[i + 1] == 'n'))
			c = text[++i] == 't' ? '\t' : '\n';
		text_add(&literal, &c, 1);
	}
	if (literal.data)
		add_step(compiler, STEP_TEXT)->text = literal.data;
}

static int check_expression(struct compiler *compiler, struct step *step, const char *expr, size_t len)
{
	char *error = NULL;
	json_t *value = format_eval(&compiler->scope, expr, len, &error);

	if (!value)
		return refuse(compiler, error);
	json_decref(value);
	step->expr = expr;
	step->len = len;
	return 0;
}

static int declare(struct compiler *compiler, struct step *step, const char *name, size_t len)
{
	struct format_variable variable = { .name = name, .len = len, .value = json_null() };

	if (compiler->scope.variable_count == FORMAT_VARIABLES)
		return refuse(compiler, must_printf("too many variables"));
	compiler->scope.variables[compiler->scope.variable_count++] = variable;
	step->variables[step->variable_count++] = variable;
	return 0;
}

static size_t variable_length(const char *at, const char *end)
{
	size_t len = 1;

	if (at == end || *at != '$')
		return 0;
	while (at + len < end && (isalnum((unsigned char)at[len]) || at[len] == '_'))
		len++;
	return len > 1 ? len : 0;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at;
}

/* "$a := expr" or, where two are allowed, "$a, $b := expr": declares them and returns where expr begins. */
static const char *take_declaration(struct compiler *compiler, struct step *step, const char *at, const char *end,
				    size_t most)
{
	const char *names[2], *from = at;
	size_t lens[2], count = 0;

	while (count < most && (lens[count] = variable_length(at, end)) > 0) {
		names[count] = at;
		at = skip_space(at + lens[count++], end);
		if (at < end && *at == ',')
			at = skip_space(at + 1, end);
		else
			break;
	}
	if (count == 0 || end - at < 2 || at[0] != ':' || at[1] != '=')
		return from;
	for (size_t i = 0; i < count; i++)
		if (declare(compiler, step, names[i], lens[i]) < 0)
			return end;
	return skip_space(at + 2, end);
}

static int open_block(struct compiler *compiler, enum step_kind kind, const char *expr, const char *end)
{
	size_t variables = compiler->scope.variable_count, i = compiler->format->count;
	struct step *step = add_step(compiler, kind);

	if (compiler->depth == NESTING_MAX)
		return refuse(compiler, must_printf("blocks are nested too deep"));
	expr = take_declaration(compiler, step, expr, end, kind == STEP_RANGE ? 2 : 1);
	compiler->blocks[compiler->depth++] = (struct block){ .kind = kind, .start = i, .open_jump = i,
							      .end_jumps = NO_JUMP, .variable_count = variables };
	return check_expression(compiler, step, expr, (size_t)(end - expr));
}

/* The part that runs when the condition holds is over. */
static void finish_body(struct compiler *compiler, struct block *block, bool jump_to_end)
{
	struct format *format = compiler->format;

	if (block->kind == STEP_RANGE)
		add_step(compiler, STEP_NEXT)->jump = block->start + 1;
	else if (block->kind == STEP_WITH)
		add_step(compiler, STEP_WITH_END);
	if (jump_to_end) {
		add_step(compiler, STEP_JUMP)->jump = block->end_jumps;
		block->end_jumps = format->count - 1;
	}
	format->steps[block->open_jump].jump = format->count;
	block->open_jump = NO_JUMP;
}

static bool take_word(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(end - *at) < len || memcmp(*at, word, len) != 0 ||
	    (*at + len < end && !isspace((unsigned char)(*at)[len]) && (*at)[len] != '(' && (*at)[len] != '.'))
		return false;
	*at = skip_space(*at + len, end);
	return true;
}

static int add_else(struct compiler *compiler, const char *at, const char *end)
{
	struct block *block = compiler->depth ? &compiler->blocks[compiler->depth - 1] : NULL;

	if (!block || block->else_seen)
		return refuse(compiler, must_printf("an else without an if"));
	finish_body(compiler, block, true);
	compiler->scope.variable_count = block->variable_count;
	if (at == end) {
		block->else_seen = true;
		return 0;
	}
	if (block->kind != STEP_IF || !take_word(&at, end, "if"))
		return refuse(compiler, must_printf("'else %.*s' cannot be understood", (int)(end - at), at));
	block->open_jump = compiler->format->count;
	return check_expression(compiler, add_step(compiler, STEP_IF), at, (size_t)(end - at));
}

static int add_end(struct compiler *compiler)
{
	struct block *block = compiler->depth ? &compiler->blocks[compiler->depth - 1] : NULL;
	size_t next;

	if (!block)
		return refuse(compiler, must_printf("an end without an if, range or with"));
	if (!block->else_seen)
		finish_body(compiler, block, false);
	for (size_t i = block->end_jumps; i != NO_JUMP; i = next) {
		next = compiler->format->steps[i].jump;
		compiler->format->steps[i].jump = compiler->format->count;
	}
	compiler->scope.variable_count = block->variable_count;
	compiler->depth--;
	return 0;
}

static int add_action(struct compiler *compiler, const char *at, const char *end)
{
	struct step *step;
	const char *expr;

	at = skip_space(at, end);
	while (end > at && isspace((unsigned char)end[-1]))
		end--;
	if (end - at >= 4 && memcmp(at, "/*", 2) == 0 && memcmp(end - 2, "*/", 2) == 0)
		return 0;
	if (take_word(&at, end, "if"))
		return open_block(compiler, STEP_IF, at, end);
	if (take_word(&at, end, "range"))
		return open_block(compiler, STEP_RANGE, at, end);
	if (take_word(&at, end, "with"))
		return open_block(compiler, STEP_WITH, at, end);
	if (take_word(&at, end, "else"))
		return add_else(compiler, at, end);
	if (take_word(&at, end, "end"))
		return at == end ? add_end(compiler) : refuse(compiler, must_printf("there is more after 'end'"));
	step = add_step(compiler, STEP_SHOW);
	expr = take_declaration(compiler, step, at, end, 1);
	if (expr != at)
		step->kind = STEP_SET;
	return check_expression(compiler, step, expr, (size_t)(end - expr));
}

/* The "}}" that ends the action at text, strings skipped; NULL: there is none. */
static const char *find_close(const char *text)
{
	char quote = '\0';

	for (; *text; text++) {
		if (quote) {
			if (*text == '\\' && quote == '"' && text[1])
				text++;
			else if (*text == quote)
				quote = '\0';
		} else if (*text == '"' || *text == '`') {
			quote = *text;
		} else if (text[0] == '}' && text[1] == '}') {
			return text;
		}
	}
	return NULL;
}

static int compile(struct compiler *compiler)
{
	const char *at = compiler->format->template;
	bool trim = false;

	for (;;) {
		const char *open = strstr(at, "{{"), *from, *close;
		bool trim_before = open && open[2] == '-' && isspace((unsigned char)open[3]);

		add_text(compiler, at, open ? (size_t)(open - at) : strlen(at), trim, trim_before);
		if (!open)
			break;
		from = open + 2 + trim_before;
		close = find_close(from);
		if (!close)
			return refuse(compiler, must_printf("'}}' is missing"));
		at = close + 2;
		trim = close - from >= 2 && close[-1] == '-' && isspace((unsigned char)close[-2]);
		if (add_action(compiler, from, trim ? close - 1 : close) < 0)
			return -1;
	}
	if (compiler->depth > 0)
		return refuse(compiler, must_printf("'{{end}}' is missing"));
	return 0;
}

struct format *format_parse(const char *text, char **ret_error)
{
	struct format *format = must_alloc(sizeof(*format));
	struct compiler compiler = { .format = format,
				     .scope = { .root = json_null(), .dot = json_null(), .check = true } };

	format->template = must_copy(text);
	if (compile(&compiler) < 0) {
		*ret_error = compiler.error;
		format_free(format);
		return NULL;
	}
	return format;
}

void format_free(struct format *format)
{
	if (!format)
		return;
	for (size_t i = 0; i < format->count; i++)
		free(format->steps[i].text);
	free(format->steps);
	free(format->template);
	free(format);
}

/* --- running ---------------------------------------------------------------------------------------------------- */

/* A loop (or with) that is open. */
struct frame {
	json_t *items;		/* owned */
	size_t next;		/* position in an array */
	void *iter;		/* in an object: the one after the current */
	json_t *dot;		/* as it was before */
	size_t variable_count;
};

struct run {
	struct format_scope scope;
	struct frame frames[NESTING_MAX];
	size_t depth;
	struct text *to;
	json_t *kept;		/* array that owns what variables refer to */
};

static int set_variable(struct run *run, const struct format_variable *variable, json_t *value)
{
	if (run->scope.variable_count == FORMAT_VARIABLES)
		return -1;
	run->scope.variables[run->scope.variable_count] = *variable;
	run->scope.variables[run->scope.variable_count++].value = value;
	json_array_append(run->kept, value);
	return 0;
}

static void push_frame(struct run *run, json_t *items)
{
	struct frame *frame = &run->frames[run->depth++];

	*frame = (struct frame){ .items = items, .dot = run->scope.dot,
				 .variable_count = run->scope.variable_count };
	if (json_is_object(items))
		frame->iter = json_object_iter(items);
}

static void pop_frame(struct run *run)
{
	struct frame *frame = &run->frames[--run->depth];

	run->scope.dot = frame->dot;
	run->scope.variable_count = frame->variable_count;
	json_decref(frame->items);
}

/* Whether there was another item, which is the dot now. */
static bool take_item(struct run *run, const struct step *range)
{
	struct frame *frame = &run->frames[run->depth - 1];
	json_t *key, *value;

	run->scope.variable_count = frame->variable_count;
	if (json_is_array(frame->items)) {
		if (frame->next >= json_array_size(frame->items))
			return false;
		value = json_array_get(frame->items, frame->next);
		key = json_integer((json_int_t)frame->next++);
	} else {
		if (!frame->iter)
			return false;
		value = json_object_iter_value(frame->iter);
		key = json_string(json_object_iter_key(frame->iter));
		frame->iter = json_object_iter_next(frame->items, frame->iter);
	}
	run->scope.dot = value;
	if (range->variable_count == 2)
		set_variable(run, &range->variables[0], key);
	if (range->variable_count > 0)
		set_variable(run, &range->variables[range->variable_count - 1], value);
	json_decref(key);
	return true;
}

/* One step whose expression gave value (taken); returns the next step. */
static size_t do_step(struct run *run, const struct format *format, size_t i, json_t *value, char **ret_error)
{
	const struct step *step = &format->steps[i];
	size_t next = i + 1;

	switch (step->kind) {
	case STEP_SHOW: {
		AUTO_FREE char *shown = format_show(value);

		text_adds(run->to, shown);
		break;
	}
	case STEP_SET:
		if (set_variable(run, &step->variables[0], value) < 0)
			*ret_error = must_printf("too many variables");
		break;
	case STEP_IF:
		if (!format_is_true(value))
			next = step->jump;
		break;
	case STEP_WITH:
		if (!format_is_true(value)) {
			next = step->jump;
			break;
		}
		push_frame(run, json_incref(value));
		run->scope.dot = value;
		if (step->variable_count > 0)
			set_variable(run, &step->variables[0], value);
		break;
	case STEP_RANGE:
		if (!json_is_array(value) && !json_is_object(value) && !json_is_null(value)) {
			*ret_error = must_printf("range: '%.*s' is no list", (int)step->len, step->expr);
			break;
		}
		push_frame(run, json_incref(value));
		if (json_is_null(value) || !take_item(run, step)) {
			pop_frame(run);
			next = step->jump;
		}
		break;
	default:
		break;
	}
	json_decref(value);
	return next;
}

int format_run(const struct format *format, json_t *value, struct text *to, char **ret_error)
{
	struct run run = { .scope = { .root = value, .dot = value }, .to = to, .kept = json_array() };
	char *error = NULL;
	size_t i = 0;

	while (i < format->count && !error) {
		const struct step *step = &format->steps[i];
		json_t *result;

		switch (step->kind) {
		case STEP_TEXT:
			text_adds(to, step->text);
			i++;
			break;
		case STEP_JUMP:
			i = step->jump;
			break;
		case STEP_WITH_END:
			pop_frame(&run);
			i++;
			break;
		case STEP_NEXT:
			if (take_item(&run, &format->steps[step->jump - 1])) {
				i = step->jump;
			} else {
				pop_frame(&run);
				i++;
			}
			break;
		default:
			result = format_eval(&run.scope, step->expr, step->len, &error);
			if (result)
				i = do_step(&run, format, i, result, &error);
		}
	}
	while (run.depth > 0)
		pop_frame(&run);
	json_decref(run.kept);
	if (error)
		*ret_error = error;
	return error ? -1 : 0;
}
