-- facts.db: what was seen. The sensor is the only writer; a row is written once, when it is final.
-- No direction, kind, own network or policy here: those are verdicts. Times are microseconds, UTC. NULL: not seen.
-- Texts are valid UTF-8 (other bytes became U+FFFD); addresses in them are redacted as meta.privacy says.

CREATE TABLE meta (			-- one row
  store_id TEXT NOT NULL,		-- random; the same in verdicts.db and notes.db of this store
  privacy TEXT NOT NULL,		-- full, hash, domain: how addresses are kept; fixed when the store was made
  created_us INTEGER NOT NULL,		-- wall clock
  phrases_version INTEGER NOT NULL	-- version of the phrase set of the last run
);

CREATE TABLE batch (			-- one row a commit; readers follow it
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  committed_us INTEGER NOT NULL,	-- wall clock
  session_rowid INTEGER NOT NULL,	-- greatest sessions.id at the end of this batch
  transaction_rowid INTEGER NOT NULL	-- greatest transactions.id at the end of this batch
);

CREATE TABLE sensor_run (		-- one row a start of bouncetapd
  id INTEGER PRIMARY KEY,
  sensor TEXT NOT NULL,			-- [capture] sensor
  version TEXT NOT NULL,		-- of bouncetapd
  started_us INTEGER NOT NULL,		-- wall clock
  ended_us INTEGER,			-- wall clock; NULL: running, or killed
  source_id INTEGER REFERENCES source(id),	-- NULL: live or standard input
  end_reason TEXT,			-- done, damaged, stopped, capture-gap (an interface went away); NULL as above
  facts_lost INTEGER NOT NULL DEFAULT 0,	-- dropped before they were committed (full disk, locked store)
  interfaces TEXT,			-- live: their names, separated by blanks; NULL: files
  filter TEXT				-- pcap-filter(7) words in force, NULL: none
);

CREATE TABLE source (			-- an ordered list of capture files
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,	-- of sizes and of the first and last 64 KiB of each
  files TEXT NOT NULL,			-- names, for people
  state TEXT NOT NULL			-- reading, done, damaged (read as far as it can be)
);

-- Addresses stand as text (local@domain, HEX@domain or @domain, as meta.privacy says; <> is the null sender; the domain in lower case) beside
-- their id: 63 bits of a keyed hash of the canonical form, the same in every mode, so that they can be joined. class: bits 1 null, 2 postmaster,
-- 4 daemon, 8 double-bounce, 16 BATV, 32 SRS, 64 VERP, 128 list, 256 what list software answers from (no post has it), 512 made up by a server that
-- verifies senders. inner_id: id of the address inside a BATV, SRS or VERP form.

CREATE TABLE sessions (			-- one TCP connection that carried bytes on a mail port, or SMTP on any
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_seq INTEGER NOT NULL,		-- the commit that brought it
  run_id INTEGER NOT NULL,		-- sensor_run
  source_id INTEGER,			-- source; NULL: live or standard input
  session_id BLOB NOT NULL,		-- 16 bytes; the events print them as hex
  src_ip TEXT NOT NULL,			-- SMTP client
  src_port INTEGER NOT NULL,
  dest_ip TEXT NOT NULL,		-- SMTP server
  dest_port INTEGER NOT NULL,
  started_us INTEGER NOT NULL,		-- first packet
  ended_us INTEGER NOT NULL,		-- last packet
  end_reason TEXT NOT NULL,		-- fin, rst, timeout, port-reuse, evicted, capture-end
  outcome TEXT NOT NULL,		-- mail, no-mail, refused-banner, refused-helo, encrypted, not-smtp, unknown
  app_proto TEXT,			-- what was spoken when it was not SMTP: http, ssh, tls, rdp...; NULL: it was SMTP, or is not known
  banner_code INTEGER,			-- reply code of the greeting
  banner TEXT,				-- its text
  helo_verb TEXT,			-- HELO, EHLO, LHLO
  helo TEXT,				-- its argument
  ehlo_keywords TEXT,			-- of the last EHLO reply, one a line
  refusal_code INTEGER,			-- reply that refused the banner or EHLO
  refusal_enhanced TEXT,
  refusal TEXT,				-- its text
  vrfy_count INTEGER NOT NULL,		-- VRFY and EXPN commands
  auth INTEGER,				-- 1: AUTH succeeded, 0: not asked for or refused, NULL: cannot be told (encrypted, one-sided)
  auth_mechanism TEXT,
  tls TEXT NOT NULL,			-- none, starttls, implicit, unknown
  tls_version TEXT,			-- chosen, else the highest offered
  sni TEXT,				-- ClientHello server_name
  tls_hello TEXT,			-- ClientHello summary: offered version, ALPN, counts
  tls_records TEXT,			-- first 64 records per direction as "c|s TYPE SIZE OFFSET_US", one a line
  tls_histogram TEXT,			-- application data records by floor(log2(size)), client line and server line
  proxy TEXT,				-- PROXY protocol header, raw
  xclient TEXT,				-- XCLIENT arguments that were accepted, raw
  xforward TEXT,			-- XFORWARD arguments that were accepted, raw
  client_isn INTEGER NOT NULL,		-- 0: not seen
  server_isn INTEGER NOT NULL,		-- 0: not seen
  bytes_toserver INTEGER NOT NULL,	-- payload, each byte once
  bytes_toclient INTEGER NOT NULL,
  unseen_bytes INTEGER NOT NULL,	-- acknowledged, never captured
  packets INTEGER NOT NULL,
  transaction_count INTEGER NOT NULL,	-- ordinals given out
  steps TEXT,				-- outside transactions: "c|s WORD OFFSET_US", one a line
  complete INTEGER NOT NULL,		-- 1: from SYN to FIN or RST, both directions, without a gap
  notes TEXT NOT NULL			-- words separated by blanks: gap truncated one-sided mid-stream tunnelled ... (sensor/fact.h)
);
-- By second first: ids are random, and an index that is written all over costs more than all the rest of a row.
CREATE UNIQUE INDEX sessions_id ON sessions (started_us / 1000000, session_id);

CREATE TABLE sighting (			-- an id that came again from another source; its rows are not stored twice
  session_id BLOB NOT NULL,
  source_id INTEGER,			-- the other source; NULL: live or standard input
  run_id INTEGER NOT NULL,
  PRIMARY KEY (session_id, run_id)
) WITHOUT ROWID;

CREATE TABLE transactions (		-- one MAIL command that reached the wire, until its end
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_seq INTEGER NOT NULL,		-- the commit that brought it
  run_id INTEGER NOT NULL,		-- sensor_run
  session_id BLOB NOT NULL,		-- its session; that row may come later
  session_started_us INTEGER NOT NULL,	-- first packet of that
  ordinal INTEGER NOT NULL,		-- from 1 within the session
  src_ip TEXT NOT NULL,			-- as in sessions
  src_port INTEGER NOT NULL,
  dest_ip TEXT NOT NULL,
  dest_port INTEGER NOT NULL,
  started_us INTEGER NOT NULL,		-- first byte of MAIL
  ended_us INTEGER NOT NULL,		-- reply to the end of data, RSET, QUIT, EHLO, 421, close
  helo TEXT,				-- in force at MAIL
  tls TEXT NOT NULL,			-- as in sessions
  auth INTEGER,				-- as in sessions, at MAIL
  proxy TEXT, xclient TEXT, xforward TEXT,	-- as in sessions, at MAIL
  mail_from TEXT,			-- address; NULL: MAIL was not seen
  mail_from_id INTEGER,
  mail_from_class INTEGER,
  mail_from_inner_id INTEGER,
  null_sender INTEGER,			-- 1: MAIL FROM:<>
  mail_params TEXT,			-- the rest of the MAIL line
  ret TEXT,				-- RFC 3461
  envid TEXT,				-- RFC 3461
  mail_code INTEGER,			-- reply to MAIL
  mail_enhanced TEXT,
  mail_reply TEXT,
  rcpt_count INTEGER NOT NULL,		-- RCPT commands
  rcpt_accepted INTEGER NOT NULL,	-- of them answered 2yz
  outcome TEXT NOT NULL,		-- accepted, rejected, aborted, unknown
  code INTEGER,				-- the deciding reply
  enhanced TEXT,
  reply TEXT,
  queue_id TEXT,			-- in the reply to the end of data
  mail_us INTEGER,			-- MAIL
  data_end_us INTEGER,			-- last byte of the data
  reply_us INTEGER,			-- the reply to it
  size_bytes INTEGER,			-- message on the wire, without the end of data; NULL: no message bytes, or their end was not captured
  bytes_seen INTEGER,			-- of them captured
  steps TEXT,				-- "c|s WORD OFFSET_US", one a line, since started_us
  complete INTEGER NOT NULL,		-- 1: everything about it was seen
  notes TEXT NOT NULL			-- words, as in sessions
);
CREATE UNIQUE INDEX transactions_id ON transactions (session_started_us / 1000000, session_id, ordinal);
CREATE INDEX transactions_mail_from ON transactions (mail_from_id) WHERE null_sender = 0;
CREATE INDEX transactions_ended ON transactions (ended_us);

CREATE TABLE recipients (		-- the first 100 RCPT commands of a transaction
  transaction_rowid INTEGER NOT NULL,	-- transactions.id
  n INTEGER NOT NULL,			-- from 0
  address TEXT NOT NULL,
  address_id INTEGER NOT NULL,
  address_class INTEGER NOT NULL,
  address_inner_id INTEGER,
  code INTEGER,				-- reply to RCPT; LMTP: to the data
  enhanced TEXT,
  reply TEXT,
  notify TEXT,				-- RFC 3461
  orcpt TEXT,				-- RFC 3461
  PRIMARY KEY (transaction_rowid, n)
) WITHOUT ROWID;

CREATE TABLE messages (			-- outer headers of the data of a transaction; values unfolded, not decoded
  transaction_rowid INTEGER PRIMARY KEY,
  message_id TEXT,			-- without <>
  message_id_hash INTEGER,		-- keyed hash of the unredacted text, to join with returned and In-Reply-To
  in_reply_to TEXT,
  in_reply_to_hash INTEGER,		-- of the first id in it, else of the last one in References
  reference_ids TEXT,			-- References
  from_header TEXT,
  from_id INTEGER,			-- address: the first of From
  from_class INTEGER,
  reply_to TEXT,
  reply_to_id INTEGER,
  sender TEXT,
  to_header TEXT,
  subject TEXT,				-- kept as [privacy] subject says
  auto_submitted TEXT,			-- RFC 3834
  precedence TEXT,
  list_id TEXT,				-- RFC 2919
  x_auto_response_suppress TEXT,
  x_failed_recipients TEXT,
  x_mailer TEXT,
  content_type TEXT,			-- type/subtype in lower case
  markers INTEGER NOT NULL,		-- bits of schema/marker.def
  phrases TEXT,				-- ids of data/phrases.def that matched, separated by blanks
  phrases_version INTEGER,		-- of the set that was used
  received TEXT,			-- Received lines, see the view received
  headers_complete INTEGER NOT NULL,	-- 1: no gap before the blank line
  notes TEXT NOT NULL
);
CREATE INDEX messages_message_id ON messages (message_id_hash) WHERE message_id_hash IS NOT NULL;

CREATE TABLE reports (			-- RFC 3464, 8098, 5965 parts, in multipart/report or not
  transaction_rowid INTEGER PRIMARY KEY,
  report_type TEXT NOT NULL,		-- delivery-status, disposition-notification, feedback-report
  in_multipart_report INTEGER NOT NULL,	-- 0: the part stood in another container
  reporting_mta TEXT,
  received_from_mta TEXT,
  arrival_date TEXT,
  envelope_id TEXT,			-- Original-Envelope-Id
  queue_id TEXT,			-- X-Postfix-Queue-ID and its like
  disposition TEXT,			-- RFC 8098 3.2.6
  original_message_id TEXT,		-- RFC 8098 3.2.5
  original_message_id_hash INTEGER,
  feedback_type TEXT,			-- RFC 5965
  original_mail_from TEXT,		-- RFC 5965; address
  original_mail_from_id INTEGER,
  recipient_total INTEGER NOT NULL	-- groups seen; report_recipients keeps 100
);

CREATE TABLE report_recipients (	-- RFC 3464 2.3; without a row in reports: what the text of a bounce says, so far as it can be told
  transaction_rowid INTEGER NOT NULL,
  n INTEGER NOT NULL,			-- from 0
  final_recipient TEXT,			-- address
  final_id INTEGER,
  original_recipient TEXT,		-- address
  original_id INTEGER,
  action TEXT,
  status TEXT,
  diagnostic_type TEXT,
  diagnostic TEXT,
  remote_mta TEXT,
  PRIMARY KEY (transaction_rowid, n)
) WITHOUT ROWID;

CREATE TABLE returned (			-- headers of the message that came back inside
  transaction_rowid INTEGER PRIMARY KEY,
  message_id TEXT,			-- without <>
  message_id_hash INTEGER,
  from_header TEXT,
  from_id INTEGER,			-- address
  to_header TEXT,
  return_path TEXT,			-- address
  return_path_id INTEGER,
  subject TEXT,				-- kept as [privacy] subject says
  received_spf TEXT,
  authserv TEXT,			-- authserv-id of the first Authentication-Results
  authentication_results TEXT,
  spf TEXT, dkim TEXT, dmarc TEXT,	-- result words
  dkim_domains TEXT,			-- d= of its signatures
  spam TEXT,				-- yes, no
  received TEXT				-- Received lines, see the view received
);

CREATE TABLE capture (			-- counters per run, interface and minute of packet time, as deltas
  run_id INTEGER NOT NULL,
  source_id INTEGER,
  interface TEXT NOT NULL,		-- interface name, or "file"
  start_us INTEGER NOT NULL,
  end_us INTEGER NOT NULL,
  packets INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  kernel_drops INTEGER NOT NULL,	-- passed the filter, found the ring full
  interface_drops INTEGER NOT NULL DEFAULT 0,	-- dropped by the network card, mail or not
  unseen_bytes INTEGER NOT NULL,	-- acknowledged, never captured
  flows INTEGER NOT NULL,
  evicted INTEGER NOT NULL,		-- flows dropped for memory
  sessions INTEGER NOT NULL,
  encrypted_sessions INTEGER NOT NULL,
  one_sided_sessions INTEGER NOT NULL,
  PRIMARY KEY (run_id, interface, start_us)
) WITHOUT ROWID;

-- Received lines, topmost first, at most 30 of each header. They are kept as a JSON array of [from_host, from_ip, by_host, with_protocol,
-- queue_id] beside the other headers: a row for each would be a third of all rows.
CREATE VIEW received AS
SELECT transaction_rowid, 0 AS part,	-- 0 outer header, 1 returned header
       j.key AS n,			-- from 0
       j.value ->> 0 AS from_host,	-- name after "from"
       j.value ->> 1 AS from_ip,	-- address in the comment
       j.value ->> 2 AS by_host,
       j.value ->> 3 AS with_protocol,
       j.value ->> 4 AS queue_id	-- "id"
FROM messages, json_each(messages.received) j
UNION ALL
SELECT transaction_rowid, 1, j.key, j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4
FROM returned, json_each(returned.received) j;

-- For people.

CREATE VIEW mails AS			-- one line a transaction
SELECT t.id, strftime('%Y-%m-%d %H:%M:%f', t.started_us / 1e6, 'unixepoch') AS utc,
       t.src_ip, t.dest_ip, t.mail_from,
       (SELECT group_concat(r.address || coalesce('=' || r.code, ''), ' ') FROM recipients r WHERE r.transaction_rowid = t.id) AS rcpt_to,
       t.outcome, t.code, t.queue_id, t.size_bytes, m.message_id, m.subject, t.notes
FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id;

CREATE VIEW dialogues AS		-- one line a session
SELECT s.id, lower(hex(s.session_id)) AS session_id, strftime('%Y-%m-%d %H:%M:%f', s.started_us / 1e6, 'unixepoch') AS utc,
       s.src_ip || ':' || s.src_port AS client, s.dest_ip || ':' || s.dest_port AS server,
       s.outcome, s.app_proto, s.end_reason, s.banner, s.helo, s.tls, s.transaction_count, s.notes
FROM sessions s;
