#include "../unit.h"

#include "image/manifest.h"

#include <stdio.h>
#include <sys/utsname.h>

static struct nc_platform parse(const char *text)
{
	struct nacre_error err;
	struct nc_platform platform;
	assert_done(nc_platform_parse(text, &platform, &err));
	return platform;
}

static void reads_and_writes(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },	    { "linux/arm64/v8", "linux/arm64/v8" },
		{ "Linux/AMD64", "linux/amd64" },	    { "linux/x86_64", "linux/amd64" },
		{ "linux/aarch64", "linux/arm64/v8" },	    { "linux/armhf", "linux/arm/v7" },
		{ "linux/armel", "linux/arm/v6" },	    { "linux/arm/v6", "linux/arm/v6" },
		{ "linux/i386", "linux/386" },		    { "windows/amd64", "windows/amd64" },
		{ "weird-os.1/some_arch/v9z", "weird-os.1/some_arch/v9z" }, { "linux/amd64/v3", "linux/amd64/v3" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nc_platform platform = parse(cases[i].text);
		char text[256];
		assert_string_equal(nc_platform_text(&platform, text), cases[i].expected);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"", "/", "linux/", "/amd64", "linux//v8", "linux/arm64/", "linux/arm64/v8/x", "arm64", "amd64", "lin ux/amd64",
		"linux/amd64\n", "linux/am\xc3\xa4", "*/*", "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct nacre_error err;
		struct nc_platform platform;
		if (nc_platform_parse(bad[i], &platform, &err) != NACRE_E_INVALID)
			fail_msg("'%s' was read", bad[i]);
		assert_non_null(strstr(err.msg, "platform"));
	}
}

static void an_os_alone_has_the_machines_architecture(void **state)
{
	struct nc_platform host, platform = parse("linux");
	nc_platform_host(&host);
	assert_string_equal(platform.architecture, host.architecture);
	assert_string_equal(platform.variant, host.variant);
	struct utsname names;
	assert_int_equal(uname(&names), 0);
	if (strcmp(names.machine, "x86_64") == 0)
		assert_string_equal(host.architecture, "amd64");
	if (strcmp(names.machine, "aarch64") == 0)
		assert_string_equal(host.architecture, "arm64");
	assert_string_equal(host.os, "linux");
}

/* offers: platforms separated by spaces, "-" for an item without one */
static int choose(const char *offers, const char *wanted, struct nacre_error *err)
{
	struct nc_descriptor items[16] = { 0 };
	struct nc_manifest index = { .kind = NC_DOC_INDEX, .items = items };
	char copy[512], *rest = copy;
	snprintf(copy, sizeof copy, "%s", offers);
	for (char *offer; (offer = strsep(&rest, " ")) && offer[0]; index.item_count++) {
		struct nc_descriptor *item = &items[index.item_count];
		item->has_platform = strcmp(offer, "-") != 0;
		if (item->has_platform)
			item->platform = parse(offer);
	}
	struct nc_platform platform = parse(wanted);
	return nc_index_choose(&index, &platform, err);
}

static void chooses_as_containerd_does(void **state)
{
	static const struct {
		const char *offers, *wanted;
		int expected;
	} cases[] = {
		{ "linux/amd64 linux/arm64/v8", "linux/arm64", 1 },
		{ "linux/amd64 linux/arm64", "linux/arm64/v8", 1 },
		{ "linux/amd64", "linux/arm64", NACRE_E_NOTFOUND },
		{ "windows/amd64 linux/amd64", "linux/amd64", 1 },
		{ "linux/arm/v5 linux/arm/v7 linux/arm/v6", "linux/arm/v7", 1 },
		{ "linux/arm/v5 linux/arm/v6", "linux/arm/v7", 1 },
		{ "linux/arm/v5 linux/arm/v7", "linux/arm/v6", 0 },
		{ "linux/arm/v7", "linux/arm/v6", NACRE_E_NOTFOUND },
		{ "linux/arm/v6 linux/arm", "linux/arm/v8", 1 },
		{ "linux/arm/v6 linux/arm/v7", "linux/arm", 1 },
		{ "linux/amd64/v3 linux/amd64", "linux/amd64", 1 },
		{ "linux/amd64/v3 linux/amd64/v2 linux/amd64", "linux/amd64/v2", 1 },
		{ "linux/amd64 linux/amd64/v4", "linux/amd64/v3", 0 },
		{ "linux/amd64/v2", "linux/amd64", NACRE_E_NOTFOUND },
		{ "linux/amd64 linux/amd64", "linux/amd64", 0 },
		{ "linux/ppc64le/power9 linux/ppc64le", "linux/ppc64le", 1 },
		{ "linux/s390x linux/riscv64", "linux/riscv64", 1 },
		{ "linux/x86_64", "linux/amd64", 0 },
		{ "-", "linux/amd64", 0 },
		{ "unknown/unknown -", "linux/amd64", 1 },
		{ "- -", "linux/amd64", NACRE_E_NOTFOUND },
		{ "linux/arm64 -", "linux/amd64", NACRE_E_NOTFOUND },
		{ "- linux/amd64", "linux/amd64", 1 },
		{ "unknown/unknown", "linux/amd64", NACRE_E_NOTFOUND },
		{ "unknown/unknown", "unknown/unknown", NACRE_E_NOTFOUND },
		{ "", "linux/amd64", NACRE_E_NOTFOUND },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nacre_error err;
		int got = choose(cases[i].offers, cases[i].wanted, &err);
		if (got != cases[i].expected)
			fail_msg("'%s' for %s: %d", cases[i].offers, cases[i].wanted, got);
	}
}

static void says_what_there_is(void **state)
{
	struct nacre_error err;
	assert_int_equal(choose("linux/amd64", "linux/s390x", &err), NACRE_E_NOTFOUND);
	assert_string_equal(err.msg, "no image for platform linux/s390x; there is linux/amd64");
	assert_int_equal(choose("linux/amd64 unknown/unknown linux/arm/v7", "linux/s390x", &err), NACRE_E_NOTFOUND);
	assert_string_equal(err.msg, "no image for platform linux/s390x; there are linux/amd64, linux/arm/v7");
	assert_int_equal(choose("a/1 a/2 a/3 a/4 a/5 a/6 a/7 a/8", "linux/s390x", &err), NACRE_E_NOTFOUND);
	assert_non_null(strstr(err.msg, "a/7, a/8"));
	assert_int_equal(choose("a/1 a/2 a/3 a/4 a/5 a/6 a/7 a/8 a/9", "linux/s390x", &err), NACRE_E_NOTFOUND);
	assert_non_null(strstr(err.msg, "a/7, a/8, …"));
	assert_null(strstr(err.msg, "a/9"));
	assert_int_equal(choose("", "linux/s390x", &err), NACRE_E_NOTFOUND);
	assert_string_equal(err.msg, "no image for platform linux/s390x; there are none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refuses),
		cmocka_unit_test(an_os_alone_has_the_machines_architecture),
		cmocka_unit_test(chooses_as_containerd_does),
		cmocka_unit_test(says_what_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
