#include "json_out.h"

#include "human.h"
#include "mem.h"
#include "out.h"

static void *json_alloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void json_init(void)
{
	json_set_alloc_funcs(json_alloc, free);
}

/* Steps over one UTF-8 character or, where there is none, one byte; jansson judges which it was. */
static size_t step_over(const char *text, bool *ret_valid)
{
	for (size_t len = 1; len <= 4 && text[len - 1]; len++) {
		json_t *probe = json_stringn(text, len);

		if (probe) {
			json_decref(probe);
			*ret_valid = true;
			return len;
		}
	}
	*ret_valid = false;
	return 1;
}

json_t *json_text(const char *text)
{
	AUTO_TEXT struct text mended = { .data = NULL };
	json_t *value;

	if (!text)
		return json_null();
	value = json_string(text);
	if (value)
		return value;
	while (*text) {
		bool valid;
		size_t len = step_over(text, &valid);

		text_add(&mended, valid ? text : "\xef\xbf\xbd", valid ? len : 3);
		text += len;
	}
	return must(json_string(text_get(&mended)));
}

json_t *json_size(uint64_t size)
{
	if (size == UINT64_MAX)
		return json_null();
	return json_integer(size > INT64_MAX ? INT64_MAX : (json_int_t)size);
}

json_t *json_time(int64_t when, uint32_t nsec)
{
	char buf[HUMAN_MAX];

	human_rfc3339(buf, when, nsec);
	return buf[0] ? json_string(buf) : json_null();
}

json_t *json_texts(const char *const *texts)
{
	json_t *array = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(array, json_text(*texts));
	return array;
}

char *json_text_of(const json_t *value, bool compact)
{
	size_t flags = JSON_ENCODE_ANY | (compact ? JSON_COMPACT : JSON_INDENT(2));
	AUTO_FREE char *dumped = must(json_dumps(value, flags));
	struct text safe = { .data = NULL };
	const char *from = dumped;

	/* jansson escapes what is below 0x20; DEL and C1 (0xc2 0x80 to 0xc2 0x9f) drive terminals too. Both can only
	 * be inside strings. */
	for (const char *at = dumped; *at; at++) {
		bool del = *at == 0x7f;
		bool c1 = (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;

		if (!del && !c1)
			continue;
		text_add(&safe, from, (size_t)(at - from));
		text_addf(&safe, "\\u%04x", (unsigned char)at[c1]);
		at += c1;
		from = at + 1;
	}
	text_adds(&safe, from);
	return must(safe.data);
}

void json_print(json_t *value)
{
	AUTO_FREE char *text = json_text_of(value, false);

	out_text(text);
	out_text("\n");
	json_decref(value);
}

void json_stream_add(struct json_stream *stream, json_t *value)
{
	AUTO_FREE char *text = json_text_of(value, true);

	out_text(stream->some ? ",\n  " : "[\n  ");
	out_text(text);
	stream->some = true;
	json_decref(value);
}

void json_stream_end(struct json_stream *stream)
{
	out_text(stream->some ? "\n]\n" : "[]\n");
}
