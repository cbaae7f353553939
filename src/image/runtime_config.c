#include "image/runtime_config.h"

#include "image/gojson.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What podman gives to containers. */
static const char *const capabilities[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT", NULL,
};

static const char *const namespaces[] = { "pid", "network", "ipc", "uts", "mount", "cgroup", NULL };

static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
	"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/dev/block", "/sys/firmware", "/sys/fs/selinux",
	NULL,
};

static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static const struct {
	const char *at, *type, *source, *options;
} mounts[] = {
	{ "/proc", "proc", "proc", "nosuid noexec nodev" },
	{ "/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k" },
	{ "/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5" },
	{ "/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev" },
	{ "/sys", "sysfs", "sysfs", "nosuid noexec nodev ro" },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro" },
};

/* jansson makes NULL of what it has no memory for, takes it, and fails with what it is put into: so only the last step
 * has to be looked at. */
static json_t *text_list(const char *const *texts)
{
	json_t *list = json_array();
	for (; texts && *texts; texts++)
		if (json_array_append_new(list, json_string(*texts)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* A list of the words of text. */
static json_t *word_list(const char *text)
{
	json_t *list = json_array();
	while (list && *text) {
		size_t len = strcspn(text, " ");
		if (json_array_append_new(list, json_stringn(text, len)) < 0) {
			json_decref(list);
			return NULL;
		}
		text += len + (text[len] == ' ');
	}
	return list;
}

static json_t *make_mount(const char *at, const char *type, const char *source, const char *options)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", at, "type", type, "source", source, "options",
			 word_list(options));
}

static json_t *make_volume(const struct nc_runtime_volume *volume)
{
	char options[100];
	snprintf(options, sizeof options, "nosuid nodev mode=%" PRIo32 " uid=%" PRIu32 " gid=%" PRIu32, volume->mode,
		 volume->uid, volume->gid);
	return make_mount(volume->path, "tmpfs", "tmpfs", options);
}

static json_t *make_mounts(const struct nc_runtime_facts *facts)
{
	json_t *list = json_array();
	int failed = 0;
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		failed |= json_array_append_new(list, make_mount(mounts[i].at, mounts[i].type, mounts[i].source,
								 mounts[i].options));
	for (size_t i = 0; i < facts->volume_count; i++)
		failed |= json_array_append_new(list, make_volume(&facts->volumes[i]));
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static bool has_variable(const char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return true;
	return false;
}

static json_t *make_env(const struct nc_runtime_facts *facts)
{
	json_t *list = text_list(facts->env);
	const char *home = facts->user->home[0] == '/' ? facts->user->home : "/";
	int failed = 0;
	if (!has_variable(facts->env, "PATH"))
		failed |= json_array_append_new(list, json_string(PATH_DEFAULT));
	if (!has_variable(facts->env, "HOME"))
		failed |= json_array_append_new(list, json_sprintf("HOME=%s", home));
	if (!failed)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *make_user(const struct nc_user *user)
{
	json_t *groups = json_array();
	for (size_t i = 0; i < user->group_count; i++)
		json_array_append_new(groups, json_integer(user->groups[i]));
	if (json_array_size(groups) != user->group_count) {
		json_decref(groups);
		groups = NULL;
	}
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)user->uid, "gid", (json_int_t)user->gid,
			 "additionalGids", groups);
}

/* Whoever is not root has none at hand, but may gain them by what is setuid. */
static json_t *make_capabilities(const struct nc_user *user)
{
	static const char *const none[] = { NULL };
	const char *const *held = user->uid == 0 ? capabilities : none;
	return json_pack("{s:o, s:o, s:o}", "bounding", text_list(capabilities), "effective", text_list(held),
			 "permitted", text_list(held));
}

static json_t *make_namespaces(void)
{
	json_t *list = json_array();
	for (const char *const *type = namespaces; *type; type++)
		if (json_array_append_new(list, json_pack("{s:s}", "type", *type)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *make_annotations(const char *const *pairs)
{
	json_t *map = json_object();
	for (; map && pairs && *pairs; pairs += 2)
		if (!json_object_get(map, pairs[0]) &&
		    json_object_set_new(map, pairs[0], json_string(pairs[1])) < 0) {
			json_decref(map);
			return NULL;
		}
	return map;
}

static json_t *make_process(const struct nc_runtime_facts *facts)
{
	json_t *cwd = facts->cwd[0] == '/' ? json_string(facts->cwd) : json_sprintf("/%s", facts->cwd);
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:b}", "terminal", 0, "user", make_user(facts->user), "args",
			 text_list(facts->args), "env", make_env(facts), "cwd", cwd, "capabilities",
			 make_capabilities(facts->user), "noNewPrivileges", 0);
}

/* JSON holds nothing but UTF-8. */
static int check_texts(const struct nc_runtime_facts *facts, struct nacre_error *err)
{
	const char *const *lists[] = { facts->args, facts->env };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const char *const *text = lists[i]; text && *text; text++) {
			NC_CLEANUP(nc_json_auto) json_t *json = json_string(*text);
			if (!json)
				return nc_fail(err, NACRE_E_INVALID, 0, "'%.200s' is no UTF-8", *text);
		}
	return 0;
}

int nc_runtime_config(const struct nc_runtime_facts *facts, char **ret, size_t *ret_len, struct nacre_error *err)
{
	int checked = check_texts(facts, err);
	if (checked < 0)
		return checked;
	NC_CLEANUP(nc_json_auto) json_t *config = json_pack(
		"{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o, s:{s:o, s:o, s:o}}", "ociVersion", "1.0.2", "process",
		make_process(facts), "root", "path", facts->root, "readonly", facts->readonly, "hostname",
		facts->hostname, "mounts", make_mounts(facts), "annotations",
		make_annotations(facts->annotations), "linux", "namespaces", make_namespaces(), "maskedPaths",
		text_list(masked), "readonlyPaths", text_list(readonly));
	if (!config)
		return nc_nomem(err);
	NC_AUTO_FREE char *text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS);
	NC_AUTO_BUF struct nc_buf buf = NC_BUF_INIT(NC_JSON_MAX);
	int code = text ? nc_buf_addf(&buf, err, "%s\n", text) : nc_nomem(err);
	if (code < 0)
		return code;
	*ret_len = buf.len;
	*ret = nc_buf_give(&buf);
	return *ret ? 0 : nc_nomem(err);
}
