/* docker-archive before Docker 1.10, read. */
#include "v1.h"

static void gives_images_content_ids(void **state)
{
	struct bytes a = layer_of("a", "1"), b = layer_of("b", "2"), config = config_of_chain(&a, &b);
	static const char *const destinations[] = { "docker-archive:", "oci:", "oci-archive:", "dir:" };
	struct pack pack;
	pack_begin(&pack);
	pack_node(&pack, ID_B, ID_A, &b);
	pack_node(&pack, ID_A, "", &a);
	pack_text(&pack, "repositories", "{\"old\":{\"1.0\":\"" ID_B "\",\"latest\":\"" ID_B "\"}}\n");
	pack_write(&pack, "x.tar");
	for (size_t i = 0; i < 4; i++) {
		struct nacre_copied *copied;
		char name[16];
		snprintf(name, sizeof name, "y%zu", i);
		assert_done(copy(at("docker-archive:", "x.tar"), at(destinations[i], name), &copied));
		assert_int_equal(copied->count, 1);
		assert_string_equal(copied->images[0].id, config.hex);
		assert_string_equal(copied->images[0].names[0], "docker.io/library/old:1.0");
		assert_string_equal(copied->images[0].names[1], "docker.io/library/old:latest");
		nacre_copied_free(copied);
	}
	bytes_free(&a);
	bytes_free(&b);
	bytes_free(&config);
}

/* What has a name and what is nobody's parent. */
static void images_are_heads_and_named_ones(void **state)
{
	struct bytes a = layer_of("a", "1"), b = layer_of("b", "2");
	struct nacre_copied *copied;
	struct pack pack;
	pack_begin(&pack);
	pack_node(&pack, ID_A, "", &a);
	pack_node(&pack, ID_B, ID_A, &b);
	pack_node(&pack, ID_C, ID_A, &a);
	pack_text(&pack, "repositories", "{\"base\":{\"x\":\"" ID_A "\"}}");
	pack_write(&pack, "x.tar");
	assert_done(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), &copied));
	assert_int_equal(copied->count, 3);
	assert_string_equal(copied->images[0].names[0], "docker.io/library/base:x");
	assert_null(copied->images[1].names[0]);
	nacre_copied_free(copied);
	bytes_free(&a);
	bytes_free(&b);
}

static void refuse(void (*fill)(struct pack *pack, const struct bytes *layer), int code, const char *says)
{
	struct bytes layer = layer_of("a", "1");
	struct pack pack;
	pack_begin(&pack);
	fill(&pack, &layer);
	pack_write(&pack, "x.tar");
	assert_refused(copy(at("docker-archive:", "x.tar"), at("docker-archive:", "y.tar"), NULL), code, says);
	assert_int_equal(entries_of(""), 1);
	bytes_free(&layer);
}

static void missing_parent(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_B, ID_A, layer);
}

static void cycle(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, ID_B, layer);
	pack_node(pack, ID_B, ID_C, layer);
	pack_node(pack, ID_C, ID_A, layer);
}

static void own_parent(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, ID_A, layer);
}

static void other_id(struct pack *pack, const struct bytes *layer)
{
	pack_text(pack, ID_A "/json", json_of(ID_B, ""));
	pack_bytes(pack, ID_A "/layer.tar", layer->data, layer->len);
}

static void bad_parent(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "../../x", layer);
}

static void no_layer(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "", NULL);
}

static void unknown_name(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "", layer);
	pack_text(pack, "repositories", "{\"x\":{\"y\":\"" ID_B "\"}}");
}

static void bad_name(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "", layer);
	pack_text(pack, "repositories", "{\"../x\":{\"y\":\"" ID_A "\"}}");
}

static void bad_tag(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "", layer);
	pack_text(pack, "repositories", "{\"x\":{\"a/../b\":\"" ID_A "\"}}");
}

static void layer_outside(struct pack *pack, const struct bytes *layer)
{
	pack_node(pack, ID_A, "", NULL);
	pack_entry(pack, NC_ENTRY_SYMLINK, ID_A "/layer.tar", "../../../../etc/passwd", NULL, 0);
}

static void refuses_lies(void **state)
{
	refuse(missing_parent, NACRE_E_BADDATA, "parent");
	refuse(cycle, NACRE_E_BADDATA, "ancestor");
	refuse(own_parent, NACRE_E_BADDATA, "ancestor");
	refuse(other_id, NACRE_E_BADDATA, "says that it is");
	refuse(bad_parent, NACRE_E_BADDATA, "parent");
	refuse(no_layer, NACRE_E_BADDATA, "layer.tar");
	refuse(unknown_name, NACRE_E_BADDATA, "repositories");
	refuse(bad_name, NACRE_E_BADDATA, "repositories");
	refuse(bad_tag, NACRE_E_BADDATA, "repositories");
	refuse(layer_outside, NACRE_E_BADDATA, "layer.tar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gives_images_content_ids, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(images_are_heads_and_named_ones, enter_room, leave_room),
		cmocka_unit_test_setup_teardown(refuses_lies, enter_room, leave_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
