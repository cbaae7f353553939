/* What every cmocka program of ours begins with. */
#ifndef NC_TESTS_UNIT_H
#define NC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"

/* Prints the library's sentence when a call that must work fails. */
#define assert_done(call)                                                        \
	do {                                                                     \
		int code_ = (call);                                              \
		if (code_ < 0)                                                   \
			fail_msg("%s: %d (%s)", #call, code_, err.msg);          \
	} while (0)

#ifdef NACRE_COVERAGE
void __gcov_dump(void);
#endif

/* The end of a child. Where coverage is measured, what it reached counts too: the call of prctl tells who traces it (store/shots.h)
 * that what follows is not the library's. */
_Noreturn static inline void leave(int status)
{
#ifdef NACRE_COVERAGE
	prctl(PR_SET_NAME, "leaving");
	__gcov_dump();
#endif
	_exit(status);
}

#endif
