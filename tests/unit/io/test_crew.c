/* Threads that do jobs beside: as many as may be, in order, and gone when they shall be. */
#include "../unit.h"

#include "io/crew.h"

#include <signal.h>

struct shared {
	struct nc_crew crew;
	/* under its lock */
	unsigned running, most, begun, done;
	bool gate;			/* they may go on */
	const struct nacre_progress *progress;
};

struct task {
	struct nc_job job;
	struct shared *shared;
	unsigned order;			/* as it began */
	int code;
	bool signals;			/* its thread takes some */
};

/* Goes on when the gate is open, or it is not wanted any more. */
static int run(struct nc_job *job, struct nacre_error *err)
{
	struct task *task = (struct task *)job;
	struct shared *shared = task->shared;
	sigset_t now;
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	task->signals = !sigismember(&now, SIGINT) || !sigismember(&now, SIGCHLD);
	nc_crew_lock(&shared->crew);
	task->order = shared->begun++;
	shared->running++;
	if (shared->running > shared->most)
		shared->most = shared->running;
	nc_crew_changed(&shared->crew);
	while (!shared->gate && !nc_aside_unwanted())
		nc_crew_wait(&shared->crew);
	shared->running--;
	shared->done++;
	nc_crew_unlock(&shared->crew);
	nc_progress_tell(shared->progress, NACRE_EVENT_BYTES, "id", "what", task->order, 0);
	if (nc_aside_unwanted())
		return nc_fail(err, NACRE_E_CANCELLED, 0, "cancelled");
	return task->code ? nc_fail(err, task->code, 0, "task failed") : 0;
}

static void shared_init(struct shared *shared, unsigned most, struct task *tasks, unsigned count)
{
	*shared = (struct shared){ .gate = false };
	nc_crew_init(&shared->crew, most);
	for (unsigned i = 0; i < count; i++) {
		tasks[i] = (struct task){ .job.run = run, .shared = shared };
		assert_true(nc_crew_give(&shared->crew, &tasks[i].job));
	}
}

/* Until so many have begun. */
static void await_begun(struct shared *shared, unsigned count)
{
	nc_crew_lock(&shared->crew);
	while (shared->begun < count)
		nc_crew_wait(&shared->crew);
	nc_crew_unlock(&shared->crew);
}

static void open_gate(struct shared *shared)
{
	nc_crew_lock(&shared->crew);
	shared->gate = true;
	nc_crew_changed(&shared->crew);
	nc_crew_unlock(&shared->crew);
}

static void await_over(struct shared *shared, struct task *tasks, unsigned count)
{
	nc_crew_lock(&shared->crew);
	for (unsigned i = 0; i < count; i++)
		while (tasks[i].job.state != NC_JOB_OVER)
			nc_crew_wait(&shared->crew);
	nc_crew_unlock(&shared->crew);
}

static void several_at_once_and_in_order(void **state)
{
	struct shared shared;
	struct task tasks[9];
	shared_init(&shared, 3, tasks, 9);
	tasks[4].code = NACRE_E_IO;
	await_begun(&shared, 3);
	nc_crew_lock(&shared.crew);
	for (unsigned i = 3; i < 9; i++)
		assert_int_equal(tasks[i].job.state, NC_JOB_WAITS);
	nc_crew_unlock(&shared.crew);
	open_gate(&shared);
	await_over(&shared, tasks, 9);
	assert_int_equal(shared.most, 3);
	assert_int_equal(shared.done, 9);
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(tasks[i].job.code, i == 4 ? NACRE_E_IO : 0);
		assert_false(tasks[i].signals);
		assert_true(i < 3 ? tasks[i].order < 3 : tasks[i].order >= 3);
	}
	assert_string_equal(tasks[4].job.failure.msg, "task failed");
	nc_crew_release(&shared.crew);
}

static void one_is_stopped(void **state)
{
	struct shared shared;
	struct task tasks[3], never = { .job.run = run, .shared = &shared };
	shared_init(&shared, 2, tasks, 3);
	await_begun(&shared, 2);
	nc_crew_stop(&shared.crew, &tasks[2].job);	/* it waits */
	assert_int_equal(tasks[2].job.code, NACRE_E_CANCELLED);
	nc_crew_stop(&shared.crew, &tasks[0].job);	/* it runs */
	assert_int_equal(tasks[0].job.code, NACRE_E_CANCELLED);
	nc_crew_stop(&shared.crew, &never.job);
	assert_int_equal(never.job.code, NACRE_E_CANCELLED);
	open_gate(&shared);
	await_over(&shared, tasks, 3);
	assert_int_equal(tasks[1].job.code, 0);
	nc_crew_stop(&shared.crew, &tasks[1].job);	/* it is over */
	assert_int_equal(tasks[1].job.code, 0);
	assert_int_equal(shared.begun, 2);
	nc_crew_release(&shared.crew);
}

static void all_end_when_it_goes(void **state)
{
	struct shared shared;
	struct task tasks[5];
	shared_init(&shared, 2, tasks, 5);
	await_begun(&shared, 2);
	nc_crew_release(&shared.crew);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(tasks[i].job.state, NC_JOB_OVER);
		assert_int_equal(tasks[i].job.code, NACRE_E_CANCELLED);
	}
	assert_int_equal(shared.begun, 2);
	shared_init(&shared, 2, tasks, 0);	/* without a job there is no thread */
	assert_int_equal(shared.crew.count, 0);
	nc_crew_release(&shared.crew);
}

struct listener {
	pthread_t thread;
	unsigned events, elsewhere;
};

static void on_event(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current, uint64_t total)
{
	struct listener *listener = ctx;
	listener->events++;
	listener->elsewhere += !pthread_equal(pthread_self(), listener->thread);
	assert_string_equal(id, "id");
}

static void told_by_who_waits(void **state)
{
	struct listener listener = { .thread = pthread_self() };
	const struct nacre_progress progress = { .event = on_event, .ctx = &listener };
	struct shared shared;
	struct task tasks[4];
	shared_init(&shared, 2, tasks, 0);
	shared.progress = &progress;
	for (unsigned i = 0; i < 4; i++) {
		tasks[i] = (struct task){ .job.run = run, .shared = &shared };
		assert_true(nc_crew_give(&shared.crew, &tasks[i].job));
	}
	open_gate(&shared);
	await_over(&shared, tasks, 4);
	nc_crew_lock(&shared.crew);
	nc_aside_pass_on(&shared.crew.aside);
	nc_crew_unlock(&shared.crew);
	assert_int_equal(listener.events, 4);
	assert_int_equal(listener.elsewhere, 0);
	nc_crew_release(&shared.crew);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_at_once_and_in_order),
		cmocka_unit_test(one_is_stopped),
		cmocka_unit_test(all_end_when_it_goes),
		cmocka_unit_test(told_by_who_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
