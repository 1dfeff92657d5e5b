
-- Part of notes.db: what is to go from facts.db, and what has to be known of it afterwards. Facts go by request: bouncetap prune asks, the
-- sensor takes them out of facts.db, the analyzer what it made of them out of verdicts.db, both in small slices.

CREATE TABLE prune (			-- requests; only the latest is in force
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  asked_us INTEGER NOT NULL,		-- wall clock
  before_us INTEGER NOT NULL,		-- sessions and transactions that ended before this (a whole hour) go, but for those of prune_keep
  evidence_before_us INTEGER NOT NULL,	-- findings whose last attempt is before this go, and what only they name
  counters_before_us INTEGER NOT NULL,	-- capture counters of minutes before this go
  session_rowid INTEGER NOT NULL,	-- facts up to here were judged when it was asked; what came later stays
  transaction_rowid INTEGER NOT NULL
);

CREATE TABLE prune_keep (		-- what stays of older facts: evidence of findings, and what a later mail may have to do with
  what TEXT NOT NULL,			-- s: sessions.id, t: transactions.id
  fact_rowid INTEGER NOT NULL,
  PRIMARY KEY (what, fact_rowid)
) WITHOUT ROWID;

-- Sums and what was learnt from facts that go, for analyze --rebuild; columns as in verdicts.sql.
CREATE TABLE past_server (id INTEGER PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, public_address TEXT NOT NULL, sends_only INTEGER NOT NULL,
  software TEXT, software_us INTEGER NOT NULL);
CREATE TABLE past_server_address (server_id INTEGER NOT NULL, address TEXT NOT NULL, public_address TEXT NOT NULL, sends INTEGER NOT NULL,
  PRIMARY KEY (server_id, address)) WITHOUT ROWID;
CREATE TABLE past_server_name (server_id INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (server_id, name)) WITHOUT ROWID;
CREATE TABLE past_coverage (server_id INTEGER NOT NULL, direction TEXT NOT NULL, hour_us INTEGER NOT NULL, sessions INTEGER NOT NULL,
  encrypted INTEGER NOT NULL, one_sided INTEGER NOT NULL, incomplete INTEGER NOT NULL, PRIMARY KEY (server_id, direction, hour_us)) WITHOUT ROWID;
CREATE TABLE past_mail_hour (server_id INTEGER NOT NULL, hour_us INTEGER NOT NULL, direction TEXT NOT NULL, transactions INTEGER NOT NULL,
  accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, answering INTEGER NOT NULL, PRIMARY KEY (server_id, hour_us, direction)) WITHOUT ROWID;
CREATE TABLE past_finding_hour (server_id INTEGER NOT NULL, public_address TEXT NOT NULL, hour_us INTEGER NOT NULL, kind TEXT NOT NULL,
  misdirected TEXT NOT NULL, exposure TEXT NOT NULL, findings INTEGER NOT NULL, attempts INTEGER NOT NULL,
  PRIMARY KEY (server_id, public_address, hour_us, kind, misdirected, exposure)) WITHOUT ROWID;
CREATE TABLE past_origin_sender (origin_ip TEXT NOT NULL, domain TEXT NOT NULL, PRIMARY KEY (origin_ip, domain)) WITHOUT ROWID;
