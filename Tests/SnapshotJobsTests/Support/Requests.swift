import FoundationEssentials
import SnapshotJobs
import TestOracles

extension SnapshotRequest {
  static func save(
    _ tag: String, on nodes: [Node], existOK: Bool = false, replace: Bool = false
  ) -> SnapshotRequest {
    var request = make(.save, tag, nodes)
    request.existOK = existOK
    request.replace = replace
    return request
  }

  static func load(
    _ tag: String, on nodes: [Node], saveCurrent: String? = nil
  ) -> SnapshotRequest {
    var request = make(.load, tag, nodes)
    request.saveCurrent = saveCurrent
    return request
  }

  static func delete(
    _ tag: String, on nodes: [Node], moreTags: [String] = [], mustExist: Bool = false
  ) -> SnapshotRequest {
    var request = make(.delete, tag, nodes)
    request.moreTags = moreTags
    request.mustExist = mustExist
    return request
  }

  private static func make(
    _ operation: Operation, _ tag: String, _ nodes: [Node]
  ) -> SnapshotRequest {
    SnapshotRequest(
      operation: operation, tag: tag, devices: nodes.map(\.name.description), vmstate: nil)
  }

  /// As the catalog keeps it.
  func json() throws -> String {
    String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
  }
}

extension SnapshotResult {
  /// Reads what a job left as its result.
  init(parsing text: String?) throws {
    guard let text else { throw OracleError("the job left no result") }
    self = try JSONDecoder().decode(SnapshotResult.self, from: Data(text.utf8))
  }
}
