/* Images and archives made for the tests of this room. */
#ifndef NC_TESTS_TRANSPORT_ROOM_H
#define NC_TESTS_TRANSPORT_ROOM_H

#include "../unit.h"

#include "base/buf.h"
#include "image/manifest.h"
#include "io/codec.h"
#include "io/digest.h"
#include "io/fd.h"
#include "io/path.h"
#include "tar/write.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct nacre_error err;

/* --- a directory to work in ------------------------------------------------------------------------------------- */

static char room[64];		/* "/tmp/nacre-room-XXXXXX" */

static inline int enter_room(void **state)
{
	strcpy(room, "/tmp/nacre-room-XXXXXX");
	return mkdtemp(room) ? 0 : -1;
}

static inline int leave_room(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = nc_tree_remove(tmp, room + strlen("/tmp/"), NULL);
	close(tmp);
	return code;
}

/* "PREFIX/tmp/nacre-room-…/NAME"; in one of a few buffers that take turns. */
static inline const char *at(const char *prefix, const char *name)
{
	static char paths[8][1024];
	static unsigned turn;
	char *path = paths[turn++ % 8];
	snprintf(path, sizeof paths[0], "%s%s/%s", prefix, room, name);
	return path;
}

static inline void put_file(const char *name, const void *bytes, size_t len)
{
	int fd = open(at("", name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(nc_write_full(fd, bytes, len), 0);
	close(fd);
}

static inline char *get_file(const char *name, size_t *ret_len)
{
	char *bytes;
	assert_done(nc_file_read(AT_FDCWD, at("", name), 64 << 20, &bytes, ret_len, &err));
	return bytes;
}

static inline bool there(const char *name)
{
	struct stat st;
	return lstat(at("", name), &st) == 0;
}

static inline int count_entry(void *ctx, const char *name, unsigned char type, struct nacre_error *error)
{
	++*(int *)ctx;
	return 0;
}

/* How many entries a directory has. */
static inline int entries_of(const char *name)
{
	int count = 0, fd = open(at("", name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_done(nc_dir_each(fd, count_entry, &count, &err));
	close(fd);
	return count;
}

/* --- archives --------------------------------------------------------------------------------------------------- */

struct pack {
	struct nc_buf bytes;
	struct nc_writer *writer;
	struct nc_tar_writer *tar;
};

static inline void pack_begin(struct pack *pack)
{
	*pack = (struct pack){ .bytes = NC_BUF_INIT(64 << 20) };
	assert_done(nc_writer_buf(&pack->bytes, &pack->writer, &err));
	assert_done(nc_tar_writer_new(pack->writer, &pack->tar, &err));
}

static inline void pack_entry(struct pack *pack, enum nc_entry_type type, const char *name, const char *link,
			      const void *bytes, size_t len)
{
	struct nc_entry entry = {
		.type = type, .name = name, .name_len = strlen(name), .link = link, .link_len = strlen(link),
		.mode = type == NC_ENTRY_DIR ? 0755 : 0644, .size = len, .stored = len,
	};
	assert_done(nc_tar_writer_entry(pack->tar, &entry, &err));
	if (len)
		assert_done(nc_tar_writer_data(pack->tar, bytes, len, &err));
}

static inline void pack_bytes(struct pack *pack, const char *name, const void *bytes, size_t len)
{
	pack_entry(pack, NC_ENTRY_FILE, name, "", bytes, len);
}

static inline void pack_text(struct pack *pack, const char *name, const char *text)
{
	pack_bytes(pack, name, text, strlen(text));
}

static inline void pack_end(struct pack *pack)
{
	assert_done(nc_tar_writer_finish(pack->tar, &err));
	nc_tar_writer_free(pack->tar);
	assert_done(nc_writer_finish(pack->writer, &err));
	nc_writer_close(pack->writer);
}

static inline void pack_write(struct pack *pack, const char *name)
{
	pack_end(pack);
	put_file(name, pack->bytes.data, pack->bytes.len);
	nc_buf_release(&pack->bytes);
}

/* --- bytes ------------------------------------------------------------------------------------------------------ */

struct bytes {
	char *data;
	size_t len;
	struct nc_digest digest;
	char hex[NC_DIGEST_TEXT];
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	struct bytes bytes = { .data = nc_memdup(data, len), .len = len };
	assert_done(nc_digest_of(data, len, &bytes.digest, &err));
	nc_digest_hex(&bytes.digest, bytes.hex);
	return bytes;
}

static inline struct bytes text_of(const char *text)
{
	return bytes_of(text, strlen(text));
}

static inline struct bytes compressed(const struct bytes *plain, enum nc_codec codec)
{
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(64 << 20);
	struct nc_writer *writer;
	assert_done(nc_writer_buf(&buf, &writer, &err));
	assert_done(nc_writer_encoded(writer, codec, 0, &writer, &err));
	assert_done(nc_writer_write(writer, plain->data, plain->len, &err));
	assert_done(nc_writer_finish(writer, &err));
	nc_writer_close(writer);
	return bytes_of(buf.data, buf.len);
}

/* A layer that holds one file. */
static inline struct bytes layer_of(const char *name, const char *content)
{
	struct pack pack;
	pack_begin(&pack);
	pack_text(&pack, name, content);
	pack_end(&pack);
	struct bytes layer = bytes_of(pack.bytes.data, pack.bytes.len);
	nc_buf_release(&pack.bytes);
	return layer;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

enum { LAYERS = 2 };

struct image {
	struct bytes layers[LAYERS];	/* plain */
	struct bytes blobs[LAYERS];	/* as they travel */
	struct bytes config, manifest;
};

static inline void image_documents(struct image *image, enum nc_codec codec, const char *arch)
{
	char text[4096];
	snprintf(text, sizeof text,
		 "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":"
		 "[\"sha256:%s\",\"sha256:%s\"]}}",
		 arch, image->layers[0].hex, image->layers[1].hex);
	image->config = text_of(text);
	const char *type = nc_layer_media_type(false, codec);
	snprintf(text, sizeof text,
		 "{\"schemaVersion\":2,\"mediaType\":\"" NC_MEDIA_OCI_MANIFEST
		 "\",\"config\":{\"mediaType\":\"" NC_MEDIA_OCI_CONFIG
		 "\",\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"%s\","
		 "\"digest\":\"sha256:%s\",\"size\":%zu},"
		 "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
		 image->config.hex, image->config.len, type, image->blobs[0].hex, image->blobs[0].len, type,
		 image->blobs[1].hex, image->blobs[1].len);
	image->manifest = text_of(text);
}

/* An image for the machine's architecture unless one is named; top tells images apart, the lowest layer is the
 * same. */
static inline struct image image_of(const char *top, enum nc_codec codec, const char *arch)
{
	struct nc_platform host;
	struct image image;
	nc_platform_host(&host);
	image.layers[0] = layer_of("base", "the lowest layer\n");
	image.layers[1] = layer_of("top", top);
	for (int i = 0; i < LAYERS; i++)
		image.blobs[i] = compressed(&image.layers[i], codec);
	image_documents(&image, codec, arch ? arch : host.architecture);
	return image;
}

static inline void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	bytes->data = NULL;
}

static inline void image_free(struct image *image)
{
	for (int i = 0; i < LAYERS; i++) {
		bytes_free(&image->layers[i]);
		bytes_free(&image->blobs[i]);
	}
	bytes_free(&image->config);
	bytes_free(&image->manifest);
}

/* The image as members of a docker-archive; manifest.json is the caller's. */
static inline void pack_docker_image(struct pack *pack, const struct image *image)
{
	char name[256];
	for (int i = 0; i < LAYERS; i++) {
		snprintf(name, sizeof name, "%s.tar", image->layers[i].hex);
		pack_bytes(pack, name, image->blobs[i].data, image->blobs[i].len);
	}
	snprintf(name, sizeof name, "%s.json", image->config.hex);
	pack_bytes(pack, name, image->config.data, image->config.len);
}

/* Its entry in manifest.json; tags is JSON. */
static inline const char *docker_entry(const struct image *image, const char *tags)
{
	static char text[2048];
	snprintf(text, sizeof text, "{\"Config\":\"%s.json\",\"RepoTags\":%s,\"Layers\":[\"%s.tar\",\"%s.tar\"]}",
		 image->config.hex, tags, image->layers[0].hex, image->layers[1].hex);
	return text;
}

static inline void write_docker(const char *file, const struct image *image, const char *tags)
{
	char text[4096];
	struct pack pack;
	pack_begin(&pack);
	pack_docker_image(&pack, image);
	snprintf(text, sizeof text, "[%s]", docker_entry(image, tags));
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, file);
}

/* A blob of an OCI layout, as a member (pack) or, when pack is NULL, in the layout directory dir. */
static inline void put_blob(struct pack *pack, const char *dir, const struct bytes *blob)
{
	char name[512];
	snprintf(name, sizeof name, "%s%sblobs/sha256/%s", pack ? "" : dir, pack ? "" : "/", blob->hex);
	if (pack)
		pack_bytes(pack, name, blob->data, blob->len);
	else
		put_file(name, blob->data, blob->len);
}

static inline void put_oci_image(struct pack *pack, const char *dir, const struct image *image)
{
	for (int i = 0; i < LAYERS; i++)
		put_blob(pack, dir, &image->blobs[i]);
	put_blob(pack, dir, &image->config);
	put_blob(pack, dir, &image->manifest);
}

static inline void put_layout_file(struct pack *pack, const char *dir, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (pack)
		pack_text(pack, name, text);
	else
		put_file(path, text, strlen(text));
}

static inline void make_layout_dirs(const char *dir)
{
	char path[512];
	static const char *const parts[] = { "", "/blobs", "/blobs/sha256" };
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", dir, parts[i]);
		assert_int_equal(mkdir(at("", path), 0755), 0);
	}
}

/* A descriptor in an index: extra is JSON that follows ("" or ",\"annotations\":…"). */
static inline const char *descriptor(const char *media_type, const struct bytes *document, const char *extra)
{
	static char texts[8][2048];
	static unsigned turn;
	char *text = texts[turn++ % 8];
	snprintf(text, sizeof texts[0], "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%zu%s}", media_type,
		 document->hex, document->len, extra);
	return text;
}

static inline const char *index_text(const char *items)
{
	static char text[16384];
	snprintf(text, sizeof text,
		 "{\"schemaVersion\":2,\"mediaType\":\"" NC_MEDIA_OCI_INDEX "\",\"manifests\":[%s]}", items);
	return text;
}

#define OCI_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

/* A layout directory of one image. */
static inline void write_layout(const char *dir, const struct image *image, const char *extra)
{
	make_layout_dirs(dir);
	put_oci_image(NULL, dir, image);
	put_layout_file(NULL, dir, "oci-layout", OCI_LAYOUT);
	put_layout_file(NULL, dir, "index.json",
			index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &image->manifest, extra)));
}

/* --- copying ---------------------------------------------------------------------------------------------------- */

/* Copies without a store. Returns the code; what was copied is in *ret (may be NULL). */
static inline int copy(const char *source, const char *destination, struct nacre_copied **ret)
{
	const struct nacre_copy_options options = { .size = sizeof options, .all_images = true };
	return nacre_copy(NULL, source, destination, &options, ret, &err);
}

#define assert_refused(call, expected, text)                                                             \
	do {                                                                                             \
		int refused_ = (call);                                                                   \
		if (refused_ != (expected) || !strstr(err.msg, (text)))                                  \
			fail_msg("%s: %d (%s), not %s with '%s'", #call, refused_,                       \
				 refused_ < 0 ? err.msg : "done", #expected, (text));                    \
	} while (0)

static inline void assert_copied(const struct nacre_copied *copied, size_t i, const struct image *image,
				 const char *name)
{
	assert_true(copied->count > i);
	assert_string_equal(copied->images[i].id, image->config.hex);
	if (name)
		assert_string_equal(copied->images[i].names[0], name);
	else
		assert_null(copied->images[i].names[0]);
}

#endif
