/* From what the user typed to the places that are asked for it. */
#include "transport/registry_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------------------------- */

static int add_candidate(struct nc_candidates *candidates, const char *base, const char *rest, struct nacre_error *err)
{
	char text[NC_REFERENCE_TEXT];
	int len = snprintf(text, sizeof text, "%s%s", base, rest);
	if (len < 0 || (size_t)len >= sizeof text)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.300s' is not an image name: too long", rest);
	int code = nc_reference_parse(text, &candidates->list[candidates->count], err);
	candidates->count += code == 0;
	return code;
}

/* text has no host. suffix: what follows its repository. */
static int expand_short_name(const struct nc_registry_conf *conf, const char *text, size_t name_len,
			     struct nc_candidates *candidates, struct nacre_error *err)
{
	char name[NC_REFERENCE_TEXT];
	char *const *search = conf->registries.search;
	snprintf(name, sizeof name, "%.*s", (int)name_len, text);
	const char *alias = nc_registries_alias(&conf->registries, name);
	if (alias)
		return add_candidate(candidates, alias, text + name_len, err);
	if (!search || !*search)
		return add_candidate(candidates, "", text, err);
	int code = 0;
	for (; *search && code == 0; search++) {
		char base[NC_REFERENCE_TEXT];
		int len = snprintf(base, sizeof base, "%s/", *search);
		code = len < 0 || (size_t)len >= sizeof base ?
			       nc_fail(err, NACRE_E_INVALID, 0, "'%.300s' is too long for a registry", *search) :
			       add_candidate(candidates, base, text, err);
	}
	return code;
}

int nc_registry_candidates(const struct nc_registry_conf *conf, const char *text, struct nc_candidates *ret,
			   struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(text, &reference, err);
	if (code < 0)
		return code;
	struct nc_candidates candidates = { .list = nc_alloc(NC_REGISTRIES_SEARCH_MAX * sizeof *candidates.list) };
	if (!candidates.list)
		return nc_nomem(err);
	/* the tag is looked for behind the last slash, so that a port is not taken for one */
	size_t before_digest = strcspn(text, "@");
	const char *slash = memrchr(text, '/', before_digest), *last = slash ? slash : text;
	size_t name_len = (size_t)(last - text) + strcspn(last, ":@");
	if (nc_reference_has_host(text))
		code = add_candidate(&candidates, "", text, err);
	else
		code = expand_short_name(conf, text, name_len, &candidates, err);
	if (code < 0)
		nc_candidates_release(&candidates);
	else
		*ret = candidates;
	return code;
}

void nc_candidates_release(struct nc_candidates *candidates)
{
	free(candidates->list);
	*candidates = (struct nc_candidates){ 0 };
}

/* --- places ------------------------------------------------------------------------------------------------------ */

static bool is_insecure(const struct nc_registry_conf *conf, bool configured)
{
	return conf->tls_verify ? conf->tls_verify < 0 : configured;
}

static void set_endpoint(const struct nc_registry_conf *conf, struct nc_endpoint *endpoint, const char *host,
			 const char *path, bool insecure)
{
	*endpoint = (struct nc_endpoint){ .insecure = is_insecure(conf, insecure) };
	snprintf(endpoint->name, sizeof endpoint->name, "%s", host);
	snprintf(endpoint->host, sizeof endpoint->host, "%s",
		 strcmp(host, NC_DOCKER_NAME) == 0 ? NC_DOCKER_HOST : host);
	snprintf(endpoint->path, sizeof endpoint->path, "%s", path);
}

/* location stands for the first prefix bytes of repository. */
static int rewrite(const struct nc_registry_conf *conf, const char *location, bool insecure, const char *repository,
		   size_t prefix, struct nc_endpoint *ret, struct nacre_error *err)
{
	char text[2 * NC_REFERENCE_TEXT];
	struct nc_reference place;
	snprintf(text, sizeof text, "%s%s", *location ? location : repository,
		 *location ? repository + prefix : "");
	int code = nc_reference_parse_bare(text, &place, err);
	/* a registry and a mirror may end where the prefix did, with no repository left */
	if (code == 0 && (place.tag[0] || place.digest[0] || !nc_reference_has_host(text)))
		code = nc_fail(err, NACRE_E_INVALID, 0, "it gives '%.300s', which is no repository", text);
	if (code < 0)
		return nc_wrap(err, code, "location '%.100s'", location);
	set_endpoint(conf, ret, place.domain, place.path, insecure);
	return 0;
}

static bool fits(enum nc_mirror_use use, bool by_digest)
{
	return use == NC_MIRROR_ALL || (use == NC_MIRROR_DIGEST_ONLY) == by_digest;
}

static int add_configured(const struct nc_registry_conf *conf, const struct nc_registry *registry,
			  const struct nc_reference *reference, const char *repository, size_t prefix,
			  struct nc_endpoints *endpoints, struct nacre_error *err)
{
	int code = 0;
	for (size_t i = 0; i < registry->mirror_count && code == 0; i++) {
		const struct nc_registry_mirror *mirror = &registry->mirrors[i];
		struct nc_endpoint *endpoint = &endpoints->list[endpoints->count];
		if (!fits(mirror->use, reference->digest[0] != '\0'))
			continue;
		code = rewrite(conf, mirror->location, mirror->insecure, repository, prefix, endpoint, err);
		endpoint->mirror = true;
		endpoints->count += code == 0;
	}
	if (code == 0)
		code = rewrite(conf, registry->location, registry->insecure, repository, prefix,
			       &endpoints->list[endpoints->count++], err);
	return code < 0 ? nc_wrap(err, code, "%s: line %u", registry->file, registry->line) : 0;
}

int nc_registry_endpoints(const struct nc_registry_conf *conf, const struct nc_reference *reference, bool push,
			  struct nc_endpoints *ret, struct nacre_error *err)
{
	char repository[NC_REFERENCE_TEXT];
	size_t prefix = 0;
	int code = 0;
	snprintf(repository, sizeof repository, "%s/%s", reference->domain, reference->path);
	const struct nc_registry *registry = nc_registries_find(&conf->registries, repository, &prefix);
	if (registry && registry->blocked)
		return nc_fail(err, NACRE_E_DENIED, 0, "'%.200s' is blocked by %s, line %u", repository, registry->file,
			       registry->line);
	struct nc_endpoints endpoints = {
		.list = nc_zalloc((1 + (registry ? registry->mirror_count : 0)) * sizeof *endpoints.list),
	};
	if (!endpoints.list)
		return nc_nomem(err);
	if (registry && !push)
		code = add_configured(conf, registry, reference, repository, prefix, &endpoints, err);
	else
		set_endpoint(conf, &endpoints.list[endpoints.count++], reference->domain, reference->path,
			     registry && registry->insecure);
	if (code < 0)
		nc_endpoints_release(&endpoints);
	else
		*ret = endpoints;
	return code;
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
	size_t prefix = 0;
	/* a repository is added, so that all of it must be a host */
	int len = snprintf(text, sizeof text, "%s/x", registry);
	bool is_host = len > 0 && (size_t)len < sizeof text && !strpbrk(registry, "/@") && nc_reference_has_host(text) &&
		       nc_reference_parse_bare(text, &reference, NULL) == 0;
	if (!is_host)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is no registry: name a host, HOST[:PORT]", registry);
	const struct nc_registry *entry = nc_registries_find(&conf->registries, reference.domain, &prefix);
	if (entry && entry->blocked)
		return nc_fail(err, NACRE_E_DENIED, 0, "'%.200s' is blocked by %s, line %u", reference.domain,
			       entry->file, entry->line);
	set_endpoint(conf, ret, reference.domain, "", entry && entry->insecure);
	return 0;
}
