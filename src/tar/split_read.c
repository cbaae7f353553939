/* Records as any release of tar-split wrote them: a stream of JSON objects of one shape. A hand-made parser, since a
 * payload of a megabyte need not become a tree of values first, and since names may hold bytes that are no UTF-8. */
#include "base/base64.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "tar/member.h"
#include "tar/reader.h"
#include "tar/split_record.h"

#include <stdlib.h>
#include <string.h>

/* Older releases wrote whatever trails an archive as one segment. */
#define RECORD_MAX (64u << 20)

struct nc_split_reader {
	struct nc_reader *upstream;
	const char *lent;
	size_t lent_len;
	struct nc_buf value;		/* an object that straddles the blocks of upstream */
	struct nc_buf name;
	struct nc_buf segment;		/* the last one; it ends with the header of the FILE that follows */
	uint64_t count;			/* records read, for messages */
	struct nacre_error failure;
};

int nc_split_reader_new(struct nc_reader *upstream, struct nc_split_reader **ret, struct nacre_error *err)
{
	struct nc_split_reader *reader = nc_zalloc(sizeof *reader);
	if (!reader) {
		nc_reader_close(upstream);
		return nc_nomem(err);
	}
	reader->upstream = upstream;
	reader->value = (struct nc_buf)NC_BUF_INIT(RECORD_MAX);
	reader->name = (struct nc_buf)NC_BUF_INIT(NC_TAR_NAME_MAX + 3);	/* a decoder's room */
	reader->segment = (struct nc_buf)NC_BUF_INIT(RECORD_MAX);
	*ret = reader;
	return 0;
}

void nc_split_reader_free(struct nc_split_reader *reader)
{
	if (!reader)
		return;
	nc_reader_close(reader->upstream);
	nc_buf_release(&reader->value);
	nc_buf_release(&reader->name);
	nc_buf_release(&reader->segment);
	free(reader);
}

static int corrupt(const struct nc_split_reader *reader, const char *what, struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_CORRUPT, 0, "tar-split record %llu: %s", (unsigned long long)reader->count, what);
}

/* --- finding the next object ------------------------------------------------------------------------------------ */

/* Where in an object the bytes so far have led. */
struct scan {
	unsigned depth;
	bool string, escaped;
};

/* Runs over text until the object is complete. Returns the number of bytes that belong to it. */
static size_t scan_object(struct scan *scan, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	do {
		if (at == end)
			break;
		if (scan->escaped) {
			scan->escaped = false;
			at++;
		} else if (scan->string) {
			const char *quote = memchr(at, '"', (size_t)(end - at));
			const char *stop = quote ? quote : end;
			const char *slash = memchr(at, '\\', (size_t)(stop - at));
			scan->escaped = slash;
			scan->string = slash || !quote;
			at = slash ? slash + 1 : quote ? quote + 1 : end;
		} else {
			scan->string = *at == '"';
			scan->depth += *at == '{' || *at == '[';
			scan->depth -= *at == '}' || *at == ']';
			at++;
		}
	} while (scan->depth || scan->string);
	return (size_t)(at - text);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes the next block when nothing is left of the last. Returns 1, or 0 at the end. */
static int fill(struct nc_split_reader *reader, struct nacre_error *err)
{
	if (reader->lent_len)
		return 1;
	const void *bytes;
	ssize_t n = nc_reader_next(reader->upstream, &bytes, err);
	if (n <= 0)
		return (int)n;
	reader->lent = bytes;
	reader->lent_len = (size_t)n;
	return 1;
}

static void skip(struct nc_split_reader *reader, size_t len)
{
	reader->lent += len;
	reader->lent_len -= len;
}

/* Returns 1 and the text of the next object, or 0 at the end. */
static int next_object(struct nc_split_reader *reader, struct nc_slice *ret, struct nacre_error *err)
{
	int more;
	while ((more = fill(reader, err)) > 0 && is_space(*reader->lent))
		skip(reader, 1);
	if (more <= 0)
		return more;
	if (*reader->lent != '{')
		return corrupt(reader, "no JSON object", err);
	struct scan scan = { 0 };
	nc_buf_clear(&reader->value);
	for (;;) {
		const char *text = reader->lent;
		size_t len = scan_object(&scan, text, reader->lent_len);
		bool complete = !scan.depth && !scan.string;
		if (len > RECORD_MAX - reader->value.len)
			return corrupt(reader, "longer than 64 MiB", err);
		skip(reader, len);
		if (complete && reader->value.len == 0) {
			*ret = (struct nc_slice){ text, len };
			return 1;
		}
		int code = nc_buf_add(&reader->value, text, len, err);
		if (code < 0)
			return code;
		if (complete) {
			*ret = (struct nc_slice){ reader->value.data, reader->value.len };
			return 1;
		}
		more = fill(reader, err);
		if (more <= 0)
			return more < 0 ? more : corrupt(reader, "cut off", err);
	}
}

/* --- taking an object apart ------------------------------------------------------------------------------------- */

/* A value as it stands there; of a string, what is between the quotes. */
struct value {
	enum { ABSENT, STRING, NUMBER, NIL, OTHER } kind;
	struct nc_slice text;
};

struct fields {
	struct value type, name, name_raw, size, payload;
};

static void skip_spaces(struct nc_slice *text)
{
	while (text->len && is_space(*text->bytes)) {
		text->bytes++;
		text->len--;
	}
}

static bool take(struct nc_slice *text, char c)
{
	skip_spaces(text);
	if (text->len == 0 || *text->bytes != c)
		return false;
	text->bytes++;
	text->len--;
	return true;
}

static void advance(struct nc_slice *text, size_t len)
{
	text->bytes += len;
	text->len -= len;
}

/* The quotes are known to match, since the object was found whole. */
static bool take_string(struct nc_slice *text, struct nc_slice *ret)
{
	if (!take(text, '"'))
		return false;
	struct scan scan = { .string = true };
	size_t len = scan_object(&scan, text->bytes, text->len);
	if (scan.string)
		return false;
	*ret = (struct nc_slice){ text->bytes, len - 1 };
	advance(text, len);
	return true;
}

static bool take_value(struct nc_slice *text, struct value *ret)
{
	skip_spaces(text);
	if (text->len == 0)
		return false;
	char c = *text->bytes;
	if (c == '"') {
		ret->kind = STRING;
		return take_string(text, &ret->text);
	}
	struct scan scan = { 0 };
	size_t len = 0;
	if (c == '{' || c == '[')
		len = scan_object(&scan, text->bytes, text->len);
	else
		while (len < text->len && !is_space(text->bytes[len]) && !strchr(",}]", text->bytes[len]))
			len++;
	if (len == 0)
		return false;
	ret->text = (struct nc_slice){ text->bytes, len };
	ret->kind = c >= '0' && c <= '9' ? NUMBER : len == 4 && memcmp(text->bytes, "null", 4) == 0 ? NIL : OTHER;
	advance(text, len);
	return true;
}

static struct value *field_of(struct fields *fields, struct nc_slice key)
{
	const struct {
		const char *key;
		struct value *field;
	} known[] = {
		{ "type", &fields->type }, { "name", &fields->name }, { "name_raw", &fields->name_raw },
		{ "size", &fields->size }, { "payload", &fields->payload },
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (key.len == strlen(known[i].key) && memcmp(key.bytes, known[i].key, key.len) == 0)
			return known[i].field;
	return NULL;
}

static bool take_object(struct nc_slice text, struct fields *ret)
{
	if (!take(&text, '{'))
		return false;
	if (!take(&text, '}')) {
		do {
			struct nc_slice key;
			struct value value;
			if (!take_string(&text, &key) || !take(&text, ':') || !take_value(&text, &value))
				return false;
			struct value *field = field_of(ret, key);
			if (field)
				*field = value;
		} while (take(&text, ','));
		if (!take(&text, '}'))
			return false;
	}
	return text.len == 0;
}

static bool number_of(const struct value *value, uint64_t *ret)
{
	uint64_t n = 0;
	if (value->kind == ABSENT || value->kind == NIL) {
		*ret = 0;
		return true;
	}
	if (value->kind != NUMBER)
		return false;
	for (size_t i = 0; i < value->text.len; i++) {
		unsigned digit = (unsigned char)value->text.bytes[i] - (unsigned)'0';
		if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

static bool text_of(const struct value *value, struct nc_slice *ret)
{
	*ret = (struct nc_slice){ "", 0 };
	if (value->kind == STRING)
		*ret = value->text;
	return value->kind == STRING || value->kind == NIL || value->kind == ABSENT;
}

static int hex4(const char *text)
{
	int n = 0;
	for (int i = 0; i < 4; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
			  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return -1;
		n = n << 4 | digit;
	}
	return n;
}

static size_t put_utf8(unsigned c, char ret[4])
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i; i--, c >>= 6)
		ret[i] = (char)(0x80 | (c & 0x3f));
	ret[0] = (char)((0xf00 >> len & 0xff) | c);
	return len;
}

/* \uXXXX at text, with its other half where it is one of two; half ones alone become U+FFFD as in Go. Returns the
 * length of what was read, 0 when malformed. */
static size_t take_unicode(const char *text, size_t len, unsigned *ret)
{
	int high = len >= 6 ? hex4(text + 2) : -1;
	if (high < 0)
		return 0;
	*ret = (unsigned)high;
	if (high < 0xd800 || high > 0xdfff)
		return 6;
	*ret = 0xfffd;
	if (high > 0xdbff || len < 12 || text[6] != '\\' || text[7] != 'u')
		return 6;
	int low = hex4(text + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return low < 0 ? 0 : 6;
	*ret = 0x10000 + ((unsigned)high - 0xd800) * 0x400 + ((unsigned)low - 0xdc00);
	return 12;
}

/* One escape sequence at text. */
static size_t take_escape(const char *text, size_t len, char ret[4], size_t *ret_len)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	if (len >= 2 && text[1] == 'u') {
		unsigned c;
		size_t n = take_unicode(text, len, &c);
		*ret_len = n ? put_utf8(c, ret) : 0;
		return n;
	}
	const char *letter = len >= 2 && text[1] ? strchr(letters, text[1]) : NULL;
	if (!letter)
		return 0;
	ret[0] = meant[letter - letters];
	*ret_len = 1;
	return 2;
}

static int unescape(const struct nc_split_reader *reader, struct nc_slice text, struct nc_buf *ret,
		    struct nacre_error *err)
{
	nc_buf_clear(ret);
	while (text.len) {
		const char *slash = memchr(text.bytes, '\\', text.len);
		size_t plain = slash ? (size_t)(slash - text.bytes) : text.len;
		int code = nc_buf_add(ret, text.bytes, plain, err);
		advance(&text, plain);
		if (code == 0 && slash) {
			char c[4];
			size_t c_len, n = take_escape(text.bytes, text.len, c, &c_len);
			if (n == 0)
				return corrupt(reader, "a malformed string", err);
			code = nc_buf_add(ret, c, c_len, err);
			advance(&text, n);
		}
		if (code == NACRE_E_LIMIT)
			return corrupt(reader, "a string that is too long", err);
		if (code < 0)
			return code;
	}
	return nc_buf_reserve(ret, 0, err);
}

static int decode(const struct nc_split_reader *reader, struct nc_slice text, struct nc_buf *ret,
		  struct nacre_error *err)
{
	nc_buf_clear(ret);
	NC_AUTO_BUF struct nc_buf plain = NC_BUF_INIT(RECORD_MAX);
	if (text.len && memchr(text.bytes, '\\', text.len)) {
		int code = unescape(reader, text, &plain, err);
		if (code < 0)
			return code;
		text = (struct nc_slice){ plain.data, plain.len };
	}
	if (NC_BASE64_DECODED_MAX(text.len) > ret->max)
		return corrupt(reader, "a string that is too long", err);
	int code = nc_buf_reserve(ret, NC_BASE64_DECODED_MAX(text.len), err);
	if (code < 0)
		return code;
	ssize_t len = nc_base64_decode(text.bytes, text.len, ret->data);
	if (len < 0)
		return corrupt(reader, "bad base64", err);
	ret->len = (size_t)len;
	ret->data[len] = '\0';
	return 0;
}

/* --- names that 0.9.4 lost -------------------------------------------------------------------------------------- */

static const char replacement[] = "\xef\xbf\xbd";

/* Whether name, its bytes that are no UTF-8 replaced one by one, is lost. */
static bool mangles_to(const struct nc_entry *entry, const struct nc_buf *lost)
{
	const char *at = lost->data, *end = lost->data + lost->len;
	for (size_t i = 0; i < entry->name_len;) {
		size_t n = nc_utf8_len((const unsigned char *)entry->name + i, entry->name_len - i);
		const char *want = n ? entry->name + i : replacement;
		size_t want_len = n ? n : sizeof replacement - 1;
		if ((size_t)(end - at) < want_len || memcmp(at, want, want_len) != 0)
			return false;
		at += want_len;
		i += n ? n : 1;
	}
	return at == end;
}

/* Reads the headers at the end of segment into source; true when the last block is a member's header. */
static bool last_header(const struct nc_buf *segment, struct nc_member_source *source)
{
	const unsigned char *bytes = (const unsigned char *)segment->data;
	for (size_t at = segment->len % NC_TAR_BLOCK; at < segment->len;) {
		size_t payload = at + NC_TAR_BLOCK;
		memcpy(source->block, bytes + at, NC_TAR_BLOCK);
		at = payload;
		if (nc_tar_header_decode(source->block, &source->header, NULL) < 0)
			continue;
		char flag = (char)source->header.flag;
		if (flag != 'L' && flag != 'x') {
			if (payload == segment->len)
				return true;
			nc_member_source_reset(source);
			continue;
		}
		uint64_t size = source->header.size;
		if (size > segment->len - payload)
			return false;
		struct nc_buf *buf = flag == 'L' ? &source->name : &source->text;
		nc_buf_clear(buf);
		if (nc_buf_add(buf, bytes + payload, (size_t)size, NULL) < 0)
			return false;
		if (flag == 'L') {
			source->has_name = true;
		} else {
			nc_pax_clear(&source->pax);
			if (nc_pax_parse(&source->pax, nc_buf_text(buf), buf->len, NULL) < 0)
				return false;
		}
		at += (size_t)size + (-size & (NC_TAR_BLOCK - 1));
	}
	return false;
}

/* Where the name cannot be found again it stays as it is: the record may have meant U+FFFD. */
static int recover_name(struct nc_split_reader *reader, struct nacre_error *err)
{
	struct nc_member_source source;
	struct nc_member member;
	nc_member_source_init(&source);
	nc_member_init(&member);
	int code = 0;
	if (last_header(&reader->segment, &source) && nc_member_build(&member, &source, NULL) == 0 &&
	    mangles_to(&member.entry, &reader->name)) {
		nc_buf_clear(&reader->name);
		code = nc_buf_add(&reader->name, member.entry.name, member.entry.name_len, err);
	}
	nc_member_release(&member);
	nc_member_source_release(&source);
	return code;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static int take_name(struct nc_split_reader *reader, const struct fields *fields, struct nacre_error *err)
{
	struct nc_slice name, raw;
	if (!text_of(&fields->name, &name) || !text_of(&fields->name_raw, &raw))
		return corrupt(reader, "a name that is no string", err);
	int code = raw.len ? decode(reader, raw, &reader->name, err) : unescape(reader, name, &reader->name, err);
	if (code < 0)
		return code;
	if (reader->name.len && memchr(reader->name.data, 0, reader->name.len))
		return corrupt(reader, "a name with a NUL byte", err);
	return !raw.len && strstr(nc_buf_text(&reader->name), replacement) ? recover_name(reader, err) : 0;
}

static int take_file(struct nc_split_reader *reader, const struct fields *fields, struct nc_split_record *ret,
		     struct nacre_error *err)
{
	struct nc_slice payload;
	*ret = (struct nc_split_record){ 0 };
	int code = take_name(reader, fields, err);
	if (code < 0)
		return code;
	if (!number_of(&fields->size, &ret->size))
		return corrupt(reader, "a size that is no number", err);
	ret->name = nc_buf_text(&reader->name);
	ret->name_len = reader->name.len;
	if (!text_of(&fields->payload, &payload))
		return corrupt(reader, "a payload that is no string", err);
	if (ret->size == 0)
		return NC_SPLIT_FILE;
	NC_AUTO_BUF struct nc_buf sum = NC_BUF_INIT(NC_SPLIT_CRC_LEN * 2);
	code = decode(reader, payload, &sum, err);
	if (code < 0)
		return code;
	if (sum.len != NC_SPLIT_CRC_LEN)
		return corrupt(reader, "a checksum that is not 8 bytes long", err);
	for (size_t i = 0; i < sum.len; i++)
		ret->crc = ret->crc << 8 | (unsigned char)sum.data[i];
	return NC_SPLIT_FILE;
}

static int take_segment(struct nc_split_reader *reader, const struct fields *fields, struct nc_split_record *ret,
			struct nacre_error *err)
{
	struct nc_slice payload;
	if (!text_of(&fields->payload, &payload))
		return corrupt(reader, "a payload that is no string", err);
	int code = decode(reader, payload, &reader->segment, err);
	if (code < 0)
		return code;
	*ret = (struct nc_split_record){ .bytes = reader->segment.data, .len = reader->segment.len };
	return NC_SPLIT_SEGMENT;
}

/* Returns a kind, 0 at the end, or a negative code; skips what holds nothing. */
static int next_record(struct nc_split_reader *reader, struct nc_split_record *ret, struct nacre_error *err)
{
	struct nc_slice text = { 0 };
	int more;
	while ((more = next_object(reader, &text, err)) > 0) {
		struct fields fields = { 0 };
		uint64_t type;
		if (!take_object(text, &fields))
			return corrupt(reader, "malformed JSON", err);
		if (!number_of(&fields.type, &type))
			return corrupt(reader, "a type that is no number", err);
		int kind = 0;
		if (type == NC_SPLIT_TYPE_FILE)
			kind = take_file(reader, &fields, ret, err);
		else if (type == NC_SPLIT_TYPE_SEGMENT)
			kind = take_segment(reader, &fields, ret, err);
		reader->count++;
		if (kind < 0 || kind == NC_SPLIT_FILE || (kind == NC_SPLIT_SEGMENT && ret->len))
			return kind;
	}
	return more;
}

int nc_split_reader_next(struct nc_split_reader *reader, struct nc_split_record *ret, struct nacre_error *err)
{
	struct nc_split_record record;
	int kind = reader->failure.code ? reader->failure.code : next_record(reader, &record, &reader->failure);
	if (kind < 0) {
		reader->failure.code = kind;
		if (err)
			*err = reader->failure;
	} else if (kind > 0) {
		*ret = record;
	}
	return kind;
}
