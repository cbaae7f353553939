#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile int caught;

static void on_signal(int signal)
{
	__atomic_store_n(&caught, signal, __ATOMIC_RELAXED);	/* the library's threads look at it */
}

void signals_install(void)
{
	static const int asked[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
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
