#include "transport/registry_inner.h"

#include <stdlib.h>
#include <string.h>

static int take_options(const struct nacre_registry_options *given, struct nacre_registry_options *ret,
			struct nacre_error *err)
{
	*ret = (struct nacre_registry_options){ 0 };
	if (!given)
		return 0;
	if (given->size < sizeof given->size)
		return nc_fail(err, NACRE_E_INVALID, 0, "the options do not say their size");
	memcpy(ret, given, given->size < sizeof *ret ? given->size : sizeof *ret);
	return 0;
}

/* A copy of text, or NULL where there is none; an empty one counts as none. */
static int copy_text(const char *text, char **ret, struct nacre_error *err)
{
	if (!text || !*text)
		return 0;
	*ret = nc_strdup(text);
	return *ret ? 0 : nc_nomem(err);
}

static int take_creds(struct nc_registry_conf *conf, const char *creds, struct nacre_error *err)
{
	if (!creds)
		return 0;
	const char *colon = strchr(creds, ':');
	if (!colon || colon == creds)
		return nc_fail(err, NACRE_E_INVALID, 0, "credentials are written USER:PASSWORD");
	conf->user = nc_memdup(creds, (size_t)(colon - creds));
	conf->password = nc_strdup(colon + 1);
	return conf->user && conf->password ? 0 : nc_nomem(err);
}

int nc_registry_conf_open(const struct nacre_registry_options *given, struct nc_registry_conf **ret,
			  struct nacre_error *err)
{
	struct nacre_registry_options options;
	int code = take_options(given, &options, err);
	if (code < 0)
		return code;
	NC_CLEANUP(nc_registry_conf_auto) struct nc_registry_conf *conf = nc_zalloc(sizeof *conf);
	if (!conf)
		return nc_nomem(err);
	conf->tls_verify = options.tls_verify;
	const char *authfile = options.authfile ? options.authfile : getenv("REGISTRY_AUTH_FILE");
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

static void erase_text(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void nc_registry_conf_close(struct nc_registry_conf *conf)
{
	if (!conf)
		return;
	free(conf->authfile);
	free(conf->user);
	erase_text(conf->password);
	free(conf->cert_dir);
	free(conf);
}

void nc_credentials_release(struct nc_credentials *credentials)
{
	free(credentials->user);
	erase_text(credentials->password);
	erase_text(credentials->identity_token);
	free(credentials->from);
	*credentials = (struct nc_credentials){ 0 };
}

int nc_registry_credentials(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
			    struct nc_credentials *ret, struct nacre_error *err)
{
	struct nc_credentials found = { 0 };
	if (conf->user && !endpoint->mirror) {
		found.user = nc_strdup(conf->user);
		found.password = nc_strdup(conf->password);
		found.from = nc_strdup("the credentials given");
		if (!found.user || !found.password || !found.from) {
			nc_credentials_release(&found);
			return nc_nomem(err);
		}
	}
	*ret = found;
	return 0;
}
