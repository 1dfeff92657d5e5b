/*
 * faults.h - makes the calls that reach the disk fail, from inside a test program: the C library's names are ours here, for SQLite too, and go on to
 * the kernel unless it is a call's turn.
 */
#ifndef TESTS_STRESS_FAULTS_H
#define TESTS_STRESS_FAULTS_H

/*
 * "CALL:N:ERROR[:TIMES]": the N-th CALL (write, sync, truncate, rename, open, any) and those after it, TIMES in all (default 1, 0: for good), fail with
 * ERROR: ENOSPC, EIO, EINTR, EROFS; short writes half of it and succeeds. NULL or "": none. -1: not understood.
 */
int faults_set(const char *plan);
/* From now on, or no longer, every write, sync, truncate and rename fails with EROFS. May be called by a signal handler. */
void faults_read_only(int on);
/* "write=12 sync=3 truncate=1 rename=0 open=9": calls so far. */
void faults_print(void);
/* Syncs of files whose name ends so. */
unsigned faults_syncs(const char *name_end);

#endif
