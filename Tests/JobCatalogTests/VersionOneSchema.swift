/// The schema of version 1 as it was released: a copy, so that an edit of the original is noticed.
let versionOneSchema = """
  CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    catalog_id BLOB NOT NULL CHECK (length(catalog_id) = 16),
    created INTEGER NOT NULL,
    pruned INTEGER
  ) STRICT;

  CREATE TABLE machine (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    vmstate TEXT
  ) STRICT;

  CREATE TABLE node (
    machine INTEGER NOT NULL REFERENCES machine (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    excluded INTEGER NOT NULL CHECK (excluded IN (0, 1)),
    PRIMARY KEY (machine, position),
    UNIQUE (machine, name)
  ) STRICT;

  CREATE TABLE worker (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    pid INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    lock_file TEXT,
    boot_id TEXT NOT NULL,
    started INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE job_transaction (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE job (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT,
    txn INTEGER NOT NULL REFERENCES job_transaction (number),
    auto_finalize INTEGER NOT NULL CHECK (auto_finalize IN (0, 1)),
    auto_dismiss INTEGER NOT NULL CHECK (auto_dismiss IN (0, 1)),
    note TEXT,
    arguments TEXT NOT NULL,
    result TEXT,
    status TEXT NOT NULL,
    progress_current INTEGER NOT NULL,
    progress_total INTEGER NOT NULL,
    error_kind TEXT,
    error_message TEXT,
    created INTEGER NOT NULL,
    started INTEGER,
    concluded INTEGER,
    dismissed INTEGER,
    worker INTEGER REFERENCES worker (number) ON DELETE SET NULL,
    CHECK ((error_kind IS NULL) = (error_message IS NULL))
  ) STRICT;
  CREATE UNIQUE INDEX job_id_in_use ON job (id) WHERE dismissed IS NULL;
  CREATE INDEX job_by_transaction ON job (txn);
  CREATE INDEX job_by_id ON job (id);
  CREATE INDEX job_by_worker ON job (worker);

  CREATE TABLE busy_subject (
    subject TEXT PRIMARY KEY,
    txn INTEGER NOT NULL REFERENCES job_transaction (number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE job_status (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    status TEXT NOT NULL,
    time INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX job_status_by_job ON job_status (job);

  CREATE TABLE verb_request (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job (seq) ON DELETE CASCADE,
    verb TEXT NOT NULL,
    created INTEGER NOT NULL,
    answered INTEGER,
    error_kind TEXT,
    error_message TEXT,
    CHECK ((error_kind IS NULL) = (error_message IS NULL))
  ) STRICT;
  CREATE INDEX verb_request_by_job ON verb_request (job);
  CREATE INDEX verb_request_open ON verb_request (number) WHERE answered IS NULL;

  CREATE TABLE commit_record (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    nature TEXT NOT NULL,
    created INTEGER NOT NULL,
    closed INTEGER,
    note TEXT
  ) STRICT;
  CREATE INDEX commit_record_open ON commit_record (number) WHERE closed IS NULL;

  CREATE TABLE commit_job (
    record INTEGER NOT NULL REFERENCES commit_record (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    job INTEGER REFERENCES job (seq) ON DELETE SET NULL,
    PRIMARY KEY (record, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX commit_job_by_job ON commit_job (job);

  CREATE TABLE commit_image (
    record INTEGER NOT NULL REFERENCES commit_record (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    node TEXT NOT NULL,
    path TEXT NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    before BLOB NOT NULL CHECK (length(before) = 512),
    after BLOB NOT NULL CHECK (length(after) = 512),
    length INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (record, position)
  ) STRICT;

  CREATE TABLE commit_refusal (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    time INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  """
