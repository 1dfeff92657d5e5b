/* replay.c - see replay.h */
#include "tui/replay.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/program.h"
#include "common/xmalloc.h"

enum child { WATCHER, SENSOR, ANALYZER, CHILDREN };

struct running {
	const struct replay *replay;
	char *store;
	int messages;			/* what sensor and analyzer had to say */
	pid_t pid[CHILDREN];		/* 0: not running */
	unsigned analyzers;		/* started so far */
	int status[CHILDREN];		/* of waitpid, when they ended */
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

static int fail(int code, const char *what, const char *why)
{
	fprintf(stderr, "bouncetop: %s: %s\n", what, why);
	return code;
}

/* ---- children ---- */

static void catch_signals(void (*handler)(int))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction act = { .sa_handler = handler };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &act, NULL);
}

/* Does not outlive us even when we are killed. */
static pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		catch_signals(SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(EX_TEMPFAIL);
	}
	return pid;
}

/* The keys of a terminal are the watcher's; what these have to say must not be written across its screen. */
static int start(struct running *r, enum child which, const char *name, const char *const *arguments)
{
	char path[4096];

	if (!program_find(name, path, sizeof path))
		return fail(EX_UNAVAILABLE, name, "not found beside this program, nor where make install puts it");
	r->pid[which] = fork_child();
	if (r->pid[which] < 0)
		return fail(EX_OSERR, name, strerror(errno));
	if (r->pid[which] > 0)
		return EX_OK;
	dup2(r->messages, STDERR_FILENO);
	dup2(r->messages, STDOUT_FILENO);
	signal(SIGINT, SIG_IGN);	/* Ctrl-C ends the watcher, who ends us */
	execv(path, (char *const *)(uintptr_t)arguments);
	_exit(EX_UNAVAILABLE);
}

static int start_sensor(struct running *r)
{
	const struct replay *o = r->replay;
	const char **arguments = xcalloc(2 * (size_t)o->file_count + 10, sizeof *arguments);
	size_t n = 0;

	arguments[n++] = "bouncetapd";
	for (int i = 0; i < o->file_count; i++) {
		arguments[n++] = "-r";
		arguments[n++] = o->files[i];
	}
	arguments[n++] = "--store";
	arguments[n++] = r->store;
	if (o->config) {
		arguments[n++] = "--config";
		arguments[n++] = o->config;
	}
	if (o->speed) {
		arguments[n++] = "--speed";
		arguments[n++] = o->speed;
	}
	int code = start(r, SENSOR, "bouncetapd", arguments);
	free(arguments);
	return code;
}

static int start_analyzer(struct running *r)
{
	const struct replay *o = r->replay;
	const char *arguments[12] = { "bouncetap", "analyze", "--follow", "--now", "last", "--store", r->store };
	size_t n = 7;

	if (o->config) {
		arguments[n++] = "--config";
		arguments[n++] = o->config;
	}
	if (o->own) {
		arguments[n++] = "--own";
		arguments[n++] = o->own;
	}
	r->analyzers++;
	return start(r, ANALYZER, "bouncetap", arguments);
}

static void note_ended(struct running *r, pid_t pid, int status)
{
	for (int i = 0; i < CHILDREN; i++) {
		if (r->pid[i] == pid) {
			r->pid[i] = 0;
			r->status[i] = status;
		}
	}
}

static bool has_facts(const struct running *r)
{
	char *path = xasprintf("%s/facts.db", r->store);
	struct stat st;
	bool has = stat(path, &st) == 0 && st.st_size > 0;

	free(path);
	return has;
}

/* There is nothing to analyze before the sensor made the store, and one that it is still making cannot be opened. */
static bool needs_analyzer(const struct running *r)
{
	int status = r->status[ANALYZER];
	bool too_early = WIFEXITED(status) && (WEXITSTATUS(status) == EX_NOINPUT || WEXITSTATUS(status) == EX_TEMPFAIL);

	return !r->pid[ANALYZER] && (r->analyzers == 0 || too_early) && has_facts(r);
}

/* Until the watcher ended. */
static int attend(struct running *r)
{
	enum { TRY_AGAIN = 10 };	/* moments */
	const struct timespec moment = { 0, 100000000 };
	int status, code = EX_OK;

	for (unsigned n = 0; r->pid[WATCHER] && code == EX_OK; n++) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid > 0)
			note_ended(r, pid, status);
		else
			nanosleep(&moment, NULL);
		if (stopped && r->pid[WATCHER])
			kill(r->pid[WATCHER], SIGTERM);
		if ((r->analyzers == 0 || n % TRY_AGAIN == 0) && needs_analyzer(r))
			code = start_analyzer(r);
	}
	return code;
}

/* Asked first, then made to. */
static void end_children(struct running *r)
{
	const struct timespec moment = { 0, 50000000 };
	int status;

	for (int tries = 0; tries < 200; tries++) {
		bool any = false;

		for (int i = 0; i < CHILDREN; i++) {
			if (!r->pid[i])
				continue;
			if (tries == 0 || tries == 199)
				kill(r->pid[i], tries ? SIGKILL : SIGTERM);
			if (waitpid(r->pid[i], &status, tries == 199 ? 0 : WNOHANG) == r->pid[i])
				note_ended(r, r->pid[i], status);
			any = any || r->pid[i];
		}
		if (!any)
			break;
		nanosleep(&moment, NULL);
	}
}

/* What they said matters when they failed by themselves. */
static void show_messages(const struct running *r)
{
	bool failed = false;
	char part[1024];
	ssize_t n;

	for (int i = SENSOR; i <= ANALYZER; i++)
		failed = failed || (WIFEXITED(r->status[i]) && WEXITSTATUS(r->status[i]) != EX_OK);
	lseek(r->messages, 0, SEEK_SET);
	while (failed && (n = read(r->messages, part, sizeof part)) > 0)
		fwrite(part, 1, (size_t)n, stderr);
}

static int run(struct running *r, int (*watch)(const char *store, void *user), void *user)
{
	int code = start_sensor(r);

	if (code != EX_OK)
		return code;
	r->pid[WATCHER] = fork_child();
	if (r->pid[WATCHER] < 0)
		return fail(EX_OSERR, "no process to watch in", strerror(errno));
	if (r->pid[WATCHER] == 0)
		exit(watch(r->store, user));
	code = attend(r);
	end_children(r);
	if (code == EX_OK)
		code = WIFEXITED(r->status[WATCHER]) ? WEXITSTATUS(r->status[WATCHER]) : EX_SOFTWARE;
	return code;
}

int replay_run(const struct replay *o, int (*watch)(const char *store, void *user), void *user)
{
	struct running r = { .replay = o, .messages = memfd_create("messages", MFD_CLOEXEC), .store = program_make_temporary_store() };

	if (!r.store)
		return fail(EX_CANTCREAT, "no directory for a temporary store", strerror(errno));
	catch_signals(on_signal);
	int code = run(&r, watch, user);
	end_children(&r);
	show_messages(&r);
	program_remove_store(r.store);
	close(r.messages);
	free(r.store);
	return code;
}
