/* Any text as the headers with which registries say something: challenges, links, ranges, pauses. What is read out of them ends,
 * and means the same when it is read again from a clean spelling. */
#include "transport/http_header.h"

#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quote(struct nc_buf *buf, const char *name, const char *value)
{
	nc_buf_addf(buf, NULL, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			nc_buf_add(buf, "\\", 1, NULL);
		nc_buf_add(buf, value, 1, NULL);
	}
	nc_buf_add_text(buf, "\",", NULL);
}

/* The same challenge, written as the specification has it. */
static void expect_same(const struct nc_challenge *challenge)
{
	static const char *const schemes[] = { "Other", "Basic", "Bearer" };
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT((size_t)1 << 20);
	struct nc_challenge again;
	nc_buf_add_text(&text, schemes[challenge->scheme], NULL);
	quote(&text, "realm", challenge->realm);
	quote(&text, "service", challenge->service);
	quote(&text, "scope", challenge->scope);
	quote(&text, "error", challenge->error);
	const char *at = nc_buf_text(&text);
	if (nc_challenge_next(&at, &again, NULL) != 1)
		abort();
	if (again.scheme != challenge->scheme || strcmp(again.realm, challenge->realm) ||
	    strcmp(again.service, challenge->service) || strcmp(again.scope, challenge->scope) ||
	    strcmp(again.error, challenge->error))
		abort();
	nc_challenge_release(&again);
}

static void read_challenges(const char *text)
{
	const char *at = text, *end = text + strlen(text);
	struct nc_challenge challenge;
	for (const char *before = at; nc_challenge_next(&at, &challenge, NULL) > 0; before = at) {
		if (at <= before || at > end)
			abort();
		expect_same(&challenge);
		nc_challenge_release(&challenge);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	NC_AUTO_FREE char *text = nc_memdup(data, size);
	NC_AUTO_FREE char *link = NULL;
	uint64_t first, last, total;
	if (!text)
		return 0;
	read_challenges(text);
	if (nc_link_next(text, &link, NULL) >= 0 && link && (strlen(link) > size || strchr(link, '>')))
		abort();
	if (nc_content_range(text, &first, &last, &total) && (first > last || last >= total))
		abort();
	if (nc_retry_after(text, 0) < -1)
		abort();
	return 0;
}
