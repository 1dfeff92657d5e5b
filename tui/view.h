/*
 * view.h - the screens: structs of the model -> rows of values, or cells of a canvas. No SQL, no terminal.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "tui/canvas.h"
#include "tui/model.h"
#include "tui/rows.h"

/* Rows that point into the model, until it is read again. */
struct rows view_servers(const struct model *m);
struct rows view_events(const struct model *m);
struct rows view_lists(const struct model *m);
/* The finding of a row of view_events. */
const struct finding_row *view_event(const struct model *m, size_t row);

/* What a status, a kind and a verdict of misdirected look like, and their order from the mildest. */
struct value view_status(const char *status);
struct value view_kind(enum kind kind);
struct value view_verdict(const char *misdirected);

/* The sensor screen's lines are made of the model, and borrow from it. */
enum { SENSOR_LINES_MAX = 400, SENSOR_TEXT_MAX = 160 };

struct sensor_line {
	const char *about, *what;
	struct value value;
	char remark[SENSOR_TEXT_MAX];
	uint64_t identity;
};

struct sensor_lines {
	struct sensor_line line[SENSOR_LINES_MAX];
	size_t count;
};

void view_sensor_make(const struct model *m, struct sensor_lines *out);
struct rows view_sensor(const struct sensor_lines *lines);

/*
 * The ladder of the model's finding, all of it: c is made as wide as width and as high as it needs, to be freed by canvas_fini. relative: times since the
 * first step in place of the clock. Without a finding it says how to get one.
 */
void view_ladder(const struct model *m, bool relative, int width, bool ascii, struct canvas *c);

/* Its steps as rows, to be saved as data. */
struct rows view_ladder_rows(const struct model *m);

/* The help screen with the columns of rows (may be NULL), in the same way. */
void view_help(const struct rows *rows, int width, bool ascii, struct canvas *c);

/* What stands around every screen. */
struct frame {
	enum screen screen;
	const struct model *model;
	bool paused, follow, as_of;
	const char *filter;		/* "": none */
	size_t shown, of, tagged;	/* rows */
	bool more;			/* and older ones in the store */
	const char *message;		/* "": none */
	bool is_error;
	const char *prompt, *input;	/* prompt NULL: none */
	const char *detail;		/* of the selected row; "": none */
};

/* Draws the top (answers its height) and the foot (its height in *foot); *cursor_x: where input goes on, -1 without a prompt. */
int view_frame(const struct frame *f, struct canvas *c, int *foot, int *cursor_x);

#endif
