/// What schema version 3 adds: which device state goes with an image, by the id of the image's last commit.
///
/// A row is true of the image whose first sector carries its id, and of no other: rows of commits that did not
/// come about are never found. Of the images that go with one state, one names the snapshot that keeps it, or
/// all name the file in which it waits.
let deviceStateSchema = """
  CREATE TABLE device_state (
    commit_id BLOB PRIMARY KEY CHECK (length(commit_id) = 16),
    state TEXT NOT NULL CHECK (state <> ''),
    snapshot TEXT,
    file TEXT,
    length INTEGER,
    modified INTEGER,
    changed INTEGER,
    created INTEGER NOT NULL,
    CHECK (snapshot IS NULL OR file IS NULL),
    CHECK ((length IS NULL) = (modified IS NULL) AND (length IS NULL) = (changed IS NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_state_by_state ON device_state (state);
  CREATE INDEX device_state_by_file ON device_state (file) WHERE file IS NOT NULL;
  """
