
-- In facts.db and in verdicts.db: requests of notes.db that the owner of the file has carried out.
CREATE TABLE pruned (
  request INTEGER PRIMARY KEY,		-- notes: prune.id
  done_us INTEGER NOT NULL		-- wall clock
);
