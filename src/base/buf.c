#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nc_buf_reserve(struct nc_buf *buf, size_t more, struct nacre_error *err)
{
	if (more > buf->max || buf->len > buf->max - more)
		return nc_fail(err, NACRE_E_LIMIT, 0, "more than %zu bytes", buf->max);
	size_t need = buf->len + more + 1;
	if (need <= buf->cap)
		return 0;
	size_t cap = buf->cap ? buf->cap : 64;
	while (cap < need)
		cap *= 2;
	char *data = nc_realloc_array(buf->data, cap, 1);
	if (!data)
		return nc_nomem(err);
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return 0;
}

int nc_buf_add(struct nc_buf *buf, const void *bytes, size_t len, struct nacre_error *err)
{
	int code = nc_buf_reserve(buf, len, err);
	if (code < 0)
		return code;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int nc_buf_add_text(struct nc_buf *buf, const char *text, struct nacre_error *err)
{
	return nc_buf_add(buf, text, strlen(text), err);
}

int nc_buf_addf(struct nc_buf *buf, struct nacre_error *err, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	int code = n < 0 ? nc_fail(err, NACRE_E_INVALID, 0, "text cannot be formatted")
			 : nc_buf_reserve(buf, (size_t)n, err);
	if (code == 0) {
		vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
		buf->len += (size_t)n;
	}
	va_end(again);
	return code;
}

const char *nc_buf_text(const struct nc_buf *buf)
{
	return buf->data ? buf->data : "";
}

void nc_buf_clear(struct nc_buf *buf)
{
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

void nc_buf_release(struct nc_buf *buf)
{
	nc_free_pointer(&buf->data);
	buf->data = NULL;
	buf->len = buf->cap = 0;
}

char *nc_buf_give(struct nc_buf *buf)
{
	char *data = buf->data ? buf->data : nc_strdup("");
	buf->data = NULL;
	buf->len = buf->cap = 0;
	return data;
}
