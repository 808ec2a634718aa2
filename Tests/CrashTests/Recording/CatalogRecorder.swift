import CSQLiteRecorder
import Synchronization

/// Lets journals see what SQLite does to the catalogs in their directories.
enum CatalogRecorder {
  private static let journals = Mutex<[String: Journal]>([:])

  /// `SQLITE_IOERR`, `SQLITE_IOERR_FSYNC` and `SQLITE_FULL` of <sqlite3.h>.
  private static let failed: Int32 = 10
  private static let failedSync: Int32 = 10 | 4 << 8
  private static let full: Int32 = 13

  /// Registers the observer; before the first catalog is opened.
  static func start() {
    _ = recorder_register { path, kind, offset, bytes, count in
      guard let path, let journal = CatalogRecorder.journal(for: String(cString: path)) else {
        return 0
      }
      return CatalogRecorder.observe(
        journal, String(cString: path), Int(kind), Int(offset),
        UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }
  }

  /// From now on what happens in a directory goes into a journal; nil for into none.
  static func set(_ journal: Journal?, for directory: String) {
    journals.withLock { $0[directory] = journal }
  }

  private static func journal(for path: String) -> Journal? {
    guard let slash = path.lastIndex(of: "/") else { return nil }
    return journals.withLock { $0[String(path[..<slash])] }
  }

  private static func observe(
    _ journal: Journal, _ path: String, _ kind: Int, _ offset: Int,
    _ bytes: UnsafeRawBufferPointer
  ) -> Int32 {
    switch kind {
    case Int(recorder_open): return 1
    case Int(recorder_created): journal.note(.create, of: path)
    case Int(recorder_write):
      let change = FileModel.Change.write(Array(bytes)[...], at: offset)
      return journal.admit(.change(change), of: path, .catalogWrite) ? 0 : full
    case Int(recorder_sync):
      guard journal.admit(.synchronize, of: path, .catalogSync) else { return failedSync }
      // SQLite makes the directory durable with the first sync of a new file.
      journal.note(.synchronizeName, of: path)
    case Int(recorder_truncate):
      return journal.admit(.change(.length(offset)), of: path, nil) ? 0 : failed
    case Int(recorder_delete):
      guard journal.admit(.remove, of: path, nil) else { return failed }
      if offset != 0 { journal.note(.synchronizeName, of: path) }
    default: break
    }
    return 0
  }
}
