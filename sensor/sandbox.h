/*
 * sandbox.h - takes away from the process what it does not need once captures are open: a wire format from a stranger is an attack.
 * The only user of libseccomp and libcap-ng; Landlock by system call.
 *
 * What is left: the frames of captures that are open, the files in the directory of the store (to make, write, rename, remove), memory, threads, the
 * clock, messages on what is open. Gone for good: root (user.h says who it becomes), every capability, every other
 * file, exec, new processes, signals to others, ptrace, sockets, sending on a packet socket, core dumps.
 *
 * The store is its directory as it is now: files in it may come and go, but another directory put in its place cannot be opened.
 *
 * Landlock (the files, from kernel 5.13 on) may be missing; then files are guarded by the user's rights alone. In builds with sanitizers, which
 * need more than we allow, only user and capabilities change.
 */
#ifndef SENSOR_SANDBOX_H
#define SENSOR_SANDBOX_H

#include <stddef.h>

struct sandbox_options {
	const char *store_dir;		/* made when it is not there (user.h) */
	int (*landlock_abi)(void);	/* NULL: asks the kernel. A test answers 0 (no Landlock) or an older version. */
};

/*
 * To be called once, by the only thread, before the store is opened (its files then belong to the right user) and before the first frame.
 * 0: entered; message says what could not be had, "" when nothing is missing. -1: the store's directory cannot be made or used, or rights cannot be
 * dropped, which is in message; do not go on.
 */
int sandbox_enter(const struct sandbox_options *o, char *message, size_t size);

#endif
