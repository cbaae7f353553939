/* Asking a registry whether it takes credentials. */
#ifndef NC_TRANSPORT_LOGIN_PROOF_H
#define NC_TRANSPORT_LOGIN_PROOF_H

#include "transport/registry_conf.h"

/* Those that conf has for the endpoint. NACRE_E_AUTH, NACRE_E_REMOTE. */
int nc_login_prove(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint, struct nacre_error *err);

#endif
