/* A growing run of bytes, born with a maximum. Always followed by a NUL that does not count. */
#ifndef NC_BASE_BUF_H
#define NC_BASE_BUF_H

#include "base/error.h"

#include <stddef.h>

struct nc_buf {
	char *data;	/* NULL while nothing was added */
	size_t len;
	size_t cap;
	size_t max;	/* adding beyond this fails with NACRE_E_LIMIT */
};

#define NC_BUF_INIT(limit) { .data = NULL, .len = 0, .cap = 0, .max = (limit) }
#define NC_AUTO_BUF __attribute__((cleanup(nc_buf_release)))

/* All return 0, NACRE_E_LIMIT or NACRE_E_NOMEM, and leave the buffer as it was on failure. */
int nc_buf_reserve(struct nc_buf *buf, size_t more, struct nacre_error *err);
int nc_buf_add(struct nc_buf *buf, const void *bytes, size_t len, struct nacre_error *err);
int nc_buf_add_text(struct nc_buf *buf, const char *text, struct nacre_error *err);
int nc_buf_addf(struct nc_buf *buf, struct nacre_error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text so far; "" when empty. Lent until the next change. */
const char *nc_buf_text(const struct nc_buf *buf);
void nc_buf_clear(struct nc_buf *buf);
void nc_buf_release(struct nc_buf *buf);
/* Gives the bytes to the caller (free()); an empty buffer gives an empty string. NULL: no memory. */
char *nc_buf_give(struct nc_buf *buf);

#endif
