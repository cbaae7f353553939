#include "image/auth_file.h"

#include "base/base64.h"
#include "base/buf.h"
#include "image/gojson.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 1024

struct nc_auth_file {
	json_t *root;
	char *name;
	bool old_form;
};

void nc_secret_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void nc_auth_release(struct nc_auth *auth)
{
	free(auth->user);
	nc_secret_free(auth->password);
	nc_secret_free(auth->identity_token);
	*auth = (struct nc_auth){ 0 };
}

const char *nc_auth_host(const char *host)
{
	bool docker = strcmp(host, "index.docker.io") == 0 || strcmp(host, "registry-1.docker.io") == 0;
	return docker ? "docker.io" : host;
}

/* --- the shape --------------------------------------------------------------------------------------------------- */

static json_t *section(const struct nc_auth_file *file, const char *key)
{
	return file->old_form ? (strcmp(key, "auths") == 0 ? file->root : NULL) : json_object_get(file->root, key);
}

static int check_section(const struct nc_auth_file *file, const char *name, json_type type, struct nacre_error *err)
{
	json_t *value = section(file, name), *entry;
	const char *key;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_object(value))
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: %s must be an object", file->name, name);
	json_object_foreach(value, key, entry)
		if (json_typeof(entry) != type)
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s: %s of '%.100s' must be %s", file->name, name, key,
				       type == JSON_OBJECT ? "an object" : "a string");
	return 0;
}

/* A helper is found in $PATH by its name: no part of that may be a path. */
static bool is_helper(const json_t *name)
{
	const char *text = json_string_value(name);
	return text && !strchr(text, '/') && strlen(text) < 200;
}

static int check_helpers(const struct nc_auth_file *file, struct nacre_error *err)
{
	const json_t *store = section(file, "credsStore");
	json_t *helper;
	const char *key;
	if (store && !json_is_null(store) && !is_helper(store))
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: credsStore must be the name of a helper", file->name);
	json_object_foreach(section(file, "credHelpers"), key, helper)
		if (!is_helper(helper))
			return nc_fail(err, NACRE_E_BADDATA, 0, "%s: credHelpers of '%.100s' is no name of a helper",
				       file->name, key);
	return 0;
}

static int parse_text(const char *bytes, size_t len, struct nc_auth_file *file, struct nacre_error *err)
{
	if (strspn(bytes, " \t\r\n") == len) {
		file->root = json_object();
		return file->root ? 0 : nc_nomem(err);
	}
	int code = nc_json_parse(bytes, len, file->name, &file->root, err);
	if (code == 0 && !json_is_object(file->root))
		code = nc_fail(err, NACRE_E_BADDATA, 0, "%s: must be a JSON object", file->name);
	return code;
}

int nc_auth_file_parse(const char *bytes, size_t len, const char *name, bool old_form, struct nc_auth_file **ret,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_auth_file_auto) struct nc_auth_file *file = nc_zalloc(sizeof *file);
	NC_AUTO_FREE char *text = nc_memdup(bytes, len);
	if (!file || !text)
		return nc_nomem(err);
	file->old_form = old_form;
	file->name = nc_strdup(name);
	if (!file->name)
		return nc_nomem(err);
	int code = len > NC_AUTH_FILE_MAX ? nc_fail(err, NACRE_E_LIMIT, 0, "%s: more than 1 MiB", name) :
					    parse_text(text, len, file, err);
	explicit_bzero(text, len);
	if (code == 0)
		code = check_section(file, "auths", JSON_OBJECT, err);
	if (code == 0)
		code = check_section(file, "credHelpers", JSON_STRING, err);
	if (code == 0)
		code = check_helpers(file, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(file);
	return 0;
}

void nc_auth_file_free(struct nc_auth_file *file)
{
	if (!file)
		return;
	json_decref(file->root);
	free(file->name);
	free(file);
}

/* --- helpers ----------------------------------------------------------------------------------------------------- */

/* The host that a key means, as nc_auth_host gives it: keys may be URLs, and in .dockercfg often are. */
static const char *key_host(const struct nc_auth_file *file, const char *key, char ret[KEY_MAX])
{
	const char *text = key;
	if (strncmp(text, "https://", 8) == 0)
		text += 8;
	else if (strncmp(text, "http://", 7) == 0)
		text += 7;
	size_t len = file->old_form || text != key ? strcspn(text, "/") : strlen(text);
	snprintf(ret, KEY_MAX, "%.*s", len < KEY_MAX ? (int)len : 0, text);
	return nc_auth_host(ret);
}

const char *nc_auth_file_helper(const struct nc_auth_file *file, const char *host, const char **ret_key)
{
	json_t *helper;
	const char *key;
	char buffer[KEY_MAX];
	json_object_foreach(section(file, "credHelpers"), key, helper) {
		if (strcmp(key_host(file, key, buffer), host) == 0 && *json_string_value(helper)) {
			*ret_key = key;
			return json_string_value(helper);
		}
	}
	return NULL;
}

const char *nc_auth_file_store(const struct nc_auth_file *file)
{
	const char *store = json_string_value(section(file, "credsStore"));
	return store && *store ? store : NULL;
}

int nc_auth_file_helpers_each(const struct nc_auth_file *file, int (*fn)(void *ctx, const char *host, const char *helper),
			      void *ctx)
{
	json_t *helper;
	const char *key;
	json_object_foreach(section(file, "credHelpers"), key, helper) {
		int code = *json_string_value(helper) ? fn(ctx, key, json_string_value(helper)) : 0;
		if (code != 0)
			return code;
	}
	return 0;
}

/* --- credentials ------------------------------------------------------------------------------------------------- */

/* "user:password" in base64. A text without a colon is no credentials, as docker sees it: they stay empty. */
static int decode_auth(const struct nc_auth_file *file, const char *key, const char *text, struct nc_auth *ret,
		       struct nacre_error *err)
{
	size_t len = strlen(text);
	char *plain = nc_zalloc(NC_BASE64_DECODED_MAX(len) + 1);
	if (!plain)
		return nc_nomem(err);
	ssize_t plain_len = nc_base64_decode(text, len, plain);
	int code = 0;
	/* NULs at the end were written by some versions of docker */
	while (plain_len > 0 && plain[plain_len - 1] == '\0')
		plain_len--;
	char *colon = plain_len > 0 ? memchr(plain, ':', (size_t)plain_len) : NULL;
	if (plain_len < 0 || strlen(plain) != (size_t)plain_len) {
		code = nc_fail(err, NACRE_E_BADDATA, 0, "%s: auth of '%.100s' is no base64 of a user and a password",
			       file->name, key);
	} else if (colon) {
		ret->user = nc_memdup(plain, (size_t)(colon - plain));
		ret->password = nc_strdup(colon + 1);
		if (!ret->user || !ret->password)
			code = nc_nomem(err);
	}
	explicit_bzero(plain, NC_BASE64_DECODED_MAX(len));
	free(plain);
	return code;
}

static int entry_text(const struct nc_auth_file *file, const char *key, const json_t *entry, const char *field,
		      const char **ret, struct nacre_error *err)
{
	const json_t *value = json_object_get(entry, field);
	if (value && !json_is_null(value) && !json_is_string(value))
		return nc_fail(err, NACRE_E_BADDATA, 0, "%s: %s of '%.100s' must be a string", file->name, field, key);
	*ret = json_string_value(value);
	return 0;
}

/* 1: it holds credentials. */
static int take_entry(const struct nc_auth_file *file, const char *key, const json_t *entry, struct nc_auth *ret,
		      struct nacre_error *err)
{
	struct nc_auth auth = { 0 };
	const char *encoded = NULL, *token = NULL;
	int code = entry_text(file, key, entry, "auth", &encoded, err);
	if (code == 0)
		code = entry_text(file, key, entry, "identitytoken", &token, err);
	if (code == 0 && encoded && *encoded)
		code = decode_auth(file, key, encoded, &auth, err);
	if (code == 0 && token && *token && !(auth.identity_token = nc_strdup(token)))
		code = nc_nomem(err);
	if (code < 0 || (!auth.user && !auth.identity_token)) {
		nc_auth_release(&auth);
		return code;
	}
	*ret = auth;
	return 1;
}

/* An entry for the host alone, however it is spelled. */
static const json_t *find_host(const struct nc_auth_file *file, const char *host, const char **ret_key)
{
	json_t *auths = section(file, "auths"), *entry;
	const char *key;
	char buffer[KEY_MAX];
	json_object_foreach(auths, key, entry) {
		if (json_is_object(entry) && strcmp(key_host(file, key, buffer), host) == 0) {
			*ret_key = key;
			return entry;
		}
	}
	return NULL;
}

int nc_auth_file_find(const struct nc_auth_file *file, const char *host, const char *path, struct nc_auth *ret,
		      struct nacre_error *err)
{
	char text[KEY_MAX];
	int len = snprintf(text, sizeof text, "%s%s%s", host, *path ? "/" : "", path);
	if (len < 0 || (size_t)len >= sizeof text)
		return 0;
	for (;;) {
		const char *key = text;
		const json_t *entry = json_object_get(section(file, "auths"), text);
		char *slash = strrchr(text, '/');
		if (!entry && !slash)
			entry = find_host(file, host, &key);
		if (entry)
			return take_entry(file, key, entry, ret, err);
		if (!slash)
			return 0;
		*slash = '\0';
	}
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

/* "auth" of an entry, or NULL without memory. */
static json_t *encode_auth(const struct nc_auth *auth)
{
	NC_AUTO_BUF struct nc_buf plain = NC_BUF_INIT(NC_AUTH_FILE_MAX), encoded = NC_BUF_INIT(NC_AUTH_FILE_MAX);
	json_t *text = NULL;
	if (nc_buf_addf(&plain, NULL, "%s:%s", auth->user, auth->password) == 0 &&
	    nc_buf_reserve(&encoded, NC_BASE64_ENCODED(plain.len), NULL) == 0) {
		encoded.len = nc_base64_encode(plain.data, plain.len, encoded.data);
		text = json_stringn(encoded.data, encoded.len);
		explicit_bzero(encoded.data, encoded.len);
	}
	if (plain.data)
		explicit_bzero(plain.data, plain.len);
	return text;
}

int nc_auth_file_set(struct nc_auth_file *file, const char *key, const struct nc_auth *auth, struct nacre_error *err)
{
	NC_CLEANUP(nc_json_auto) json_t *entry = json_object();
	json_t *auths = section(file, "auths");
	if (!entry)
		return nc_nomem(err);
	if (auth->user && auth->password && json_object_set_new(entry, "auth", encode_auth(auth)) < 0)
		return nc_nomem(err);
	if (auth->identity_token &&
	    json_object_set_new(entry, "identitytoken", json_string(auth->identity_token)) < 0)
		return nc_nomem(err);
	nc_auth_file_remove(file, key);
	if (!json_is_object(auths)) {
		if (json_object_set_new(file->root, "auths", json_object()) < 0)
			return nc_nomem(err);
		auths = section(file, "auths");
	}
	return json_object_set(auths, key, entry) < 0 ? nc_nomem(err) : 0;
}

int nc_auth_file_remove(struct nc_auth_file *file, const char *key)
{
	json_t *auths = section(file, "auths");
	const char *spelled;
	int removed = json_object_del(auths, key) == 0;
	while (!strchr(key, '/') && find_host(file, key, &spelled)) {
		json_object_del(auths, spelled);
		removed = 1;
	}
	return removed;
}

size_t nc_auth_file_clear(struct nc_auth_file *file)
{
	json_t *auths = section(file, "auths");
	size_t count = json_object_size(auths);
	json_object_clear(auths);
	return count;
}

int nc_auth_file_text(const struct nc_auth_file *file, char **ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(2 * NC_AUTH_FILE_MAX);
	char *dumped = json_dumps(file->root, JSON_INDENT(8) | JSON_PRESERVE_ORDER);
	if (!dumped)
		return nc_nomem(err);
	int code = nc_buf_addf(&text, err, "%s\n", dumped);
	nc_secret_free(dumped);
	if (code < 0)
		return code;
	*ret = nc_buf_give(&text);
	return *ret ? 0 : nc_nomem(err);
}
