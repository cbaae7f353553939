#include "../unit.h"

#include "transport/transport.h"

static void takes_places_apart(void **state)
{
	static const struct {
		const char *text;
		enum nc_transport transport;
		const char *where, *rest;
	} cases[] = {
		{ "docker-archive:x.tar", NC_DOCKER_ARCHIVE, "x.tar", "" },
		{ "docker-archive:dir/x.tar:alpine:3", NC_DOCKER_ARCHIVE, "dir/x.tar", "alpine:3" },
		{ "docker-archive:-:localhost:5000/a:b", NC_DOCKER_ARCHIVE, "-", "localhost:5000/a:b" },
		{ "oci:layout", NC_OCI_DIR, "layout", "" },
		{ "oci:/abs/layout:latest", NC_OCI_DIR, "/abs/layout", "latest" },
		{ "oci-archive:x:@2", NC_OCI_ARCHIVE, "x", "@2" },
		{ "dir:with:colon", NC_DIR, "with:colon", "" },
		{ "graph:", NC_GRAPH, "", "" },
		{ "graph:alpine:3", NC_GRAPH, "", "alpine:3" },
		{ "docker://localhost:5000/a:b", NC_REGISTRY, "", "localhost:5000/a:b" },
	};
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		NC_CLEANUP(nc_place_auto) struct nc_place *place = NULL;
		assert_done(nc_place_parse(cases[i].text, &place, &err));
		assert_int_equal(place->transport, cases[i].transport);
		assert_string_equal(place->where, cases[i].where);
		assert_string_equal(place->rest, cases[i].rest);
	}
}

static void refuses_what_is_no_place(void **state)
{
	static const char *const cases[] = { "", "x.tar", "docker:alpine", "oci:", "docker-archive::x", "dir:",
					     "oci:layout:", "Graph:x", ":" };
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nc_place *place = NULL;
		assert_int_equal(nc_place_parse(cases[i], &place, &err), NACRE_E_INVALID);
		assert_null(place);
	}
	assert_int_equal(nc_place_parse("docker:alpine", &(struct nc_place *){ NULL }, &err), NACRE_E_INVALID);
	assert_non_null(strstr(err.msg, "oci-archive:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_places_apart),
		cmocka_unit_test(refuses_what_is_no_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
