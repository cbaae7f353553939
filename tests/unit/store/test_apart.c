/* Layers of one image that come side by side. */
#include "fixture.h"

#include "driver/view.h"
#include "io/aside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static bool no_threads;
int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*fn)(void *), void *arg)
{
	return no_threads ? EAGAIN : __real_pthread_create(ret, attributes, fn, arg);
}

static bool alone(void)
{
	return nc_processors() < 2 || geteuid() != 0;
}

static int set_up_driver(void **state, const char *driver)
{
	int code = set_up(state);
	struct fixture *fixture = *state;
	if (code < 0 || alone())
		return code;
	nacre_store_close(fixture->store);
	int tmp = open(fixture->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_tree_remove(tmp, "store", &err));
	close(tmp);
	fixture->store = open_with(fixture->root, 0, driver);
	return 0;
}

static int set_up_erofs(void **state)
{
	return set_up_driver(state, "erofs");
}

static int set_up_overlay(void **state)
{
	return set_up_driver(state, "overlay");
}

static int set_up_vfs(void **state)
{
	return set_up_driver(state, "vfs");
}

/* --- layers that wait for one another ------------------------------------------------------------------------------ */

struct slow {
	struct nc_reader base;
	const struct nc_buf *bytes;
	const atomic_bool *wait;	/* read no byte before it is set; NULL: at once */
	atomic_bool *ended;		/* set at the end; may be NULL */
	bool given;
};

static void pause_once(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static ssize_t slow_next(struct nc_reader *reader, const void **ret, struct nacre_error *error)
{
	struct slow *self = (struct slow *)reader;
	while (self->wait && !*self->wait && !nc_aside_unwanted())
		pause_once();
	if (nc_aside_unwanted())
		return nc_fail(error, NACRE_E_CANCELLED, 0, "cancelled");
	if (self->given && self->ended)
		*self->ended = true;
	if (self->given)
		return 0;
	self->given = true;
	*ret = self->bytes->data;
	return (ssize_t)self->bytes->len;
}

static void slow_close(struct nc_reader *reader)
{
	free(reader);
}

static struct nc_reader *slow_new(const struct nc_buf *bytes, const atomic_bool *wait, atomic_bool *ended)
{
	static const struct nc_reader_ops ops = { .next = slow_next, .close = slow_close };
	struct slow *self = calloc(1, sizeof *self);
	*self = (struct slow){ .base = { &ops }, .bytes = bytes, .wait = wait, .ended = ended };
	return &self->base;
}

struct stack {
	struct nc_buf tars[3];
	struct nc_digest diff_ids[3];
	char ids[3][NC_HEX_ID];
	struct nc_ingest *ingest;
};

static void make_stack(struct stack *stack, struct fixture *fixture)
{
	make_tar(&stack->tars[0], (const char *const[]){ "a/", "", "a/one", "1", NULL });
	make_tar(&stack->tars[1], (const char *const[]){ "a/two", "2", NULL });	/* "a" as it is below */
	make_tar(&stack->tars[2], (const char *const[]){ "b/", "", "b/three", "3", NULL });
	for (int i = 0; i < 3; i++) {
		stack->diff_ids[i] = digest_of(&stack->tars[i]);
		assert_done(nc_node_chain_id(i ? stack->ids[i - 1] : NULL, &stack->diff_ids[i], stack->ids[i], &err));
	}
	assert_done(nc_ingest_begin(fixture->store, &stack->ingest, &err));
}

static void make_stack_or_skip(struct stack *stack, struct fixture *fixture)
{
	if (alone())
		skip();
	make_stack(stack, fixture);
}

static int send(struct stack *stack, unsigned i, const atomic_bool *wait, atomic_bool *ended)
{
	struct nc_layer_in in = { .parent = i ? stack->ids[i - 1] : NULL, .diff_id = &stack->diff_ids[i],
				  .blob_size = UINT64_MAX };
	return nc_ingest_layer_beside(stack->ingest, &in, slow_new(&stack->tars[i], wait, ended), i, &err);
}

static void let_go(struct stack *stack)
{
	nc_ingest_free(stack->ingest);
	for (int i = 0; i < 3; i++)
		nc_buf_release(&stack->tars[i]);
}

static void assert_empty(struct fixture *fixture)
{
	struct nc_driver *driver = fixture->store->driver;
	struct stack stack;
	make_stack(&stack, fixture);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(driver->ops->has(driver, stack.ids[i], &err), 0);
		assert_int_equal(nc_ingest_has(stack.ingest, stack.ids[i], &err), 0);
	}
	let_go(&stack);
}

/* The second is another than make_stack's. */
static void make_second(struct stack *stack, const char *const *pairs)
{
	nc_buf_release(&stack->tars[1]);
	make_tar(&stack->tars[1], pairs);
	stack->diff_ids[1] = digest_of(&stack->tars[1]);
	assert_done(nc_node_chain_id(stack->ids[0], &stack->diff_ids[1], stack->ids[1], &err));
}

/* The first waits until the second was read to its end: one after the other they would never come. */
static void side_by_side(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	atomic_bool ended = false;
	size_t number = 9;
	make_stack_or_skip(&stack, fixture);
	assert_int_equal(send(&stack, 0, &ended, NULL), 1);
	/* one that asks for nothing of the first */
	make_second(&stack, (const char *const[]){ "c/", "", "c/two", "2", NULL });
	assert_int_equal(send(&stack, 1, NULL, &ended), 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(nc_ingest_settle(stack.ingest, true, &number, &err), 1);
		assert_int_equal(number, i);
	}
	assert_int_equal(nc_ingest_settle(stack.ingest, true, &number, &err), 0);
	assert_done(nc_ingest_commit(stack.ingest, &err));
	reopen(fixture);
	assert_true(nc_node_exists(fixture->store, stack.ids[0]));
	assert_true(nc_node_exists(fixture->store, stack.ids[1]));
	let_go(&stack);
}

/* Bytes at path in the tree of id. */
static void assert_content(struct fixture *fixture, const char *id, const char *path, const char *want)
{
	struct nc_driver *driver = fixture->store->driver;
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	NC_CLEANUP(nc_reader_auto) struct nc_reader *reader = NULL;
	NC_AUTO_FREE char *got = NULL;
	size_t len;
	assert_done(driver->ops->view(driver, id, &view, &err));
	assert_done(view->ops->content(view, path, &reader, &err));
	assert_done(nc_reader_slurp(reader, 100, &got, &len, &err));
	assert_string_equal(got, want);
}

/* What is hidden of the first is known to the second while the first is still being written. */
static void marks_do_not_wait(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	NC_CLEANUP(nc_view_auto) struct nc_view *view = NULL;
	struct nc_reader *reader = NULL;
	atomic_bool ended = false;
	size_t number;
	make_stack_or_skip(&stack, fixture);
	make_second(&stack, (const char *const[]){ "a/", "", "a/.wh.one", "", "a/two", "2", "a/.wh.none", "", NULL });
	assert_int_equal(send(&stack, 0, &ended, NULL), 1);
	assert_int_equal(send(&stack, 1, NULL, &ended), 1);
	while (nc_ingest_settle(stack.ingest, true, &number, &err) > 0)
		;
	assert_int_equal(number, 1);
	assert_done(nc_ingest_commit(stack.ingest, &err));
	assert_content(fixture, stack.ids[0], "a/one", "1");
	assert_content(fixture, stack.ids[1], "a/two", "2");
	struct nc_driver *driver = fixture->store->driver;
	assert_done(driver->ops->view(driver, stack.ids[1], &view, &err));
	assert_int_equal(view->ops->content(view, "a/one", &reader, &err), NACRE_E_NOTFOUND);
	let_go(&stack);
}

static void what_needs_the_lower_waits(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	atomic_bool go = false;
	size_t number;
	make_stack_or_skip(&stack, fixture);
	assert_int_equal(send(&stack, 0, &go, NULL), 1);
	assert_int_equal(send(&stack, 1, NULL, NULL), 1);
	for (int i = 0; i < 20; i++)
		pause_once();
	go = true;
	/* there is room for two */
	assert_int_equal(nc_ingest_settle(stack.ingest, nc_processors() < 4, &number, &err), nc_processors() < 4);
	assert_int_equal(send(&stack, 2, NULL, NULL), 1);
	while (nc_ingest_settle(stack.ingest, true, &number, &err) > 0)
		;
	assert_int_equal(number, 2);
	assert_done(nc_ingest_commit(stack.ingest, &err));
	assert_content(fixture, stack.ids[2], "a/one", "1");
	assert_content(fixture, stack.ids[2], "a/two", "2");
	assert_content(fixture, stack.ids[2], "b/three", "3");
	let_go(&stack);
}

/* The lower one is to blame, also where the upper one failed for the lack of it. */
static void the_lower_fails(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	struct nacre_error why;
	atomic_bool go = false;
	size_t number;
	make_stack_or_skip(&stack, fixture);
	stack.tars[0].data[1024] ^= 1;
	assert_int_equal(send(&stack, 0, &go, NULL), 1);
	assert_int_equal(send(&stack, 1, NULL, NULL), 1);
	go = true;
	assert_int_equal(nc_ingest_settle(stack.ingest, true, &number, &err), NACRE_E_DIGEST);
	assert_int_equal(nc_ingest_blame(stack.ingest, &number, &why), 1);
	assert_int_equal(number, 0);
	assert_int_equal(why.code, NACRE_E_DIGEST);
	assert_string_equal(why.msg, err.msg);
	let_go(&stack);
	assert_empty(fixture);
}

static void the_upper_fails(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	size_t number;
	make_stack_or_skip(&stack, fixture);
	stack.tars[1].data[512] ^= 1;
	assert_int_equal(send(&stack, 0, NULL, NULL), 1);
	assert_int_equal(send(&stack, 1, NULL, NULL), 1);
	assert_int_equal(nc_ingest_settle(stack.ingest, true, &number, &err), 1);
	assert_int_equal(nc_ingest_settle(stack.ingest, true, &number, &err), NACRE_E_DIGEST);
	assert_int_equal(nc_ingest_blame(stack.ingest, &number, &err), 1);
	assert_int_equal(number, 1);
	let_go(&stack);
	assert_empty(fixture);
}

static void given_up_half_way(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	atomic_bool never = false;
	make_stack_or_skip(&stack, fixture);
	assert_int_equal(send(&stack, 0, &never, NULL), 1);
	assert_int_equal(send(&stack, 1, NULL, NULL), 1);
	nc_ingest_halt(stack.ingest);
	/* another may come then */
	struct nc_layer_in in = { .diff_id = &stack.diff_ids[0], .blob_size = UINT64_MAX };
	struct nc_layer_out out;
	assert_int_equal(bring(stack.ingest, &in, &stack.tars[0], &out), 0);
	assert_int_equal(send(&stack, 1, &never, NULL), 1);
	let_go(&stack);
	assert_empty(fixture);
}

static void where_there_can_be_no_thread_they_come_one_by_one(void **state)
{
	struct fixture *fixture = *state;
	struct stack stack;
	size_t number;
	make_stack_or_skip(&stack, fixture);
	no_threads = true;
	for (unsigned i = 0; i < 3; i++) {
		while (nc_ingest_settle(stack.ingest, false, &number, &err) > 0)
			;
		assert_int_equal(send(&stack, i, NULL, NULL), 1);
	}
	while (nc_ingest_settle(stack.ingest, true, &number, &err) > 0)
		;
	no_threads = false;
	assert_int_equal(number, 2);
	assert_done(nc_ingest_commit(stack.ingest, &err));
	assert_content(fixture, stack.ids[2], "a/one", "1");
	assert_content(fixture, stack.ids[2], "a/two", "2");
	let_go(&stack);
}

/* Each with every driver that is patient. */
#define WITH_ALL(test)                                                                                                 \
	cmocka_unit_test_setup_teardown(test, set_up_erofs, tear_down),                                                \
		cmocka_unit_test_setup_teardown(test, set_up_overlay, tear_down),                                      \
		cmocka_unit_test_setup_teardown(test, set_up_vfs, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_ALL(side_by_side),
		WITH_ALL(marks_do_not_wait),
		WITH_ALL(what_needs_the_lower_waits),
		WITH_ALL(the_lower_fails),
		WITH_ALL(the_upper_fails),
		WITH_ALL(given_up_half_way),
		WITH_ALL(where_there_can_be_no_thread_they_come_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
