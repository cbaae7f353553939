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

/* worked out with another program */
static void three_layers_as_others_have_them(void **state)
{
	struct nacre_error err;
	struct nc_digest diff[3] = { digest_of("first"), digest_of("second"), digest_of("third") }, chain[3];
	char text[NC_DIGEST_TEXT];
	assert_done(nc_chain_ids(diff, 3, chain, &err));
	assert_string_equal(nc_digest_text(&chain[0], text),
			    "sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e");
	assert_string_equal(nc_digest_text(&chain[1], text),
			    "sha256:346b0db932528b3bef9d4ffefd66a9b502b0f4590ef26a74d8a8d8ed0a78cdae");
	assert_string_equal(nc_digest_text(&chain[2], text),
			    "sha256:4fedbb4928977c8a3dbf3817ef84cd8708b01647cbb1f2cdc34388f36b06d683");
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
		cmocka_unit_test(three_layers_as_others_have_them),
		cmocka_unit_test(each_step_hashes_the_one_before_and_the_diff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
