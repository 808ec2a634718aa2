/// VM state for a snapshot that is being taken.
public struct VMState: Sendable {
  enum Content: Sendable {
    /// The clusters that another snapshot of the same image has: nothing is copied, their references rise.
    case shared(VMStateArea)
    /// Bytes that are written into new clusters.
    case copied(any VMStateSource)
  }

  let content: Content
  /// The guest's clock in nanoseconds, as lists show it; 0 where it is not known.
  let vmClockNanoseconds: UInt64
  /// Instruction count under record and replay; nil for none.
  let icount: UInt64?

  /// Bytes of the state.
  public var byteCount: UInt64 {
    switch content {
    case .shared(let area): area.byteCount
    case .copied(let source): source.byteCount
    }
  }

  init(_ content: Content, vmClockNanoseconds: UInt64, icount: UInt64?) {
    self.content = content
    self.vmClockNanoseconds = vmClockNanoseconds
    self.icount = icount
  }

  /// State whose bytes are copied into the image when the draft is prepared.
  ///
  /// - Parameters:
  ///   - source: has at least 1 byte; it does not change until then.
  ///   - vmClockNanoseconds: the guest's clock, as lists show it; 0 where it is not known.
  ///   - icount: the instruction count under record and replay; nil for none.
  /// - Returns: the state.
  public static func copied(
    from source: any VMStateSource, vmClockNanoseconds: UInt64 = 0, icount: UInt64? = nil
  ) -> VMState {
    VMState(.copied(source), vmClockNanoseconds: vmClockNanoseconds, icount: icount)
  }
}

/// Copied VM state whose clusters are reserved already.
struct VMStateCopy: Sendable {
  private let source: any VMStateSource
  /// Where the clusters are, in the order of the state's bytes.
  private let runs: [HostRun]

  init(_ source: any VMStateSource, into runs: [HostRun]) {
    self.source = source
    self.runs = runs
  }

  /// The clusters that the state takes.
  var clusterCount: Int { runs.reduce(0) { $0 + $1.count } }
  /// The first of them: where it is not referred to, none is.
  var firstCluster: HostCluster? { runs.first?.first }

  /// Hands out the state in long pieces, each with its place; the last cluster is filled up with zeros.
  ///
  /// - Throws: ``Qcow2Error`` if the source ends early or cannot be read; what the body throws.
  func forEachPiece(
    _ geometry: ClusterGeometry, _ body: (UnsafeRawBufferPointer, HostOffset) throws -> Void
  ) throws {
    var source = self.source
    let clustersAtOnce = max(1, PosixFile.batchByteCount / geometry.clusterSize)
    let longest = min(runs.map(\.count).max() ?? 1, clustersAtOnce)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: longest * geometry.clusterSize, alignment: 4096)
    defer { buffer.deallocate() }
    var offset: UInt64 = 0
    for run in runs {
      var done = 0
      while done < run.count {
        let clusters = min(run.count - done, clustersAtOnce)
        let piece = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<(clusters * geometry.clusterSize)])
        let wanted = Int(min(UInt64(piece.count), source.byteCount - offset))
        let content = UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted])
        guard try source.read(into: content, at: offset) == wanted else {
          throw Qcow2Error.malformed("the VM state ends before its \(source.byteCount) bytes")
        }
        UnsafeMutableRawBufferPointer(rebasing: piece[wanted...])
          .initializeMemory(as: UInt8.self, repeating: 0)
        try body(UnsafeRawBufferPointer(piece), geometry.offset(of: run[done]))
        offset += UInt64(wanted)
        done += clusters
      }
    }
  }
}
