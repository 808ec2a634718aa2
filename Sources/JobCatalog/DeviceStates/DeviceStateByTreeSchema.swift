/// What the step `5-device-state-by-tree` makes of device states: which one goes with each image of a commit, and
/// what shows that it is fresh. What was noted before, by length and times, is forgotten.
///
/// A row is true of an image whose first sector carries its commit's id, and of no other: rows of commits that did
/// not come about are never found. A commit has a row for each of its images, or none; `state` is NULL of images
/// that nothing goes with.
///
/// Of the images that go with a state that a snapshot keeps, each names a snapshot whose tree its active one has
/// to equal, and one of them (`is_keeper`) the one in which the state is. A state that waits in a file knows its
/// images by length and time of modification, which are entered after the commit; block devices have neither, and
/// name a snapshot.
let deviceStateByTreeSchema = """
  DROP TABLE IF EXISTS device_state;
  CREATE TABLE device_state (
    commit_id BLOB NOT NULL CHECK (length(commit_id) = 16),
    path TEXT NOT NULL,
    state TEXT CHECK (state <> ''),
    member INTEGER CHECK (member >= 0 AND member < member_count),
    member_count INTEGER,
    is_keeper INTEGER CHECK (is_keeper IN (0, 1)),
    snapshot TEXT,
    snapshot_seconds INTEGER CHECK (snapshot_seconds BETWEEN 0 AND 4294967295),
    snapshot_nanoseconds INTEGER CHECK (snapshot_nanoseconds BETWEEN 0 AND 4294967295),
    snapshot_size INTEGER,
    file TEXT,
    length INTEGER,
    modified INTEGER,
    created INTEGER NOT NULL,
    PRIMARY KEY (commit_id, path),
    CHECK ((state IS NULL) = (member IS NULL) AND (state IS NULL) = (member_count IS NULL)
      AND (state IS NULL) = (is_keeper IS NULL)),
    CHECK ((snapshot IS NULL) = (snapshot_seconds IS NULL)
      AND (snapshot IS NULL) = (snapshot_nanoseconds IS NULL)
      AND (snapshot IS NULL) = (snapshot_size IS NULL)),
    CHECK (state IS NULL OR snapshot IS NOT NULL OR file IS NOT NULL),
    CHECK ((length IS NULL) = (modified IS NULL)),
    CHECK (file IS NOT NULL OR length IS NULL)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_state_by_state ON device_state (state) WHERE file IS NOT NULL;
  CREATE INDEX device_state_by_path ON device_state (path) WHERE file IS NOT NULL;
  CREATE INDEX device_state_by_file ON device_state (file) WHERE file IS NOT NULL;
  """
