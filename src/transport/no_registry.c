/* What stands for registries in a build without them. */
#include "transport/login_proof.h"
#include "transport/places.h"

static int refuse(struct nacre_error *err)
{
	return nc_fail(err, NACRE_E_UNSUPPORTED, 0, "this build of nacre has no registries");
}

int nc_registry_load_open(const struct nc_source_wish *wish, struct nc_source **ret, struct nacre_error *err)
{
	return refuse(err);
}

int nc_registry_save_open(const struct nc_sink_wish *wish, struct nc_sink **ret, struct nacre_error *err)
{
	return refuse(err);
}

int nacre_pull(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	return refuse(err);
}

int nacre_push(struct nacre_store *store, const char *image, const char *name, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	return refuse(err);
}

int nacre_remote_image(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		       struct nacre_image **ret, struct nacre_error *err)
{
	return refuse(err);
}

int nacre_remote_tags(const char *repository, const struct nacre_registry_options *options,
		      const struct nacre_progress *progress, char ***ret, struct nacre_error *err)
{
	return refuse(err);
}

int nacre_pull_plan(struct nacre_store *store, const char *name, const struct nacre_copy_options *options,
		    struct nacre_pull_plan **ret, struct nacre_error *err)
{
	return refuse(err);
}

void nacre_pull_plan_free(struct nacre_pull_plan *plan)
{
}

void nacre_tags_free(char **tags)
{
}

int nc_login_prove(const struct nc_registry_conf *conf, const struct nc_endpoint *endpoint, struct nacre_error *err)
{
	return refuse(err);
}
