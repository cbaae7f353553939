/* What every cmocka program of ours begins with. */
#ifndef NC_TESTS_UNIT_H
#define NC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* Prints the library's sentence when a call that must work fails. */
#define assert_done(call)                                                        \
	do {                                                                     \
		int code_ = (call);                                              \
		if (code_ < 0)                                                   \
			fail_msg("%s: %d (%s)", #call, code_, err.msg);          \
	} while (0)

#endif
