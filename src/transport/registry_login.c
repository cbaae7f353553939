/* Logging in and out: credentials that were proved are kept where the next pull looks for them first. */
#include "transport/credential_helper.h"
#include "transport/registry_inner.h"

#include "io/fd.h"
#include "transport/login_proof.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the file that is written ------------------------------------------------------------------------------------ */

struct wallet {
	char path[PATH_MAX];		/* its real place */
	const char *name;		/* the last part of that */
	int dir;			/* locked against other logins */
	struct nc_auth_file *file;
};

static void close_wallet(struct wallet *wallet)
{
	nc_auth_file_free(wallet->file);
	nc_fd_release(&wallet->dir);
}

/* The directory above path, and for the usual place the one above that, which nobody has made. */
static int make_parents(char *path, struct nacre_error *err)
{
	char *end = strrchr(path, '/'), *above = NULL;
	if (!end || end == path)
		return 0;
	*end = '\0';
	above = strrchr(path, '/');
	if (mkdir(path, 0700) < 0 && errno == ENOENT && above && above != path) {
		*above = '\0';
		mkdir(path, 0755);
		*above = '/';
		mkdir(path, 0700);
	}
	struct stat st;
	int code = stat(path, &st) < 0 ? nc_fail(err, NACRE_E_IO, errno, "make the directory '%s'", path) : 0;
	*end = '/';
	return code;
}

static int open_wallet(const struct nc_registry_conf *conf, bool make, struct wallet *wallet, struct nacre_error *err)
{
	char asked[NC_SETTINGS_PATH];
	*wallet = (struct wallet){ .dir = -1 };
	int code = nc_registry_authfile(conf, asked, err);
	if (code == 0 && make)
		code = make_parents(asked, err);
	if (code < 0)
		return code;
	/* a link stays one: what it leads to is replaced */
	if (!realpath(asked, wallet->path))
		snprintf(wallet->path, sizeof wallet->path, "%s", asked);
	char *slash = strrchr(wallet->path, '/');
	wallet->name = slash ? slash + 1 : wallet->path;
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - wallet->path) : 1, slash ? wallet->path : ".");
	wallet->dir = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (wallet->dir < 0 && errno == ENOENT && !make)
		return nc_auth_file_parse("", 0, asked, false, &wallet->file, err);
	if (wallet->dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open directory '%s'", dir);
	while (flock(wallet->dir, LOCK_EX) < 0)
		if (errno != EINTR)
			return nc_fail(err, NACRE_E_IO, errno, "lock '%s'", dir);
	code = nc_auth_file_open(wallet->path, false, &wallet->file, err);
	return code == 0 ? nc_auth_file_parse("", 0, asked, false, &wallet->file, err) : code < 0 ? code : 0;
}

static int write_wallet(const struct wallet *wallet, struct nacre_error *err)
{
	char *text = NULL;
	int code = nc_auth_file_text(wallet->file, &text, err);
	if (code < 0)
		return code;
	code = nc_file_replace(wallet->dir, wallet->name, text, strlen(text), true, err);
	nc_secret_free(text);
	return code < 0 ? nc_wrap(err, code, "write '%s'", wallet->path) : 0;
}

/* The helper that keeps the credentials of host, and the name it knows it by; NULL: the file does. */
static const char *keeper(const struct nc_registry_conf *conf, const struct nc_auth_file *file, const char *host,
			  const char **ret_server)
{
	const char *helper = nc_auth_file_helper(file, host, ret_server);
	if (helper)
		return helper;
	*ret_server = nc_helper_server(host);
	helper = nc_auth_file_store(file);
	if (helper)
		return helper;
	char *const *named = conf->registries.helpers;
	return named && *named && strcmp(*named, NC_FILES_HELPER) != 0 ? *named : NULL;
}

/* --- the three functions ----------------------------------------------------------------------------------------- */

/* What is logged in to: a host, and perhaps a path below it that the credentials are kept for. */
struct target {
	struct nc_endpoint endpoint;
	char key[600];			/* "docker.io", "quay.io/team" */
};

static int take_target(const struct nc_registry_conf *conf, const char *registry, struct target *ret,
		       struct nacre_error *err)
{
	char host[256];
	struct nc_reference reference;
	const char *slash = strchr(registry, '/');
	snprintf(host, sizeof host, "%.*s", slash && slash - registry < 256 ? (int)(slash - registry) : 255, registry);
	int code = nc_registry_host(conf, host, &ret->endpoint, err);
	if (code < 0)
		return code;
	const char *name = nc_auth_host(ret->endpoint.name);
	snprintf(ret->key, sizeof ret->key, "%s", name);
	if (!slash || !slash[1])
		return 0;
	if (nc_reference_parse_bare(registry, &reference, NULL) < 0 || reference.tag[0] || reference.digest[0])
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is no registry: HOST[:PORT] or HOST[:PORT]/PATH",
			       registry);
	snprintf(ret->key, sizeof ret->key, "%s/%s", name, slash + 1);
	snprintf(ret->endpoint.path, sizeof ret->endpoint.path, "%s", reference.path);
	return 0;
}

static int keep(const struct nc_registry_conf *conf, const struct target *target, const struct nc_auth *auth,
		char **ret_where, struct nacre_error *err)
{
	NC_CLEANUP(close_wallet) struct wallet wallet;
	const char *server = NULL;
	char where[PATH_MAX];
	int code = open_wallet(conf, true, &wallet, err);
	if (code < 0)
		return code;
	const char *helper = keeper(conf, wallet.file, nc_auth_host(target->endpoint.name), &server);
	if (helper) {
		code = nc_helper_store(&(struct nc_helper){ .name = helper }, server, auth, err);
		snprintf(where, sizeof where, "docker-credential-%s", helper);
	} else {
		code = nc_auth_file_set(wallet.file, target->key, auth, err);
		if (code == 0)
			code = write_wallet(&wallet, err);
		snprintf(where, sizeof where, "%s", wallet.path);
	}
	if (code < 0 || !ret_where)
		return code;
	*ret_where = nc_strdup(where);
	return *ret_where ? 0 : nc_nomem(err);
}

int nacre_login(const char *registry, const char *user, const char *password,
		const struct nacre_registry_options *options, char **ret_where, struct nacre_error *err)
{
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = NULL;
	struct target target;
	if (!*user || strchr(user, ':'))
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.100s' is no user: it is empty or has a colon", user);
	int code = nc_registry_conf_open(options, &conf, err);
	if (code == 0)
		code = nc_registry_conf_set_creds(conf, user, password, err);
	if (code == 0)
		code = take_target(conf, registry, &target, err);
	if (code == 0)
		code = nc_login_prove(conf, &target.endpoint, err);
	if (code < 0)
		return code;
	char *own_user = nc_strdup(user), *own_password = nc_strdup(password);
	struct nc_auth auth = { .user = own_user, .password = own_password };
	code = own_user && own_password ? keep(conf, &target, &auth, ret_where, err) : nc_nomem(err);
	nc_auth_release(&auth);
	return code;
}

struct forgetting {
	struct nacre_error *err;
	int removed;
};

static int erase(void *ctx, const char *host, const char *helper)
{
	struct forgetting *forgetting = ctx;
	int code = nc_helper_erase(&(struct nc_helper){ .name = helper }, host, forgetting->err);
	forgetting->removed += code == 1;
	return code < 0 ? code : 0;
}

static int forget_all(struct wallet *wallet, struct nacre_error *err)
{
	struct forgetting forgetting = { .err = err };
	int code = nc_auth_file_helpers_each(wallet->file, erase, &forgetting);
	size_t entries = nc_auth_file_clear(wallet->file);
	if (entries) {
		int written = write_wallet(wallet, err);
		code = code < 0 ? code : written;
	}
	return code < 0 ? code : forgetting.removed || entries;
}

static int forget(const struct nc_registry_conf *conf, const char *registry, struct wallet *wallet,
		  struct nacre_error *err)
{
	struct target target;
	const char *server = NULL;
	int code = take_target(conf, registry, &target, err), erased = 0;
	if (code < 0)
		return code;
	const char *helper = keeper(conf, wallet->file, nc_auth_host(target.endpoint.name), &server);
	if (helper)
		erased = nc_helper_erase(&(struct nc_helper){ .name = helper }, server, err);
	if (erased < 0)
		return erased;
	if (!nc_auth_file_remove(wallet->file, target.key))
		return erased;
	code = write_wallet(wallet, err);
	return code < 0 ? code : 1;
}

int nacre_logout(const char *registry, const struct nacre_registry_options *options, struct nacre_error *err)
{
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = NULL;
	NC_CLEANUP(close_wallet) struct wallet wallet = { .dir = -1 };
	int code = nc_registry_conf_open(options, &conf, err);
	if (code == 0)
		code = open_wallet(conf, false, &wallet, err);
	if (code < 0)
		return code;
	return registry ? forget(conf, registry, &wallet, err) : forget_all(&wallet, err);
}

int nacre_login_user(const char *registry, const struct nacre_registry_options *options, char **ret_user,
		     struct nacre_error *err)
{
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = NULL;
	NC_CLEANUP(nc_credentials_release) struct nc_credentials credentials = { 0 };
	struct target target;
	int code = nc_registry_conf_open(options, &conf, err);
	if (code == 0)
		code = take_target(conf, registry, &target, err);
	if (code == 0)
		code = nc_registry_credentials(conf, &target.endpoint, &credentials, err);
	if (code < 0)
		return code;
	if (!credentials.from)
		return nc_fail(err, NACRE_E_NOTFOUND, 0, "nobody is logged in to %s", target.key);
	*ret_user = nc_strdup(credentials.user ? credentials.user : "<token>");
	return *ret_user ? 0 : nc_nomem(err);
}
