#include "../unit.h"

#include "io/digest.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void known_answers(void **state)
{
	static const struct {
		enum nc_digest_alg alg;
		const char *text;
	} cases[] = {
		{ NC_SHA256, "sha256:" ABC },
		{ NC_SHA384, "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
			     "8086072ba1e7cc2358baeca134c825a7" },
		{ NC_SHA512, "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	};
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
		assert_done(nc_hash_new(cases[i].alg, &hash, &err));
		nc_hash_add(hash, "a", 1);
		nc_hash_add(hash, NULL, 0);
		nc_hash_add(hash, "bc", 2);
		struct nc_digest digest, parsed;
		nc_hash_finish(hash, &digest);
		char text[NC_DIGEST_TEXT];
		assert_string_equal(nc_digest_text(&digest, text), cases[i].text);
		assert_string_equal(nc_digest_hex(&digest, text), cases[i].text + 7);
		assert_done(nc_digest_parse(cases[i].text, &parsed, &err));
		assert_true(nc_digest_equal(&digest, &parsed));
		assert_memory_equal(&digest.bytes, &parsed.bytes, sizeof digest.bytes);
	}
	struct nc_digest digest, id;
	assert_done(nc_digest_of("", 0, &digest, &err));
	assert_done(nc_digest_from_hex_id(EMPTY, &id, &err));
	assert_true(nc_digest_equal(&digest, &id));
}

static void refused(void **state)
{
	static const char *const texts[] = {
		"", "sha256", "sha256:", ABC, "sha256:" ABC "0", "sha256:" ABC " ", " sha256:" ABC, "SHA256:" ABC,
		"sha512:" ABC, "sha384:" ABC, "md5:900150983cd24fb0d6963f7d28e17f72",
		"sha256:Ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ag",
		"sha256:../../../../../../etc/passwd",
	};
	struct nacre_error err;
	struct nc_digest digest;
	memset(&digest, 0x5a, sizeof digest);
	struct nc_digest before = digest;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(nc_digest_parse(texts[i], &digest, &err), NACRE_E_INVALID);
	assert_int_equal(nc_digest_from_hex_id("sha256:" ABC, &digest, &err), NACRE_E_INVALID);
	assert_int_equal(nc_digest_from_hex_id(ABC "0", &digest, &err), NACRE_E_INVALID);
	assert_int_equal(nc_digest_from_hex_id("", &digest, &err), NACRE_E_INVALID);
	assert_memory_equal(&digest, &before, sizeof digest);
	struct nc_hash *hash = NULL;
	assert_int_equal(nc_hash_new(0, &hash, &err), NACRE_E_INVALID);
	assert_int_equal(nc_hash_new(4, &hash, &err), NACRE_E_INVALID);
}

static void nothing_equals_nothing(void **state)
{
	struct nc_digest none = { 0 }, other = { 0 };
	char text[NC_DIGEST_TEXT];
	assert_false(nc_digest_equal(&none, &other));
	assert_string_equal(nc_digest_text(&none, text), "");
	struct nacre_error err;
	struct nc_digest a, b;
	assert_done(nc_digest_of("a", 1, &a, &err));
	assert_done(nc_digest_of("b", 1, &b, &err));
	assert_false(nc_digest_equal(&a, &b));
	b = a;
	b.alg = NC_SHA512;
	assert_false(nc_digest_equal(&a, &b));
	/* a hash that is finished twice must not vouch for anything */
	NC_CLEANUP(nc_hash_auto) struct nc_hash *hash = NULL;
	assert_done(nc_hash_new(NC_SHA256, &hash, &err));
	nc_hash_finish(hash, &a);
	nc_hash_finish(hash, &b);
	assert_false(nc_digest_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(refused),
		cmocka_unit_test(nothing_equals_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
