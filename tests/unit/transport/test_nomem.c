/* Every allocation of a copy fails once: the copy then fails with NACRE_E_NOMEM, and nothing stays at its destination. */
#include "v1.h"

static long countdown = -1;	/* allocations until one fails; below 0: none does */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

#include "../nomem.h"

static void remove_entry(const char *name)
{
	int dir = open(room, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_tree_remove(dir, name, &err));
	close(dir);
}

static bool whole;	/* the index with all that it names */
static const struct nacre_copy_options all_platforms = { .size = sizeof all_platforms, .all_platforms = true };

/* Copies again and again, each time with one allocation more before the one that fails, until none does. A few may fail
 * without harm: then everything is there as well. */
static void copy_until_it_works(const char *source, const char *destination, const char *name)
{
	int entries = entries_of("");
	for (long n = 0;; n++) {
		struct nacre_copied *copied = NULL;
		char to[1024];
		snprintf(to, sizeof to, "%s", at(destination, name));
		countdown = n;
		int code = whole ? nacre_copy(NULL, source, to, &all_platforms, &copied, &err) : copy(source, to, &copied);
		bool all_worked = countdown >= 0;
		countdown = -1;
		if (code < 0 && code != NACRE_E_NOMEM)
			fail_msg("%s to %s, allocation %ld: %d (%s)", source, to, n, code, err.msg);
		assert_int_equal(entries_of(""), entries + (code >= 0));
		if (code >= 0)
			assert_int_equal(copied->count, 1);
		nacre_copied_free(copied);
		if (code >= 0 && all_worked) {
			assert_true(n > 100);
			return;
		}
		remove_entry(name);
	}
}

static const char *const destinations[] = { "docker-archive:", "oci:", "oci-archive:", "dir:" };

static int open_descriptors(void)
{
	int count = 0, fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_done(nc_dir_each(fd, count_entry, &count, &err));
	close(fd);
	return count;
}

static void everywhere(const char *place)
{
	int descriptors = open_descriptors();
	char source[1024];
	snprintf(source, sizeof source, "%s", place);
	for (size_t i = 0; i < 4; i++) {
		copy_until_it_works(source, destinations[i], "y");
		remove_entry("y");
	}
	assert_int_equal(open_descriptors(), descriptors);
}

static void from_docker_archives(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	write_docker("x.tar", &a, "[\"alpine:3\"]");
	everywhere(at("docker-archive:", "x.tar"));
	image_free(&a);
}

static void from_layouts(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	struct bytes index = text_of(index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, "")));
	write_layout("x", &a, "");
	put_blob(NULL, "x", &index);
	put_layout_file(NULL, "x", "index.json", index_text(descriptor(NC_MEDIA_OCI_INDEX, &index, "")));
	everywhere(at("oci:", "x"));
	bytes_free(&index);
	image_free(&a);
}

static void from_layouts_with_a_whole_index(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	struct bytes config = text_of("{}"), thing = text_of("a thing");
	char text[8192];
	snprintf(text, sizeof text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}",
		 descriptor("application/x", &config, ""), descriptor("application/y", &thing, ""));
	struct bytes artifact = text_of(text);
	struct bytes inner = text_of(index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &artifact, "")));
	snprintf(text, sizeof text, "%s,%s", descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, ""),
		 descriptor(NC_MEDIA_OCI_INDEX, &inner, ""));
	struct bytes index = text_of(index_text(text));
	struct bytes *const blobs[] = { &config, &thing, &artifact, &inner, &index };
	char source[1024];
	write_layout("x", &a, "");
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
		put_blob(NULL, "x", blobs[i]);
	put_layout_file(NULL, "x", "index.json", index_text(descriptor(NC_MEDIA_OCI_INDEX, &index, "")));
	snprintf(source, sizeof source, "%s", at("oci:", "x"));
	whole = true;
	copy_until_it_works(source, "oci:", "y");
	copy_until_it_works(source, "oci-archive:", "z");
	whole = false;
	for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++)
		bytes_free(blobs[i]);
	image_free(&a);
}

static void from_archives_of_2015(void **state)
{
	struct bytes a = layer_of("a", "1"), b = layer_of("b", "2");
	struct pack pack;
	pack_begin(&pack);
	pack_node(&pack, ID_B, ID_A, &b);
	pack_node(&pack, ID_A, "", &a);
	pack_text(&pack, "repositories", "{\"old\":{\"1.0\":\"" ID_B "\"}}\n");
	pack_write(&pack, "x.tar");
	everywhere(at("docker-archive:", "x.tar"));
	bytes_free(&a);
	bytes_free(&b);
}

static void from_archives_of_both_kinds(void **state)
{
	struct image a = image_of("a", NC_GZIP, NULL);
	struct pack pack;
	char text[2048];
	pack_begin(&pack);
	put_oci_image(&pack, "", &a);
	pack_text(&pack, "oci-layout", OCI_LAYOUT);
	pack_text(&pack, "index.json", index_text(descriptor(NC_MEDIA_OCI_MANIFEST, &a.manifest, "")));
	snprintf(text, sizeof text,
		 "[{\"Config\":\"blobs/sha256/%s\",\"Layers\":[\"blobs/sha256/%s\",\"blobs/sha256/%s\"]}]", a.config.hex,
		 a.blobs[0].hex, a.blobs[1].hex);
	pack_text(&pack, "manifest.json", text);
	pack_write(&pack, "x.tar");
	everywhere(at("docker-archive:", "x.tar"));
	image_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_docker_archives, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(from_layouts, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(from_layouts_with_a_whole_index, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(from_archives_of_2015, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(from_archives_of_both_kinds, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
