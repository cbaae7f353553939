/* From what the user typed to the places that are asked for it. */
#include "transport/registry_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int nc_registry_candidates(const struct nc_registry_conf *conf, const char *text, struct nc_candidates *ret,
			   struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(text, &reference, err);
	if (code < 0)
		return code;
	struct nc_reference *list = nc_alloc(sizeof *list);
	if (!list)
		return nc_nomem(err);
	*list = reference;
	*ret = (struct nc_candidates){ .list = list, .count = 1 };
	return 0;
}

void nc_candidates_release(struct nc_candidates *candidates)
{
	free(candidates->list);
	*candidates = (struct nc_candidates){ 0 };
}

static void set_host(struct nc_endpoint *endpoint, const char *name)
{
	bool docker = !strcmp(name, NC_DOCKER_NAME) || !strcmp(name, NC_DOCKER_INDEX);
	snprintf(endpoint->name, sizeof endpoint->name, "%s", docker ? NC_DOCKER_NAME : name);
	snprintf(endpoint->host, sizeof endpoint->host, "%s", docker ? NC_DOCKER_HOST : name);
}

static bool is_insecure(const struct nc_registry_conf *conf, bool configured)
{
	return conf->tls_verify ? conf->tls_verify < 0 : configured;
}

int nc_registry_endpoints(const struct nc_registry_conf *conf, const struct nc_reference *reference, bool push,
			  struct nc_endpoints *ret, struct nacre_error *err)
{
	struct nc_endpoint *list = nc_zalloc(sizeof *list);
	if (!list)
		return nc_nomem(err);
	set_host(list, reference->domain);
	memcpy(list->path, reference->path, sizeof list->path);
	list->insecure = is_insecure(conf, false);
	*ret = (struct nc_endpoints){ .list = list, .count = 1 };
	return 0;
}

void nc_endpoints_release(struct nc_endpoints *endpoints)
{
	free(endpoints->list);
	*endpoints = (struct nc_endpoints){ 0 };
}

int nc_registry_host(const struct nc_registry_conf *conf, const char *registry, struct nc_endpoint *ret,
		     struct nacre_error *err)
{
	char text[NC_REFERENCE_TEXT];
	struct nc_reference reference;
	struct nc_endpoint endpoint = { 0 };
	/* what comes before a slash is a host only when it looks like one; a single word is one here too */
	int len = snprintf(text, sizeof text, "%s/x", registry);
	if (strchr(registry, '/') || len < 0 || (size_t)len >= sizeof text ||
	    nc_reference_parse(text, &reference, NULL) < 0 || strcmp(reference.path, "x") != 0)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is no registry: name a host, HOST[:PORT]", registry);
	set_host(&endpoint, reference.domain);
	endpoint.insecure = is_insecure(conf, false);
	*ret = endpoint;
	return 0;
}
