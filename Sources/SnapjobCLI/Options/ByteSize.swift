import ArgumentParser

/// A size as qemu writes it, as an argument: `4096`, `64k`, `1.5G`; suffixes are powers of 1024.
struct ByteSize: ExpressibleByArgument, Sendable, Hashable {
  /// The number of bytes.
  let byteCount: Int64

  init?(argument: String) {
    let suffixes: [Character: Int] = ["b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60]
    var digits = Substring(argument)
    var shift = 0
    if let last = digits.last, !last.isNumber {
      guard let known = suffixes[Character(last.lowercased())] else { return nil }
      shift = known
      digits = digits.dropLast()
    }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard
      (1...2).contains(parts.count),
      parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let whole = Int64(parts[0])
    else { return nil }
    let (bytes, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { return nil }
    guard parts.count == 2 else {
      byteCount = bytes
      return
    }
    // A fraction of a byte means nothing; of anything else it is rounded down.
    guard shift > 0, let fraction = Double("0.\(parts[1])") else { return nil }
    let rest = Int64(fraction * Double(Int64(1) << shift))
    let (sum, sumOverflow) = bytes.addingReportingOverflow(rest)
    guard !sumOverflow else { return nil }
    byteCount = sum
  }
}
