/* login and logout: credentials for registries. */
#include "commands.h"

#include "mem.h"
#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 4096

static const struct option_spec login_options[] = {
	{ .letter = 'u', .name = "username", .arg = "USER", .help = "who (else it is asked for on a terminal)" },
	{ .name = "password-stdin", .help = "read the password from standard input" },
	{ .name = "get-login", .help = "print who is logged in, and do nothing else" },
	OPTION_AUTHFILE,
	OPTION_CERT_DIR,
	OPTION_TLS_VERIFY,
	{ .name = NULL },
};

static const struct option_spec logout_options[] = {
	{ .letter = 'a', .name = "all", .help = "of every registry" },
	OPTION_AUTHFILE,
	{ .name = NULL },
};

/* A line of fd without its end, a byte at a time: what follows is for others. false: none, or too long. */
static bool read_line(int fd, char ret[SECRET_MAX])
{
	size_t len = 0;
	for (;;) {
		ssize_t got = read(fd, ret + len, 1);

		if (got < 0 && errno == EINTR)
			return false;
		if (got <= 0 || ret[len] == '\n')
			break;
		if (++len == SECRET_MAX - 1)
			return false;
	}
	if (len && ret[len - 1] == '\r')
		len--;
	ret[len] = '\0';
	return len > 0;
}

/* Asks on the terminal itself, whatever the standard streams are. */
static bool ask(int terminal, const char *question, bool echo, char ret[SECRET_MAX])
{
	struct termios before, quiet;
	bool changed = false, answered;

	if (!echo && tcgetattr(terminal, &before) == 0) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		changed = tcsetattr(terminal, TCSAFLUSH, &quiet) == 0;
	}
	dprintf(terminal, "%s", question);
	answered = read_line(terminal, ret);
	if (changed) {
		tcsetattr(terminal, TCSAFLUSH, &before);
		dprintf(terminal, "\n");
	}
	return answered;
}

/* user and password as options, standard input and the terminal give them. */
static int gather(struct app *app, const struct args *args, char user[SECRET_MAX], char password[SECRET_MAX])
{
	const char *given = args_text(args, "username");
	bool from_input = args_flag(args, "password-stdin");
	int terminal = -1, code = EXIT_DONE;

	if (from_input && !given)
		return app_usage(app, "--password-stdin needs --username");
	if (given && strlen(given) >= SECRET_MAX)
		return app_usage(app, "the user is too long");
	snprintf(user, SECRET_MAX, "%s", given ? given : "");
	if (from_input) {
		if (!read_line(STDIN_FILENO, password))
			return app_error(app, EXIT_BADDATA, "no password on standard input");
		return EXIT_DONE;
	}
	if (isatty(STDIN_FILENO))
		terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0)
		return app_usage(app, "there is no terminal to ask on; give --username and --password-stdin");
	if ((!given && !ask(terminal, "Username: ", true, user)) || !ask(terminal, "Password: ", false, password))
		code = app_error(app, EXIT_INTERRUPTED, "nothing was given; nobody is logged in");
	close(terminal);
	return code;
}

static int show_user(struct app *app, const struct args *args, const struct nacre_registry_options *registry)
{
	AUTO_FREE char *user = NULL;
	struct nacre_error err = { .code = 0 };
	int code = nacre_login_user(args->operands[0], registry, &user, &err);

	if (code < 0)
		return app_fail(app, code, &err);
	out_foreign(user);
	out_text("\n");
	return EXIT_DONE;
}

static int run_login(struct app *app, const struct args *args)
{
	const struct nacre_registry_options registry = registry_options(args);
	char user[SECRET_MAX] = "", password[SECRET_MAX] = "";
	AUTO_FREE char *where = NULL;
	struct nacre_error err = { .code = 0 };
	int code;

	if (args_flag(args, "get-login"))
		return show_user(app, args, &registry);
	code = gather(app, args, user, password);
	if (code != EXIT_DONE)
		return code;
	code = nacre_login(args->operands[0], user, password, &registry, &where, &err);
	explicit_bzero(password, sizeof(password));
	if (code < 0)
		return app_fail(app, code, &err);
	fprintf(stderr, "Logged in to %s; the credentials are in %s\n", args->operands[0], where);
	return EXIT_DONE;
}

static int run_logout(struct app *app, const struct args *args)
{
	const struct nacre_registry_options registry = registry_options(args);
	const char *name = args->operand_count ? args->operands[0] : NULL;
	struct nacre_error err = { .code = 0 };
	int code;

	if (args_flag(args, "all") == (name != NULL))
		return app_usage(app, "name a registry, or give --all");
	code = nacre_logout(name, &registry, &err);
	if (code < 0)
		return app_fail(app, code, &err);
	if (code == 0 && name)
		return app_error(app, EXIT_NOTFOUND, "nobody is logged in to %s there", name);
	fprintf(stderr, "Logged out of %s\n", name ? name : "all registries");
	return EXIT_DONE;
}

const struct command cmd_login = {
	.name = "login",
	.operands = "REGISTRY",
	.summary = "keep credentials for a registry",
	.details = "They are proved to the registry first. A password is asked for on a terminal, or\n"
		   "read from standard input. REGISTRY may have a path: HOST[:PORT][/PATH].",
	.example = "nacre login -u me registry.example:5000\n"
		   "pass registry | nacre login -u me --password-stdin registry.example:5000",
	.options = login_options,
	.min = 1,
	.max = 1,
	.run = run_login,
};

const struct command cmd_logout = {
	.name = "logout",
	.operands = "[REGISTRY]",
	.summary = "forget the credentials for a registry",
	.example = "nacre logout registry.example:5000\nnacre logout --all",
	.options = logout_options,
	.max = 1,
	.run = run_logout,
};
