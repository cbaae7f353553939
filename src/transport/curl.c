#include "transport/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

/* CURLOPT_PROTOCOLS_STR came with it. */
#define VERSION_LEAST 0x075500

#define SYMBOL(member, name) { offsetof(struct nc_curl, member), name }
static const struct symbol {
	size_t offset;
	const char *name;
} symbols[] = {
	SYMBOL(easy_init, "curl_easy_init"),
	SYMBOL(easy_setopt, "curl_easy_setopt"),
	SYMBOL(easy_getinfo, "curl_easy_getinfo"),
	SYMBOL(easy_pause, "curl_easy_pause"),
	SYMBOL(easy_strerror, "curl_easy_strerror"),
	SYMBOL(easy_reset, "curl_easy_reset"),
	SYMBOL(easy_cleanup, "curl_easy_cleanup"),
	SYMBOL(multi_init, "curl_multi_init"),
	SYMBOL(multi_add_handle, "curl_multi_add_handle"),
	SYMBOL(multi_remove_handle, "curl_multi_remove_handle"),
	SYMBOL(multi_perform, "curl_multi_perform"),
	SYMBOL(multi_poll, "curl_multi_poll"),
	SYMBOL(multi_info_read, "curl_multi_info_read"),
	SYMBOL(multi_strerror, "curl_multi_strerror"),
	SYMBOL(multi_cleanup, "curl_multi_cleanup"),
	SYMBOL(slist_append, "curl_slist_append"),
	SYMBOL(slist_free_all, "curl_slist_free_all"),
	SYMBOL(url, "curl_url"),
	SYMBOL(url_cleanup, "curl_url_cleanup"),
	SYMBOL(url_get, "curl_url_get"),
	SYMBOL(url_set, "curl_url_set"),
	SYMBOL(free, "curl_free"),
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct nc_curl table;
static struct nacre_error refusal;	/* code 0: the table is whole */

/* dlsym gives a pointer to data, which C does not let become one to a function but by its bytes. */
static void *find(void *library, const char *name, void *ret, size_t size)
{
	void *address = dlsym(library, name);
	memcpy(ret, &address, size);
	return address;
}

static void load(void)
{
	CURLcode (*global_init)(long flags);
	curl_version_info_data *(*version_info)(CURLversion age);
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!library || !find(library, "curl_global_init", &global_init, sizeof global_init) ||
	    !find(library, "curl_version_info", &version_info, sizeof version_info)) {
		nc_fail(&refusal, NACRE_E_UNSUPPORTED, 0, "registries need libcurl (libcurl.so.4), which is not there");
		return;
	}
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
		if (!find(library, symbols[i].name, (char *)&table + symbols[i].offset, sizeof(void *))) {
			nc_fail(&refusal, NACRE_E_UNSUPPORTED, 0, "libcurl has no %s", symbols[i].name);
			return;
		}
	const curl_version_info_data *version = version_info(CURLVERSION_NOW);
	if (version->version_num < VERSION_LEAST)
		nc_fail(&refusal, NACRE_E_UNSUPPORTED, 0, "libcurl %s is too old: 7.85 at least", version->version);
	else if (global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		nc_fail(&refusal, NACRE_E_UNSUPPORTED, 0, "libcurl cannot be started");
}

int nc_curl_load(const struct nc_curl **ret, struct nacre_error *err)
{
	pthread_once(&once, load);
	if (refusal.code)
		return nc_fail(err, refusal.code, 0, "%s", refusal.msg);
	*ret = &table;
	return 0;
}
