/* Credentials that another program keeps: docker-credential-NAME, in the protocol of docker's credential helpers. The
 * program is found in $PATH and started without a shell, in our process group, so that Ctrl-C reaches it and it can ask
 * its user something. Its time and its output are bounded, and it is gone when a function here returns. */
#ifndef NC_TRANSPORT_CREDENTIAL_HELPER_H
#define NC_TRANSPORT_CREDENTIAL_HELPER_H

#include "image/auth_file.h"

/* Time for a user to type a passphrase. */
#define NC_HELPER_SECONDS 120
#define NC_HELPER_OUTPUT_MAX ((size_t)64 << 10)

struct nc_helper {
	const char *name;		/* behind "docker-credential-" */
	unsigned seconds;		/* 0: NC_HELPER_SECONDS */
};

/* 1: it has some for server; 0: none. NACRE_E_AUTH when it fails, says nonsense, or does not end; NACRE_E_NOTFOUND when
 * there is no such program. The same for the others. */
int nc_helper_get(const struct nc_helper *helper, const char *server, struct nc_auth *ret, struct nacre_error *err);
int nc_helper_store(const struct nc_helper *helper, const char *server, const struct nc_auth *auth,
		    struct nacre_error *err);
/* 1: it had some; 0: none. */
int nc_helper_erase(const struct nc_helper *helper, const char *server, struct nacre_error *err);

#endif
