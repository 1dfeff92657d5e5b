-- verdicts.db: what the analyzer makes of facts.db, notes.db and its inputs. Can be thrown away: analyze --rebuild gives the same rows again.
-- References to facts: transaction_rowid is transactions.id, session_rowid is sessions.id of facts.db of the same store_id.

CREATE TABLE meta (			-- one row
  store_id TEXT NOT NULL,		-- of the facts these verdicts are about
  analyzed_seq INTEGER NOT NULL,	-- batch.seq up to which facts were taken
  seen_rowid INTEGER NOT NULL,		-- transactions.id up to which facts could be seen when the last ones were taken
  inputs TEXT NOT NULL,			-- hash of own networks, rules, lists: another one asks for a rebuild
  now_us INTEGER NOT NULL,		-- the time for which risk was computed
  last_us INTEGER NOT NULL		-- latest end of a fact that was judged
);

CREATE TABLE session_verdict (
  session_rowid INTEGER PRIMARY KEY,
  direction TEXT NOT NULL,		-- inbound, outbound, internal, foreign
  software TEXT				-- of the server, from banner and EHLO
);

CREATE TABLE transaction_verdict (
  transaction_rowid INTEGER PRIMARY KEY,
  direction TEXT NOT NULL,		-- inbound, outbound, internal, foreign
  kind TEXT NOT NULL,			-- ordinary, bounce, delay-notice, ... : common/kind.h
  kind_rule TEXT NOT NULL,		-- the rule that said so
  provenance TEXT,			-- generated, relayed-own, forwarded, unknown; NULL: not outbound
  origin_ip TEXT,			-- first hop outside own networks, upstreams and balancers
  origin_from TEXT,			-- wire, proxy, xclient, xforward, received
  tier TEXT NOT NULL			-- clear
);

CREATE TABLE server (			-- own servers
  id INTEGER PRIMARY KEY,		-- from a hash of the name, so that it does not depend on the order of facts
  name TEXT NOT NULL UNIQUE,		-- [server NAME], else the address
  address TEXT NOT NULL,		-- the (first) address on the wire
  public_address TEXT NOT NULL,		-- what the world and the lists see
  sends_only INTEGER NOT NULL,		-- 1: never served SMTP
  software TEXT,			-- that its banner showed last
  software_us INTEGER NOT NULL DEFAULT 0	-- when
);

CREATE TABLE server_address (		-- addresses of servers that were seen
  server_id INTEGER NOT NULL,
  address TEXT NOT NULL,		-- on the wire
  public_address TEXT NOT NULL,
  sends INTEGER NOT NULL,		-- 1: was the client of an outside server, so that lists may have it
  PRIMARY KEY (server_id, address)
) WITHOUT ROWID;

CREATE TABLE server_name (		-- what an own address calls itself, in lower case: EHLO as client, banner as server; the first 32 of each.
					-- Of those that are no servers (yet), too; server_id: that of the server that it would be
  server_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (server_id, name)
) WITHOUT ROWID;

CREATE TABLE own_coverage (		-- what could be seen of an own address, server or not (yet); server_id: that of the server that it would be
  server_id INTEGER NOT NULL,
  direction TEXT NOT NULL,		-- inbound, outbound
  hour_us INTEGER NOT NULL,		-- start of the hour
  sessions INTEGER NOT NULL,
  encrypted INTEGER NOT NULL,		-- sessions whose dialogue was hidden by TLS
  one_sided INTEGER NOT NULL,
  incomplete INTEGER NOT NULL,		-- gaps, joined mid-stream, cut by the end of the capture
  PRIMARY KEY (server_id, direction, hour_us)
) WITHOUT ROWID;

CREATE VIEW coverage AS			-- the same of own servers
SELECT * FROM own_coverage WHERE server_id IN (SELECT id FROM server);

CREATE TABLE own_mail_hour (		-- mail that passed an own address, by hour of MAIL; server_id as in own_coverage
  server_id INTEGER NOT NULL,
  hour_us INTEGER NOT NULL,		-- start of the hour
  direction TEXT NOT NULL,		-- inbound (it was asked to take it), outbound (it sent it), internal (either; counts at both ends)
  transactions INTEGER NOT NULL,
  accepted INTEGER NOT NULL,		-- outcome accepted
  rejected INTEGER NOT NULL,		-- outcome rejected
  answering INTEGER NOT NULL,		-- whose own headers or dialogue make them answering mail, whatever other mail told later
  PRIMARY KEY (server_id, hour_us, direction)
) WITHOUT ROWID;

CREATE VIEW mail_hour AS		-- the same of own servers
SELECT * FROM own_mail_hour WHERE server_id IN (SELECT id FROM server);

CREATE TABLE provisional (		-- what sessions that are not over, or that the end of a capture cut off, and their mails added to own_...: taken back
					-- when a longer sighting takes their place
  session_key INTEGER NOT NULL,		-- from the session id
  ordinal INTEGER NOT NULL,		-- transactions.ordinal; 0: the session itself
  session_rowid INTEGER,		-- sessions.id; NULL: a mail
  transaction_rowid INTEGER,		-- transactions.id; NULL: the session itself
  what TEXT NOT NULL,			-- coverage, mail, a defect; empty: that it was taken
  server_id INTEGER NOT NULL,
  direction TEXT NOT NULL,
  at_us INTEGER NOT NULL,		-- hour; of a defect, when
  a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, d INTEGER NOT NULL	-- sums in the order of their columns; of a defect: of, cases
);
CREATE INDEX provisional_session ON provisional (session_key, ordinal);

CREATE TABLE answer (			-- answering mail (of any direction) by recipient: what findings are made of
  recipient_id INTEGER NOT NULL,	-- facts: messages.from_id, reply_to_id
  idle INTEGER NOT NULL,		-- 1: it asks for no judging: neither leaves, nor may leave, nor may another kind come of it
  mail_us INTEGER NOT NULL,		-- its MAIL
  transaction_rowid INTEGER NOT NULL,
  recipient_n INTEGER NOT NULL,		-- recipients.n
  PRIMARY KEY (recipient_id, idle, mail_us, transaction_rowid, recipient_n)
) WITHOUT ROWID;

CREATE TABLE pending (			-- recipients whose answers have to be judged (again); empty when all is done
  recipient_id INTEGER NOT NULL,
  finding_rowid INTEGER NOT NULL,	-- finding.id: only this one, no new fact is about its mail; 0: all since
  since_us INTEGER NOT NULL,		-- MAIL time of the earliest fact that is new or may tell something else now; 0: all
  PRIMARY KEY (recipient_id, finding_rowid)
) WITHOUT ROWID;

CREATE TABLE asked (			-- servers that were asked for when a recipient's answers were judged, by address or name: hashes
  key INTEGER NOT NULL,
  recipient_id INTEGER NOT NULL,
  PRIMARY KEY (key, recipient_id)
) WITHOUT ROWID;

CREATE TABLE asked_coverage (		-- findings for which it was asked whether all that came in was seen, in the week that ends with an hour
  hour_us INTEGER NOT NULL,		-- start of the hour
  server_id INTEGER NOT NULL,		-- as in own_coverage
  recipient_id INTEGER NOT NULL,
  finding_rowid INTEGER NOT NULL,	-- finding.id
  covered INTEGER NOT NULL,		-- 1: it was
  PRIMARY KEY (hour_us, server_id, recipient_id, finding_rowid)
) WITHOUT ROWID;

CREATE TABLE asked_by_mail (		-- the same of other mail: own addresses that were no servers
  key INTEGER NOT NULL,
  transaction_rowid INTEGER NOT NULL,
  PRIMARY KEY (key, transaction_rowid)
) WITHOUT ROWID;

CREATE TABLE bare (			-- other mail that left without DATA, by sender: only earlier mail of his tells where it was made
  sender_id INTEGER NOT NULL,		-- facts: address.id; of SRS the inner one
  transaction_rowid INTEGER NOT NULL,
  PRIMARY KEY (sender_id, transaction_rowid)
) WITHOUT ROWID;

CREATE TABLE answer_key (		-- Message-IDs that an answering mail has or names: a late mail with one of them re-judges the recipient
  message_id_hash INTEGER NOT NULL,
  recipient_id INTEGER NOT NULL,
  PRIMARY KEY (message_id_hash, recipient_id)
) WITHOUT ROWID;

CREATE TABLE author (			-- who wrote a mail beside its MAIL FROM: From and Reply-To of what arrived (autoreplies go there), the address inside BATV, SRS or VERP
  address_id INTEGER NOT NULL,		-- facts: address.id
  transaction_rowid INTEGER NOT NULL,
  PRIMARY KEY (address_id, transaction_rowid)
) WITHOUT ROWID;

CREATE TABLE origin_sender (		-- MAIL FROM domains (registrable) that came from one origin without authentication, at most 8 each
  origin_ip TEXT NOT NULL,
  domain TEXT NOT NULL,
  PRIMARY KEY (origin_ip, domain)
) WITHOUT ROWID;

CREATE TABLE change (			-- verdicts that changed after they were first written, for readers that follow
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  what TEXT NOT NULL,			-- transaction, finding
  id INTEGER NOT NULL			-- transaction_rowid or finding.id
);

CREATE TABLE finding (			-- an answering mail that left for a recipient who is not ours
  id INTEGER PRIMARY KEY,		-- transactions.id of the earliest attempt * 100 + recipients.n
  finding_id TEXT NOT NULL UNIQUE,	-- earliest attempt's transaction_id:recipient index
  server_id INTEGER NOT NULL,		-- emitter
  address TEXT NOT NULL,		-- emitter's address on the wire
  public_address TEXT NOT NULL,
  kind TEXT NOT NULL,
  misdirected TEXT NOT NULL,		-- yes, likely, no, unknown
  exposure TEXT NOT NULL,		-- can-backscatter, no, unknown
  tier TEXT NOT NULL,
  sender TEXT NOT NULL,			-- of its envelope: null, postmaster, daemon, double-bounce, other
  recipient TEXT NOT NULL,		-- as the store's privacy mode prints it
  recipient_domain TEXT NOT NULL,
  recipient_id INTEGER NOT NULL,	-- facts: address.id
  attempts INTEGER NOT NULL,
  first_us INTEGER NOT NULL,
  last_us INTEGER NOT NULL,
  revision INTEGER NOT NULL,		-- 1, more when later evidence changed it
  settled INTEGER NOT NULL,		-- 1: later facts can no longer enter its window
  originator_server_id INTEGER,		-- where the fix belongs; NULL: not told
  originator_how TEXT,			-- wire, received, reporting-mta
  cause_rowid INTEGER,			-- transactions.id of the inbound mail that it answers
  cause_matched_by TEXT,		-- message-id, in-reply-to, queue-id, recipients, envelope
  cause_delay_ms INTEGER,		-- from the reply to the cause (MAIL of it for callouts) to our MAIL; may be negative
  origin_ip TEXT,			-- of the cause; from the returned Received lines when the cause was not seen
  root_rowid INTEGER,			-- transactions.id of the hop that could not deliver
  root_code INTEGER,
  root_enhanced TEXT,
  root_reply TEXT,
  via TEXT,				-- smarthost outside that it was handed to, whose address the world sees; NULL: none
  cause_class TEXT,			-- user-unknown, mailbox-full, content, policy, other; NULL: not told
  digest INTEGER NOT NULL		-- of what is printed: another one makes a new revision
);
CREATE INDEX finding_server ON finding (server_id, public_address, last_us);
CREATE INDEX finding_risk ON finding (server_id, public_address, recipient_domain, kind, sender, misdirected, first_us, last_us, attempts, via)
  WHERE misdirected <> 'no';
CREATE INDEX finding_recipient ON finding (recipient_id, first_us);
CREATE INDEX finding_origin ON finding (origin_ip) WHERE origin_ip IS NOT NULL;
CREATE INDEX finding_last ON finding (last_us);
CREATE INDEX finding_unexplained ON finding (first_us) WHERE cause_rowid IS NULL;
CREATE INDEX finding_unsettled ON finding (last_us) WHERE settled = 0;

CREATE TABLE finding_attempt (
  finding_rowid INTEGER NOT NULL,	-- finding.id
  transaction_rowid INTEGER NOT NULL,
  recipient_n INTEGER NOT NULL,		-- recipients.n
  PRIMARY KEY (finding_rowid, transaction_rowid, recipient_n)
) WITHOUT ROWID;

CREATE TABLE finding_alias (		-- ids that a finding had before an earlier attempt was found
  finding_id TEXT PRIMARY KEY,
  finding_rowid INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE finding_reason (		-- rules that fired
  finding_rowid INTEGER NOT NULL,
  n INTEGER NOT NULL,
  rule TEXT NOT NULL,
  sign TEXT NOT NULL,			-- for, against
  strength TEXT NOT NULL,		-- strong, medium, weak
  text TEXT NOT NULL,			-- one sentence
  PRIMARY KEY (finding_rowid, n)
) WITHOUT ROWID;

CREATE TABLE risk (			-- per server address and list, for meta.now_us
  server_id INTEGER NOT NULL,
  address TEXT NOT NULL,		-- public address
  list TEXT NOT NULL,			-- id of lists.d
  status TEXT NOT NULL,			-- clean, watch, would-list, listed, not-covered, listed-instead
  mails INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  domains INTEGER NOT NULL,		-- distinct recipient domains
  first_us INTEGER,
  last_us INTEGER,
  expires_us INTEGER,			-- from the last attempt
  margin INTEGER,			-- threshold minus what counts; 0 or less: over it; NULL: not covered
  PRIMARY KEY (server_id, address, list)
);

CREATE TABLE risk_reason (
  server_id INTEGER NOT NULL,
  address TEXT NOT NULL,
  list TEXT NOT NULL,
  n INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (server_id, address, list, n)
) WITHOUT ROWID;

CREATE TABLE refusal (			-- a remote server named a blocklist
  refusal_id TEXT NOT NULL UNIQUE,		-- session_id:n (0 = banner or EHLO, else the transaction's ordinal):reply index
  session_id BLOB NOT NULL,
  server_id INTEGER NOT NULL,
  address TEXT NOT NULL,
  list TEXT,				-- id of lists.d; NULL: not among them
  zone TEXT NOT NULL,			-- as written
  remote_ip TEXT NOT NULL,
  code INTEGER NOT NULL,
  reply TEXT NOT NULL,
  at_us INTEGER NOT NULL
);

CREATE TABLE finding_hour (		-- findings by hour of their first attempt, kept by the triggers below
  server_id INTEGER NOT NULL,		-- emitter
  public_address TEXT NOT NULL,
  hour_us INTEGER NOT NULL,		-- start of the hour
  kind TEXT NOT NULL,
  misdirected TEXT NOT NULL,
  exposure TEXT NOT NULL,
  findings INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (server_id, public_address, hour_us, kind, misdirected, exposure)
) WITHOUT ROWID;

CREATE TRIGGER finding_counted AFTER INSERT ON finding BEGIN
  INSERT INTO finding_hour VALUES (new.server_id, new.public_address, new.first_us / 3600000000 * 3600000000, new.kind, new.misdirected,
    new.exposure, 1, new.attempts) ON CONFLICT DO UPDATE SET findings = findings + 1, attempts = attempts + excluded.attempts;
END;

CREATE TRIGGER finding_uncounted AFTER DELETE ON finding BEGIN
  UPDATE finding_hour SET findings = findings - 1, attempts = attempts - old.attempts WHERE server_id = old.server_id
    AND public_address = old.public_address AND hour_us = old.first_us / 3600000000 * 3600000000 AND kind = old.kind
    AND misdirected = old.misdirected AND exposure = old.exposure;
  DELETE FROM finding_hour WHERE findings = 0 AND server_id = old.server_id AND public_address = old.public_address
    AND hour_us = old.first_us / 3600000000 * 3600000000 AND kind = old.kind AND misdirected = old.misdirected AND exposure = old.exposure;
END;

CREATE TABLE finding_defect (		-- what a finding shows of its server beside itself; goes with it
  server_id INTEGER NOT NULL,		-- where the fix belongs
  what TEXT NOT NULL,			-- accepts-unknown, autoreply-...: as in hygiene
  at_us INTEGER NOT NULL,		-- first attempt
  finding_rowid INTEGER NOT NULL,	-- finding.id
  evidence_rowid INTEGER NOT NULL,	-- transactions.id
  PRIMARY KEY (server_id, what, at_us, finding_rowid)
) WITHOUT ROWID;
CREATE INDEX finding_defect_finding ON finding_defect (finding_rowid);

CREATE TRIGGER finding_without_defect AFTER DELETE ON finding BEGIN
  DELETE FROM finding_defect WHERE finding_rowid = old.id;
END;

CREATE TABLE own_hygiene (		-- defects that one session or mail shows; server_id as in own_coverage
  server_id INTEGER NOT NULL,
  what TEXT NOT NULL,
  cases INTEGER NOT NULL,
  of INTEGER NOT NULL,
  first_us INTEGER,			-- NULL: no case
  last_us INTEGER,
  evidence_rowid INTEGER,
  evidence_tie INTEGER,			-- from the session id: the greatest one is the evidence where several cases have the time last_us
  PRIMARY KEY (server_id, what)
) WITHOUT ROWID;

CREATE TABLE relay (			-- mail that was taken from an outsider for a domain that is not ours, until it is seen leaving
  message_id_hash INTEGER NOT NULL,
  transaction_rowid INTEGER NOT NULL,
  recipient_id INTEGER NOT NULL,	-- facts: address.id
  server_id INTEGER NOT NULL,		-- that took it
  mail_us INTEGER NOT NULL,		-- its MAIL
  tie INTEGER NOT NULL,			-- as evidence_tie
  relayed INTEGER NOT NULL,		-- 1: seen leaving for a recipient of this transaction
  PRIMARY KEY (message_id_hash, transaction_rowid, recipient_id)
) WITHOUT ROWID;

-- Defects seen beside the findings, one line a server and defect, with how often and an example.
--   accepts-unknown     took mail for users that it, or the hop behind it, did not know, and bounced it
--   open-relay          mail from an outsider, who was not authenticated, for a domain that is not ours, was taken and seen leaving again
--   auth-clear          users logged in over a connection without TLS
--   no-starttls         EHLO on port 25 or 587 did not offer STARTTLS
--   pushed-bounce       refused for good what an upstream had taken from somebody else, who is then bounced to
--   autoreply-repeated  one author answered the same address again within a day
--   autoreply-to-null   answered a mail from the null sender
--   autoreply-to-list   answered list or bulk mail
--   autoreply-unmarked  without Auto-Submitted (RFC 3834 5)
CREATE VIEW hygiene AS
SELECT server_id, what,
       cases,
       of,				-- how often there was an occasion for it
       first_us, last_us,		-- of the cases
       evidence_rowid			-- of the last one: sessions.id for auth-clear and no-starttls, else transactions.id
FROM own_hygiene WHERE cases > 0 AND server_id IN (SELECT id FROM server)
UNION ALL
SELECT d.server_id, d.what, count(*),
       max(count(*), coalesce(CASE d.what	-- not less than the cases, whose occasions TLS may have hidden
           WHEN 'accepts-unknown' THEN (SELECT sum(m.accepted) FROM own_mail_hour m WHERE m.server_id = d.server_id AND m.direction <> 'outbound'
                                        GROUP BY m.direction ORDER BY m.direction = 'inbound' AND sum(m.accepted) > 0 DESC LIMIT 1)
           ELSE a.mails END, 0)),
       min(d.at_us), max(d.at_us),
       (SELECT e.evidence_rowid FROM finding_defect e JOIN finding f ON f.id = e.finding_rowid
        WHERE e.server_id = d.server_id AND e.what = d.what ORDER BY e.at_us DESC, f.finding_id DESC LIMIT 1)
FROM finding_defect d LEFT JOIN (SELECT coalesce(originator_server_id, server_id) AS server_id, count(*) AS mails FROM finding
                                 WHERE kind IN ('autoreply', 'ticket', 'challenge') GROUP BY 1) a USING (server_id)
GROUP BY d.server_id, d.what;
