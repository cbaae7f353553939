/* Plans as files: what is written is read again; what is no plan is refused, and what a power cut left of one is as far as it goes. */
#include "../unit.h"
#include "../io/scratch.h"

#include "store/plan.h"

static struct nacre_error err;

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void round_trip(void **state)
{
	static const struct nc_step steps[] = {
		{ .kind = NC_STEP_NODE, .id = A },
		{ .kind = NC_STEP_BLOB, .hex = B },
		{ .kind = NC_STEP_DOCUMENT, .id = A, .hex = B },
		{ .kind = NC_STEP_WHOLE, .id = A, .hex = B },
		{ .kind = NC_STEP_FIRST, .id = B },
		{ .kind = NC_STEP_NAME, .number = 4000000000u, .name = (char *)"docker.io/library/app:1" },
		{ .kind = NC_STEP_UNNAME, .name = (char *)"docker.io/library/app:2" },
	};
	enum { COUNT = sizeof steps / sizeof *steps };
	struct scratch *scratch = *state;
	NC_AUTO_PLAN struct nc_plan plan = { 0 }, read = { 0 };
	for (int round = 0; round < 4; round++)		/* more than there is room for at first */
		for (size_t i = 0; i < COUNT; i++)
			assert_done(nc_plan_add(&plan, &steps[i], &err));
	assert_done(nc_plan_write(&plan, scratch->fd, &err));
	assert_int_equal(nc_plan_write(&plan, scratch->fd, &err), NACRE_E_EXISTS);
	assert_done(nc_plan_read(scratch->fd, NC_PLAN_FILE, &read, &err));
	assert_int_equal(read.count, 4 * COUNT);
	for (size_t i = 0; i < read.count; i++) {
		const struct nc_step *want = &steps[i % COUNT], *got = &read.steps[i];
		assert_int_equal(got->kind, want->kind);
		assert_int_equal(got->number, want->number);
		assert_string_equal(got->id, want->id);
		assert_string_equal(got->hex, want->hex);
		assert_int_equal(!got->name, !want->name);
		if (want->name)
			assert_string_equal(got->name, want->name);
	}
	nc_plan_forget(scratch->fd);
	nc_plan_release(&read);
	assert_int_equal(nc_plan_read(scratch->fd, NC_PLAN_FILE, &read, &err), NACRE_E_NOTFOUND);
}

static void pieces(void **state)
{
	static const struct {
		const char *text;
		int count;		/* -1: refused */
	} cases[] = {
		{ "", 0 }, { "node", 0 }, { "node " A, 0 }, { "node " A "\nblob " B, 1 }, { "node " A "\nblob " B "\n", 2 },
		{ "node\n", -1 }, { "node \n", -1 }, { "node " A "0\n", -1 }, { "node " A " " B "\n", -1 }, { "node ABC\n", -1 },
		{ "blob " A "x\n", -1 }, { "blob " A " x\n", -1 }, { "document " A "\n", -1 }, { "whole " A "\n", -1 }, { "whole " A " " B "\n", 1 }, { "document " A " " B " x\n", -1 },
		{ "document x " B "\n", -1 }, { "first x\n", -1 }, { "first " A " x\n", -1 }, { "name app\n", -1 },
		{ "name 1\n", -1 }, { "name 1x app\n", -1 }, { "name 1 \n", -1 }, { "name 1 app\n", 1 }, { "name :1 app\n", -1 },
		{ "unname \n", -1 }, { "unname app\n", 1 }, { "rename app\n", -1 }, { "\n", -1 },
	};
	struct scratch *scratch = *state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		NC_AUTO_PLAN struct nc_plan plan = { 0 };
		put_file(scratch->fd, NC_PLAN_FILE, cases[i].text);
		int code = nc_plan_read(scratch->fd, NC_PLAN_FILE, &plan, &err);
		if (code != (cases[i].count < 0 ? NACRE_E_CORRUPT : 0) || (code == 0 && plan.count != (size_t)cases[i].count))
			fail_msg("'%s': %d, %zu steps", cases[i].text, code, plan.count);
	}
}

static void light_ones(void **state)
{
	NC_AUTO_PLAN struct nc_plan plan = { 0 };
	assert_true(nc_plan_is_light(&plan));
	assert_done(nc_plan_add_unname(&plan, "docker.io/library/app:1", &err));
	assert_true(nc_plan_is_light(&plan));
	assert_done(nc_plan_add_node(&plan, A, &err));
	assert_false(nc_plan_is_light(&plan));
	nc_plan_clear(&plan);
	assert_done(nc_plan_add(&plan, &(struct nc_step){ .kind = NC_STEP_BLOB, .hex = B }, &err));
	assert_false(nc_plan_is_light(&plan));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(pieces, scratch_make, scratch_drop),
		cmocka_unit_test(light_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
