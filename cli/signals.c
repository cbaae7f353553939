#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

/* What comes so soon after the first is the same wish: timeout(1) sends its signal twice, to the process and to its group. */
#define ONE_WISH_MS 500

static volatile int caught;
static struct timespec since;

static long milliseconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)(now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

/* One at a time: the others are blocked meanwhile. */
static void on_signal(int number)
{
	int saved = errno;

	if (!caught) {
		clock_gettime(CLOCK_MONOTONIC, &since);
		__atomic_store_n(&caught, number, __ATOMIC_RELAXED);	/* the library's threads look at it */
	} else if (milliseconds_since(&since) > ONE_WISH_MS) {
		signal(number, SIG_DFL);
		raise(number);
	}
	errno = saved;
}

void signals_install(void)
{
	static const int asked[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		sigaddset(&action.sa_mask, asked[i]);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct sigaction old;

		/* nohup and background jobs of a plain sh ignore some of them, and that is to stay so */
		if (sigaction(asked[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(asked[i], &action, NULL);
	}
	/* a closed pipe is then an error of write(), which is reported like a full disk, only quietly */
	signal(SIGPIPE, SIG_IGN);
}

const volatile int *signals_cancel(void)
{
	return &caught;
}

int signals_caught(void)
{
	return caught;
}
