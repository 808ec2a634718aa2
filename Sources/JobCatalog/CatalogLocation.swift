import FileNames
import Foundation
import Glibc
public import Jobs
public import SnapshotJobs

extension Catalog {
  /// Where the catalog is if the command line does not say.
  ///
  /// `SNAPJOB_CATALOG`; else for root `/var/lib/snapjob/catalog.sqlite`, for others
  /// `snapjob/catalog.sqlite` in `XDG_STATE_HOME` or `~/.local/state`. An empty variable counts as
  /// missing, and so does an `XDG_STATE_HOME` that is no absolute path (its specification's rule).
  ///
  /// - Parameters:
  ///   - option: the value of `--catalog`, which is above everything else.
  ///   - environment: the environment variables.
  ///   - uid: the effective user id.
  /// - Returns: the path; whether a catalog can be there is seen when it is opened.
  /// - Throws: `JobError` (usage) if a user has no home directory.
  public static func location(
    option: String? = nil, environment: [String: String], uid: UInt32
  ) throws(JobError) -> String {
    if let option { return option }
    func variable(_ name: String) -> String? {
      environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
    if let path = variable("SNAPJOB_CATALOG") { return path }
    if uid == 0 { return "/var/lib/snapjob/catalog.sqlite" }
    if let state = variable("XDG_STATE_HOME"), state.isAbsolutePath {
      return state + "/snapjob/catalog.sqlite"
    }
    guard let home = variable("HOME") ?? homeDirectory(of: uid), home.isAbsolutePath else {
      throw JobError(
        .usage, "User \(uid) has no home directory for a catalog. Choose one with --catalog PATH")
    }
    return home + "/.local/state/snapjob/catalog.sqlite"
  }

  /// The default catalogs, of root and of this user, that can be used: where the commit of a fence may be that
  /// another catalog does not know of.
  ///
  /// - Parameter path: the catalog that is in use already.
  /// - Returns: the others, open.
  public static func defaultLogs(beside path: String) -> [any CommitLog] {
    var environment = processEnvironment()
    environment["SNAPJOB_CATALOG"] = nil
    let places = [0, geteuid()].compactMap { uid in
      try? location(environment: environment, uid: uid)
    }
    return Set(places.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }.compactMap
    { bytes in
      let place = String(decoding: bytes, as: UTF8.self)
      guard !place.hasSameBytes(as: path), access(place, R_OK | W_OK) == 0 else { return nil }
      return try? Catalog(path: place)
    }
  }

  private static func homeDirectory(of uid: UInt32) -> String? {
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    // Entries are far below this, also where they come from a directory service.
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwuid_r(uid, &entry, &buffer, buffer.count, &result) == 0, result != nil,
      let directory = entry.pw_dir
    else { return nil }
    return withExtendedLifetime(buffer) { String(fileName: directory) }
  }
}
