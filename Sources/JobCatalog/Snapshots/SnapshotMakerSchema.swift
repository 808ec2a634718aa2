/// What schema version 7 adds: who made which snapshot, for as long as an image has it.
///
/// A snapshot that an earlier version has made has no id here; its tag and its date say which it is. One whose commit
/// is under way names its intent, and goes with it if the commit is undone.
let snapshotMakerSchema = """
  CREATE TABLE made_snapshot (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tag BLOB NOT NULL,
    id TEXT,
    seconds INTEGER NOT NULL,
    nanoseconds INTEGER NOT NULL,
    job TEXT,
    note TEXT,
    intent INTEGER REFERENCES commit_intent (number) ON DELETE SET NULL
  ) STRICT;
  CREATE INDEX made_snapshot_by_key ON made_snapshot (tag, seconds, nanoseconds);
  CREATE INDEX made_snapshot_by_intent ON made_snapshot (intent) WHERE intent IS NOT NULL;

  CREATE TABLE snapshot_image (
    snapshot INTEGER NOT NULL REFERENCES made_snapshot (number) ON DELETE CASCADE,
    path TEXT NOT NULL,
    device INTEGER,
    inode INTEGER,
    PRIMARY KEY (snapshot, path)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX snapshot_image_by_path ON snapshot_image (path);
  CREATE INDEX snapshot_image_by_file ON snapshot_image (device, inode);
  """
