#include "transport/login_proof.h"

#include "transport/remote.h"

int nc_login_prove(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint, struct nacre_error *err)
{
	NC_CLEANUP(nc_remote_auto) struct nc_remote *remote = NULL;
	NC_CLEANUP(nc_http_answer_auto) struct nc_http_answer *answer = NULL;
	const struct nc_remote_call call = { .method = "GET", .path = "/v2/", .scope = "" };
	int code = nc_remote_open(conf, endpoint, NULL, &remote, err);
	if (code == 0)
		code = nc_remote_call(remote, &call, &answer, err);
	if (code < 0)
		return code;
	return nc_http_status(answer) == 200 ? 0 : nc_remote_refused(remote, answer, "API of version 2", err);
}
