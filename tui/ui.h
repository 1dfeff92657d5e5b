/*
 * ui.h - what someone looks at and does: which screen, which row, prompts; keys change it, and it draws itself into a canvas. No terminal, no SQL.
 */
#ifndef TUI_UI_H
#define TUI_UI_H

#include "tui/export.h"
#include "tui/list.h"
#include "tui/model.h"
#include "tui/view.h"

enum ui_prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER, PROMPT_GOTO, PROMPT_SAVE, PROMPT_REPLACE };

enum { UI_INPUT_MAX = 400, UI_BACK_MAX = 8 };

struct ui {
	struct model *model;
	enum screen screen;
	enum screen back[UI_BACK_MAX];		/* where Esc goes */
	size_t back_count;
	struct list list[SCREEN_COUNT];		/* of the screens that are lists */
	char before[FILTER_TEXT_MAX];		/* filter of the events before Enter on a server set another one */
	bool has_before;
	struct sensor_lines sensor;
	int64_t finding;			/* of the ladder */
	int scroll;				/* of ladder and help: first line shown */
	int scroll_max, page, width;		/* when they were last drawn */
	char search[FILTER_TEXT_MAX];		/* of the ladder */
	enum ui_prompt prompt;
	char input[UI_INPUT_MAX];
	bool help, paused, relative;
	int64_t at_us;				/* as of this time; 0: now */
	char message[UI_INPUT_MAX + 200];
	bool is_error;
	char save_path[UI_INPUT_MAX];
	bool ascii;
	bool quit, redraw;
	bool other_query;			/* the model is to be asked anew */
};

void ui_init(struct ui *u, struct model *m, bool ascii);
void ui_fini(struct ui *u);

/* What the model is to read for the screen in front; texts are borrowed. */
void ui_query(const struct ui *u, struct model_query *out);
/* To be called with fresh data in the model. */
void ui_update(struct ui *u);
/* A key of key.h. */
void ui_key(struct ui *u, int key);
/* Draws all of it; *cursor_x as in screen_show. */
void ui_draw(struct ui *u, struct canvas *c, int *cursor_x);

/* The rows of the screen in front; false for the ladder. */
bool ui_rows(const struct ui *u, struct rows *out);
/* What is shown (or tagged) of the screen in front, in a format; the ladder always as text. */
void ui_export(const struct ui *u, bool only_tagged, enum export_format format, struct buf *out);

/* The screen of a name; SCREEN_COUNT: none. */
enum screen ui_screen_named(const char *name);
const char *ui_screen_name(enum screen s);
int ui_set_filter(struct ui *u, const char *text);

#endif
