/*
 * replay.h - bouncetop -r: a private temporary store that bouncetapd fills from capture files while bouncetap analyzes it, watched by someone.
 *
 * The watching is done in a process of its own; the one that called stays behind to end all of them and to remove the store, whatever
 * becomes of the watcher, signals included.
 */
#ifndef TUI_REPLAY_H
#define TUI_REPLAY_H

struct replay {
	const char *const *files;	/* as bouncetapd -r takes them */
	int file_count;
	const char *speed;		/* of bouncetapd; NULL: as fast as it goes */
	const char *config;		/* --config; NULL: the default one */
	const char *own;		/* --own; NULL: as configured */
};

/* Runs watch(store, user) and answers its exit code, or one of sysexits.h with a message on standard error. */
int replay_run(const struct replay *r, int (*watch)(const char *store, void *user), void *user);

#endif
