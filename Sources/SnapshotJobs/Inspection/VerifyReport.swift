public import Qcow2

/// What the verification of one image found.
public struct VerifyReport: Sendable, Hashable {
  /// One state of the image: the active one or a snapshot's.
  public struct State: Sendable, Hashable {
    /// The snapshot's tag; nil for the active state.
    public let tag: String?
    /// The snapshot's id; nil for the active state.
    public let id: String?
    /// What our own reader found.
    public let content: StateReport
    /// Where and why the device state is no stream that QEMU could load; nil if there is none, or nothing
    /// is wrong with it.
    public let deviceStateProblem: String?

    /// Makes one.
    public init(
      tag: String?, id: String?, content: StateReport, deviceStateProblem: String? = nil
    ) {
      self.tag = tag
      self.id = id
      self.content = content
      self.deviceStateProblem = deviceStateProblem
    }
  }

  /// The file.
  public let path: String
  /// The states that were read, the active one first.
  public internal(set) var states: [State] = []
  /// What is wrong with the places of the image's own structures, as sentences.
  public internal(set) var structureProblems: [String] = []
  /// The name of the backing file, which is never opened; nil if there is none.
  public internal(set) var backingFileName: String?
  /// Guest bytes of the active state that both readers agree on.
  public internal(set) var bytesEqual: UInt64 = 0
  /// Guest ranges in bytes on which they differ, cluster by cluster; at most ``maximumDifferences``.
  public internal(set) var differences: [Range<UInt64>] = []
  /// Clusters that were left out of the comparison, by the reason.
  public internal(set) var leftOut: [String: UInt64] = [:]
  /// Why the second reader could not look at all; nil if it could.
  public internal(set) var secondReaderProblem: String?

  /// How many differences a report keeps.
  public static let maximumDifferences = 64

  init(path: String) { self.path = path }

  /// Whether nothing is wrong with what was read, and the readers agree on what both could read.
  public var isSound: Bool {
    isReadable && differences.isEmpty && states.allSatisfy { $0.deviceStateProblem == nil }
  }

  /// Whether nothing is wrong with the image itself, whatever the streams in it are.
  var isReadable: Bool {
    structureProblems.isEmpty && states.allSatisfy { $0.content.problemCount == 0 }
  }
}
