-- verdicts.db: what the analyzer makes of facts.db, notes.db and its inputs. Can be thrown away: analyze --rebuild gives the same rows again.
-- References to facts: transaction_rowid is transactions.id, session_rowid is sessions.id of facts.db of the same store_id.

CREATE TABLE meta (			-- one row
  store_id TEXT NOT NULL,		-- of the facts these verdicts are about
  analyzed_seq INTEGER NOT NULL,	-- batch.seq up to which facts are judged
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
  kind TEXT NOT NULL,			-- ordinary, bounce, delay-notice, ... : DESIGN.md 1
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
  software TEXT
);

CREATE TABLE server_name (		-- what a server calls itself, in lower case: EHLO as client, banner as server
  server_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (server_id, name)
) WITHOUT ROWID;

CREATE TABLE coverage (			-- what could be seen, per server, direction and hour
  server_id INTEGER NOT NULL,
  direction TEXT NOT NULL,
  hour_us INTEGER NOT NULL,		-- start of the hour
  sessions INTEGER NOT NULL,
  encrypted INTEGER NOT NULL,		-- sessions whose dialogue was hidden by TLS
  one_sided INTEGER NOT NULL,
  incomplete INTEGER NOT NULL,		-- gaps, joined mid-stream, cut by the end of the capture
  PRIMARY KEY (server_id, direction, hour_us)
) WITHOUT ROWID;

CREATE TABLE answer (			-- answering mail (of any direction) by recipient: what findings are made of
  recipient_id INTEGER NOT NULL,	-- facts: messages.from_id, reply_to_id
  transaction_rowid INTEGER NOT NULL,
  recipient_n INTEGER NOT NULL,		-- recipients.n
  PRIMARY KEY (recipient_id, transaction_rowid, recipient_n)
) WITHOUT ROWID;

CREATE TABLE answer_key (		-- Message-IDs that an answering mail has or names: a late mail with one of them re-judges the recipient
  message_id_hash INTEGER NOT NULL,
  recipient_id INTEGER NOT NULL,
  PRIMARY KEY (message_id_hash, recipient_id)
) WITHOUT ROWID;

CREATE TABLE author (			-- From and Reply-To of mail that arrived, where they are not its MAIL FROM: autoreplies go there
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
  cause_class TEXT,			-- user-unknown, mailbox-full, content, policy, other; NULL: not told
  digest INTEGER NOT NULL		-- of what is printed: another one makes a new revision
);
CREATE INDEX finding_server ON finding (server_id, public_address, last_us);
CREATE INDEX finding_recipient ON finding (recipient_id);
CREATE INDEX finding_origin ON finding (origin_ip) WHERE origin_ip IS NOT NULL;
CREATE INDEX finding_last ON finding (last_us);
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
