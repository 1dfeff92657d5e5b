/* explain.c - "bouncetap explain FINDING": how it came about, and which rules made the verdict. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "analyzer/command.h"
#include "analyzer/evidence.h"
#include "common/escape.h"
#include "common/paragraph.h"
#include "common/timefmt.h"

static const char *exposure_words(const struct finding_row *f)
{
	if (strcmp(f->exposure, "no") == 0)
		return "who caused it was authenticated, trusted or ours: not the way backscatter is made";
	if (strcmp(f->exposure, "can-backscatter") != 0)
		return "whether anybody outside can cause such mail is not known";
	return f->kind == KIND_CALLOUT ? "anybody outside who offers mail makes it ask so: the way callouts hit bystanders"
	     : "it answered somebody outside who was not authenticated, after taking his mail: the way backscatter is made";
}

static void put_facts(struct buf *out, const struct finding_row *f)
{
	struct buf line = { 0 };
	char first[TIME_TEXT_MAX], last[TIME_TEXT_MAX];

	buf_printf(&line, "sent by %s", f->server);
	if (strcmp(f->server, f->public_address) != 0)
		buf_printf(&line, " (%s)", f->public_address);
	if (*f->originator && strcmp(f->originator, f->server) != 0)
		buf_printf(&line, "; made by %s, told by %s", f->originator, f->originator_how);
	buf_printf(&line, "; %s", time_format_local(f->first_us, first));
	if (strcmp(time_format_local(f->last_us, last), first) != 0)
		buf_printf(&line, " to %s", last);
	paragraph(out, 2, buf_cstr(&line));
	buf_clear(&line);
	buf_printf(&line, "it went to %s", f->dest_ip);
	evidence_place(&line, &f->dest_place);
	if (f->origin_ip && *f->origin_ip) {
		buf_printf(&line, "; the original came from %s", f->origin_ip);
		evidence_place(&line, &f->origin_place);
	}
	paragraph(out, 2, buf_cstr(&line));
	buf_clear(&line);
	if (*f->kind_rule)
		buf_printf(&line, "its kind was told by the rule %s; ", f->kind_rule);
	buf_add_str(&line, exposure_words(f));
	if (*f->cause_matched_by)
		buf_printf(&line, "; the cause was found by %s", f->cause_matched_by);
	if (!f->settled)
		buf_add_str(&line, "; later mail may still change this");
	paragraph(out, 2, buf_cstr(&line));
	if (f->acked_why) {
		buf_clear(&line);
		buf_add_str(&line, "acknowledged: ");
		escape_terminal(&line, (struct text){ f->acked_why, (uint32_t)strlen(f->acked_why) }, 0);
		paragraph(out, 2, buf_cstr(&line));
	}
	buf_fini(&line);
}

static void put_text(struct buf *out, const struct finding_row *f, const struct ladder *l)
{
	struct buf line = { 0 };

	evidence_headline(&line, f);
	paragraph(out, 2, buf_cstr(&line));
	buf_fini(&line);
	put_facts(out, f);
	buf_printf(out, "finding %s, revision %d\n\n", f->finding_id, f->revision);
	evidence_ladder(out, l, 0);
	buf_printf(out, "\nRules, misdirected: %s\n", f->misdirected);
	evidence_rules(out, f, 2);
}

static void put_json(struct buf *out, const struct finding_row *f, const struct ladder *l)
{
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	evidence_json(&j, f, l);
	json_object_end(&j);
	buf_add_char(out, '\n');
}

static int show(struct command_context *c, struct reader *r, int64_t id)
{
	struct finding_page page;
	struct ladder ladder;
	struct buf out = { 0 };
	int code = EX_OK;

	int failed = finding_read(r, id, command_now(c, r), &page) | ladder_read(r, id, &ladder);
	if (failed || !page.count)
		code = command_fail(EX_TEMPFAIL, "%s", failed ? reader_message(r) : "the finding was judged anew meanwhile; try again");
	else {
		(c->json ? put_json : put_text)(&out, &page.row[0], &ladder);
		code = command_print(&out);
	}
	buf_fini(&out);
	ladder_fini(&ladder);
	finding_page_fini(&page);
	return code;
}

static int run_explain(struct command_context *c)
{
	struct reader *r;
	int64_t id = 0;
	int code = command_open_reader(c, &r);

	if (code != EX_OK)
		return code;
	if (c->file_count != 1)
		code = command_fail(EX_USAGE, "explain: name one finding by its id or the beginning of it; \"bouncetap events --type finding\" prints them");
	else {
		int n = finding_resolve(r, c->files[0], &id);

		code = n == 1 ? show(c, r, id) : n < 0 ? command_fail(EX_TEMPFAIL, "%s", reader_message(r))
		     : n ? command_fail(EX_USAGE, "explain %s: more than one finding begins so; give more of the id", c->files[0])
		     : command_fail(EX_USAGE, "explain %s: no finding has or had this id; \"bouncetap events --type finding\" prints them", c->files[0]);
	}
	reader_close(r);
	return code;
}

static const struct command_option options[] = {
	COMMAND_FORMAT,
	{ 0 }
};

const struct command command_explain = { "explain", "FINDING", "one finding: its dialogues, and the rules that judged it", run_explain, options };
