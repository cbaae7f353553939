#include "store/plan.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A plan of a million names and layers fits. */
#define PLAN_MAX ((size_t)256 << 20)

int nc_plan_add(struct nc_plan *plan, const struct nc_step *step, struct nacre_error *err)
{
	struct nc_step *steps = nc_grown(plan->steps, plan->count, &plan->cap, sizeof *steps);
	if (!steps)
		return nc_nomem(err);
	plan->steps = steps;
	struct nc_step copy = *step;
	if (step->name && !(copy.name = nc_strdup(step->name)))
		return nc_nomem(err);
	plan->steps[plan->count++] = copy;
	return 0;
}

int nc_plan_add_node(struct nc_plan *plan, const char *id, struct nacre_error *err)
{
	struct nc_step step = { .kind = NC_STEP_NODE };
	memcpy(step.id, id, NC_HEX_ID);
	return nc_plan_add(plan, &step, err);
}

int nc_plan_add_unname(struct nc_plan *plan, const char *full, struct nacre_error *err)
{
	NC_AUTO_FREE char *name = nc_strdup(full);
	if (!name)
		return nc_nomem(err);
	return nc_plan_add(plan, &(struct nc_step){ .kind = NC_STEP_UNNAME, .name = name }, err);
}

void nc_plan_clear(struct nc_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->steps[i].name);
	plan->count = 0;
}

void nc_plan_release(struct nc_plan *plan)
{
	nc_plan_clear(plan);
	nc_free_pointer(&plan->steps);
	*plan = (struct nc_plan){ 0 };
}

bool nc_plan_is_light(const struct nc_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->steps[i].kind == NC_STEP_NODE || plan->steps[i].kind == NC_STEP_BLOB)
			return false;
	return true;
}

/* --- as text ---------------------------------------------------------------------------------------------------- */

static int write_step(struct nc_buf *text, const struct nc_step *step, struct nacre_error *err)
{
	switch (step->kind) {
	case NC_STEP_NODE: return nc_buf_addf(text, err, "node %s\n", step->id);
	case NC_STEP_BLOB: return nc_buf_addf(text, err, "blob %s\n", step->hex);
	case NC_STEP_DOCUMENT: return nc_buf_addf(text, err, "document %s %s\n", step->id, step->hex);
	case NC_STEP_WHOLE: return nc_buf_addf(text, err, "whole %s %s\n", step->id, step->hex);
	case NC_STEP_FIRST: return nc_buf_addf(text, err, "first %s\n", step->id);
	case NC_STEP_NAME: return nc_buf_addf(text, err, "name %u %s\n", step->number, step->name);
	case NC_STEP_UNNAME: return nc_buf_addf(text, err, "unname %s\n", step->name);
	}
	return 0;
}

int nc_plan_write(const struct nc_plan *plan, int stage, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(PLAN_MAX);
	for (size_t i = 0; i < plan->count; i++) {
		int code = write_step(&text, &plan->steps[i], err);
		if (code < 0)
			return code;
	}
	return nc_file_create(stage, NC_PLAN_FILE, nc_buf_text(&text), text.len, err);
}

/* Takes a word of 64 hex digits off the line. */
static bool take_hex(char **line, char *ret)
{
	if (strspn(*line, "0123456789abcdef") != NC_HEX_ID - 1)
		return false;
	memcpy(ret, *line, NC_HEX_ID - 1);
	ret[NC_HEX_ID - 1] = '\0';
	*line += NC_HEX_ID - 1;
	if (**line == ' ')
		++*line;
	return true;
}

static bool take_number(char **line, unsigned *ret)
{
	char *end;
	if (**line < '0' || **line > '9')
		return false;
	*ret = (unsigned)strtoul(*line, &end, 10);
	if (*end != ' ')
		return false;
	*line = end + 1;
	return true;
}

static bool parse_step(char *line, struct nc_step *ret)
{
	char *rest = strchr(line, ' ');
	if (!rest)
		return false;
	*rest++ = '\0';
	struct nc_step step = { 0 };
	bool good = false;
	if (strcmp(line, "node") == 0) {
		step.kind = NC_STEP_NODE;
		good = take_hex(&rest, step.id) && !*rest;
	} else if (strcmp(line, "blob") == 0) {
		step.kind = NC_STEP_BLOB;
		good = take_hex(&rest, step.hex) && !*rest;
	} else if (strcmp(line, "document") == 0 || strcmp(line, "whole") == 0) {
		step.kind = *line == 'd' ? NC_STEP_DOCUMENT : NC_STEP_WHOLE;
		good = take_hex(&rest, step.id) && take_hex(&rest, step.hex) && !*rest;
	} else if (strcmp(line, "first") == 0) {
		step.kind = NC_STEP_FIRST;
		good = take_hex(&rest, step.id) && !*rest;
	} else if (strcmp(line, "name") == 0) {
		step.kind = NC_STEP_NAME;
		good = take_number(&rest, &step.number) && *rest;
		step.name = rest;
	} else if (strcmp(line, "unname") == 0) {
		step.kind = NC_STEP_UNNAME;
		good = *rest;
		step.name = rest;
	}
	*ret = step;
	return good;
}

int nc_plan_read(int stage, const char *file, struct nc_plan *ret, struct nacre_error *err)
{
	NC_AUTO_FREE char *text = NULL;
	size_t len;
	int code = nc_file_read(stage, file, PLAN_MAX, &text, &len, err);
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	for (char *line = text, *end; code == 0 && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		struct nc_step step;
		code = parse_step(line, &step)
			       ? nc_plan_add(&plan, &step, err)
			       : nc_fail(err, NACRE_E_CORRUPT, 0, "a plan holds the line '%.80s'", line);
	}
	if (code < 0)
		return code;
	*ret = plan;
	plan = (struct nc_plan){ 0 };
	return 0;
}

void nc_plan_forget(int stage)
{
	unlinkat(stage, NC_PLAN_COMMIT, 0);
	unlinkat(stage, NC_PLAN_FILE, 0);
}
