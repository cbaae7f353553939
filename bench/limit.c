/* limit DIRECTORY BLOB… : what the machine needs for an image's layers at least. Each blob is read, hashed, inflated, hashed
 * again (one that is not compressed once only), and its plain bytes are written to a file, in two threads, a whole layer each, the
 * longest first; then one syncfs. No tar is parsed, no file made, nothing recorded. */
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define BLOCK ((size_t)256 * 1024)
#define EARLY ((uint64_t)8 << 20)

struct blob {
	const char *path;
	off_t size;
};

static struct blob *blobs;
static size_t blob_count, next_blob;
static int directory;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The file of a layer's plain bytes. */
struct out {
	int fd;
	uint64_t written, sent;
	EVP_MD_CTX *hash;
};

static EVP_MD_CTX *new_hash(void)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
		die("hash");
	return hash;
}

static void end_hash(EVP_MD_CTX *hash)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_DigestFinal_ex(hash, digest, NULL);
	EVP_MD_CTX_free(hash);
}

static void put(struct out *out, const unsigned char *bytes, size_t len)
{
	EVP_DigestUpdate(out->hash, bytes, len);
	if (write(out->fd, bytes, len) != (ssize_t)len)
		die("write");
	out->written += len;
	if (out->written - out->sent >= EARLY) {
		sync_file_range(out->fd, (off_t)out->sent, (off_t)(out->written - out->sent), SYNC_FILE_RANGE_WRITE);
		out->sent = out->written;
	}
}

static void inflate_block(struct inflate_state *state, unsigned char *in, size_t len, unsigned char *block,
			  struct out *out)
{
	state->next_in = in;
	state->avail_in = (uint32_t)len;
	do {
		state->next_out = block;
		state->avail_out = (uint32_t)BLOCK;
		if (isal_inflate(state))
			die("inflate");
		put(out, block, BLOCK - state->avail_out);
	} while (!state->avail_out || (state->avail_in && state->block_state != ISAL_BLOCK_FINISH));
}

static void unzstd_block(ZSTD_DStream *stream, unsigned char *in, size_t len, unsigned char *block, struct out *out)
{
	ZSTD_inBuffer input = { in, len, 0 };
	ZSTD_outBuffer output;
	do {
		output = (ZSTD_outBuffer){ block, BLOCK, 0 };
		if (ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)))
			die("zstd");
		put(out, block, output.pos);
	} while (input.pos < len || output.pos == BLOCK);
}

static void do_layer(const struct blob *blob, size_t number)
{
	char name[32];
	unsigned char *in = malloc(BLOCK), *block = malloc(BLOCK);
	struct inflate_state *gzip = malloc(sizeof *gzip);
	ZSTD_DStream *zstd = ZSTD_createDStream();
	EVP_MD_CTX *hash = new_hash();
	snprintf(name, sizeof name, "layer-%zu", number);
	struct out out = { .fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), .hash = new_hash() };
	int fd = open(blob->path, O_RDONLY | O_CLOEXEC);
	if (!in || !block || !gzip || !zstd || out.fd < 0 || fd < 0)
		die(blob->path);
	isal_inflate_init(gzip);
	gzip->crc_flag = ISAL_GZIP;
	enum { UNKNOWN, PLAIN, GZIP, ZSTD } kind = UNKNOWN;
	ssize_t n;
	while ((n = read(fd, in, BLOCK)) > 0) {
		if (kind == UNKNOWN)
			kind = in[0] == 0x1f ? GZIP : in[0] == 0x28 && in[1] == 0xb5 ? ZSTD : PLAIN;
		if (kind != PLAIN)
			EVP_DigestUpdate(hash, in, (size_t)n);
		if (kind == GZIP)
			inflate_block(gzip, in, (size_t)n, block, &out);
		else if (kind == ZSTD)
			unzstd_block(zstd, in, (size_t)n, block, &out);
		else
			put(&out, in, (size_t)n);
	}
	if (n < 0)
		die("read");
	end_hash(hash);
	end_hash(out.hash);
	ZSTD_freeDStream(zstd);
	free(gzip);
	free(block);
	free(in);
	close(out.fd);
	close(fd);
}

static void *work(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		size_t number = next_blob++;
		pthread_mutex_unlock(&lock);
		if (number >= blob_count)
			return arg;
		do_layer(&blobs[number], number);
	}
}

static int longest_first(const void *a, const void *b)
{
	const struct blob *x = a, *y = b;
	return x->size < y->size ? 1 : x->size > y->size ? -1 : 0;
}

int main(int argc, char **argv)
{
	pthread_t other;
	if (argc < 3)
		return 64;
	directory = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	blob_count = (size_t)argc - 2;
	blobs = calloc(blob_count, sizeof *blobs);
	if (directory < 0 || !blobs)
		die(argv[1]);
	for (size_t i = 0; i < blob_count; i++) {
		struct stat st;
		if (stat(argv[i + 2], &st) < 0)
			die(argv[i + 2]);
		blobs[i] = (struct blob){ argv[i + 2], st.st_size };
	}
	qsort(blobs, blob_count, sizeof *blobs, longest_first);
	if (pthread_create(&other, NULL, work, NULL))
		die("thread");
	work(NULL);
	pthread_join(other, NULL);
	if (syncfs(directory) < 0)
		die("syncfs");
	free(blobs);
	return 0;
}
