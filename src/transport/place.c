#include "base/error.h"
#include "transport/transport.h"

#include <stdlib.h>
#include <string.h>

static const struct scheme {
	const char *prefix;
	enum nc_transport transport;
	bool has_rest;		/* FILE:REST; the other kinds take everything as the path */
} schemes[] = {
	{ "docker-archive:", NC_DOCKER_ARCHIVE, true },
	{ "oci-archive:", NC_OCI_ARCHIVE, true },
	{ "oci:", NC_OCI_DIR, true },
	{ "dir:", NC_DIR, false },
	{ "graph:", NC_GRAPH, false },
	{ "docker://", NC_REGISTRY, false },
};

static int make_place(const struct scheme *scheme, const char *where, size_t where_len, const char *rest,
		      struct nc_place **ret, struct nacre_error *err)
{
	size_t rest_len = strlen(rest);
	struct nc_place *place = nc_alloc(sizeof *place + where_len + rest_len + 2);
	if (!place)
		return nc_nomem(err);
	place->transport = scheme->transport;
	place->where = (char *)(place + 1);
	memcpy(place->where, where, where_len);
	place->where[where_len] = '\0';
	place->rest = place->where + where_len + 1;
	memcpy(place->rest, rest, rest_len + 1);
	*ret = place;
	return 0;
}

int nc_place_parse(const char *text, struct nc_place **ret, struct nacre_error *err)
{
	const struct scheme *scheme = NULL;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (!strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)))
			scheme = &schemes[i];
	if (!scheme)
		return nc_fail(err, NACRE_E_INVALID, 0,
			       "'%s' is no place: known are docker-archive:FILE[:REF], oci:DIR[:TAG], "
			       "oci-archive:FILE[:TAG], dir:DIR, graph:REF and docker://REF",
			       text);
	const char *where = text + strlen(scheme->prefix);
	if (scheme->transport == NC_GRAPH || scheme->transport == NC_REGISTRY)
		return make_place(scheme, "", 0, where, ret, err);
	size_t len = scheme->has_rest ? strcspn(where, ":") : strlen(where);
	if (!len)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' names no path", text);
	const char *rest = where[len] ? where + len + 1 : "";
	if (where[len] && !*rest)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' ends with a colon", text);
	return make_place(scheme, where, len, rest, ret, err);
}

void nc_place_free(struct nc_place *place)
{
	free(place);
}
