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
  state TEXT NOT NULL,			-- listed, not-listed, unknown
  raw TEXT NOT NULL			-- answer as it came
);
