/// The footers in the rest of a stream without a description.
///
/// A device's state may hold bytes that look like a footer, by chance or because a guest put them there.
/// So each place that looks like one is followed up to the end of the stream, which is done from the
/// back: a footer is *good* if the end follows it, or a section that has a good footer itself. A device's
/// state ends at the first good footer of its id. If there is none, the stream is damaged; the first
/// one that looks like a footer is taken then, so that the error is told where the damage is.
struct FooterIndex: Sendable {
  private struct Candidate {
    let offset: UInt64
    let id: UInt32
    let next: Next
  }

  /// What follows a footer, behind any commands.
  private enum Next {
    /// A section of this id, whose payload begins here.
    case section(UInt32, payload: UInt64)
    /// The end of the stream, as it has to be.
    case end
    /// No more bytes: the stream is cut off here.
    case nothing
  }

  /// Commands in a row that are followed; no stream has more than some.
  private static let commandCount = 16

  /// Of each id the offsets of its footers, the last one first.
  private var good: [UInt32: [UInt64]] = [:]
  private var all: [UInt32: [UInt64]] = [:]

  /// Looks through a stream from the cursor on, which is left where it is.
  ///
  /// - Parameters:
  ///   - cursor: at the beginning of a device's state.
  ///   - end: the length of the stream.
  ///   - sections: those announced so far.
  /// - Throws: ``StreamError`` if there are too many places that look like a footer.
  init(
    _ cursor: inout StreamCursor, end: UInt64, _ sections: SectionNames
  ) throws(StreamError) {
    let start = cursor.offset
    let candidates = try Self.candidates(&cursor, end: end, sections)
    cursor.seek(to: start)
    for candidate in candidates.reversed() {
      all[candidate.id, default: []].append(candidate.offset)
      let isGood =
        switch candidate.next {
        case .section(let id, let payload): Self.first(good[id], from: payload) != nil
        case .end: true
        case .nothing: false
        }
      if isGood { good[candidate.id, default: []].append(candidate.offset) }
    }
  }

  /// Where the footer of a section is whose payload begins at an offset; nil if there is none.
  func footer(of id: UInt32, from offset: UInt64) -> UInt64? {
    Self.first(good[id], from: offset) ?? Self.first(all[id], from: offset)
  }

  /// The smallest of some offsets, sorted downwards, that is not below a bound.
  private static func first(_ offsets: [UInt64]?, from bound: UInt64) -> UInt64? {
    guard let offsets else { return nil }
    // The last ones are below the bound.
    var low = 0
    var high = offsets.count
    while low < high {
      let middle = (low + high) / 2
      if offsets[middle] >= bound { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? offsets[low - 1] : nil
  }

  private static func candidates(
    _ cursor: inout StreamCursor, end: UInt64, _ sections: SectionNames
  ) throws(StreamError) -> [Candidate] {
    var candidates: [Candidate] = []
    let length = SectionEnds.footerByteCount
    while try cursor.has(1) {
      guard cursor.skip(to: SectionType.footer.rawValue) else { continue }
      guard try cursor.has(length) else { break }
      let offset = cursor.offset
      let id = cursor.peek(UInt32.self, ahead: 1)
      if try cursor.has(length + 1),
        !SectionFollower.canBegin(with: cursor.peek(UInt8.self, ahead: length))
      {
        _ = try cursor.skip(1)
        continue
      }
      let bytes = try cursor.peek(ahead: length, SectionFollower.byteCount)
      _ = try cursor.skip(1)
      guard
        let next = try follower(bytes, at: offset + UInt64(length), end: end, &cursor, sections)
      else { continue }
      guard candidates.count < StreamLimits.footerCandidateCount else {
        throw StreamError(
          .overLimit,
          "more than \(StreamLimits.footerCandidateCount) places look like the end of a section",
          at: offset)
      }
      candidates.append(Candidate(offset: offset, id: id, next: next))
    }
    return candidates
  }

  /// What follows a footer; nil if it is nothing that can.
  private static func follower(
    _ bytes: [UInt8], at offset: UInt64, end: UInt64, _ cursor: inout StreamCursor,
    _ sections: SectionNames
  ) throws(StreamError) -> Next? {
    var (bytes, offset) = (bytes, offset)
    for _ in 0...commandCount {
      if offset == end { return .nothing }
      guard offset < end,
        let kind = SectionFollower.kind(bytes, rest: end - offset, after: sections)
      else { return nil }
      switch kind {
      case .end: return .end
      case .section(let id, let headerByteCount):
        return .section(id, payload: offset + UInt64(headerByteCount))
      case .command(let byteCount):
        offset += UInt64(byteCount)
        bytes = try cursor.peek(at: offset, SectionFollower.byteCount)
      }
    }
    return nil
  }
}
