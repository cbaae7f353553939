#include "transport/registry_inner.h"

#include "base/options.h"
#include "image/toml.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_CONF "/etc/containers/registries.conf"
#define CHOSEN_ALIASES "short-name-aliases.conf"
#define CONF_FILES_MAX 1024		/* names in a registries.conf.d */

/* A copy of text, or NULL where there is none; an empty one counts as none. */
static int copy_text(const char *text, char **ret, struct nacre_error *err)
{
	if (!text || !*text)
		return 0;
	*ret = nc_strdup(text);
	return *ret ? 0 : nc_nomem(err);
}

int nc_registry_conf_set_creds(struct nc_registry_conf *conf, const char *user, const char *password,
			       struct nacre_error *err)
{
	char *own_user = nc_strdup(user), *own_password = nc_strdup(password);
	if (!own_user || !own_password) {
		free(own_user);
		nc_secret_free(own_password);
		return nc_nomem(err);
	}
	free(conf->user);
	nc_secret_free(conf->password);
	conf->user = own_user;
	conf->password = own_password;
	return 0;
}

static int take_creds(struct nc_registry_conf *conf, const char *creds, struct nacre_error *err)
{
	if (!creds)
		return 0;
	const char *colon = strchr(creds, ':');
	if (!colon || colon == creds)
		return nc_fail(err, NACRE_E_INVALID, 0, "credentials are written USER:PASSWORD");
	NC_AUTO_FREE char *user = nc_memdup(creds, (size_t)(colon - creds));
	return user ? nc_registry_conf_set_creds(conf, user, colon + 1, err) : nc_nomem(err);
}

/* --- registries.conf --------------------------------------------------------------------------------------------- */

static int add_file(struct nc_registry_conf *conf, int dir, const char *name, const char *path, struct nacre_error *err)
{
	char *text = NULL;
	size_t len = 0;
	int code = nc_settings_read(dir, name, NC_TOML_MAX, &text, &len, err);
	if (code == 0)
		code = nc_registries_add(&conf->registries, text, len, path, err);
	free(text);
	return code;
}

/* 1: it was there. */
static int add_if_there(struct nc_registry_conf *conf, const char *path, struct nacre_error *err)
{
	int code = add_file(conf, AT_FDCWD, path, path, err);
	return code == NACRE_E_NOTFOUND ? 0 : code < 0 ? code : 1;
}

struct walk {
	struct nc_registry_conf *conf;
	const char *path;
	int dir;
};

static int on_conf_file(void *ctx, const char *name, struct nacre_error *err)
{
	const struct walk *walk = ctx;
	char path[NC_SETTINGS_PATH];
	size_t len = strlen(name);
	if (len <= strlen(".conf") || strcmp(name + len - strlen(".conf"), ".conf") != 0 || name[0] == '.' ||
	    !nc_settings_path(path, walk->path, name))
		return 0;
	return add_file(walk->conf, walk->dir, name, path, err);
}

static int add_directory(struct nc_registry_conf *conf, const char *path, struct nacre_error *err)
{
	int dir NC_AUTO_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (dir < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s'", path);
	struct walk walk = { .conf = conf, .path = path, .dir = dir };
	return nc_dir_each_sorted(dir, CONF_FILES_MAX, on_conf_file, &walk, err);
}

/* Aliases that podman's users chose when they were asked. */
static int add_chosen_aliases(struct nc_registry_conf *conf, struct nacre_error *err)
{
	char path[NC_SETTINGS_PATH];
	const char *base = geteuid() == 0 ? "/var" : getenv("HOME");
	const char *rest = geteuid() == 0 ? "cache/containers/" CHOSEN_ALIASES : ".cache/containers/" CHOSEN_ALIASES;
	int code = nc_settings_path(path, base, rest) ? add_if_there(conf, path, err) : 0;
	return code < 0 ? code : 0;
}

/* A user's registries.conf stands instead of all of the system's. */
static int read_registries(struct nc_registry_conf *conf, struct nacre_error *err)
{
	const char *named = getenv("CONTAINERS_REGISTRIES_CONF"), *home = getenv("HOME");
	char path[NC_SETTINGS_PATH];
	int own = 0, code = 0;
	if (named && *named)
		code = add_file(conf, AT_FDCWD, named, named, err);
	else if (nc_settings_path(path, home, ".config/containers/registries.conf"))
		code = own = add_if_there(conf, path, err);
	if (code == 0 && !(named && *named))
		code = add_if_there(conf, SYSTEM_CONF, err);
	if (code >= 0 && own == 0)
		code = add_directory(conf, SYSTEM_CONF ".d", err);
	if (code >= 0 && nc_settings_path(path, home, ".config/containers/registries.conf.d"))
		code = add_directory(conf, path, err);
	return code < 0 ? code : add_chosen_aliases(conf, err);
}

int nc_registry_conf_open(const struct nacre_registry_options *given, struct nc_registry_conf **ret,
			  struct nacre_error *err)
{
	struct nacre_registry_options options;
	int code = nc_options_take(given, &options, sizeof options, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = nc_zalloc(sizeof *conf);
	if (!conf)
		return nc_nomem(err);
	conf->tls_verify = options.tls_verify;
	const char *authfile = options.authfile ? options.authfile : getenv("REGISTRY_AUTH_FILE");
	code = nc_registries_init(&conf->registries, err);
	if (code == 0)
		code = read_registries(conf, err);
	if (code == 0)
		code = copy_text(authfile, &conf->authfile, err);
	if (code == 0)
		code = copy_text(options.cert_dir, &conf->cert_dir, err);
	if (code == 0)
		code = take_creds(conf, options.creds, err);
	if (code < 0)
		return code;
	*ret = NC_GIVE(conf);
	return 0;
}

void nc_registry_conf_close(struct nc_registry_conf *conf)
{
	if (!conf)
		return;
	nc_registries_release(&conf->registries);
	free(conf->authfile);
	free(conf->user);
	nc_secret_free(conf->password);
	free(conf->cert_dir);
	free(conf);
}
