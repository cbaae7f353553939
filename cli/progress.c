#include "progress.h"

#include "human.h"
#include "mem.h"
#include "progress_json.h"
#include "signals.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_NONE, MODE_PLAIN, MODE_TTY, MODE_JSON };

struct item {
	char *id, *what;
	uint64_t current, total;
	uint64_t told;		/* JSON: as far as the last line said */
};

/* What is done of one kind of work. */
struct work {
	char *what;
	uint64_t bytes;
};

struct progress {
	enum mode mode;
	bool color;
	struct item *active;	/* begun and not done, oldest first */
	size_t count;
	struct work *works;
	size_t work_count;
	double started, drawn;
	unsigned lines;		/* on the terminal, to be overwritten */
};

/* Bars beyond these, or beyond what the terminal has room for, wait for their turn. */
#define BARS_MAX 8
#define REDRAW_SECONDS 0.1
#define STEP_BYTES ((uint64_t)512 << 10)

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool smart_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) == 1 && term && strcmp(term, "dumb") != 0;
}

struct progress *progress_new(const char *mode)
{
	struct progress *progress = must_alloc(sizeof(*progress));
	const char *no_color = getenv("NO_COLOR");

	if (!mode || strcmp(mode, "auto") == 0)
		progress->mode = smart_terminal() ? MODE_TTY : MODE_PLAIN;
	else if (strcmp(mode, "tty") == 0)
		progress->mode = MODE_TTY;
	else if (strcmp(mode, "plain") == 0)
		progress->mode = MODE_PLAIN;
	else if (strcmp(mode, "json") == 0)
		progress->mode = MODE_JSON;
	else
		progress->mode = MODE_NONE;
	progress->color = !no_color || !no_color[0];
	progress->started = now();
	return progress;
}

static unsigned terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns && atoi(columns) > 0)
		return (unsigned)atoi(columns);
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

static unsigned bars_max(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_row > BARS_MAX + 2)
		return BARS_MAX;
	return size.ws_row > 3 ? size.ws_row - 2 : 1;
}

/* "sha256:5f70bf18a086…" as "5f70bf18a086"; file names stay. */
static void short_id(const char *id, char *buf, size_t size)
{
	size_t max = size - 1;

	if (strncmp(id, "sha256:", 7) == 0 || strncmp(id, "sha512:", 7) == 0) {
		id += 7;
		max = 12;
	} else if (strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64) {
		max = 12;
	}
	snprintf(buf, size, "%.*s", (int)max, id);
	for (char *at = buf; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
}

/* --- drawing ---------------------------------------------------------------------------------------------------- */

static void erase(struct progress *progress)
{
	if (progress->lines > 0)
		fprintf(stderr, "\033[%uA\033[J", progress->lines);
	progress->lines = 0;
}

/* One line, cut to the terminal. */
static void draw_line(struct progress *progress, const char *line, unsigned width)
{
	fprintf(stderr, "%.*s\n", (int)width - 1, line);
	progress->lines++;
}

static void draw_bar(struct progress *progress, const struct item *item, unsigned width)
{
	char size[HUMAN_MAX], total[HUMAN_MAX], id[40], head[128], line[512];
	unsigned room, filled;

	short_id(item->id, id, sizeof(id));
	human_size(size, item->current);
	if (item->total == 0) {
		snprintf(line, sizeof(line), "%s %s  %s", item->what, id, size);
		draw_line(progress, line, width);
		return;
	}
	human_size(total, item->total);
	snprintf(head, sizeof(head), "%s %s ", item->what, id);
	room = width > strlen(head) + 24 ? width - (unsigned)strlen(head) - 24 : 0;
	room = room > 50 ? 50 : room;
	filled = item->current >= item->total ? room :
		 (unsigned)((double)room * (double)item->current / (double)item->total);
	if (room < 4) {
		snprintf(line, sizeof(line), "%s%s/%s", head, size, total);
		draw_line(progress, line, width);
		return;
	}
	fprintf(stderr, "%s[%s%.*s%s%*s] %s/%s\n", head, progress->color ? "\033[32m" : "", (int)filled,
		"##################################################", progress->color ? "\033[0m" : "",
		(int)(room - filled), "", size, total);
	progress->lines++;
}

/* The same bytes may pass through several kinds of work: the one that has seen most of them counts. */
static uint64_t bytes_so_far(const struct progress *progress)
{
	uint64_t most = 0;

	for (size_t i = 0; i < progress->work_count; i++) {
		uint64_t bytes = progress->works[i].bytes;

		for (size_t j = 0; j < progress->count; j++)
			if (strcmp(progress->active[j].what, progress->works[i].what) == 0)
				bytes += progress->active[j].current;
		most = bytes > most ? bytes : most;
	}
	return most;
}

/* The grand total, with rate and, where the sizes are known, time left. */
static void total_line(const struct progress *progress, char *line, size_t size)
{
	char done[HUMAN_MAX], all[HUMAN_MAX], rate[HUMAN_MAX], left[HUMAN_MAX];
	uint64_t bytes = bytes_so_far(progress), remaining = 0;
	double seconds = now() - progress->started, speed;
	int len;

	for (size_t i = 0; i < progress->count; i++) {
		const struct item *item = &progress->active[i];

		remaining += item->total > item->current ? item->total - item->current : 0;
	}
	speed = (double)bytes / (seconds > 0.001 ? seconds : 0.001);
	len = snprintf(line, size, "total %s%s%s, %s/s", human_size(done, bytes), remaining > 0 ? " of " : "",
		       remaining > 0 ? human_size(all, bytes + remaining) : "", human_size(rate, (uint64_t)speed));
	if (remaining > 0 && speed > 1)
		snprintf(line + len, size - (size_t)len, ", %s left",
			 human_duration(left, (int64_t)((double)remaining / speed)));
}

static void redraw(struct progress *progress, bool force)
{
	unsigned width = terminal_width(), bars = bars_max();
	double at = now();
	char line[256];

	if (!force && at - progress->drawn < REDRAW_SECONDS)
		return;
	progress->drawn = at;
	erase(progress);
	for (size_t i = 0; i < progress->count && i < bars; i++)
		draw_bar(progress, &progress->active[i], width);
	total_line(progress, line, sizeof(line));
	draw_line(progress, line, width);
	fflush(stderr);
}

/* --- events ----------------------------------------------------------------------------------------------------- */

static struct item *find(struct progress *progress, const char *id, const char *what)
{
	for (size_t i = 0; i < progress->count; i++)
		if (strcmp(progress->active[i].id, id) == 0 && strcmp(progress->active[i].what, what) == 0)
			return &progress->active[i];
	return NULL;
}

static struct work *work_of(struct progress *progress, const char *what)
{
	for (size_t i = 0; i < progress->work_count; i++)
		if (strcmp(progress->works[i].what, what) == 0)
			return &progress->works[i];
	progress->works = must_grow(progress->works, progress->work_count + 1, sizeof(struct work));
	progress->works[progress->work_count] = (struct work){ .what = must_copy(what) };
	return &progress->works[progress->work_count++];
}

static struct item *find_or_add(struct progress *progress, const char *id, const char *what)
{
	struct item *item = find(progress, id, what);

	if (item)
		return item;
	progress->active = must_grow(progress->active, progress->count + 1, sizeof(*item));
	item = &progress->active[progress->count++];
	*item = (struct item){ .id = must_copy(id), .what = must_copy(what) };
	return item;
}

static void forget(struct progress *progress, struct item *item)
{
	size_t after = progress->count - (size_t)(item - progress->active) - 1;

	free(item->id);
	free(item->what);
	memmove(item, item + 1, after * sizeof(*item));
	progress->count--;
}

/* As often as docker did: at each end, and when another 512 KiB, or one per cent, are done. */
static void say_json(struct item *item, enum nacre_event event)
{
	uint64_t step = item->total && item->total / 100 < STEP_BYTES ? item->total / 100 : STEP_BYTES;
	bool ends = event == NACRE_EVENT_DONE || event == NACRE_EVENT_SKIPPED;
	AUTO_FREE char *line = NULL, *status = NULL;
	char id[40];

	if (event == NACRE_EVENT_BYTES && item->current != item->total && item->current < item->told + step)
		return;
	if (event == NACRE_EVENT_BYTES && item->current == item->told)
		return;
	item->told = item->current;
	short_id(item->id, id, sizeof(id));
	status = must_printf("%s%s", item->what, event == NACRE_EVENT_DONE ? ": done" :
			     event == NACRE_EVENT_SKIPPED ? ": there already" : "");
	line = progress_json_step(status, ends, item->current, item->total, id);
	fprintf(stderr, "%s\n", line);
}

/* The line that stays: at the end of a step. */
static void say_step(struct progress *progress, enum nacre_event event, const char *id, const char *what,
		     uint64_t current)
{
	char size[HUMAN_MAX], name[40];

	short_id(id, name, sizeof(name));
	if (event == NACRE_EVENT_SKIPPED)
		fprintf(stderr, "%s %s: there already\n", what, name);
	else if (current > 0)
		fprintf(stderr, "%s %s: done, %s\n", what, name, human_size(size, current));
	else
		fprintf(stderr, "%s %s: done\n", what, name);
}

/* A sentence for the user, which stays. */
static void say_note(struct progress *progress, const char *id, const char *note)
{
	AUTO_FREE char *text = must_printf("%s: %s", id, note), *line = NULL;

	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	if (progress->mode == MODE_JSON)
		line = progress_json_step(text, true, 0, 0, "");
	if (progress->mode == MODE_TTY)
		erase(progress);
	fprintf(stderr, "%s\n", line ? line : text);
	if (progress->mode == MODE_TTY)
		redraw(progress, true);
}

static void on_event(void *ctx, enum nacre_event event, const char *id, const char *what, uint64_t current,
		     uint64_t total)
{
	struct progress *progress = ctx;
	bool ends = event == NACRE_EVENT_DONE || event == NACRE_EVENT_SKIPPED;
	struct work *work;
	struct item *item;

	id = id ? id : "";
	what = what ? what : "";
	if (event == NACRE_EVENT_NOTE) {
		say_note(progress, id, what);
		return;
	}
	work = work_of(progress, what);
	item = find_or_add(progress, id, what);
	item->total = total;
	if (current > item->current)
		item->current = current;
	if (progress->mode == MODE_JSON)
		say_json(item, event);
	if (ends) {
		uint64_t bytes = item->current;

		work->bytes += event == NACRE_EVENT_DONE ? bytes : 0;
		forget(progress, item);
		if (progress->mode == MODE_TTY)
			erase(progress);
		if (progress->mode == MODE_TTY || progress->mode == MODE_PLAIN)
			say_step(progress, event, id, what, bytes);
	}
	if (progress->mode == MODE_TTY)
		redraw(progress, ends);
}

struct nacre_progress progress_hook(struct progress *progress)
{
	return (struct nacre_progress){ .event = progress->mode == MODE_NONE ? NULL : on_event,
					.ctx = progress,
					.cancel = signals_cancel() };
}

void progress_free(struct progress *progress, bool done)
{
	char line[256];

	if (progress->mode == MODE_TTY)
		erase(progress);
	/* what was begun and never ended, such as a stream whose layers were done one by one, is no more */
	while (progress->count > 0)
		forget(progress, &progress->active[progress->count - 1]);
	if (done && bytes_so_far(progress) > 0 && (progress->mode == MODE_TTY || progress->mode == MODE_PLAIN)) {
		total_line(progress, line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	for (size_t i = 0; i < progress->work_count; i++)
		free(progress->works[i].what);
	free(progress->works);
	free(progress->active);
	free(progress);
}
