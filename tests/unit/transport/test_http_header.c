#include "../unit.h"

#include "transport/http_header.h"

#include <stdlib.h>

static void takes_challenges_apart(void **state)
{
	const char *at = "Negotiate abc==, Basic realm=\"a \\\"b\\\", c\" , bearer realm=\"https://auth.example/token\",service=reg,"
			 " scope=\"repository:a/b:pull,push\", error=\"insufficient_scope\",charset=UTF-8, Other";
	struct nc_challenge challenge;
	struct nacre_error err;
	assert_int_equal(nc_challenge_next(&at, &challenge, &err), 1);
	assert_int_equal(challenge.scheme, NC_CHALLENGE_OTHER);
	nc_challenge_release(&challenge);
	assert_int_equal(nc_challenge_next(&at, &challenge, &err), 1);
	assert_int_equal(challenge.scheme, NC_CHALLENGE_BASIC);
	assert_string_equal(challenge.realm, "a \"b\", c");
	assert_string_equal(challenge.scope, "");
	nc_challenge_release(&challenge);
	assert_int_equal(nc_challenge_next(&at, &challenge, &err), 1);
	assert_int_equal(challenge.scheme, NC_CHALLENGE_BEARER);
	assert_string_equal(challenge.realm, "https://auth.example/token");
	assert_string_equal(challenge.service, "reg");
	assert_string_equal(challenge.scope, "repository:a/b:pull,push");
	assert_string_equal(challenge.error, "insufficient_scope");
	nc_challenge_release(&challenge);
	assert_int_equal(nc_challenge_next(&at, &challenge, &err), 1);
	assert_int_equal(challenge.scheme, NC_CHALLENGE_OTHER);
	nc_challenge_release(&challenge);
	assert_int_equal(nc_challenge_next(&at, &challenge, &err), 0);
}

static void refuses_challenges_without_sense(void **state)
{
	static const char *const cases[] = { "Bearer realm=\"open", "=x", "\"quoted\"", "Basic realm=\"a\\\"", "Bearer;" };
	struct nc_challenge challenge;
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *at = cases[i];
		assert_int_equal(nc_challenge_next(&at, &challenge, &err), NACRE_E_BADDATA);
	}
}

static void finds_the_next_page(void **state)
{
	static const struct {
		const char *value, *next;
	} cases[] = {
		{ "</v2/app/tags/list?last=x&n=2>; rel=\"next\"", "/v2/app/tags/list?last=x&n=2" },
		{ "<a>; rel=prev, <b,c>; title=\"x;y, z\"; rel=NEXT", "b,c" },
		{ "<a>;crossorigin;rel=next", "a" },
		{ "<a>", NULL },
		{ "", NULL },
	};
	struct nacre_error err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *next;
		assert_done(nc_link_next(cases[i].value, &next, &err));
		assert_int_equal(!next, !cases[i].next);
		if (next)
			assert_string_equal(next, cases[i].next);
		free(next);
	}
	char *next;
	assert_int_equal(nc_link_next("a>; rel=next", &next, &err), NACRE_E_BADDATA);
	assert_int_equal(nc_link_next("<a; rel=next", &next, &err), NACRE_E_BADDATA);
}

static void reads_when_to_try_again(void **state)
{
	assert_int_equal(nc_retry_after("120", 0), 120);
	assert_int_equal(nc_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", 946684790), 9);
	assert_int_equal(nc_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", 946684800), 0);
	assert_int_equal(nc_retry_after("-1", 0), -1);
	assert_int_equal(nc_retry_after("soon", 0), -1);
	assert_int_equal(nc_retry_after("Fri, 31 Xyz 1999 23:59:59 GMT", 0), -1);
	assert_int_equal(nc_retry_after("99999999999999999999", 0), -1);
}

static void reads_ranges(void **state)
{
	uint64_t first, last, total;
	assert_true(nc_content_range("bytes 5-9/10", &first, &last, &total));
	assert_int_equal(first, 5);
	assert_int_equal(last, 9);
	assert_int_equal(total, 10);
	assert_true(nc_content_range("bytes 0-0/*", &first, &last, &total));
	assert_true(total == UINT64_MAX);
	static const char *const cases[] = { "bytes 9-5/10", "bytes 0-10/10", "bytes */10", "0-1/2", "bytes 0-1/2x",
					     "bytes 18446744073709551616-1/2", "" };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_false(nc_content_range(cases[i], &first, &last, &total));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_challenges_apart), cmocka_unit_test(refuses_challenges_without_sense),
		cmocka_unit_test(finds_the_next_page),	  cmocka_unit_test(reads_when_to_try_again),
		cmocka_unit_test(reads_ranges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
