/* Credentials for an endpoint: given as an option, or in one of the files, or kept by a program that one of them names. */
#include "transport/credential_helper.h"
#include "transport/registry_inner.h"

#include "io/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void nc_credentials_release(struct nc_credentials *credentials)
{
	free(credentials->user);
	nc_secret_free(credentials->password);
	nc_secret_free(credentials->identity_token);
	free(credentials->from);
	*credentials = (struct nc_credentials){ 0 };
}

const char *nc_helper_server(const char *host)
{
	return strcmp(host, NC_DOCKER_NAME) == 0 ? NC_DOCKER_INDEX_URL : host;
}

int nc_registry_authfile(const struct nc_registry_conf *conf, char ret[NC_SETTINGS_PATH], struct nacre_error *err)
{
	char directory[64];
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (conf->authfile) {
		if (snprintf(ret, NC_SETTINGS_PATH, "%s", conf->authfile) < NC_SETTINGS_PATH)
			return 0;
		return nc_fail(err, NACRE_E_INVALID, 0, "the path of the file of credentials is too long");
	}
	if (!runtime || runtime[0] != '/') {
		snprintf(directory, sizeof directory, "/run/containers/%u", getuid());
		return nc_settings_path(ret, directory, "auth.json") ? 0 : nc_nomem(err);
	}
	if (nc_settings_path(ret, runtime, "containers/auth.json"))
		return 0;
	return nc_fail(err, NACRE_E_INVALID, 0, "$XDG_RUNTIME_DIR is too long");
}

int nc_auth_file_open(const char *path, bool old_form, struct nc_auth_file **ret, struct nacre_error *err)
{
	char *text = NULL;
	size_t len = 0;
	struct nacre_error missing;
	int code = nc_settings_read(AT_FDCWD, path, NC_AUTH_FILE_MAX, &text, &len, &missing);
	if (code == NACRE_E_NOTFOUND)
		return 0;
	if (code < 0) {
		if (err)
			*err = missing;
		return code;
	}
	code = nc_auth_file_parse(text, len, path, old_form, ret, err);
	explicit_bzero(text, len);
	free(text);
	return code < 0 ? code : 1;
}

/* auth (taken) becomes what was asked for. */
static int give(struct nc_auth *auth, const char *from, struct nc_credentials *ret, struct nacre_error *err)
{
	char *copy = nc_strdup(from);
	if (!copy) {
		nc_auth_release(auth);
		return nc_nomem(err);
	}
	*ret = (struct nc_credentials){ .user = auth->user, .password = auth->password,
					.identity_token = auth->identity_token, .from = copy };
	*auth = (struct nc_auth){ 0 };
	return 1;
}

static int ask_helper(const char *name, const char *server, struct nc_credentials *ret, struct nacre_error *err)
{
	char from[300];
	struct nc_auth auth = { 0 };
	int code = nc_helper_get(&(struct nc_helper){ .name = name }, server, &auth, err);
	snprintf(from, sizeof from, "docker-credential-%s", name);
	return code == 1 ? give(&auth, from, ret, err) : code;
}

/* The order in one file: the helper of this host, what is written there, the helper of all hosts. */
static int look_in_file(const char *path, bool old_form, const struct nc_endpoint *endpoint, struct nc_credentials *ret,
			struct nacre_error *err)
{
	NC_CLEANUP(nc_auth_file_auto) struct nc_auth_file *file = NULL;
	struct nc_auth auth = { 0 };
	const char *host = nc_auth_host(endpoint->name), *key = NULL;
	int code = nc_auth_file_open(path, old_form, &file, err);
	if (code != 1)
		return code;
	const char *helper = nc_auth_file_helper(file, host, &key);
	if (helper)
		return ask_helper(helper, key, ret, err);
	code = nc_auth_file_find(file, host, endpoint->path, &auth, err);
	if (code == 1)
		return give(&auth, path, ret, err);
	const char *store = nc_auth_file_store(file);
	return code == 0 && store ? ask_helper(store, nc_helper_server(host), ret, err) : code;
}

static int look_in_files(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
			 struct nc_credentials *ret, struct nacre_error *err)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME"), *docker = getenv("DOCKER_CONFIG");
	bool own_config = config && config[0] == '/', own_docker = docker && docker[0] == '/';
	const struct {
		const char *base, *rest;
		bool old_form;
	} others[] = {
		{ own_config ? config : home, own_config ? "containers/auth.json" : ".config/containers/auth.json", false },
		{ own_docker ? docker : home, own_docker ? "config.json" : ".docker/config.json", false },
		{ home, ".dockercfg", true },
	};
	char path[NC_SETTINGS_PATH];
	int code = nc_registry_authfile(conf, path, err);
	if (code == 0)
		code = look_in_file(path, false, endpoint, ret, err);
	for (size_t i = 0; i < sizeof others / sizeof *others && code == 0 && !conf->authfile; i++)
		if (nc_settings_path(path, others[i].base, others[i].rest))
			code = look_in_file(path, others[i].old_form, endpoint, ret, err);
	return code;
}

int nc_registry_credentials(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
			    struct nc_credentials *ret, struct nacre_error *err)
{
	char *const files_alone[] = { (char[]){ NC_FILES_HELPER }, NULL };
	struct nc_credentials found = { 0 };
	int code = 0;
	if (conf->user && !endpoint->mirror) {
		struct nc_auth given = { .user = nc_strdup(conf->user), .password = nc_strdup(conf->password) };
		code = give(&given, "the credentials given", &found, err);
		if (code == 1 && (!found.user || !found.password)) {
			nc_credentials_release(&found);
			code = nc_nomem(err);
		}
	}
	char *const *helpers = conf->registries.helpers ? conf->registries.helpers : files_alone;
	for (; *helpers && code == 0; helpers++)
		code = strcmp(*helpers, NC_FILES_HELPER) == 0 ?
			       look_in_files(conf, endpoint, &found, err) :
			       ask_helper(*helpers, nc_helper_server(nc_auth_host(endpoint->name)), &found, err);
	if (code < 0)
		return code;
	*ret = found;
	return 0;
}
