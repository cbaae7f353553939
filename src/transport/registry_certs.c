/* Certificates: a directory for each registry, the first one found. *.crt are authorities; NAME.cert with NAME.key is what
 * we show to the server. */
#include "transport/registry_inner.h"

#include "base/buf.h"
#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CERT_MAX ((size_t)1 << 20)	/* of one file */
#define CERTS_MAX ((size_t)8 << 20)	/* of all authorities */
#define CERT_FILES_MAX 1024

struct walk {
	int dir;
	const char *path;		/* of the directory */
	struct nc_buf *authorities;
	char *cert, *key;		/* the first of their kind; given */
};

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);
	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Certificates of authorities are often links to where a package keeps them, so links are followed here. */
static int add_authority(struct walk *walk, const char *name, struct nacre_error *err)
{
	NC_AUTO_FREE char *pem = NULL;
	size_t len = 0;
	int fd NC_AUTO_FD = openat(walk->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return nc_fail(err, NACRE_E_IO, errno, "open '%s/%s'", walk->path, name);
	pem = nc_alloc(CERT_MAX + 1);
	if (!pem)
		return nc_nomem(err);
	ssize_t got = nc_read_full(fd, pem, CERT_MAX + 1);
	if (got < 0)
		return nc_fail(err, NACRE_E_IO, errno, "read '%s/%s'", walk->path, name);
	len = (size_t)got;
	if (len > CERT_MAX)
		return nc_fail(err, NACRE_E_LIMIT, 0, "'%s/%s' has more than 1 MiB", walk->path, name);
	if (memchr(pem, '\0', len) || !memmem(pem, len, "-----BEGIN CERTIFICATE-----", 27))
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s/%s' holds no certificate in PEM", walk->path, name);
	int code = nc_buf_add(walk->authorities, pem, len, err);
	return code < 0 ? code : nc_buf_add(walk->authorities, "\n", 1, err);
}

static int join(const char *path, const char *name, size_t name_len, const char *end, char **ret,
		struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf text = NC_BUF_INIT(8192);
	int code = nc_buf_addf(&text, err, "%s/%.*s%s", path, (int)name_len, name, end);
	if (code < 0)
		return code;
	*ret = nc_buf_give(&text);
	return *ret ? 0 : nc_nomem(err);
}

static int on_file(void *ctx, const char *name, struct nacre_error *err)
{
	struct walk *walk = ctx;
	if (ends_with(name, ".crt"))
		return add_authority(walk, name, err);
	bool cert = ends_with(name, ".cert"), key = ends_with(name, ".key");
	if (!cert && !key)
		return 0;
	size_t stem = strlen(name) - strlen(cert ? ".cert" : ".key");
	NC_AUTO_FREE char *other = NULL;
	int code = join(".", name, stem, cert ? ".key" : ".cert", &other, err);
	if (code < 0)
		return code;
	if (faccessat(walk->dir, other, F_OK, 0) < 0)
		return nc_fail(err, NACRE_E_BADDATA, 0, "'%s/%s' has no '%s' beside it", walk->path, name, other + 2);
	if (!cert || walk->cert)
		return 0;
	code = join(walk->path, name, strlen(name), "", &walk->cert, err);
	return code < 0 ? code : join(walk->path, name, stem, ".key", &walk->key, err);
}

static int read_dir(int dir, const char *path, struct nc_certs *ret, struct nacre_error *err)
{
	NC_AUTO_BUF struct nc_buf authorities = NC_BUF_INIT(CERTS_MAX);
	struct walk walk = { .dir = dir, .path = path, .authorities = &authorities };
	int code = nc_dir_each_sorted(dir, CERT_FILES_MAX, on_file, &walk, err);
	char *pem = NULL;
	if (code == 0 && authorities.len && !(pem = nc_buf_give(&authorities)))
		code = nc_nomem(err);
	if (code < 0) {
		free(walk.cert);
		free(walk.key);
		return code;
	}
	*ret = (struct nc_certs){ .authorities = pem, .client_cert = walk.cert, .client_key = walk.key };
	return 0;
}

/* 1: the directory is there, and was read. One that was not asked for may also be closed to us. */
static int try_dir(const char *path, bool asked, struct nc_certs *ret, struct nacre_error *err)
{
	int dir NC_AUTO_FD = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && !asked && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (dir < 0)
		return nc_fail(err, errno == ENOENT ? NACRE_E_NOTFOUND : NACRE_E_IO, errno, "open '%s'", path);
	int code = read_dir(dir, path, ret, err);
	return code < 0 ? code : 1;
}

static int read_certs_d(const struct nc_registry_conf *conf, const char *name, struct nc_certs *ret,
			struct nacre_error *err)
{
	const char *home = getenv("HOME");
	const char *const places[][2] = {
		{ home, "/.config/containers/certs.d" },
		{ "/etc/containers", "/certs.d" },
		{ "/etc/docker", "/certs.d" },
	};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		NC_AUTO_BUF struct nc_buf path = NC_BUF_INIT(8192);
		if (!places[i][0] || places[i][0][0] != '/')
			continue;
		int code = nc_buf_addf(&path, err, "%s%s/%s", places[i][0], places[i][1], name);
		if (code == 0)
			code = try_dir(nc_buf_text(&path), false, ret, err);
		if (code != 0)
			return code < 0 ? code : 0;
	}
	return 0;
}

int nc_registry_certs(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint, struct nc_certs *ret,
		      struct nacre_error *err)
{
	struct nc_certs certs = { 0 };
	int code = conf->cert_dir ? try_dir(conf->cert_dir, true, &certs, err)
				  : read_certs_d(conf, endpoint->name, &certs, err);
	if (code < 0)
		return code;
	*ret = certs;
	return 0;
}

void nc_certs_release(struct nc_certs *certs)
{
	free(certs->authorities);
	free(certs->client_cert);
	free(certs->client_key);
	*certs = (struct nc_certs){ 0 };
}
