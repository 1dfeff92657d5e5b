/*
 * row.h - facts -> rows of facts.db, as a run of bytes that the store's thread binds and steps. No SQL is executed here.
 *
 * A batch is one buffer of encoded rows. Texts are made valid UTF-8, redacted and cut here, addresses become rows of their own.
 */
#ifndef SENSOR_ROW_H
#define SENSOR_ROW_H

#include "common/buf.h"
#include "common/config.h"
#include "common/siphash.h"
#include "sensor/fact.h"

/* What a row does; the statements stand in row.c. */
enum row_statement {
	ROW_ADDRESS, ROW_SESSION, ROW_TRANSACTION, ROW_RECIPIENT, ROW_MESSAGE, ROW_REPORT, ROW_REPORT_RECIPIENT,
	ROW_RETURNED, ROW_CAPTURE,
};
#define ROW_STATEMENTS 9

const char *row_sql(enum row_statement s);

enum row_value { VALUE_NULL, VALUE_INT, VALUE_TEXT, VALUE_BLOB, VALUE_BATCH, VALUE_RUN, VALUE_SOURCE };

/* ADDRESSES_SEEN ids that were encoded lately, so that a row for each mail of one sender is not written again and again. */
#define ADDRESSES_SEEN 16384

struct row_encoder {
	enum config_privacy privacy;
	enum config_subject subject;
	struct siphash_key key;
	int64_t next_session, next_transaction;	/* rowids to give out */
	struct buf text, clean;			/* scratch */
	uint32_t notes;				/* of the fact at hand */
	int64_t seen[ADDRESSES_SEEN];
};

void row_session(struct row_encoder *e, struct buf *out, const struct fact_session *f);
void row_transaction(struct row_encoder *e, struct buf *out, const struct fact_transaction *f);
void row_capture(struct row_encoder *e, struct buf *out, const struct fact_capture *f);

/* Reading it back: a row, then its values. */
struct row_reader {
	const char *p, *end;
};
struct row_head {
	enum row_statement statement;
	unsigned values;
};
struct row_field {
	enum row_value type;
	int64_t integer;
	const char *bytes;	/* borrowed from the batch */
	uint32_t length;
};
bool row_next(struct row_reader *r, struct row_head *h);
void row_next_value(struct row_reader *r, struct row_field *v);

#endif
