#include "image/users.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Greatest ID; the one above means "none". */
#define ID_MAX (UINT32_MAX - 1)

struct field {
	const char *text;
	size_t len;
};

/* The next line, cut at its colons into count fields; the last of them takes the rest, those that are missing are empty.
 * Returns how many there are, 0 at the end. */
static size_t next_line(const char **at, struct field *fields, size_t count)
{
	if (!*at || !**at)
		return 0;
	const char *end = strchrnul(*at, '\n'), *from = *at;
	size_t found = 0;
	while (found < count) {
		const char *colon = memchr(from, ':', (size_t)(end - from));
		if (!colon || found + 1 == count)
			colon = end;
		fields[found++] = (struct field){ from, (size_t)(colon - from) };
		if (colon == end)
			break;
		from = colon + 1;
	}
	for (size_t i = found; i < count; i++)
		fields[i] = (struct field){ end, 0 };
	*at = *end ? end + 1 : end;
	return found;
}

static bool is(const struct field *field, const char *text, size_t len)
{
	return field->len == len && memcmp(field->text, text, len) == 0;
}

static bool parse_id(const char *text, size_t len, uint32_t *ret)
{
	uint64_t value = 0;
	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > ID_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* The line of passwd for a user. Returns whether there is one; name is then its first field. */
static bool find_passwd(const char *passwd, const char *user, size_t len, struct nc_user *ret, struct field *name)
{
	struct field fields[7];
	uint32_t number = 0, uid, gid;
	bool numeric = parse_id(user, len, &number);
	size_t count;
	while ((count = next_line(&passwd, fields, 7))) {
		if (count < 4 || !parse_id(fields[2].text, fields[2].len, &uid) ||
		    !parse_id(fields[3].text, fields[3].len, &gid))
			continue;
		if (!is(&fields[0], user, len) && !(numeric && uid == number))
			continue;
		ret->uid = uid;
		ret->gid = gid;
		*name = fields[0];
		if (count >= 6 && fields[5].len < sizeof ret->home)
			snprintf(ret->home, sizeof ret->home, "%.*s", (int)fields[5].len, fields[5].text);
		return true;
	}
	return false;
}

static bool find_group(const char *group, const char *what, size_t len, uint32_t *ret)
{
	struct field fields[4];
	uint32_t number = 0, gid;
	bool numeric = parse_id(what, len, &number);
	size_t count;
	while ((count = next_line(&group, fields, 4))) {
		if (count < 3 || !parse_id(fields[2].text, fields[2].len, &gid))
			continue;
		if (is(&fields[0], what, len) || (numeric && gid == number)) {
			*ret = gid;
			return true;
		}
	}
	return false;
}

static bool lists(const struct field *members, const struct field *name)
{
	const char *at = members->text, *end = at + members->len;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t len = (size_t)((comma ? comma : end) - at);
		if (is(name, at, len))
			return true;
		at += len + 1;
	}
	return false;
}

static void add_group(struct nc_user *user, uint32_t gid)
{
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return;
	if (user->group_count < NC_GROUPS_MAX)
		user->groups[user->group_count++] = gid;
}

static void find_groups(const char *group, const struct field *name, struct nc_user *ret)
{
	struct field fields[4];
	uint32_t gid;
	size_t count;
	while ((count = next_line(&group, fields, 4)))
		if (count == 4 && name->len && parse_id(fields[2].text, fields[2].len, &gid) && lists(&fields[3], name))
			add_group(ret, gid);
}

int nc_user_find(const char *user, const char *passwd, const char *group, struct nc_user *ret, struct nacre_error *err)
{
	struct nc_user found = { .uid = 0 };
	const char *colon = strchr(user, ':');
	struct field name = { "", 0 };
	size_t len = colon ? (size_t)(colon - user) : strlen(user);
	const char *wanted = len ? user : "0";
	if (!find_passwd(passwd, wanted, len ? len : 1, &found, &name) && !parse_id(wanted, len ? len : 1, &found.uid))
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "user '%.*s' is not in the image's /etc/passwd",
			       (int)(len < 200 ? len : 200), user);
	if (!colon) {
		find_groups(group, &name, &found);
	} else if (!colon[1] || strchr(colon + 1, ':')) {
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is no user: it is USER or USER:GROUP", user);
	} else if (!find_group(group, colon + 1, strlen(colon + 1), &found.gid) &&
		   !parse_id(colon + 1, strlen(colon + 1), &found.gid)) {
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "group '%.200s' is not in the image's /etc/group", colon + 1);
	}
	*ret = found;
	return 0;
}
