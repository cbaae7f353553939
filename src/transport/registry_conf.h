/* What this machine and its user say about registries: registries.conf, files of credentials, certificates. Everything
 * that containers' tools and docker read, and nothing of the network: see man nacre-registries(5).
 *
 * The way of a pull: nc_registry_candidates() makes full names of what the user typed; nc_registry_endpoints() gives the
 * places to ask for one of them, in order; nc_registry_credentials() and nc_registry_certs() say how to speak to one. */
#ifndef NC_TRANSPORT_REGISTRY_CONF_H
#define NC_TRANSPORT_REGISTRY_CONF_H

#include "base/mem.h"
#include "image/reference.h"

struct nc_registry_conf;

/* options may be NULL. Reads registries.conf at once: a file that is broken is NACRE_E_BADDATA with its line, one that
 * was named by the user or the environment and is not there NACRE_E_NOTFOUND. */
int nc_registry_conf_open(const struct nacre_registry_options *options, struct nc_registry_conf **ret,
			  struct nacre_error *err);
void nc_registry_conf_close(struct nc_registry_conf *conf);	/* NULL is fine */
NC_DEFINE_CLEANUP(nc_registry_conf_auto, struct nc_registry_conf *, nc_registry_conf_close)

/* --- names ------------------------------------------------------------------------------------------------------ */

/* Names to try one after the other; the first that is there is meant. */
struct nc_candidates {
	struct nc_reference *list;
	size_t count;			/* at least 1 */
};
/* What text means: itself when it names a host, else its alias, else one name for each of the
 * unqualified-search-registries, and without those docker.io. Nobody is ever asked. */
int nc_registry_candidates(const struct nc_registry_conf *conf, const char *text, struct nc_candidates *ret,
			   struct nacre_error *err);
void nc_candidates_release(struct nc_candidates *candidates);

/* --- places ----------------------------------------------------------------------------------------------------- */

struct nc_endpoint {
	char host[256];			/* to connect to, with a port where it has one: registry-1.docker.io */
	char name[256];			/* whose credentials and certificates are meant: docker.io */
	char path[256];			/* the repository there: library/alpine */
	bool mirror;
	bool insecure;			/* certificates are not checked, and plain HTTP will do */
};
struct nc_endpoints {
	struct nc_endpoint *list;	/* mirrors first */
	size_t count;			/* at least 1 */
};
/* Where to pull reference from, in order; its tag or digest stays the same everywhere. A push goes to the one place that
 * the reference names. NACRE_E_DENIED when registries.conf blocks it, with file and line. */
int nc_registry_endpoints(const struct nc_registry_conf *conf, const struct nc_reference *reference, bool push,
			  struct nc_endpoints *ret, struct nacre_error *err);
void nc_endpoints_release(struct nc_endpoints *endpoints);
/* The registry itself, for login: "localhost:5000", "docker.io". NACRE_E_INVALID when it is no host. path is "". */
int nc_registry_host(const struct nc_registry_conf *conf, const char *registry, struct nc_endpoint *ret,
		     struct nacre_error *err);

/* --- how to speak to one ---------------------------------------------------------------------------------------- */

/* All NULL: anonymous. Erased when released. */
struct nc_credentials {
	char *user, *password;
	char *identity_token;		/* an OAuth2 refresh token; user may be NULL then */
	char *from;			/* the file or program, for messages: "/root/.docker/config.json" */
};
/* The most specific credentials for the endpoint's repository. Those of the option creds are for the registry that was
 * named, never for a mirror of it. Starts a credential helper where the files say so. NACRE_E_BADDATA for a broken file;
 * NACRE_E_AUTH when a helper fails. */
int nc_registry_credentials(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint,
			    struct nc_credentials *ret, struct nacre_error *err);
void nc_credentials_release(struct nc_credentials *credentials);

/* From certs.d, or the option cert_dir. */
struct nc_certs {
	char *authorities;		/* PEM of CA certificates trusted besides the system's; NULL: none */
	char *client_cert, *client_key;	/* paths of PEM files; NULL: none */
};
int nc_registry_certs(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint, struct nc_certs *ret,
		      struct nacre_error *err);
void nc_certs_release(struct nc_certs *certs);

#endif
