/* advice.c - see advice.h */
#include "reader/advice.h"

#include <string.h>

static const struct advice rows[] = {
#define ADVICE(matter, cause, where, software, what, setting, file, trap) { matter, cause, where, software, what, setting, file, trap },
#include "reader/advice.def"
#undef ADVICE
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

static bool is(const char *wanted, const char *got)
{
	return !wanted || (got && strcmp(wanted, got) == 0);
}

static const struct advice *first_row(const struct advice_query *q, const char *software)
{
	const char *where = q->where ? q->where : "here";

	for (size_t i = 0; i < ROW_COUNT; i++)
		if (strcmp(rows[i].matter, q->matter) == 0 && is(rows[i].cause, q->cause) && is(rows[i].where, where)
		    && is(rows[i].software, software))
			return &rows[i];
	return NULL;
}

/* The responder knows best about what it writes; a row for its mail server is better than one for anybody. */
const struct advice *advice_find(const struct advice_query *q)
{
	const struct advice *a = q->responder ? first_row(q, q->responder) : NULL;

	return a && a->software ? a : first_row(q, q->software);
}

static const char own_reports[] = "reports to your own users have a null sender, too: look before you delete";

static const struct advice_queue queues[] = {
	{ "Postfix", "postqueue -p | grep -A 2 MAILER-DAEMON",
	  "postqueue -j | jq -r 'select(.sender==\"MAILER-DAEMON\") | .queue_id' | postsuper -d -", own_reports },
	{ "Zimbra", "postqueue -p | grep MAILER-DAEMON", "postsuper -d QUEUE_ID", own_reports },
	{ "Exim", "exiqgrep -f '^<>$'", "exiqgrep -i -f '^<>$' | xargs -r exim -Mrm", own_reports },
	{ "Sendmail", "grep -l '^S<>' /var/spool/mqueue/qf*", "stop sendmail, remove these qf files and the df files of the same name", own_reports },
	{ "OpenSMTPD", "smtpctl show queue   (the sender is the fifth field, empty for reports)", "smtpctl remove ENVELOPE_ID", own_reports },
	{ "Courier", "mailq", "cancelmsg ID", "cancelmsg sends a report itself unless the sender is null" },
	{ "qmail", "qmail-qread   (lines with <>)", "stop qmail-send, then qmail-remove or qmHandle", "never touch the queue while qmail-send runs" },
	{ "Exchange", "Get-Queue | Get-Message -Filter \"FromAddress -eq '<>'\"",
	  "Get-Queue | Get-Message -Filter \"FromAddress -eq '<>'\" | Remove-Message -WithNDR $false", own_reports },
	{ "Haraka", "haraka -c /path/to/haraka --qlist", "remove the files of its queue directory while it is stopped", own_reports },
	{ "Microsoft 365", "Get-MessageTrace -SenderAddress '<>'", NULL, "what Microsoft has queued only Microsoft can remove" },
	{ "Google Workspace", "Admin console > Reporting > Email log search", NULL, "what Google has queued only Google can remove" },
	{ NULL, "look in the queue for mail with a null sender (<>, MAILER-DAEMON)", "remove it by the server's own tool", own_reports },
};

const struct advice_queue *advice_queue(const char *software)
{
	size_t i = 0;

	while (!is(queues[i].software, software))
		i++;
	return &queues[i];
}

bool advice_has_queue(const char *matter)
{
	static const char *const queued[] = { "bounce", "delay-notice", "success-notice", "autoreply", "ticket", "read-receipt", "challenge", "content-notice",
		"list-notice", "automated-unknown" };

	for (size_t i = 0; i < sizeof queued / sizeof *queued; i++)
		if (strcmp(matter, queued[i]) == 0)
			return true;
	return false;
}

static const struct {
	const char *software, *command;
} logs[] = {
	{ "Postfix", "grep 'from=<>' /var/log/mail.log" },
	{ "Zimbra", "grep 'from=<>' /var/log/zimbra.log" },
	{ "Exim", "exigrep ' <= <> ' /var/log/exim4/mainlog" },
	{ "Sendmail", "grep 'from=<>' /var/log/mail.log" },
	{ "OpenSMTPD", "grep 'from=<>' /var/log/maillog" },
	{ "Courier", "grep 'from=<>' /var/log/mail.log" },
	{ "Exchange", "Get-MessageTrackingLog -Sender '<>' -EventId SEND" },
	{ "Microsoft 365", "Get-MessageTrace -SenderAddress '<>'" },
};

const char *advice_log(const char *software)
{
	for (size_t i = 0; software && i < sizeof logs / sizeof *logs; i++)
		if (strcmp(logs[i].software, software) == 0)
			return logs[i].command;
	return NULL;
}

const struct advice *advice_rows(size_t *count)
{
	*count = ROW_COUNT;
	return rows;
}
