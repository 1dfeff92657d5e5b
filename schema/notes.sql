-- notes.db: what people and the network said, kept over analyze --rebuild. Written by bouncetap's commands in short transactions.

CREATE TABLE meta (			-- one row
  store_id TEXT NOT NULL
);

CREATE TABLE ack (			-- known matters: out of "do this first", never hidden
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,		-- server name or finding_id
  until_us INTEGER,			-- NULL: until taken back
  why TEXT NOT NULL,
  at_us INTEGER NOT NULL
);

CREATE TABLE list_answer (		-- DNS answers of blocklists, observations with a time of their own
  id INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  list TEXT NOT NULL,
  at_us INTEGER NOT NULL,
  resolver TEXT NOT NULL,		-- who was asked
  state TEXT NOT NULL,			-- listed, not-listed, unknown
  raw TEXT NOT NULL,			-- answer as it came: 127.0.0.2, NXDOMAIN, ...
  why TEXT NOT NULL,			-- what the state follows from
  reason TEXT				-- the list's own text about the address (TXT); NULL: none
);
CREATE INDEX list_answer_address ON list_answer (address, list, at_us);

CREATE TABLE probe (			-- dialogues of "bouncetap check --probe" with own servers: not mail, and not to be judged
  token TEXT PRIMARY KEY,		-- of the EHLO name probe-TOKEN.bouncetap.invalid; random
  address TEXT NOT NULL,		-- of the server
  at_us INTEGER NOT NULL
) WITHOUT ROWID;
