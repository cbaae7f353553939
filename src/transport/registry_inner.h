/* What the files of registry_*.c share. */
#ifndef NC_TRANSPORT_REGISTRY_INNER_H
#define NC_TRANSPORT_REGISTRY_INNER_H

#include "transport/registry_conf.h"

/* docker.io is a name; its API has another host, and its credentials are kept under a third. */
#define NC_DOCKER_NAME "docker.io"
#define NC_DOCKER_INDEX "index.docker.io"
#define NC_DOCKER_HOST "registry-1.docker.io"
#define NC_DOCKER_INDEX_URL "https://index.docker.io/v1/"

struct nc_registry_conf {
	char *authfile;			/* NULL: the usual ones */
	char *user, *password;		/* the option creds; NULL */
	char *cert_dir;			/* NULL: certs.d */
	int tls_verify;
};

#endif
