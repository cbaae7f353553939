/* nacre_copy, nacre_load, and the loop beneath them:
 *
 *	for each image: begin
 *		for each layer, lowest first: is it there? else it comes, and the next may begin meanwhile
 *		end
 *	commit */
#include "transport/copy.h"

#include "base/cancel.h"
#include "base/options.h"
#include "image/reference.h"
#include "transport/flow.h"
#include "transport/offer.h"
#include "transport/outfile.h"
#include "transport/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- layers ----------------------------------------------------------------------------------------------------- */

struct layer_work {
	const struct nc_copy *copy;
	struct nc_source *source;
	struct nc_sink *sink;
	const struct nc_offer *offer;
	size_t layer;
	struct nacre_progress progress;	/* of our own: without events when the sink tells */
	struct nacre_progress bytes;	/* on the way: without events when the source tells of them */
	char id[NC_DIGEST_TEXT];	/* for progress */
	uint64_t size;
};

/* An image and its layers. What is lent to threads of the sink stands in works until they are halted. */
struct image_work {
	const struct nc_copy *copy;
	struct nc_source *source;
	struct nc_sink *sink;
	size_t image;
	const struct nc_offer *offer;
	struct layer_work *works;	/* one for each layer */
};

static void name_work(struct layer_work *work)
{
	const struct nc_offer_layer *layer = &work->offer->layers[work->layer];
	if (layer->blob.alg)
		nc_digest_text(&layer->blob, work->id);
	else if (layer->diff_id.alg)
		nc_digest_text(&layer->diff_id, work->id);
	else
		snprintf(work->id, sizeof work->id, "layer %zu", work->layer + 1);
}

static void tell(const struct layer_work *work, enum nacre_event event, uint64_t size)
{
	const struct nacre_progress *progress = &work->progress;
	uint64_t total = size == UINT64_MAX ? 0 : size;
	if (progress->event)
		progress->event(progress->ctx, event, work->id, work->copy->what,
				event == NACRE_EVENT_START ? 0 : total, total);
}

static int check_cancel(const struct nc_copy *copy, struct nacre_error *err)
{
	return nc_cancel_check(copy->options->progress.cancel, err);
}

/* The bytes of the layer, watched. */
static int open_layer(struct layer_work *work, struct nc_reader **ret, uint64_t *ret_size, struct nacre_error *err)
{
	int code = work->source->ops->layer(work->source, work->layer, ret, ret_size, err);
	if (code < 0)
		return code;
	if (work->offer->layers[work->layer].told)
		work->bytes.event = NULL;
	else
		tell(work, NACRE_EVENT_START, *ret_size);
	return nc_reader_progress(*ret, &work->bytes, work->id, work->copy->what,
				  *ret_size == UINT64_MAX ? 0 : *ret_size, ret, err);
}

static int learned(struct layer_work *work, const struct nc_digest *diff_id, struct nacre_error *err)
{
	if (work->offer->layers[work->layer].diff_id.alg || !work->source->ops->learned)
		return 0;
	return work->source->ops->learned(work->source, work->layer, diff_id, err);
}

/* Whether a failure was the fault of a place, and there is another one. */
static bool turned(struct nc_source *source, size_t layer, int code)
{
	return (code == NACRE_E_BADDATA || code == NACRE_E_DIGEST) && source->ops->turn &&
	       source->ops->turn(source, layer) > 0;
}

/* Waits for layers that are on their way: for all, or until one more may come. work: any of the image. */
static int settle(struct layer_work *work, bool all, struct nacre_error *err)
{
	struct layer_work *works = work - work->layer;
	size_t layer;
	int code = 0;
	while (work->sink->ops->settle && (code = work->sink->ops->settle(work->sink, all, &layer, err)) > 0)
		tell(&works[layer], NACRE_EVENT_DONE, works[layer].size);
	return code;
}

static int copy_layer(struct layer_work *work, struct nacre_error *err)
{
	struct nc_reader *blob;
	struct nc_digest diff_id;
	name_work(work);
	int code = check_cancel(work->copy, err);
	if (code >= 0)
		code = work->sink->ops->has(work->sink, work->layer, err);
	if (code > 0)
		tell(work, NACRE_EVENT_SKIPPED, work->offer->layers[work->layer].blob_size);
	if (code)
		return code < 0 ? code : 0;
	code = settle(work, false, err);
	if (code < 0)
		return code;
	do {
		work->bytes = work->progress;
		code = open_layer(work, &blob, &work->size, err);
		if (code >= 0)
			code = work->sink->ops->layer(work->sink, work->layer, blob, work->size, &diff_id, err);
	} while (code < 0 && turned(work->source, work->layer, code));
	if (code)
		return code;
	code = learned(work, &diff_id, err);
	if (code >= 0)
		tell(work, NACRE_EVENT_DONE, work->size);
	return code;
}

/* A layer that is not there may be on its way before its turn comes. */
static int expect_layer(struct layer_work *work, struct nacre_error *err)
{
	int code = check_cancel(work->copy, err);
	if (code >= 0)
		code = work->sink->ops->has(work->sink, work->layer, err);
	return code ? code : work->source->ops->expect(work->source, work->layer, work->copy->what, err);
}

/* For sinks that want to know them before anything else. */
static int learn_layer(struct layer_work *work, struct nacre_error *err)
{
	struct nc_reader *blob;
	struct nc_digest diff_id;
	if (work->offer->layers[work->layer].diff_id.alg)
		return 0;
	name_work(work);
	work->bytes = work->progress;
	int code = check_cancel(work->copy, err);
	if (code >= 0)
		code = open_layer(work, &blob, &work->size, err);
	if (code >= 0)
		code = nc_flow_diff_id(blob, &diff_id, err);
	return code < 0 ? code : learned(work, &diff_id, err);
}

/* --- images ----------------------------------------------------------------------------------------------------- */

/* The layer in hand may have failed because of another. */
static int failed_layer(const struct image_work *image, size_t layer, int code, struct nacre_error *err)
{
	struct nc_source *source = image->source;
	struct nc_sink *sink = image->sink;
	struct nacre_error why;
	if ((source->ahead && source->ops->blame(source, &layer, &why) > 0) ||
	    (sink->ops->blame && sink->ops->blame(sink, &layer, &why) > 0)) {
		code = why.code;
		if (err)
			*err = why;
	}
	if (source->ops->count(source) > 1)
		return nc_wrap(err, code, "layer %zu of image %zu of %s", layer + 1, image->image + 1, source->label);
	return nc_wrap(err, code, "layer %zu of %s", layer + 1, source->label);
}

static int each_layer(const struct image_work *image, int (*fn)(struct layer_work *work, struct nacre_error *err),
		      struct nacre_error *err)
{
	for (size_t i = 0; i < image->offer->layer_count; i++) {
		int code = fn(&image->works[i], err);
		if (code < 0)
			return failed_layer(image, i, code, err);
	}
	return 0;
}

static int read_image(struct nc_source *source, size_t i, const struct nc_offer **ret, struct nacre_error *err)
{
	int code = source->ops->image(source, i, ret, err);
	if (code < 0 && source->ops->count(source) > 1)
		return nc_wrap(err, code, "image %zu of %s", i + 1, source->label);
	return code < 0 ? nc_wrap(err, code, "%s", source->label) : 0;
}

static int collect_names(const struct nc_copy *copy, const struct nc_offer *offer, struct nc_names *names,
			 struct nacre_error *err)
{
	int code = copy->rename ? nc_names_add(names, copy->rename, err) : 0;
	for (const char *const *name = offer->names; code >= 0 && !copy->rename && *name; name++)
		code = nc_names_add(names, *name, err);
	char full[NC_REFERENCE_TEXT];
	if (code < 0 || !copy->options->name)
		return code;
	code = nc_full_name(copy->options->name, full, err);
	return code < 0 ? code : nc_names_add(names, full, err);
}

static int end_image(const struct nc_copy *copy, struct nc_sink *sink, const struct nc_offer *offer,
		     struct nacre_error *err)
{
	struct nc_names names = { 0 };
	struct nacre_copied_image done = { 0 };
	int code = collect_names(copy, offer, &names, err);
	if (code >= 0)
		code = sink->ops->end(sink, nc_names_list(&names), &done, err);
	struct nacre_copied *copied = copy->copied;
	struct nacre_copied_image *images = NULL;
	if (code >= 0 && copied) {
		images = nc_realloc_array(copied->images, copied->count + 1, sizeof *images);
		if (!images || (!names.list && !(names.list = nc_zalloc(sizeof *names.list))))
			code = nc_nomem(err);
		if (images)
			copied->images = images;
	}
	if (code < 0 || !copied) {
		nc_names_release(&names);
		free(done.id);
		free(done.manifest_digest);
		return code < 0 ? code : 0;
	}
	done.names = names.list;
	images[copied->count++] = done;
	return 0;
}

static int open_image(struct image_work *image, struct nacre_error *err)
{
	int code = check_cancel(image->copy, err);
	if (code >= 0)
		code = read_image(image->source, image->image, &image->offer, err);
	if (code < 0)
		return code;
	size_t count = image->offer->layer_count;
	image->works = nc_zalloc((count ? count : 1) * sizeof *image->works);
	if (!image->works)
		return nc_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct layer_work *work = &image->works[i];
		*work = (struct layer_work){ .copy = image->copy, .source = image->source, .sink = image->sink,
					     .offer = image->offer, .layer = i, .progress = image->copy->options->progress };
		if (image->sink->tells)
			work->progress.event = NULL;
	}
	return 0;
}

static int copy_layers(const struct image_work *image, struct nacre_error *err)
{
	int code = image->sink->diff_ids_first ? each_layer(image, learn_layer, err) : 0;
	if (code >= 0)
		code = image->sink->ops->begin(image->sink, image->offer, err);
	if (code >= 0 && image->source->ahead)
		code = each_layer(image, expect_layer, err);
	if (code >= 0)
		code = each_layer(image, copy_layer, err);
	if (code < 0)
		return code;
	code = image->offer->layer_count ? settle(image->works, true, err) : 0;
	return code < 0 ? failed_layer(image, image->offer->layer_count - 1, code, err) : 0;
}

static int copy_image(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink, size_t i,
		      struct nacre_error *err)
{
	struct image_work image = { .copy = copy, .source = source, .sink = sink, .image = i };
	sink->apart = source->apart;
	int code = open_image(&image, err);
	if (code >= 0)
		code = copy_layers(&image, err);
	if (code < 0 && sink->ops->halt)
		sink->ops->halt(sink);
	free(image.works);
	return code < 0 ? code : end_image(copy, sink, image.offer, err);
}

static int announce_image(struct image_work *image, struct nacre_error *err)
{
	int code = open_image(image, err);
	if (code >= 0)
		code = each_layer(image, learn_layer, err);
	return code < 0 ? code : image->sink->ops->expect(image->sink, image->offer, err);
}

static int announce_images(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink,
			   struct nacre_error *err)
{
	size_t count = source->ops->count(source);
	int code = 0;
	for (size_t i = 0; i < count && code >= 0; i++) {
		struct image_work image = { .copy = copy, .source = source, .sink = sink, .image = i };
		code = announce_image(&image, err);
		free(image.works);
	}
	return code;
}

/* --- the rest of an index --------------------------------------------------------------------------------------- */

static int open_rest(struct nc_source *source, const struct nc_whole_item *item, struct nc_reader **ret,
		     struct nacre_error *err)
{
	return item->bytes ? nc_reader_memory(item->bytes, item->size, ret, err) : source->ops->blob(source, item, ret, err);
}

static int bring_rest(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink,
		      const struct nc_whole_item *item, struct nacre_error *err)
{
	struct nacre_progress progress = copy->options->progress;
	struct nc_reader *blob;
	char id[NC_DIGEST_TEXT];
	nc_digest_text(&item->digest, id);
	if (sink->tells)
		progress.event = NULL;
	int code = open_rest(source, item, &blob, err);
	if (code >= 0 && progress.event)
		progress.event(progress.ctx, NACRE_EVENT_START, id, copy->what, 0, item->size);
	if (code >= 0)
		code = nc_reader_progress(blob, &progress, id, copy->what, item->size, &blob, err);
	if (code >= 0)
		code = sink->ops->rest(sink, item, blob, err);
	if (code >= 0 && progress.event)
		progress.event(progress.ctx, NACRE_EVENT_DONE, id, copy->what, item->size, item->size);
	return code;
}

/* What the index names and no image has: attestations, artifacts, indexes. */
static int copy_rest(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink, struct nacre_error *err)
{
	const struct nc_whole *whole = source->whole;
	char id[NC_DIGEST_TEXT];
	int code = 0;
	for (size_t i = 0; whole && i < whole->count && code >= 0; i++) {
		const struct nc_whole_item *item = &whole->items[i];
		if (item->kind == NC_WHOLE_IMAGE)
			continue;
		code = check_cancel(copy, err);
		if (code >= 0)
			code = sink->ops->has_rest(sink, item, err);
		if (code == 0)
			do
				code = bring_rest(copy, source, sink, item, err);
			while (code < 0 && turned(source, NC_NO_LAYER, code));
		if (code < 0)
			return nc_wrap(err, code, "%s of %s", nc_digest_text(&item->digest, id), source->label);
	}
	return 0;
}

int nc_copy_images(const struct nc_copy *copy, struct nc_source *source, struct nc_sink *sink,
		   struct nacre_error *err)
{
	size_t count = source->ops->count(source);
	if (count > 1 && (copy->rename || copy->options->name) && !source->whole)
		return nc_fail(err, NACRE_E_INVALID, 0, "%s holds %zu images, which cannot all have one name",
			       source->label, count);
	int code = count > 1 && sink->ops->expect ? announce_images(copy, source, sink, err) : 0;
	for (size_t i = 0; i < count && code >= 0; i++)
		code = copy_image(copy, source, sink, i, err);
	return code < 0 ? code : copy_rest(copy, source, sink, err);
}

static int commit(struct nc_source *source, struct nc_sink *sink, struct nacre_error *err)
{
	int code = sink->ops->commit(sink, err);
	if (code >= 0 && source->ops->arrived)
		source->ops->arrived(source);
	return code;
}

int nc_copy_into_store(const struct nc_copy *copy, struct nc_source *source, struct nacre_store *store,
		       struct nacre_error *err)
{
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = NULL;
	const struct nacre_copy_options *options = copy->options;
	const struct nc_sink_wish wish = { .store = store, .tag = "", .blobs = options->blobs,
					   .cancel = options->progress.cancel, .repair = options->repair };
	int code = nc_graph_save_open(&wish, &sink, err);
	if (code >= 0)
		code = nc_copy_images(copy, source, sink, err);
	return code < 0 ? code : commit(source, sink, err);
}

/* --- what callers say ------------------------------------------------------------------------------------------- */

int nc_full_name(const char *text, char *ret, struct nacre_error *err)
{
	struct nc_reference reference;
	int code = nc_reference_parse(text, &reference, err);
	if (code < 0)
		return code;
	if (*reference.digest)
		return nc_fail(err, NACRE_E_INVALID, 0, "'%s' has a digest: an image cannot be named so", text);
	nc_reference_full(&reference, ret);
	return 0;
}

int nc_copy_options_take(const struct nacre_copy_options *given, struct nacre_copy_options *ret,
			 struct nacre_error *err)
{
	int code = nc_options_take(given, ret, sizeof *ret, err);
	if (code < 0)
		return code;
	if (ret->compression > NACRE_COMPRESSION_ZSTD || ret->blobs > NACRE_BLOBS_DROP ||
	    ret->repair > NACRE_REPAIR_ONLY)
		return nc_fail(err, NACRE_E_INVALID, 0, "the options hold a value that has no meaning");
	return 0;
}

int nc_check_store_name(const struct nacre_copy_options *options, struct nacre_error *err)
{
	if (!options->all_platforms || !options->name)
		return 0;
	return nc_fail(err, NACRE_E_INVALID, 0, "images of several platforms cannot all have one name");
}

int nc_source_wish_make(struct nacre_store *store, const struct nacre_copy_options *options,
			struct nc_source_wish *ret, struct nacre_error *err)
{
	*ret = (struct nc_source_wish){
		.store = store, .spool = { store, -1 }, .rest = "", .all = options->all_images,
		.keep_ids = options->keep_ids, .all_platforms = options->all_platforms, .progress = &options->progress, .registry = options->registry,
	};
	nc_platform_host(&ret->platform);
	if (!options->platform)
		return 0;
	ret->platform_asked = true;
	return nc_platform_parse(options->platform, &ret->platform, err);
}

/* --- nacre_copy ------------------------------------------------------------------------------------------------- */

static int open_sink(const struct nc_place *place, struct nacre_store *store,
		     const struct nacre_copy_options *options, struct nc_sink **ret, struct nacre_error *err)
{
	const struct nc_sink_wish wish = {
		.store = store, .tag = place->rest, .compression = options->compression, .blobs = options->blobs,
		.cancel = options->progress.cancel, .repair = options->repair, .name = place->rest,
		.registry = options->registry, .progress = &options->progress,
	};
	switch (place->transport) {
	case NC_DOCKER_ARCHIVE:
		return nc_docker_save_open(place->where, &wish, ret, err);
	case NC_OCI_DIR:
	case NC_OCI_ARCHIVE:
		return nc_oci_save_open(place->where, place->transport == NC_OCI_ARCHIVE, &wish, ret, err);
	case NC_DIR:
		return nc_dir_save_open(place->where, &wish, ret, err);
	case NC_REGISTRY:
		return nc_registry_save_open(&wish, ret, err);
	case NC_GRAPH:
		break;
	}
	return nc_graph_save_open(&wish, ret, err);
}

/* Where a source without a store spools: beside what is to be written. ret->dir is closed by the caller. */
static void choose_spool(struct nacre_store *store, const struct nc_place *destination, struct nc_outplace *ret)
{
	*ret = (struct nc_outplace){ .dir = -1 };
	if (!store && *destination->where && strcmp(destination->where, "-"))
		nc_outplace_open(destination->where, ret, NULL);
}

static int copy_places(struct nacre_store *store, const struct nc_place *from, const struct nc_place *to,
		       const struct nacre_copy_options *options, struct nacre_copied *copied, struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	NC_CLEANUP(nc_sink_auto) struct nc_sink *sink = NULL;
	struct nc_source_wish wish;
	struct nc_outplace beside;
	char rename[NC_REFERENCE_TEXT];
	if (options->all_platforms && (from->transport == NC_DOCKER_ARCHIVE || from->transport == NC_DIR))
		return nc_fail(err, NACRE_E_INVALID, 0, "the source holds one platform alone");
	if (options->all_platforms && from->transport == NC_GRAPH && to->transport == NC_GRAPH)
		return nc_fail(err, NACRE_E_INVALID, 0, "all platforms are in the store already; nacre tag gives one more name");
	if (options->all_platforms && (to->transport == NC_DOCKER_ARCHIVE || to->transport == NC_DIR))
		return nc_fail(err, NACRE_E_INVALID, 0, "the destination holds one platform alone");
	int code = to->transport == NC_GRAPH ? nc_check_store_name(options, err) : 0;
	if (code < 0)
		return code;
	if (!store && (from->transport == NC_GRAPH || to->transport == NC_GRAPH))
		return nc_fail(err, NACRE_E_INVALID, 0, "graph: needs a store");
	bool renames = *to->rest && (to->transport == NC_DOCKER_ARCHIVE || to->transport == NC_GRAPH ||
				     to->transport == NC_REGISTRY);
	code = renames ? nc_full_name(to->rest, rename, err) : 0;
	if (code >= 0)
		code = nc_source_wish_make(store, options, &wish, err);
	if (code < 0)
		return code;
	choose_spool(store, to, &beside);
	wish.rest = from->rest;
	/* the source names images after their platforms */
	if (options->all_platforms && to->transport == NC_GRAPH && renames) {
		wish.name = rename;
		renames = false;
	}
	wish.resume = to->transport == NC_GRAPH;
	wish.spool.dir = beside.dir;
	code = open_sink(to, store, options, &sink, err);
	if (code >= 0) {
		wish.plain = sink->plain;
		code = nc_source_open(from, &wish, &source, err);
	}
	nc_outplace_release(&beside);
	const struct nc_copy copy = { options, "copying layer", renames ? rename : NULL, copied };
	if (code >= 0)
		code = nc_copy_images(&copy, source, sink, err);
	return code < 0 ? code : commit(source, sink, err);
}

static int copy_errand(const struct nc_errand *errand, const struct nacre_copy_options *options,
		       struct nacre_copied *copied, struct nacre_error *err)
{
	NC_CLEANUP(nc_place_auto) struct nc_place *from = NULL;
	NC_CLEANUP(nc_place_auto) struct nc_place *to = NULL;
	int code = nc_place_parse(errand->from, &from, err);
	if (code >= 0)
		code = nc_place_parse(errand->to, &to, err);
	return code < 0 ? code : copy_places(errand->store, from, to, options, copied, err);
}

int nacre_copy(struct nacre_store *store, const char *source, const char *destination,
	       const struct nacre_copy_options *options, struct nacre_copied **ret, struct nacre_error *err)
{
	return nc_errand_run(&(struct nc_errand){ store, source, destination }, options, copy_errand, ret, err);
}

/* --- nacre_load ------------------------------------------------------------------------------------------------- */

static int load(const struct nc_errand *errand, const struct nacre_copy_options *options, struct nacre_copied *copied,
		struct nacre_error *err)
{
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	const struct nc_copy copy = { options, "loading layer", NULL, copied };
	struct nc_source_wish wish;
	int code = nc_source_wish_make(errand->store, options, &wish, err);
	if (code < 0)
		return code;
	wish.all = true;
	code = nc_check_store_name(options, err);
	if (code < 0)
		return code;
	code = nc_source_detect(errand->from, &wish, &source, err);
	return code < 0 ? code : nc_copy_into_store(&copy, source, errand->store, err);
}

int nacre_load(struct nacre_store *store, const char *path, const struct nacre_copy_options *options,
	       struct nacre_copied **ret, struct nacre_error *err)
{
	return nc_errand_run(&(struct nc_errand){ store, path, NULL }, options, load, ret, err);
}

/* --- errands ---------------------------------------------------------------------------------------------------- */

NC_DEFINE_CLEANUP(copied_auto, struct nacre_copied *, nacre_copied_free)

int nc_errand_run(const struct nc_errand *errand, const struct nacre_copy_options *given,
		  int (*fn)(const struct nc_errand *errand, const struct nacre_copy_options *options,
			    struct nacre_copied *copied, struct nacre_error *err),
		  struct nacre_copied **ret, struct nacre_error *err)
{
	NC_CLEANUP(copied_auto) struct nacre_copied *copied = nc_zalloc(sizeof *copied);
	struct nacre_copy_options taken;
	int code = copied ? nc_copy_options_take(given, &taken, err) : nc_nomem(err);
	if (code >= 0)
		code = fn(errand, &taken, copied, err);
	if (code >= 0 && ret)
		*ret = NC_GIVE(copied);
	return code < 0 ? code : 0;
}

void nacre_copied_free(struct nacre_copied *copied)
{
	if (!copied)
		return;
	for (size_t i = 0; i < copied->count; i++) {
		struct nacre_copied_image *image = &copied->images[i];
		for (char **name = image->names; name && *name; name++)
			free(*name);
		free(image->names);
		free(image->id);
		free(image->manifest_digest);
	}
	free(copied->images);
	free(copied);
}
