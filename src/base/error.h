/* Failing in one line, adding context on the way up.
 *
 * Every fallible function of the library returns int: negative is a code from enum nacre_code, 0 is done,
 * positive is a documented extra. The error struct belongs to the caller, lies on its stack and may be NULL. */
#ifndef NC_BASE_ERROR_H
#define NC_BASE_ERROR_H

#include <nacre/nacre.h>

/* Record a failure and return the code to return.
 *
 * sys    an errno value or 0. When it is not 0, ": " and its text are appended to the sentence, and
 *        NACRE_E_IO is refined by it: ENOSPC and EDQUOT give NACRE_E_NOSPACE, ENOMEM NACRE_E_NOMEM,
 *        EACCES and EPERM and EROFS NACRE_E_DENIED.
 * fmt    names the thing and the reason; no "error", no full stop, no newline. Control characters in the
 *        result, and bytes that are no UTF-8, are replaced by '?', so that text from an archive cannot drive a
 *        terminal and the sentence is always UTF-8, cut or not. */
int nc_fail(struct nacre_error *err, int code, int sys, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "context: " before the sentence already in err and return code unchanged. */
int nc_wrap(struct nacre_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The failure of an allocation: NACRE_E_NOMEM, "out of memory". */
int nc_nomem(struct nacre_error *err);

#endif
