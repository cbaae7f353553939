#include "../unit.h"

#include "image/config.h"

#include <stdio.h>

static struct nc_digest digest_of(const char *text)
{
	struct nacre_error err;
	struct nc_digest digest;
	assert_done(nc_digest_of(text, strlen(text), &digest, &err));
	return digest;
}

static void one_layer_is_its_own_chain(void **state)
{
	struct nacre_error err;
	struct nc_digest diff = digest_of("a"), chain;
	assert_done(nc_chain_ids(&diff, 1, &chain, &err));
	assert_true(nc_digest_equal(&diff, &chain));
	assert_done(nc_chain_ids(NULL, 0, NULL, &err));
}

/* busybox of 2015: two diff IDs, and the chain ID that Docker gives them */
static void two_layers_as_docker_has_them(void **state)
{
	struct nacre_error err;
	struct nc_digest diff[2], chain[2];
	char text[NC_DIGEST_TEXT];
	assert_done(nc_digest_parse("sha256:c6f988f4874bb0add23a778f753c65efe992244e148a1d2ec2a8b664fb66bbd1", &diff[0],
				    &err));
	assert_done(nc_digest_parse("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", &diff[1],
				    &err));
	assert_done(nc_chain_ids(diff, 2, chain, &err));
	assert_string_equal(nc_digest_text(&chain[1], text),
			    "sha256:c3191d32a37d7159b2e30830937d2e30268ad6c375a773a8994911a3aba9b93f");
}

static void each_step_hashes_the_one_before_and_the_diff(void **state)
{
	struct nacre_error err;
	struct nc_digest diff[3] = { digest_of("a"), digest_of("b"), digest_of("a") }, chain[3];
	char below[NC_DIGEST_TEXT], own[NC_DIGEST_TEXT], both[2 * NC_DIGEST_TEXT];
	assert_done(nc_chain_ids(diff, 3, chain, &err));
	for (int i = 1; i < 3; i++) {
		snprintf(both, sizeof both, "%s %s", nc_digest_text(&chain[i - 1], below), nc_digest_text(&diff[i], own));
		struct nc_digest expected = digest_of(both);
		assert_true(nc_digest_equal(&expected, &chain[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_layer_is_its_own_chain),
		cmocka_unit_test(two_layers_as_docker_has_them),
		cmocka_unit_test(each_step_hashes_the_one_before_and_the_diff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
