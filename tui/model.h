/*
 * model.h - what the screens show, as plain structs of reader/: read again when the store changed, kept while it cannot be read.
 *
 * Only what the screen in front needs is read. Nothing here knows how it looks.
 */
#ifndef TUI_MODEL_H
#define TUI_MODEL_H

#include "common/config.h"
#include "reader/finding.h"
#include "reader/ladder.h"
#include "reader/reader.h"
#include "reader/risk.h"
#include "reader/sensor.h"
#include "reader/server.h"

enum screen { SCREEN_SERVERS, SCREEN_EVENTS, SCREEN_LADDER, SCREEN_LISTS, SCREEN_SENSOR, SCREEN_COUNT };

/* Events that are kept for scrolling: what reading them and laying them out costs at each refresh is what limits them. */
enum { MODEL_EVENTS_MAX = 500, MODEL_MESSAGE_MAX = 512 };

/* Whose clock says what "now" is. */
enum model_clock { MODEL_CLOCK_WALL, MODEL_CLOCK_FIXED, MODEL_CLOCK_PACKETS };	/* as of --now; of the last packet: replays */

struct model_query {
	enum screen screen;
	int64_t at_us;			/* as of this time; 0: now */
	int64_t finding;		/* of the ladder: finding.id; 0: none */
	/* Of the filter of events, lower case, each NULL: any. They only spare reading what the filter leaves out anyway. */
	const char *event_server, *event_kind, *event_verdict;
	const char *event_text;		/* in recipient, id, origin or root cause */
};

struct model {
	struct reader *reader;
	const char *store;
	const struct config *config;
	enum model_clock clock;
	int64_t fixed_us;
	int64_t now_us;			/* what the data below were read for */
	bool was_read;			/* there are data */
	struct server_list servers;
	struct finding_page events;	/* a page of them, newest first: older ones are reached by a filter or a time */
	struct risk_list risks;
	struct sensor_view sensor;
	struct reader_span span;
	struct finding_page finding;	/* of the ladder, one row or none */
	struct ladder ladder;
	int64_t minute_us;		/* of the last reading: counts by hour change without a commit */
	char message[MODEL_MESSAGE_MAX];	/* what stands in the way, "" when nothing does */
};

/* store and config are borrowed. */
void model_open(struct model *m, const char *store, const struct config *config, enum model_clock clock, int64_t fixed_us);
void model_close(struct model *m);

/* Reads what the query asks for, if the store changed or other_query says that the query did. True when anything may look different. */
bool model_refresh(struct model *m, const struct model_query *q, bool other_query);

#endif
