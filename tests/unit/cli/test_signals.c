#include "../unit.h"

#include "signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* In a process of its own: what is asked of it, as for waitpid. */
static int status_of(void (*fn)(void))
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		signals_install();
		fn();
		_exit(signals_caught());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void ask_once(void)
{
	raise(SIGINT);
}

/* As timeout(1) does, which means one and the same. */
static void ask_twice_at_once(void)
{
	raise(SIGTERM);
	raise(SIGTERM);
}

static void ask_in_two_ways_at_once(void)
{
	raise(SIGTERM);
	raise(SIGINT);
}

static void ask_and_insist(int with)
{
	raise(SIGINT);
	nanosleep(&(struct timespec){ .tv_nsec = 600000000 }, NULL);
	raise(with);
}

static void insist(void)
{
	ask_and_insist(SIGINT);
}

static void insist_otherwise(void)
{
	ask_and_insist(SIGTERM);
}

static void assert_asked(void (*fn)(void), int number)
{
	int status = status_of(fn);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), number);
}

static void assert_killed(void (*fn)(void), int number)
{
	int status = status_of(fn);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), number);
}

static void the_first_asks(void **state)
{
	assert_asked(ask_once, SIGINT);
}

static void two_at_once_are_one(void **state)
{
	assert_asked(ask_twice_at_once, SIGTERM);
	assert_asked(ask_in_two_ways_at_once, SIGTERM);
}

static void a_later_one_kills(void **state)
{
	assert_killed(insist, SIGINT);
	assert_killed(insist_otherwise, SIGTERM);
}

static void ignore(void)
{
	raise(SIGHUP);
}

static void what_was_ignored_stays_so(void **state)
{
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(status_of(ignore), 0);
	signal(SIGHUP, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_asks),
		cmocka_unit_test(two_at_once_are_one),
		cmocka_unit_test(a_later_one_kills),
		cmocka_unit_test(what_was_ignored_stays_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
