/// What schema version 4 adds: commits as intents with all their sectors, decisions of which one excludes the
/// other, and the images that may have the marker bit of an earlier version.
///
/// It takes away the records of earlier versions; ``CatalogMigrations`` refuses the step while one is open.
let fenceFirstSchema = """
  CREATE TABLE commit_intent (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    worker INTEGER REFERENCES worker (number) ON DELETE SET NULL,
    pid INTEGER NOT NULL,
    lock_byte INTEGER NOT NULL,
    created INTEGER NOT NULL,
    settled INTEGER,
    note TEXT
  ) STRICT;
  CREATE INDEX commit_intent_unsettled ON commit_intent (number) WHERE settled IS NULL;

  CREATE TABLE commit_decision (
    intent INTEGER PRIMARY KEY REFERENCES commit_intent (number) ON DELETE CASCADE,
    decision TEXT NOT NULL CHECK (decision IN ('record', 'undone', 'unknown')),
    time INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE commit_member (
    intent INTEGER NOT NULL REFERENCES commit_intent (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    node TEXT NOT NULL,
    path TEXT NOT NULL,
    before BLOB NOT NULL CHECK (length(before) = 512),
    fenced BLOB NOT NULL CHECK (length(fenced) = 512),
    after BLOB NOT NULL CHECK (length(after) = 512),
    after_fenced BLOB CHECK (length(after_fenced) = 512),
    checksum BLOB NOT NULL CHECK (length(checksum) = 32),
    confirm INTEGER NOT NULL CHECK (confirm IN (0, 1)),
    PRIMARY KEY (intent, position)
  ) STRICT;
  CREATE INDEX commit_member_unconfirmed ON commit_member (intent) WHERE confirm = 1;

  CREATE TABLE image_to_clean (
    path TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
  INSERT INTO image_to_clean SELECT path FROM node UNION SELECT path FROM commit_image;

  DROP TABLE commit_image;
  DROP TABLE commit_job;
  DROP TABLE commit_record;
  DROP TABLE commit_refusal;

  CREATE TABLE commit_job (
    intent INTEGER NOT NULL REFERENCES commit_intent (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    job INTEGER REFERENCES job (seq) ON DELETE SET NULL,
    PRIMARY KEY (intent, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX commit_job_by_job ON commit_job (job);

  ALTER TABLE meta ADD COLUMN log_secured INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE meta ADD COLUMN log_suspect INTEGER NOT NULL DEFAULT 0;
  """
