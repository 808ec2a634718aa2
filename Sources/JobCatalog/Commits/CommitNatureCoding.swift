import Foundation
import SnapshotJobs

/// A commit's nature as the JSON text that the catalog keeps.
enum CommitNatureCoding {
  static func encode(_ nature: CommitNature) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(nature), as: UTF8.self)
  }

  static func decode(_ text: String) throws(MalformedRow) -> CommitNature {
    do {
      return try JSONDecoder().decode(CommitNature.self, from: Data(text.utf8))
    } catch {
      throw MalformedRow(place: "commit_record.nature", problem: "'\(text)' is no nature")
    }
  }
}
