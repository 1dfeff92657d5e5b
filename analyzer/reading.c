/* reading.c - what the commands that only look at a store share: opening it, the time they speak for, printing. */
#include <stdlib.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "common/timefmt.h"

int command_refuse_store(enum db_refusal why, const char *error)
{
	return command_fail(why == DB_LOCKED ? EX_TEMPFAIL : EX_NOINPUT, "%s", error);
}

int command_open_reader(const struct command_context *c, struct reader **out)
{
	*out = reader_open(c->store);
	reader_be_patient(*out);
	reader_use_geo(*out, c->config->report.geoip);
	if (reader_state(*out) == READER_READY && reader_is_judged(*out))
		return EX_OK;
	int code = command_refuse_store(reader_state(*out) == READER_LOCKED ? DB_LOCKED : DB_REFUSED, reader_message(*out));
	reader_close(*out);
	*out = NULL;
	return code;
}

int64_t command_now(const struct command_context *c, struct reader *r)
{
	struct reader_span span;

	if (c->now_us)
		return c->now_us;
	return reader_span(r, &span) == 0 && span.is_replay ? span.last_us : time_now_us();
}

int command_print(struct buf *text)
{
	if (fwrite(text->p, 1, text->len, stdout) != text->len || fflush(stdout))
		return command_fail(EX_IOERR, "standard output cannot be written");
	return EX_OK;
}
