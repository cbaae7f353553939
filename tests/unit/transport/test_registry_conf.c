/* A home of our own: registries.conf, files of credentials, helpers, certificates. */
#include "../unit.h"

#include "io/path.h"
#include "transport/credential_helper.h"
#include "transport/registry_conf.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[64];

static void put(const char *name, unsigned mode, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", home, name);
	for (char *at = path + strlen(home) + 1; (at = strchr(at, '/')); *at++ = '/') {
		*at = '\0';
		mkdir(path, 0700);
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int make_home(void **state)
{
	char path[128];
	static const char *const unset[] = { "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "DOCKER_CONFIG",
					     "CONTAINERS_REGISTRIES_CONF" };
	strcpy(home, "/tmp/nacre-unit-XXXXXX");
	assert_non_null(mkdtemp(home));
	for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
		unsetenv(unset[i]);
	setenv("HOME", home, 1);
	snprintf(path, sizeof path, "%s/run", home);
	setenv("XDG_RUNTIME_DIR", path, 1);
	snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", home);
	setenv("PATH", path, 1);
	put(".config/containers/registries.conf", 0600, "");
	return 0;
}

static int remove_home(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = nc_tree_remove(tmp, home + strlen("/tmp/"), NULL);
	close(tmp);
	return code;
}

static struct nc_registry_conf *open_conf(const struct nacre_registry_options *options)
{
	struct nacre_error err;
	struct nc_registry_conf *conf = NULL;
	assert_done(nc_registry_conf_open(options, &conf, &err));
	return conf;
}

/* "host/path host/path!" with ! for insecure ones and ~ for mirrors */
static void expect_endpoints(const struct nc_registry_conf *conf, const char *text, bool push, const char *expected)
{
	struct nacre_error err;
	struct nc_reference reference;
	struct nc_endpoints endpoints;
	char got[2048] = "";
	assert_done(nc_reference_parse(text, &reference, &err));
	assert_done(nc_registry_endpoints(conf, &reference, push, &endpoints, &err));
	for (size_t i = 0; i < endpoints.count; i++) {
		const struct nc_endpoint *endpoint = &endpoints.list[i];
		size_t used = strlen(got);
		snprintf(got + used, sizeof got - used, "%s%s%s/%s%s", used ? " " : "", endpoint->mirror ? "~" : "",
			 endpoint->host, endpoint->path, endpoint->insecure ? "!" : "");
	}
	assert_string_equal(got, expected);
	nc_endpoints_release(&endpoints);
}

static void expect_candidates(const struct nc_registry_conf *conf, const char *text, const char *expected)
{
	struct nacre_error err;
	struct nc_candidates candidates;
	char got[4096] = "", full[NC_REFERENCE_TEXT];
	assert_done(nc_registry_candidates(conf, text, &candidates, &err));
	for (size_t i = 0; i < candidates.count; i++) {
		size_t used = strlen(got);
		snprintf(got + used, sizeof got - used, "%s%s", used ? " " : "",
			 nc_reference_full(&candidates.list[i], full));
	}
	assert_string_equal(got, expected);
	nc_candidates_release(&candidates);
}

static void names_without_settings(void **state)
{
	struct nc_registry_conf *conf = open_conf(NULL);
	expect_candidates(conf, "alpine", "docker.io/library/alpine:latest");
	expect_candidates(conf, "localhost:5000/a:b", "localhost:5000/a:b");
	expect_endpoints(conf, "alpine", false, "registry-1.docker.io/library/alpine");
	expect_endpoints(conf, "localhost:5000/a/b", true, "localhost:5000/a/b");
	nc_registry_conf_close(conf);
	conf = open_conf(&(struct nacre_registry_options){ .size = sizeof(struct nacre_registry_options), .tls_verify = -1 });
	expect_endpoints(conf, "h.io/x", false, "h.io/x!");
	nc_registry_conf_close(conf);
}

static void short_names(void **state)
{
	put(".config/containers/registries.conf", 0600,
	    "unqualified-search-registries = [\"docker.io\", \"q.io:5000\"]\n[aliases]\n\"pod\" = \"q.io/a/pod\"\n"
	    "\"u/x\" = \"q.io/u\"\n");
	put(".config/containers/registries.conf.d/10.conf", 0600, "[aliases]\n\"other\" = \"o.io/other\"\n");
	put(".config/containers/registries.conf.d/ignored.txt", 0600, "nonsense");
	struct nc_registry_conf *conf = open_conf(NULL);
	expect_candidates(conf, "pod", "q.io/a/pod:latest");
	expect_candidates(conf, "pod:1", "q.io/a/pod:1");
	expect_candidates(conf, "u/x", "q.io/u:latest");
	expect_candidates(conf, "other", "o.io/other:latest");
	expect_candidates(conf, "x:2", "docker.io/library/x:2 q.io:5000/x:2");
	expect_candidates(conf, "library/pod", "docker.io/library/pod:latest q.io:5000/library/pod:latest");
	expect_candidates(conf, "docker.io/pod", "docker.io/library/pod:latest");
	nc_registry_conf_close(conf);
}

static void mirrors(void **state)
{
	put(".config/containers/registries.conf", 0600,
	    "[[registry]]\nprefix = \"docker.io\"\nlocation = \"docker.io\"\n"
	    "[[registry.mirror]]\nlocation = \"m.io:80/hub\"\ninsecure = true\n"
	    "[[registry.mirror]]\nlocation = \"n.io\"\npull-from-mirror = \"digest-only\"\n"
	    "[[registry]]\nprefix = \"a.io/team\"\nlocation = \"b.io/x\"\ninsecure = true\n"
	    "[[registry]]\nprefix = \"*.w.io\"\n[[registry.mirror]]\nlocation = \"wm.io/all\"\n");
	static const char digest[] = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	char text[128];
	struct nc_registry_conf *conf = open_conf(NULL);
	expect_endpoints(conf, "alpine", false, "~m.io:80/hub/library/alpine! registry-1.docker.io/library/alpine");
	snprintf(text, sizeof text, "alpine%s", digest);
	expect_endpoints(conf, text, false,
			 "~m.io:80/hub/library/alpine! ~n.io/library/alpine registry-1.docker.io/library/alpine");
	expect_endpoints(conf, "alpine", true, "registry-1.docker.io/library/alpine");
	expect_endpoints(conf, "a.io/team/app", false, "b.io/x/app!");
	expect_endpoints(conf, "a.io/team/app", true, "a.io/team/app!");
	expect_endpoints(conf, "a.io/teams", false, "a.io/teams");
	expect_endpoints(conf, "q.w.io/x", false, "~wm.io/all/x q.w.io/x");
	nc_registry_conf_close(conf);
	conf = open_conf(&(struct nacre_registry_options){ .size = sizeof(struct nacre_registry_options), .tls_verify = 1 });
	expect_endpoints(conf, "a.io/team/app", false, "b.io/x/app");
	nc_registry_conf_close(conf);
}

static void settings_refused(void **state)
{
	struct nacre_error err;
	struct nc_registry_conf *conf = NULL;
	struct nc_reference reference;
	struct nc_endpoints endpoints;
	struct nc_endpoint endpoint;
	char path[128], sentence[256];
	put(".config/containers/registries.conf", 0600, "[[registry]]\nlocation = \"bad.io\"\nblocked = true\n");
	conf = open_conf(NULL);
	assert_done(nc_reference_parse("bad.io/x", &reference, &err));
	assert_int_equal(nc_registry_endpoints(conf, &reference, false, &endpoints, &err), NACRE_E_DENIED);
	snprintf(sentence, sizeof sentence, "'bad.io/x' is blocked by %s/.config/containers/registries.conf, line 1", home);
	assert_string_equal(err.msg, sentence);
	assert_int_equal(nc_registry_host(conf, "bad.io", &endpoint, &err), NACRE_E_DENIED);
	static const char *const none[] = { "", "word", "a.io/x", "http://a.io", "a.io:x", "a@b.io" };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_int_equal(nc_registry_host(conf, none[i], &endpoint, &err), NACRE_E_INVALID);
	assert_done(nc_registry_host(conf, "Index.docker.io", &endpoint, &err));
	assert_string_equal(endpoint.host, "registry-1.docker.io");
	assert_string_equal(endpoint.name, "docker.io");
	nc_registry_conf_close(conf);

	put("broken.conf", 0600, "\nx = \n");
	snprintf(path, sizeof path, "%s/broken.conf", home);
	setenv("CONTAINERS_REGISTRIES_CONF", path, 1);
	assert_int_equal(nc_registry_conf_open(NULL, &conf, &err), NACRE_E_BADDATA);
	snprintf(sentence, sizeof sentence, "%s: line 2: a value is expected here", path);
	assert_string_equal(err.msg, sentence);
	setenv("CONTAINERS_REGISTRIES_CONF", "/nonexistent/r.conf", 1);
	assert_int_equal(nc_registry_conf_open(NULL, &conf, &err), NACRE_E_NOTFOUND);
	assert_string_equal(err.msg, "no file '/nonexistent/r.conf'");
	const struct nacre_registry_options options = { .size = sizeof options, .creds = "nocolon" };
	unsetenv("CONTAINERS_REGISTRIES_CONF");
	assert_int_equal(nc_registry_conf_open(&options, &conf, &err), NACRE_E_INVALID);
}

/* "user:password from", "token:T from" or "none"; home is left out of from */
static void expect_credentials(const struct nc_registry_conf *conf, const char *host, const char *path, bool mirror,
			       const char *expected)
{
	struct nacre_error err;
	struct nc_endpoint endpoint = { .mirror = mirror };
	struct nc_credentials credentials = { 0 };
	char got[512] = "none";
	snprintf(endpoint.name, sizeof endpoint.name, "%s", host);
	snprintf(endpoint.path, sizeof endpoint.path, "%s", path);
	assert_done(nc_registry_credentials(conf, &endpoint, &credentials, &err));
	if (credentials.from) {
		const char *from = credentials.from;
		from += strncmp(from, home, strlen(home)) == 0 ? strlen(home) + 1 : 0;
		snprintf(got, sizeof got, "%s:%s %s", credentials.identity_token ? "token" : credentials.user,
			 credentials.identity_token ? credentials.identity_token : credentials.password, from);
	}
	assert_string_equal(got, expected);
	nc_credentials_release(&credentials);
}

static void credentials_in_order(void **state)
{
	/* each file has one host more than the one before it */
	put("run/containers/auth.json", 0600, "{\"auths\": {\"a.io\": {\"auth\": \"YTox\"}, \"a.io/x/y\": {\"auth\": \"YToy\"}}}");
	put(".config/containers/auth.json", 0600, "{\"auths\": {\"a.io\": {\"auth\": \"Yjox\"}, \"b.io\": {\"auth\": \"Yjox\"}}}");
	put(".docker/config.json", 0600, "{\"auths\": {\"b.io\": {\"auth\": \"Yzox\"}, \"c.io\": {\"auth\": \"Yzox\"}}}");
	put(".dockercfg", 0600, "{\"https://c.io/v1/\": {\"auth\": \"ZDox\"}, \"https://d.io/v1/\": {\"auth\": \"ZDox\"}}");
	put("my.json", 0600, "{\"auths\": {\"a.io\": {\"auth\": \"bTox\"}}}");
	put("other/config.json", 0600, "{\"auths\": {\"c.io\": {\"auth\": \"ZTox\"}}}");
	struct nc_registry_conf *conf = open_conf(NULL);
	expect_credentials(conf, "a.io", "x", false, "a:1 run/containers/auth.json");
	expect_credentials(conf, "a.io", "x/y", true, "a:2 run/containers/auth.json");
	expect_credentials(conf, "b.io", "x", false, "b:1 .config/containers/auth.json");
	expect_credentials(conf, "c.io", "x", false, "c:1 .docker/config.json");
	expect_credentials(conf, "d.io", "x", false, "d:1 .dockercfg");
	expect_credentials(conf, "e.io", "x", false, "none");
	char path[128];
	snprintf(path, sizeof path, "%s/other", home);
	setenv("DOCKER_CONFIG", path, 1);
	expect_credentials(conf, "c.io", "x", false, "e:1 other/config.json");
	unsetenv("DOCKER_CONFIG");
	nc_registry_conf_close(conf);

	snprintf(path, sizeof path, "%s/my.json", home);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	conf = open_conf(NULL);
	expect_credentials(conf, "a.io", "x", false, "m:1 my.json");
	expect_credentials(conf, "b.io", "x", false, "none");
	nc_registry_conf_close(conf);
	conf = open_conf(&(struct nacre_registry_options){ .size = sizeof(struct nacre_registry_options),
							   .authfile = "/dev/null", .creds = "me:s:3" });
	expect_credentials(conf, "a.io", "x", false, "me:s:3 the credentials given");
	expect_credentials(conf, "a.io", "x", true, "none");
	nc_registry_conf_close(conf);
	unsetenv("REGISTRY_AUTH_FILE");
}

#define HELPER(script) "#!/bin/sh\n" script "\n"

static void helpers_are_asked(void **state)
{
	put("run/containers/auth.json", 0600,
	    "{\"credHelpers\": {\"a.io\": \"ok\", \"t.io\": \"token\"}, \"auths\": {\"a.io\": {\"auth\": \"YTox\"}}}");
	put(".docker/config.json", 0600, "{\"credsStore\": \"store\", \"auths\": {\"docker.io\": {}, \"f.io\": {\"auth\": \"Zjox\"}}}");
	put("bin/docker-credential-ok", 0700, HELPER("read s; printf '{\"Username\":\"u %s\",\"Secret\":\"%s\"}' \"$s\" $1"));
	put("bin/docker-credential-token", 0700, HELPER("printf '{\"Username\":\"<token>\",\"Secret\":\"T\"}'"));
	put("bin/docker-credential-store", 0700,
	    HELPER("read s; case $s in https://index.docker.io/v1/) printf '{\"Username\":\"d\",\"Secret\":\"1\"}' ;;"
		   " *) echo 'credentials not found in native keychain'; exit 1 ;; esac"));
	struct nc_registry_conf *conf = open_conf(NULL);
	expect_credentials(conf, "a.io", "x", false, "u a.io:get docker-credential-ok");
	expect_credentials(conf, "t.io", "x", false, "token:T docker-credential-token");
	expect_credentials(conf, "docker.io", "library/x", false, "d:1 docker-credential-store");
	expect_credentials(conf, "e.io", "x", false, "none");
	expect_credentials(conf, "f.io", "x", false, "f:1 .docker/config.json");
	nc_registry_conf_close(conf);
	put(".config/containers/registries.conf", 0600, "credential-helpers = [\"store\", \"containers-auth.json\"]\n");
	conf = open_conf(NULL);
	expect_credentials(conf, "docker.io", "library/x", false, "d:1 docker-credential-store");
	expect_credentials(conf, "a.io", "x", false, "u a.io:get docker-credential-ok");
	nc_registry_conf_close(conf);
}

static void helpers_that_fail(void **state)
{
	static const struct {
		const char *script, *reason;
		int code;
	} cases[] = {
		{ HELPER("echo 'the vault is shut'; exit 3"), "docker-credential-x get: exit status 3: the vault is shut",
		  NACRE_E_AUTH },
		{ HELPER("exit 1"), "docker-credential-x get: exit status 1", NACRE_E_AUTH },
		{ HELPER("kill -9 $$"), "docker-credential-x get: ended by signal 9", NACRE_E_AUTH },
		{ HELPER("echo hello"), "docker-credential-x get: its answer is no JSON object", NACRE_E_AUTH },
		{ HELPER("echo '[]'"), "docker-credential-x get: its answer is no JSON object", NACRE_E_AUTH },
		{ HELPER("echo '{\"Username\": 1}'"), "docker-credential-x get: Username: wrong type", NACRE_E_BADDATA },
		{ HELPER("exec head -c 100000 /dev/zero"), "docker-credential-x get: its answer has more than 64 KiB",
		  NACRE_E_AUTH },
		{ HELPER("exec sleep 1000"), "docker-credential-x get: no answer in 1 seconds", NACRE_E_AUTH },
		/* it closes its output, and stays */
		{ HELPER("exec >&-; exec sleep 1000"), "docker-credential-x get: no answer in 1 seconds", NACRE_E_AUTH },
	};
	struct nacre_error err;
	struct nc_auth auth = { 0 };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put("bin/docker-credential-x", 0700, cases[i].script);
		/* those that never end need not be waited for longer */
		const struct nc_helper helper = { .name = "x", .seconds = strstr(cases[i].script, "sleep") ? 1 : 300 };
		int code = nc_helper_get(&helper, "a.io", &auth, &err);
		if (strncmp(err.msg, cases[i].reason, strlen("docker-credential-x get: Username")) != 0 ||
		    code != cases[i].code)
			fail_msg("%d: %s", code, err.msg);
		/* no child is left */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
	/* under valgrind a program that is not there is told by its exit status alone */
	if (getenv("VALGRIND"))
		return;
	assert_int_equal(nc_helper_get(&(struct nc_helper){ .name = "nowhere" }, "a.io", &auth, &err), NACRE_E_NOTFOUND);
	assert_string_equal(err.msg, "no program 'docker-credential-nowhere' in $PATH to ask for credentials");
	assert_int_equal(nc_helper_get(&(struct nc_helper){ .name = "../x" }, "a.io", &auth, &err), NACRE_E_INVALID);
}

static void helpers_store_and_erase(void **state)
{
	char text[256] = "", path[128], user[] = "u", password[] = "p";
	struct nacre_error err;
	put("bin/docker-credential-x", 0700, HELPER("read -r s; echo \"$1 $s\" >>$HOME/said"));
	const struct nc_helper helper = { .name = "x" };
	assert_done(nc_helper_store(&helper, "a.io", &(struct nc_auth){ .user = user, .password = password }, &err));
	assert_int_equal(nc_helper_erase(&helper, "a.io", &err), 1);
	snprintf(path, sizeof path, "%s/said", home);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	assert_string_equal(text, "store {\"ServerURL\":\"a.io\",\"Username\":\"u\",\"Secret\":\"p\"}\nerase a.io\n");
}

#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static void certificates(void **state)
{
	struct nacre_error err;
	struct nc_certs certs;
	struct nc_endpoint endpoint = { .name = "a.io:5000", .host = "a.io:5000" };
	char path[128];
	put(".config/containers/certs.d/a.io:5000/ca.crt", 0600, PEM);
	put(".config/containers/certs.d/a.io:5000/second.crt", 0600, PEM);
	put(".config/containers/certs.d/a.io:5000/client.cert", 0600, PEM);
	put(".config/containers/certs.d/a.io:5000/client.key", 0600, "key");
	put("dir/a.crt", 0600, PEM);
	struct nc_registry_conf *conf = open_conf(NULL);
	assert_done(nc_registry_certs(conf, &endpoint, &certs, &err));
	assert_string_equal(certs.authorities, PEM "\n" PEM "\n");
	snprintf(path, sizeof path, "%s/.config/containers/certs.d/a.io:5000/client.cert", home);
	assert_string_equal(certs.client_cert, path);
	assert_non_null(strstr(certs.client_key, "/client.key"));
	nc_certs_release(&certs);
	strcpy(endpoint.name, "b.io");
	assert_done(nc_registry_certs(conf, &endpoint, &certs, &err));
	assert_null(certs.authorities);
	nc_certs_release(&certs);
	put(".config/containers/certs.d/b.io/x.cert", 0600, PEM);
	assert_int_equal(nc_registry_certs(conf, &endpoint, &certs, &err), NACRE_E_BADDATA);
	assert_non_null(strstr(err.msg, "x.cert' has no 'x.key' beside it"));
	put(".config/containers/certs.d/b.io/x.key", 0600, "key");
	put(".config/containers/certs.d/b.io/y.crt", 0600, "no certificate");
	assert_int_equal(nc_registry_certs(conf, &endpoint, &certs, &err), NACRE_E_BADDATA);
	nc_registry_conf_close(conf);
	snprintf(path, sizeof path, "%s/dir", home);
	conf = open_conf(&(struct nacre_registry_options){ .size = sizeof(struct nacre_registry_options), .cert_dir = path });
	assert_done(nc_registry_certs(conf, &endpoint, &certs, &err));
	assert_string_equal(certs.authorities, PEM "\n");
	nc_certs_release(&certs);
	nc_registry_conf_close(conf);
	conf = open_conf(&(struct nacre_registry_options){ .size = sizeof(struct nacre_registry_options), .cert_dir = "/nowhere" });
	assert_int_equal(nc_registry_certs(conf, &endpoint, &certs, &err), NACRE_E_NOTFOUND);
	nc_registry_conf_close(conf);
}

#define IN_A_HOME(test) cmocka_unit_test_setup_teardown(test, make_home, remove_home)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_HOME(names_without_settings), IN_A_HOME(short_names), IN_A_HOME(mirrors), IN_A_HOME(settings_refused),
		IN_A_HOME(credentials_in_order), IN_A_HOME(helpers_are_asked), IN_A_HOME(helpers_that_fail),
		IN_A_HOME(helpers_store_and_erase), IN_A_HOME(certificates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
