#include "registry.h"

#include <string.h>

static const char *text_if_any(const struct args *args, const char *name)
{
	return args_has(args, name) ? args_text(args, name) : NULL;
}

struct nacre_registry_options registry_options(const struct args *args)
{
	const char *verify = text_if_any(args, "tls-verify");

	return (struct nacre_registry_options){
		.size = sizeof(struct nacre_registry_options),
		.authfile = args_text(args, "authfile"),
		.creds = text_if_any(args, "creds"),
		.cert_dir = text_if_any(args, "cert-dir"),
		.tls_verify = !verify ? 0 : strcmp(verify, "true") == 0 ? 1 : -1,
	};
}
