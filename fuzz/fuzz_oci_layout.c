/* An OCI layout in an archive. The input is a list of documents, each ended by a NUL: the first is index.json, the
 * others are blobs, named by their digests as they must be. So that a mutation does not break every digest, a byte
 * 1 and a digit in a document stand for the digest and size of a later one. */
#include "base/buf.h"
#include "io/fd.h"
#include "tar/write.h"
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { DOCUMENTS = 10, IMAGES = 8, LAYERS = 8 };

struct document {
	const char *from;
	size_t len;
	struct nc_buf text;
	struct nc_digest digest;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t split(const uint8_t *bytes, size_t len, struct document *documents)
{
	size_t count = 0;
	for (const uint8_t *end = bytes + len; bytes < end && count < DOCUMENTS; count++) {
		const uint8_t *nul = memchr(bytes, 0, (size_t)(end - bytes));
		size_t n = (size_t)((nul ? nul : end) - bytes);
		documents[count] = (struct document){ .from = (const char *)bytes, .len = n,
						      .text = NC_BUF_INIT(1 << 20) };
		bytes += n + 1;
	}
	return count;
}

/* From the last to the first, so that a document can tell the digests of those behind it. */
static void expand(struct document *documents, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		struct document *document = &documents[i];
		const char *at = document->from, *end = at + document->len, *mark;
		for (; (mark = memchr(at, 1, (size_t)(end - at))); at = mark + 1) {
			size_t other = mark + 1 < end ? (size_t)(mark[1] - '0') : 0;
			char text[NC_DIGEST_TEXT];
			bool stands_for = other > i && other < count;
			nc_buf_add(&document->text, at, (size_t)(mark - at) + !stands_for, NULL);
			if (!stands_for)
				continue;
			nc_buf_addf(&document->text, NULL, "\"digest\":\"%s\",\"size\":%zu",
				    nc_digest_text(&documents[other].digest, text), documents[other].text.len);
			mark++;
		}
		nc_buf_add(&document->text, at, (size_t)(end - at), NULL);
		must(nc_digest_of(nc_buf_text(&document->text), document->text.len, &document->digest, NULL) == 0);
	}
}

static void add(struct nc_tar_writer *tar, const char *name, const char *bytes, size_t len)
{
	const struct nc_entry entry = { .type = NC_ENTRY_FILE, .name = name, .name_len = strlen(name), .link = "",
					.mode = 0644, .size = len, .stored = len };
	must(nc_tar_writer_entry(tar, &entry, NULL) == 0 && nc_tar_writer_data(tar, bytes, len, NULL) == 0);
}

static int pack(const struct document *documents, size_t count)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	NC_CLEANUP(nc_writer_auto) struct nc_writer *writer = NULL;
	NC_CLEANUP(nc_tar_writer_auto) struct nc_tar_writer *tar = NULL;
	int fd = memfd_create("archive", MFD_CLOEXEC);
	must(fd >= 0 && nc_writer_fd(fd, false, "archive", &writer, NULL) == 0);
	must(nc_tar_writer_new(writer, &tar, NULL) == 0);
	add(tar, "oci-layout", layout, sizeof layout - 1);
	for (size_t i = 0; i < count; i++) {
		char name[NC_DIGEST_TEXT + 16] = "blobs/sha256/", hex[NC_DIGEST_TEXT];
		strcat(name, nc_digest_hex(&documents[i].digest, hex));
		add(tar, i ? name : "index.json", nc_buf_text(&documents[i].text), documents[i].text.len);
	}
	must(nc_tar_writer_finish(tar, NULL) == 0 && nc_writer_finish(writer, NULL) == 0);
	must(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void look_at(struct nc_source *source)
{
	size_t count = source->ops->count(source);
	must(count > 0);
	for (size_t i = 0; i < count && i < IMAGES; i++) {
		const struct nc_offer *offer;
		if (source->ops->image(source, i, &offer, NULL) < 0)
			continue;
		must(offer->config && offer->manifest && offer->parsed->diff_id_count == offer->layer_count);
		for (size_t n = 0; n < offer->layer_count && n < LAYERS; n++) {
			NC_CLEANUP(nc_reader_auto) struct nc_reader *layer = NULL;
			uint64_t size;
			if (source->ops->layer(source, n, &layer, &size, NULL) == 0)
				nc_reader_drain(layer, NULL);
		}
	}
}

static void read_layout(int fd)
{
	const struct nc_spool spool = { NULL, -1 };
	struct nc_source_wish wish = { .spool = spool, .rest = "", .all = true };
	NC_CLEANUP(nc_source_auto) struct nc_source *source = NULL;
	struct nc_archive *archive;
	struct nc_blobs *blobs;
	must(nc_platform_parse("linux/amd64", &wish.platform, NULL) == 0);
	must(nc_archive_open(fd, "archive", &spool, NULL, &archive, NULL) == 0);
	must(nc_blobs_of_archive(archive, &blobs, NULL) == 0);
	if (nc_oci_load_open(archive, blobs, &wish, &source, NULL) >= 0)
		look_at(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct document documents[DOCUMENTS];
	size_t count = split(bytes, len, documents);
	expand(documents, count);
	read_layout(pack(documents, count));
	for (size_t i = 0; i < count; i++)
		nc_buf_release(&documents[i].text);
	return 0;
}
