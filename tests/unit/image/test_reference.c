#include "../unit.h"

#include "image/reference.h"

#include <stdio.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50

static const struct good {
	const char *text, *full, *shown, *repository;
} good[] = {
	{ "alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19", "alpine" },
	{ "docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "docker.io/library/alpine:latest", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "library/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "user/app:1", "docker.io/user/app:1", "user/app:1", "user/app" },
	{ "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest", "library/a/b" },
	{ "localhost/foo", "localhost/foo:latest", "localhost/foo:latest", "localhost/foo" },
	{ "localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x" },
	{ "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000", "localhost" },
	{ "Example.COM:443/a/b/c", "example.com:443/a/b/c:latest", "example.com:443/a/b/c:latest",
	  "example.com:443/a/b/c" },
	{ "DOCKER.IO/alpine", "docker.io/library/alpine:latest", "alpine:latest", "alpine" },
	{ "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest", "[::1]:5000/x" },
	{ "[2001:DB8::1]/x", "[2001:db8::1]/x:latest", "[2001:db8::1]/x:latest", "[2001:db8::1]/x" },
	{ "10.0.0.1/a_b/c__d/e--f/g.h:T_a-g.0", "10.0.0.1/a_b/c__d/e--f/g.h:T_a-g.0",
	  "10.0.0.1/a_b/c__d/e--f/g.h:T_a-g.0", "10.0.0.1/a_b/c__d/e--f/g.h" },
	{ "alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST, "alpine" },
	{ "alpine:3@" DIGEST, "docker.io/library/alpine:3@" DIGEST, "alpine:3@" DIGEST, "alpine" },
	/* without its domain this one would read as another host's */
	{ "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest", "docker.io/a.b/c" },
	{ "docker.io/localhost/c", "docker.io/localhost/c:latest", "docker.io/localhost/c:latest",
	  "docker.io/localhost/c" },
	{ "docker.io/library/a.b", "docker.io/library/a.b:latest", "a.b:latest", "a.b" },
	{ "0", "docker.io/library/0:latest", "0:latest", "0" },
	{ "x.y/" HEX64, "x.y/" HEX64 ":latest", "x.y/" HEX64 ":latest", "x.y/" HEX64 },
	{ "a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "docker.io/library/a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a" },
};

static const char *const refused[] = {
	"", " ", "a b", "A", "Alpine", "FOO/bar", "LOCALHOST/foo", ":latest", "@" DIGEST, "alpine:", "alpine:-x",
	"alpine:.x", "alpine:a:b", "alpine:a/b", "alpine@", "alpine@sha256:abc", "alpine@" DIGEST "0", "alpine@md5:" HEX64,
	"alpine@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "alpine@" DIGEST "@" DIGEST,
	"alpine@" DIGEST ":tag", "/alpine", "alpine/", "a//b", "../etc/passwd", "a/../b", "./a", ".", "..", "a/..", "a/.b",
	"a..b", "a._b", "a___b", "a_-b", "-a", "a-", "a_", "_a", "a.", "a/b-", "localhost/../x", "localhost:/x",
	"localhost:port/x", "localhost:80:80/x", "-a.b/c", "a-.b/c", "a..b/c", "a.b./c", ".a/b", "[::1/x", "[]/x", "[::g]/x",
	"[::1]x/y", "[::1]:/x", "https://a.b/c", "a\nb", "a\tb", "\xc3\xa4", "alpine:\xc3\xa4", "a\\b", "a%2fb", "a~b",
	HEX64, "docker.io/library/" HEX64, HEX64 ":latest", "library/" HEX64 "@" DIGEST, "sha256:" HEX64, "sha512", "library/sha384:x",
	"a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", A200 A50, "x.y/" A200 A50 "ab", A200 A50 A50 ".y/a",
	A200 A200 A200 A200 A200, "docker.io/", "docker.io//a",
};

static void reads_and_shows(void **state)
{
	struct nacre_error err;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct nc_reference reference, again;
		char text[NC_REFERENCE_TEXT], other[NC_REFERENCE_TEXT];
		assert_done(nc_reference_parse(good[i].text, &reference, &err));
		assert_string_equal(nc_reference_full(&reference, text), good[i].full);
		assert_done(nc_reference_parse(text, &again, &err));
		assert_string_equal(nc_reference_full(&again, other), good[i].full);
		assert_string_equal(nc_reference_short(&reference, text), good[i].shown);
		assert_done(nc_reference_parse(text, &again, &err));
		assert_string_equal(nc_reference_full(&again, other), good[i].full);
		assert_string_equal(nc_reference_repository(&reference, text), good[i].repository);
	}
}

static void refuses(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct nacre_error err = { 0 };
		struct nc_reference reference;
		memset(&reference, 'u', sizeof reference);
		int code = nc_reference_parse(refused[i], &reference, &err);
		if (code != NACRE_E_INVALID)
			fail_msg("'%s' gave %d", refused[i], code);
		assert_int_equal(err.code, NACRE_E_INVALID);
		assert_non_null(strstr(err.msg, "not an image name"));
		assert_int_equal(reference.domain[0], 'u');
	}
}

static void the_repository_has_at_most_255_characters(void **state)
{
	struct nacre_error err;
	struct nc_reference reference;
	/* "x.y/" and 251 more */
	assert_done(nc_reference_parse("x.y/" A200 A50 "a", &reference, &err));
	assert_int_equal(nc_reference_parse("x.y/" A200 A50 "aa", &reference, &err), NACRE_E_INVALID);
	assert_non_null(strstr(err.msg, "255"));
	/* "docker.io/library/" counts: 18 and 237 more */
	assert_done(nc_reference_parse(A200 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &reference, &err));
	assert_int_equal(nc_reference_parse(A200 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &reference, &err),
			 NACRE_E_INVALID);
}

static void bare_adds_no_tag(void **state)
{
	struct nacre_error err;
	struct nc_reference reference;
	char text[NC_REFERENCE_TEXT];
	assert_done(nc_reference_parse_bare("alpine", &reference, &err));
	assert_string_equal(reference.tag, "");
	assert_string_equal(nc_reference_full(&reference, text), "docker.io/library/alpine");
	assert_string_equal(nc_reference_short(&reference, text), "alpine");
	assert_done(nc_reference_parse_bare("a.b/c:d", &reference, &err));
	assert_string_equal(reference.domain, "a.b");
	assert_string_equal(reference.path, "c");
	assert_string_equal(reference.tag, "d");
	assert_string_equal(reference.digest, "");
}

static void names_the_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "Alpine", "lowercase" },	{ "alpine:.x", "a tag is" }, { "a_.b", "a-z, 0-9" },
		{ "a..b/c", "host name" },	{ HEX64, "are an ID" },	     { "alpine@sha256:1", "sha256:1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		struct nc_reference reference;
		assert_int_equal(nc_reference_parse(cases[i].text, &reference, &err), NACRE_E_INVALID);
		assert_non_null(strstr(err.msg, cases[i].reason));
	}
	struct nc_reference reference;
	assert_int_equal(nc_reference_parse("A", &reference, NULL), NACRE_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_shows),
		cmocka_unit_test(refuses),
		cmocka_unit_test(the_repository_has_at_most_255_characters),
		cmocka_unit_test(bare_adds_no_tag),
		cmocka_unit_test(names_the_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
