/* Options of every command that speaks to a registry. */
#ifndef CLI_REGISTRY_H
#define CLI_REGISTRY_H

#include "app.h"

#include <nacre/nacre.h>

#define OPTION_AUTHFILE { .name = "authfile", .arg = "FILE", .help = "the file of credentials to use" }
#define OPTION_CREDS { .name = "creds", .arg = "USER:PASSWORD", .help = "credentials for the registry" }
#define OPTION_CERT_DIR { .name = "cert-dir", .arg = "DIR", .help = "certificates: *.crt of authorities, *.cert, *.key" }
#define OPTION_TLS_VERIFY { .name = "tls-verify", .arg = "BOOL", .choices = "true|false", \
			    .help = "false: any certificate will do, or plain HTTP" }
#define OPTIONS_REGISTRY OPTION_AUTHFILE, OPTION_CREDS, OPTION_CERT_DIR, OPTION_TLS_VERIFY

/* What args says; login and logout do not have all of the options. Its texts are borrowed from args. */
struct nacre_registry_options registry_options(const struct args *args);

#endif
