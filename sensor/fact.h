/*
 * fact.h - what was seen, as plain structs: the border between the parsers and the store.
 *
 * A fact is what a second observer of the same packets would write down: no direction, kind, own network or policy.
 * Doubt is part of it: a text that was not seen has p == NULL, a reply that was not seen has code 0, and notes say why.
 * Texts are raw bytes from the wire, borrowed until the sink function returns. The store makes them valid UTF-8,
 * redacts them as the privacy mode asks, and copies what it keeps.
 */
#ifndef SENSOR_FACT_H
#define SENSOR_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ip.h"
#include "common/text.h"

enum side { SIDE_CLIENT, SIDE_SERVER };

#define SESSION_ID_BYTES 16

/* Doubts and oddities, one bit each; fact_note_names (fact.c) holds the word that schema and events show. */
enum fact_note {
	NOTE_GAP = 1 << 0,			/* bytes missing in the capture */
	NOTE_TRUNCATED = 1 << 1,		/* something was over a cap of limits.h and was cut */
	NOTE_ONE_SIDED = 1 << 2,		/* only one direction was captured */
	NOTE_MID_STREAM = 1 << 3,		/* the connection was joined after its start */
	NOTE_ORDINAL_UNCERTAIN = 1 << 4,	/* MAIL commands may be missing before this one */
	NOTE_RCPT_TRUNCATED = 1 << 5,		/* more recipients than are kept */
	NOTE_NESTED_MAIL = 1 << 6,		/* a MAIL inside this transaction was refused (503) */
	NOTE_BARE_LF = 1 << 7,			/* command or reply lines ended with LF alone */
	NOTE_SMUGGLING_LIKE = 1 << 8,		/* an end of data other than CRLF . CRLF was in the body */
	NOTE_UNEXPECTED_REPLY = 1 << 9,		/* a reply that no command asked for */
	NOTE_ODD_REPLY = 1 << 10,		/* a reply that RFC 5321 4.2 does not allow */
	NOTE_OVERLAP = 1 << 11,			/* the receiver may have read other bytes: sent again and different, or urgent */
	NOTE_CLOCK_BACKWARD = 1 << 12,		/* packet time went backward */
	NOTE_INVALID_UTF8 = 1 << 13,		/* set by the store: bytes became U+FFFD */
	NOTE_NO_END = 1 << 14,			/* message data without an end (connection ended, 421) */
	NOTE_MIME_LIMIT = 1 << 15,		/* nesting or part count over the cap; the rest was not looked into */
	NOTE_STEPS_TRUNCATED = 1 << 16,		/* more steps than are kept */
	NOTE_TUNNELLED = 1 << 17,		/* captured inside a tunnel over IP, which a stranger may have sent */
	NOTE_OUT_OF_WINDOW = 1 << 18,		/* segments whose numbers no receiver takes were left out */
};
#define NOTE_COUNT 19

/* Word of the i-th note bit, 0 <= i < NOTE_COUNT. */
const char *fact_note_name(unsigned i);

/* A server's reply. code 0: not seen. text: all lines joined with LF, without codes and enhanced codes. */
struct fact_reply {
	uint16_t code;
	struct text enhanced;	/* "5.1.1", RFC 3463; NULL when the server gave none */
	struct text text;
};

/* One command or reply, for the ladder. */
struct fact_step {
	uint32_t offset_us;	/* since started_us of the fact it belongs to */
	uint16_t code;		/* of the reply; 0: something else */
	uint8_t verb;		/* enum verb of command.h, where it is no reply */
	uint8_t side;		/* enum side */
};

struct fact_steps {
	struct fact_step *step;
	uint16_t count, cap;
};

enum fact_end { END_NONE, END_FIN, END_RST, END_TIMEOUT, END_PORT_REUSE, END_EVICTED, END_CAPTURE_END };
enum fact_session_outcome { SESSION_UNKNOWN, SESSION_MAIL, SESSION_NO_MAIL, SESSION_REFUSED_BANNER, SESSION_REFUSED_HELO,
	SESSION_ENCRYPTED, SESSION_NOT_SMTP };
enum fact_tls { TLS_UNKNOWN, TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };
enum fact_tristate { TRI_UNKNOWN, TRI_FALSE, TRI_TRUE };
enum fact_outcome { OUTCOME_UNKNOWN, OUTCOME_ACCEPTED, OUTCOME_REJECTED, OUTCOME_ABORTED };

const char *fact_end_name(enum fact_end e);
const char *fact_session_outcome_name(enum fact_session_outcome o);
const char *fact_tls_name(enum fact_tls t);
const char *fact_outcome_name(enum fact_outcome o);

/* Encrypted part of a session: what stays visible. */
#define TLS_RECORDS_KEPT 64
#define TLS_HISTOGRAM_BINS 16

struct fact_tls_record {
	uint32_t offset_us;	/* since the session's started_us */
	uint16_t size_bytes;	/* length field of the record */
	uint8_t type;		/* 20 change cipher spec, 21 alert, 22 handshake, 23 application data */
};

struct fact_tls_detail {
	struct text sni;		/* ClientHello server_name, RFC 6066 */
	struct text alpn;		/* first protocol offered, RFC 7301 */
	uint16_t hello_version;		/* highest version the client offers: 0x0304 is TLS 1.3 */
	uint16_t chosen_version;	/* from the ServerHello, 0 not seen */
	uint16_t chosen_cipher;
	uint16_t cipher_count, extension_count;
	struct {
		uint16_t kept;
		uint32_t records;
		uint64_t bytes;
		struct fact_tls_record record[TLS_RECORDS_KEPT];
		uint32_t histogram[TLS_HISTOGRAM_BINS];	/* application data records by floor(log2(size)) */
	} side[2];
};

/* What few sessions have. */
struct fact_session_rare {
	struct fact_reply refusal;		/* the reply that refused the banner or EHLO */
	struct text auth_mechanism;
	struct text proxy;			/* PROXY v1 line or "v2 TCP4 src dst sport dport", raw; whom to believe is a verdict */
	struct text xclient, xforward;		/* raw arguments of the last such command that was accepted */
};

/* One TCP connection. Filled in as it goes on; transactions point to it before it is final. Many are open at a time: small things stand together. */
struct fact_session {
	uint64_t started_us, ended_us;		/* first and last packet, UTC */
	uint8_t session_id[SESSION_ID_BYTES];
	struct ip_addr src_ip, dest_ip;		/* src is the SMTP client */
	uint16_t src_port, dest_port;
	uint8_t interface;			/* index of the one that captured its first packet */
	bool complete;				/* from SYN to FIN or RST, both directions, no gap */
	uint32_t client_isn, server_isn;	/* 0: not seen */
	enum fact_end end : 8;
	enum fact_session_outcome outcome : 8;
	enum fact_tristate auth : 8;		/* TRUE: AUTH answered 235 */
	enum fact_tls tls : 8;
	uint32_t notes;
	uint32_t packets;
	uint32_t transaction_count;		/* ordinals given out */
	uint32_t vrfy_count;			/* VRFY and EXPN commands */
	struct fact_reply banner;
	struct text helo_verb;			/* HELO, EHLO or LHLO: the last one that was granted, else the last one sent */
	struct text helo;			/* its argument */
	struct text ehlo_keywords;		/* keywords of the last EHLO reply, separated by LF, parameters kept */
	struct fact_steps steps;		/* those outside transactions */
	struct text app_proto;			/* what was spoken instead of SMTP, a static word: "http"; NULL: nothing else that is known */
	struct fact_session_rare *rare;		/* NULL: nothing of it; fact_session_rare reads it */
	struct fact_tls_detail *tls_detail;	/* NULL without TLS */
	uint64_t bytes_toserver, bytes_toclient;/* payload seen once */
	uint64_t unseen_bytes;			/* acknowledged by the other side, never captured */
};

/* All zero for most. */
const struct fact_session_rare *fact_session_rare(const struct fact_session *s);

struct fact_recipient {
	struct text address;			/* without <>, as written */
	struct fact_reply reply;		/* LMTP: the reply after the data when there was one */
	struct text notify, orcpt;		/* RFC 3461; NULL when not given */
};

struct fact_received {			/* one Received line, RFC 5321 4.4; each NULL when not found */
	struct text from_host;		/* the name after "from" (EHLO name) */
	struct ip_addr from_ip;		/* from the TCP-info comment; version 0 when none */
	struct text by_host;
	struct text with;
	struct text id;
};

#define RECEIVED_KEPT 30
#define PHRASES_KEPT 16
#define REPORT_RECIPIENTS_KEPT 100

struct fact_report_recipient {		/* RFC 3464 2.3; text as written after the type, e.g. "rfc822;" removed */
	struct text final_recipient;
	struct text original_recipient;
	struct text action;
	struct text status;
	struct text diagnostic_type;	/* "smtp", "X-Postfix" */
	struct text diagnostic;
	struct text remote_mta;
};

enum fact_report_type { REPORT_NONE, REPORT_DELIVERY_STATUS, REPORT_DISPOSITION_NOTIFICATION, REPORT_FEEDBACK };
const char *fact_report_type_name(enum fact_report_type t);	/* the report-type parameter's word */

/* What came back of the message that the report is about: message/rfc822, text/rfc822-headers, or below a known line. */
struct fact_returned {
	bool seen;
	struct text message_id;		/* with its <> removed */
	struct text from;
	struct text to;
	struct text subject;
	struct text return_path;
	struct text received_spf;	/* first one, unfolded */
	struct text authserv;		/* authserv-id of the first Authentication-Results, RFC 8601 */
	struct text authentication_results;
	struct text spf, dkim, dmarc;	/* result words of it; spf else from Received-SPF */
	struct text dkim_domains;	/* d= of the DKIM-Signatures, separated by blanks, at most 5 */
	struct text spam;		/* "yes", "no" or NULL: X-Spam-Flag, X-Spam-Status */
	struct fact_received *received;	/* the first RECEIVED_KEPT */
	uint8_t received_count;
};

struct fact_report {
	enum fact_report_type type;
	bool in_multipart_report;	/* false: the part stood in another container */
	struct text reporting_mta;	/* type removed: "dns;" */
	struct text received_from_mta;
	struct text arrival_date;
	struct text envelope_id;	/* Original-Envelope-Id */
	struct text queue_id;		/* X-Postfix-Queue-ID and its like */
	struct text disposition;	/* RFC 8098 3.2.6, whole field */
	struct text original_message_id;/* RFC 8098 3.2.5, <> removed */
	struct text feedback_type;	/* RFC 5965 3.1 */
	struct text original_mail_from;	/* RFC 5965 */
	struct fact_report_recipient *recipient;
	uint16_t recipient_count;	/* kept */
	uint32_t recipient_total;
};

/* Header values: unfolded (the line break removed, the blanks after it kept), outer blanks trimmed, not decoded. */
struct fact_message {
	struct text from, reply_to, subject;
	struct text message_id;		/* with its <> removed when it has them */
	struct text in_reply_to, references;
	struct text auto_submitted, precedence, list_id, x_auto_response_suppress;
	struct text sender, return_path, to, x_mailer;
	struct text content_type;	/* value up to the first ";" in lower case: "multipart/report" */
	struct text x_failed_recipients;/* Exim */
	uint64_t markers;		/* bits of schema/marker.def */
	struct fact_received *received;	/* the first RECEIVED_KEPT */
	uint8_t received_count;
	uint16_t phrase[PHRASES_KEPT];	/* ids of data/phrases.def, in the order of first match */
	uint8_t phrase_count;
	struct fact_report *report;	/* NULL: no report part */
	const struct fact_report_recipient *said;	/* no report part, the text of a bounce: what it says of its recipients */
	uint8_t said_count;
	struct fact_returned *returned;	/* NULL: nothing of another message inside */
	uint32_t notes;
	bool headers_complete;		/* the blank line (or the end) was reached without a gap before it */
};

struct fact_transaction {
	const struct fact_session *session;	/* as far as it is known now */
	uint32_t ordinal;			/* from 1, over every MAIL command seen */
	uint64_t started_us;			/* first byte of MAIL */
	uint64_t ended_us;
	struct text helo;			/* in force at MAIL; so are the next three */
	struct text proxy, xclient, xforward;
	enum fact_tls tls;
	enum fact_tristate auth;
	bool lmtp;
	struct text mail_from;			/* without <>; empty: null sender; NULL: MAIL was not seen */
	struct text mail_params;		/* rest of the MAIL line */
	struct text ret, envid;			/* RFC 3461 */
	struct fact_reply mail_reply;
	struct fact_recipient *rcpt;		/* the first LIMIT_RECIPIENTS */
	uint32_t rcpt_kept, rcpt_count, rcpt_accepted;
	enum fact_outcome outcome;		/* transaction_emit() decides */
	struct fact_reply reply;		/* the deciding reply */
	struct text queue_id;			/* from the reply to the end of data */
	uint64_t mail_us, data_end_us, reply_us;/* times of MAIL, of the last byte of data, of the reply to it; 0: not seen */
	uint64_t size_bytes;			/* message on the wire, end of data not counted, gaps included; 0 without DATA */
	uint64_t bytes_seen;
	bool has_data;				/* message bytes were sent */
	bool size_unknown;			/* the end of the data is in a hole: size_bytes may hold what came after it */
	struct fact_message *message;		/* NULL when no header byte was seen */
	struct fact_steps steps;
	uint32_t notes;
	bool complete;				/* everything about it was seen */
};

/* Counters of one interface (or file set) and minute, as deltas. */
struct fact_capture {
	struct text interface;
	uint64_t start_us, end_us;		/* a whole minute of packet time */
	uint64_t packets, bytes;
	uint64_t kernel_drops;			/* passed the filter, found the ring full */
	uint64_t interface_drops;		/* by the network card, mail or not */
	uint64_t unseen_bytes;
	uint64_t flows, evicted, sessions, encrypted_sessions, one_sided_sessions;
};

/* Where facts go. Called in the order in which things become final; nothing is kept by reference. */
struct fact_sink {
	void (*transaction)(void *arg, const struct fact_transaction *t);
	void (*session)(void *arg, const struct fact_session *s);
	void (*capture)(void *arg, const struct fact_capture *c);	/* NULL: not asked for */
	void *arg;
	void (*tick)(void *arg, uint64_t wall_us);	/* now and then, from the same thread: the wall clock; NULL: not asked for */
};

#endif
