#include "transport/http_header.h"

#include "base/buf.h"
#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define VALUE_MAX ((size_t)16 << 10)

/* --- words ------------------------------------------------------------------------------------------------------ */

static bool is_token(char c)
{
	return c && strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c);
}

static void skip_space(const char **at)
{
	*at += strspn(*at, " \t");
}

static size_t token_length(const char *at)
{
	size_t len = 0;
	while (is_token(at[len]))
		len++;
	return len;
}

/* A token or a quoted string; *at moves behind it. false when it is neither. */
static bool take_value(const char **at, struct nc_buf *ret)
{
	nc_buf_clear(ret);
	if (**at != '"') {
		size_t len = token_length(*at);
		/* unquoted URLs are seen too */
		while ((*at)[len] && !strchr(" \t,;\"", (*at)[len]))
			len++;
		bool good = len && nc_buf_add(ret, *at, len, NULL) >= 0;
		*at += len;
		return good;
	}
	for (++*at; **at && **at != '"'; ++*at) {
		if (**at == '\\' && (*at)[1])
			++*at;
		if (nc_buf_add(ret, *at, 1, NULL) < 0)
			return false;
	}
	if (**at != '"')
		return false;
	++*at;
	return true;
}

/* --- challenges ------------------------------------------------------------------------------------------------- */

void nc_challenge_release(struct nc_challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	free(challenge->error);
	*challenge = (struct nc_challenge){ 0 };
}

static char **field_of(struct nc_challenge *challenge, const char *name, size_t len)
{
	const struct {
		const char *name;
		char **field;
	} fields[] = { { "realm", &challenge->realm }, { "service", &challenge->service },
		       { "scope", &challenge->scope }, { "error", &challenge->error } };
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (strlen(fields[i].name) == len && !strncasecmp(fields[i].name, name, len))
			return fields[i].field;
	return NULL;
}

/* Whether a parameter comes: "name =". Else the next challenge, or its token68. */
static bool is_parameter(const char *at)
{
	size_t len = token_length(at);
	at += len;
	skip_space(&at);
	return len && *at == '=' && at[1] != '=' && at[1] != '\0';
}

static int take_parameter(const char **at, struct nc_challenge *challenge, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf value = NC_BUF_INIT(VALUE_MAX);
	size_t len = token_length(*at);
	char **field = field_of(challenge, *at, len);
	*at += len;
	skip_space(at);
	++*at;	/* = */
	skip_space(at);
	if (!take_value(at, &value))
		return nc_fail(err, NACRE_E_BADDATA, 0, "WWW-Authenticate: a value that does not end");
	if (!field || *field)
		return 0;
	*field = nc_strdup(nc_buf_text(&value));
	return *field ? 0 : nc_nomem(err);
}

static int take_parameters(const char **at, struct nc_challenge *challenge, struct nacre_error *err)
{
	for (;;) {
		*at += strspn(*at, " \t,");
		if (!is_parameter(*at))
			return 0;
		int code = take_parameter(at, challenge, err);
		if (code < 0)
			return code;
	}
}

static int fill_up(struct nc_challenge *challenge, struct nacre_error *err)
{
	char **fields[] = { &challenge->realm, &challenge->service, &challenge->scope, &challenge->error };
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!*fields[i] && !(*fields[i] = nc_strdup("")))
			return nc_nomem(err);
	return 0;
}

int nc_challenge_next(const char **at, struct nc_challenge *ret, struct nacre_error *err)
{
	struct nc_challenge challenge = { .scheme = NC_CHALLENGE_OTHER };
	*at += strspn(*at, " \t,");
	if (!**at)
		return 0;
	size_t len = token_length(*at);
	if (!len || ((*at)[len] && !strchr(" \t,", (*at)[len])))
		return nc_fail(err, NACRE_E_BADDATA, 0, "WWW-Authenticate: '%.40s' is no challenge", *at);
	if (len == 5 && !strncasecmp(*at, "Basic", len))
		challenge.scheme = NC_CHALLENGE_BASIC;
	else if (len == 6 && !strncasecmp(*at, "Bearer", len))
		challenge.scheme = NC_CHALLENGE_BEARER;
	*at += len;
	skip_space(at);
	/* a token68, as Negotiate has it, means nothing here */
	if (**at && **at != ',' && !is_parameter(*at))
		*at += strcspn(*at, " \t,");
	int code = take_parameters(at, &challenge, err);
	if (code >= 0)
		code = fill_up(&challenge, err);
	if (code < 0) {
		nc_challenge_release(&challenge);
		return code;
	}
	*ret = challenge;
	return 1;
}

/* --- links ------------------------------------------------------------------------------------------------------ */

/* Whether the parameters that follow a link say that it is the next page; *at moves to their end. */
static bool is_next(const char **at)
{
	NC_AUTO_BUF struct nc_buf value = NC_BUF_INIT(VALUE_MAX);
	bool next = false;
	for (;;) {
		*at += strspn(*at, " \t;");
		size_t len = token_length(*at);
		if (!len)
			return next;
		bool rel = len == 3 && !strncasecmp(*at, "rel", len);
		*at += len;
		skip_space(at);
		if (**at != '=')
			continue;
		++*at;
		skip_space(at);
		if (!take_value(at, &value))
			return next;
		next |= rel && !strcasecmp(nc_buf_text(&value), "next");
	}
}

int nc_link_next(const char *value, char **ret, struct nacre_error *err)
{
	for (const char *at = value;;) {
		at += strspn(at, " \t,");
		if (!*at) {
			*ret = NULL;
			return 0;
		}
		size_t len = strcspn(at, ">");
		if (*at != '<' || at[len] != '>' || len > VALUE_MAX)
			return nc_fail(err, NACRE_E_BADDATA, 0, "Link: '%.40s' is no link", at);
		const char *target = at + 1;
		at += len + 1;
		if (is_next(&at)) {
			*ret = nc_memdup(target, len - 1);
			return *ret ? 0 : nc_nomem(err);
		}
		if (*at && *at != ',')
			return nc_fail(err, NACRE_E_BADDATA, 0, "Link: '%.40s' makes no sense", at);
	}
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

static bool take_number(const char **at, uint64_t *ret)
{
	uint64_t number = 0;
	size_t digits = strspn(*at, "0123456789");
	if (!digits || digits > 18)
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (uint64_t)((*at)[i] - '0');
	*at += digits;
	*ret = number;
	return true;
}

int64_t nc_retry_after(const char *value, int64_t now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t seconds;
	char month[4];
	struct tm tm = { 0 };
	if (take_number(&value, &seconds))
		return *value ? -1 : (int64_t)seconds;
	if (sscanf(value, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec) != 6)
		return -1;
	const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!at || (at - months) % 3)
		return -1;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	int64_t then = timegm(&tm);
	return then > now ? then - now : 0;
}

bool nc_content_range(const char *value, uint64_t *ret_first, uint64_t *ret_last, uint64_t *ret_total)
{
	uint64_t first, last, total = UINT64_MAX;
	if (strncasecmp(value, "bytes", 5))
		return false;
	value += 5;
	value += strspn(value, " \t=");
	if (!take_number(&value, &first) || *value++ != '-' || !take_number(&value, &last) || *value++ != '/')
		return false;
	if (*value == '*')
		value++;
	else if (!take_number(&value, &total))
		return false;
	if (*value || last < first || total <= last)
		return false;
	*ret_first = first;
	*ret_last = last;
	*ret_total = total;
	return true;
}

