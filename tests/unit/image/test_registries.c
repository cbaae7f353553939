#include "../unit.h"

#include "image/registries.h"

#include <stdio.h>

static void add(struct nc_registries *registries, const char *text, const char *file)
{
	struct nacre_error err;
	assert_done(nc_registries_add(registries, text, strlen(text), file, &err));
}

static void expect_entry(const struct nc_registries *registries, const char *repository, const char *prefix,
			 size_t prefix_len)
{
	size_t len = 0;
	const struct nc_registry *found = nc_registries_find(registries, repository, &len);
	if (!prefix) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found->prefix, prefix);
	assert_int_equal(len, prefix_len);
}

static void the_longest_prefix_counts(void **state)
{
	struct nacre_error err;
	struct nc_registries registries;
	assert_done(nc_registries_init(&registries, &err));
	add(&registries,
	    "[[registry]]\nlocation = \"Example.com/\"\n"
	    "[[registry]]\nprefix = \"example.com/foo\"\nlocation = \"internal:5000/bar\"\n"
	    "[[registry]]\nprefix = \"*.example.com\"\n"
	    "[[registry]]\nprefix = \"*.a.example.com\"\nlocation = \"x.org\"\nunknown-key = 1\n",
	    "f");
	expect_entry(&registries, "example.com/x", "example.com", 11);
	expect_entry(&registries, "example.com/foo", "example.com/foo", 15);
	expect_entry(&registries, "example.com/foo/x", "example.com/foo", 15);
	expect_entry(&registries, "example.com/food", "example.com", 11);
	expect_entry(&registries, "example.com:5000/foo", "example.com", 11);
	expect_entry(&registries, "b.example.com/x", "*.example.com", 13);
	expect_entry(&registries, "b.example.com:80/x", "*.example.com", 13);
	expect_entry(&registries, "c.a.example.com/x", "*.a.example.com", 15);
	expect_entry(&registries, "badexample.com/x", NULL, 0);
	expect_entry(&registries, "other.org/a.example.com", NULL, 0);
	nc_registries_release(&registries);
}

static void later_files_replace(void **state)
{
	struct nacre_error err;
	struct nc_registries registries;
	size_t len;
	assert_done(nc_registries_init(&registries, &err));
	add(&registries,
	    "unqualified-search-registries = [\"docker.io\", \"quay.io\"]\nshort-name-mode = \"enforcing\"\n"
	    "credential-helpers = [\"containers-auth.json\", \"pass\"]\n"
	    "[aliases]\n\"a\" = \"quay.io/x/a\"\nb = \"quay.io/x/b\"\n"
	    "[[registry]]\nlocation = \"r.org\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"m.org\"\n",
	    "one");
	add(&registries,
	    "unqualified-search-registries = [\"localhost:5000\"]\n[aliases]\na = \"quay.io/y/a\"\nb = \"\"\n"
	    "[[registry]]\nlocation = \"r.org\"\nblocked = true\n",
	    "two");
	assert_string_equal(registries.search[0], "localhost:5000");
	assert_null(registries.search[1]);
	assert_string_equal(registries.helpers[1], "pass");
	assert_string_equal(nc_registries_alias(&registries, "a"), "quay.io/y/a");
	assert_null(nc_registries_alias(&registries, "b"));
	const struct nc_registry *found = nc_registries_find(&registries, "r.org/x", &len);
	assert_non_null(found);
	assert_true(found->blocked && !found->insecure);
	assert_int_equal(found->mirror_count, 0);
	assert_string_equal(found->file, "two");
	assert_int_equal(found->line, 5);
	assert_int_equal(registries.count, 1);
	nc_registries_release(&registries);
}

static void mirrors_have_their_use(void **state)
{
	struct nacre_error err;
	struct nc_registries registries;
	size_t len;
	assert_done(nc_registries_init(&registries, &err));
	add(&registries,
	    "[[registry]]\nlocation = \"r.org\"\n"
	    "[[registry.mirror]]\nlocation = \"a.org\"\ninsecure = true\n"
	    "[[registry.mirror]]\nlocation = \"b.org/x\"\npull-from-mirror = \"tag-only\"\n"
	    "[[registry]]\nlocation = \"s.org\"\nmirror-by-digest-only = true\n"
	    "[[registry.mirror]]\nlocation = \"a.org\"\n",
	    "f");
	const struct nc_registry *found = nc_registries_find(&registries, "r.org/x", &len);
	assert_int_equal(found->mirror_count, 2);
	assert_true(found->mirrors[0].insecure);
	assert_int_equal(found->mirrors[0].use, NC_MIRROR_ALL);
	assert_int_equal(found->mirrors[1].use, NC_MIRROR_TAG_ONLY);
	assert_string_equal(found->mirrors[1].location, "b.org/x");
	assert_int_equal(nc_registries_find(&registries, "s.org/x", &len)->mirrors[0].use, NC_MIRROR_DIGEST_ONLY);
	nc_registries_release(&registries);
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *reason;
	} cases[] = {
		{ "[registries.search]\nregistries = ['docker.io']", 1, "version 1" },
		{ "registry = 1", 1, "must be an array" },
		{ "registry = [1]", 1, "a table is expected" },
		{ "[[registry]]\ninsecure = true", 1, "without location" },
		{ "[[registry]]\nprefix = \"a.org/x\"", 1, "without location" },
		{ "[[registry]]\nlocation = 1", 2, "must be a string" },
		{ "[[registry]]\nlocation = \"http://a.org\"", 2, "without a scheme" },
		{ "[[registry]]\nlocation = \"a.org:x\"", 2, "is no registry" },
		{ "[[registry]]\nlocation = \"word\"", 2, "is no registry" },
		{ "[[registry]]\nlocation = \"docker\"", 2, "is no registry" },
		{ "[[registry]]\nlocation = \"a.org/x:tag\"", 2, "is no registry" },
		{ "[[registry]]\nlocation = \"*.a.org\"", 2, "is no registry" },
		{ "[[registry]]\nprefix = \"*.a.org/x\"", 2, "is no registry" },
		{ "[[registry]]\nlocation = \"a.org\"\ninsecure = \"yes\"", 3, "true or false" },
		{ "[[registry]]\nlocation = \"a.org\"\npull-from-mirror = \"all\"", 3, "belongs to a mirror" },
		{ "[[registry]]\nlocation = \"a.org\"\n[[registry.mirror]]\ninsecure = true", 3, "without location" },
		{ "[[registry]]\nlocation = \"a.org\"\n[[registry.mirror]]\nlocation = \"b.org\"\npull-from-mirror = \"x\"", 5,
		  "digest-only or tag-only" },
		{ "[[registry]]\nlocation = \"a.org\"\nmirror-by-digest-only = true\n[[registry.mirror]]\n"
		  "location = \"b.org\"\npull-from-mirror = \"all\"", 6, "contradicts" },
		{ "[[registry]]\nlocation = \"a.org\"\n[[registry]]\nlocation = \"a.org\"\nblocked = true", 3, "in line 1" },
		{ "unqualified-search-registries = \"docker.io\"", 1, "must be an array" },
		{ "unqualified-search-registries = [\n1]", 2, "must hold strings" },
		{ "unqualified-search-registries = [\"a/b\"]", 1, "cannot stand there" },
		{ "credential-helpers = [\"../x\"]", 1, "cannot stand there" },
		{ "short-name-mode = \"ask\"", 1, "must be enforcing" },
		{ "[aliases]\nx = 1", 2, "must be a string" },
		{ "[aliases]\n\"a.org/x\" = \"b.org/x\"", 2, "no short name" },
		{ "[aliases]\n\"x:1\" = \"b.org/x\"", 2, "no short name" },
		{ "[aliases]\nx = \"y\"", 2, "with its host" },
		{ "[aliases]\nx = \"b.org/x:1\"", 2, "with its host" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		struct nc_registries registries;
		char line[32];
		snprintf(line, sizeof line, "f: line %u: ", cases[i].line);
		assert_done(nc_registries_init(&registries, &err));
		if (nc_registries_add(&registries, cases[i].text, strlen(cases[i].text), "f", &err) != NACRE_E_BADDATA)
			fail_msg("'%s' was read", cases[i].text);
		if (strncmp(err.msg, line, strlen(line)) != 0 || !strstr(err.msg, cases[i].reason))
			fail_msg("'%s': %s", cases[i].text, err.msg);
		nc_registries_release(&registries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_counts), cmocka_unit_test(later_files_replace),
		cmocka_unit_test(mirrors_have_their_use), cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
