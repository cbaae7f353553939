/* Files of credentials: containers' auth.json, docker's config.json (one format) and the older .dockercfg.
 *
 *   { "auths":       { "quay.io/team": { "auth": BASE64("user:password") }, "a.example": { "identitytoken": "…" } },
 *     "credHelpers": { "b.example": "NAME" },		ask docker-credential-NAME about this host
 *     "credsStore":  "NAME" }				and this one about all others
 *
 * .dockercfg is what auths holds. What we do not know stays in the file when it is changed. */
#ifndef NC_IMAGE_AUTH_FILE_H
#define NC_IMAGE_AUTH_FILE_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

#define NC_AUTH_FILE_MAX ((size_t)1 << 20)

/* All NULL: none. Erased when released. */
struct nc_auth {
	char *user, *password, *identity_token;
};
void nc_auth_release(struct nc_auth *auth);
/* Erases and frees a secret; NULL is fine. */
void nc_secret_free(char *text);

struct nc_auth_file;
/* file is for messages and copied. An empty text is a file without entries. NACRE_E_BADDATA with the line, where it is no
 * JSON. */
int nc_auth_file_parse(const char *bytes, size_t len, const char *file, bool old_form, struct nc_auth_file **ret,
		       struct nacre_error *err);
void nc_auth_file_free(struct nc_auth_file *file);
NC_DEFINE_CLEANUP(nc_auth_file_auto, struct nc_auth_file *, nc_auth_file_free)

/* "docker.io" for each of the names that Docker's registry has in these files. */
const char *nc_auth_host(const char *host);

/* What follows speaks of hosts as nc_auth_host gives them; strings are lent. */

/* The helper of a host, and in *ret_key the host as the file spells it; NULL: none. */
const char *nc_auth_file_helper(const struct nc_auth_file *file, const char *host, const char **ret_key);
/* credsStore; NULL: none. */
const char *nc_auth_file_store(const struct nc_auth_file *file);
/* Calls fn for the host of each entry of credHelpers, until it returns other than 0, and returns that. */
int nc_auth_file_helpers_each(const struct nc_auth_file *file, int (*fn)(void *ctx, const char *host, const char *helper),
			      void *ctx);
/* 1: host (path "") or its repository has an entry with credentials; the longest of host/path, its parents and host
 * counts. NACRE_E_BADDATA when what stands there is none. */
int nc_auth_file_find(const struct nc_auth_file *file, const char *host, const char *path, struct nc_auth *ret,
		      struct nacre_error *err);

/* Set, or replace, what host (perhaps with a path) has. */
int nc_auth_file_set(struct nc_auth_file *file, const char *key, const struct nc_auth *auth, struct nacre_error *err);
/* Removes the entry of that name, also where it is spelled as an URL; 1 when there was one. */
int nc_auth_file_remove(struct nc_auth_file *file, const char *key);
/* Removes all entries; how many there were. */
size_t nc_auth_file_clear(struct nc_auth_file *file);
/* The file's text, given. */
int nc_auth_file_text(const struct nc_auth_file *file, char **ret, struct nacre_error *err);

#endif
