#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
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

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Bytes of the UTF-8 character at text; 0 when there is none, or a control character that is not one byte. */
static size_t character(const unsigned char *text)
{
	/* the second byte tells overlong forms, surrogates and what is beyond the last character */
	unsigned char low = text[0] == 0xc2 || text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : 0xbf;
	size_t len = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 :
		     text[0] < 0xf5 ? 4 : 0;
	if (len > 1 && (text[1] < low || text[1] > high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if (!is_continuation(text[i]))
			return 0;
	return len;
}

static void make_printable(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c;) {
		size_t len = character(c);
		if (len == 0 || *c < 0x20 || *c == 0x7f)
			*c = '?';
		c += len ? len : 1;
	}
}

/* A text that was cut anywhere to fill size bytes: no half of a character stays before the dots. */
static void end_with_ellipsis(char *text, size_t size)
{
	size_t at = size - 4;
	for (int i = 0; i < 3 && is_continuation((unsigned char)text[at]); i++)
		at--;
	memcpy(text + at, "...", 4);
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
