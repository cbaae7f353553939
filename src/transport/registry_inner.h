/* What the files of registry_*.c share. */
#ifndef NC_TRANSPORT_REGISTRY_INNER_H
#define NC_TRANSPORT_REGISTRY_INNER_H

#include "base/buf.h"
#include "image/auth_file.h"
#include "image/registries.h"
#include "transport/registry_conf.h"

/* docker.io is a name; its API has another host, and its credentials may be kept under a third. */
#define NC_DOCKER_NAME "docker.io"
#define NC_DOCKER_HOST "registry-1.docker.io"
#define NC_DOCKER_INDEX_URL "https://index.docker.io/v1/"

/* Of credential-helpers: the files themselves. */
#define NC_FILES_HELPER "containers-auth.json"

struct nc_registry_conf {
	struct nc_registries registries;
	char *authfile;			/* NULL: the usual ones */
	char *user, *password;		/* the option creds; NULL */
	char *cert_dir;			/* NULL: certs.d */
	int tls_verify;
};

/* As if they had been the option creds. */
int nc_registry_conf_set_creds(struct nc_registry_conf *conf, const char *user, const char *password,
			       struct nacre_error *err);

/* --- files of settings ------------------------------------------------------------------------------------------- */

/* Paths are put together in buffers of this size. */
#define NC_SETTINGS_PATH 4096
/* base/rest; false when base is NULL or no absolute path, or it is too long. */
bool nc_settings_path(char ret[NC_SETTINGS_PATH], const char *base, const char *rest);
/* The whole of a file that a user or an administrator wrote, links followed. NACRE_E_NOTFOUND, NACRE_E_BADDATA when it is
 * no file, NACRE_E_LIMIT. ret is given (nc_secret_free()). */
int nc_settings_read(int dir, const char *path, size_t max, char **ret, size_t *ret_len, struct nacre_error *err);

/* --- files of credentials ---------------------------------------------------------------------------------------- */

/* The one that login writes to. NACRE_E_NOTFOUND: no directory for it is known. */
int nc_registry_authfile(const struct nc_registry_conf *conf, char ret[NC_SETTINGS_PATH], struct nacre_error *err);
/* 1: it is there; 0: it is not, and ret stays NULL. */
int nc_auth_file_open(const char *path, bool old_form, struct nc_auth_file **ret, struct nacre_error *err);
/* What docker and its helpers call a host. */
const char *nc_helper_server(const char *host);

#endif
