/* docker-archive of every age: whatever comes, each image that is offered is whole, and its layers can be asked
 * for. */
#include "io/fd.h"
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Layers and images that one input may cost time for. */
enum { IMAGES = 8, LAYERS = 8 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void drain_layers(struct nc_source *source, const struct nc_offer *offer)
{
	for (size_t i = 0; i < offer->layer_count && i < LAYERS; i++) {
		NC_CLEANUP(nc_reader_auto) struct nc_reader *layer = NULL;
		uint64_t size;
		const struct nc_digest diff_id = { .alg = NC_SHA256 };
		if (source->ops->layer(source, i, &layer, &size, NULL) == 0)
			nc_reader_drain(layer, NULL);
		if (!offer->layers[i].diff_id.alg)
			source->ops->learned(source, i, &diff_id, NULL);
	}
}

static void look_at(struct nc_source *source)
{
	size_t count = source->ops->count(source);
	must(count > 0);
	for (size_t i = 0; i < count && i < IMAGES; i++) {
		const struct nc_offer *offer;
		if (source->ops->image(source, i, &offer, NULL) < 0)
			continue;
		must(offer->names && (offer->config || !offer->parsed));
		must(!offer->parsed || offer->parsed->diff_id_count == offer->layer_count);
		drain_layers(source, offer);
	}
}

static void read_archive(const uint8_t *bytes, size_t len, bool keep_ids)
{
	const struct nc_spool spool = { NULL, -1 };
	struct nc_source_wish wish = { .spool = spool, .rest = "", .all = true, .keep_ids = keep_ids };
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	struct nc_archive *archive;
	int fd = memfd_create("archive", MFD_CLOEXEC);
	must(fd >= 0 && nc_pwrite_full(fd, bytes, len, 0) == 0);
	if (nc_archive_open(fd, "archive", &spool, NULL, &archive, NULL) < 0)
		return;
	int code = nc_archive_has(archive, "manifest.json") ? nc_docker_load_open(archive, &wish, &source, NULL)
							    : nc_docker_v1_load_open(archive, &wish, &source, NULL);
	if (code >= 0)
		look_at(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len)
		read_archive(bytes + 1, len - 1, bytes[0] & 1);
	return 0;
}
