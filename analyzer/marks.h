/*
 * marks.h - whose answers have to be judged (again), and from when on: what new facts may change about others, collected before it is written to
 * verdicts.pending.
 */
#ifndef ANALYZER_MARKS_H
#define ANALYZER_MARKS_H

#include <stddef.h>
#include <stdint.h>

/* Of everything, whatever its time. */
#define MARK_ALL INT64_C(0)

struct mark {
	int64_t recipient_id;
	int64_t finding_rowid;	/* only this finding; 0: answers since */
	int64_t since_us;	/* MAIL time of the earliest fact that is new, or may tell something else now */
};

struct marks {
	struct mark *item;
	size_t count, cap;
};

/* recipient_id 0 is nobody. */
void marks_since(struct marks *m, int64_t recipient_id, int64_t since_us);
void marks_finding(struct marks *m, int64_t recipient_id, int64_t finding_rowid);
/* Sorts them, and leaves one of each recipient and finding: the earliest. */
void marks_unite(struct marks *m);
void marks_fini(struct marks *m);

#endif
