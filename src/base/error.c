#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int refine(int code, int sys)
{
	if (code != NACRE_E_IO)
		return code;
	switch (sys) {
	case ENOSPC:
	case EDQUOT:
		return NACRE_E_NOSPACE;
	case ENOMEM:
		return NACRE_E_NOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return NACRE_E_DENIED;
	default:
		return code;
	}
}

static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static void end_with_ellipsis(char *text, size_t size)
{
	memcpy(text + size - 4, "...", 4);
}

int nc_fail(struct nacre_error *err, int code, int sys, const char *fmt, ...)
{
	code = refine(code, sys);
	if (!err)
		return code;
	err->code = code;
	err->sys = sys;
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->msg, sizeof err->msg, fmt, args);
	va_end(args);
	if (n < 0)
		err->msg[0] = '\0';
	else if ((size_t)n >= sizeof err->msg)
		end_with_ellipsis(err->msg, sizeof err->msg);
	if (sys) {
		char text[128];
		size_t used = strlen(err->msg);
		snprintf(err->msg + used, sizeof err->msg - used, ": %s", strerror_r(sys, text, sizeof text));
	}
	make_printable(err->msg);
	return code;
}

int nc_wrap(struct nacre_error *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	char inner[sizeof err->msg];
	memcpy(inner, err->msg, sizeof inner);
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(err->msg, sizeof err->msg, fmt, args);
	va_end(args);
	size_t used = n < 0 ? 0 : strlen(err->msg);
	int m = snprintf(err->msg + used, sizeof err->msg - used, "%s%s", used ? ": " : "", inner);
	if (m > 0 && used + (size_t)m >= sizeof err->msg)
		end_with_ellipsis(err->msg, sizeof err->msg);
	make_printable(err->msg);
	return code;
}

int nc_nomem(struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_NOMEM, 0, "out of memory");
}
