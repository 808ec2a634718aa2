import FileNames
import Glibc
import SystemPackage

/// What `/proc` says of the processes of this machine. Processes come and go: what cannot be read is
/// empty.
enum ProcessTable {
  /// The ids of all processes, ascending.
  static func processIDs() -> [Int32] { numericEntries("/proc") }

  /// A process's open descriptors; empty if this user may not look into it.
  static func descriptors(of pid: Int32) -> [Int32] { numericEntries("/proc/\(pid)/fdinfo") }

  /// The locks held through a descriptor.
  static func locks(_ pid: Int32, descriptor: Int32) -> [FileLock] {
    let text = String(decoding: contents("/proc/\(pid)/fdinfo/\(descriptor)"), as: UTF8.self)
    return text.split(separator: "\n").compactMap { FileLock(fdinfoLine: $0) }
  }

  /// The file behind a descriptor.
  static func identity(_ pid: Int32, descriptor: Int32) -> FileIdentity? {
    (try? FilePath("/proc/\(pid)/fd/\(descriptor)").stat()).map { FileIdentity($0) }
  }

  /// A process's names.
  static func process(_ pid: Int32) -> LockHolder.Process {
    let words = contents("/proc/\(pid)/cmdline")
      .split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    let title = words.first?.pathNames.last
    let name = String(decoding: contents("/proc/\(pid)/comm").prefix { $0 != 10 }, as: UTF8.self)
    return LockHolder.Process(
      pid: pid, program: printable(title ?? name),
      machineName: machineName(inCommandLine: words).map(printable))
  }

  /// The guest's name in a QEMU command line: `-name web01`, `-name guest=web01,process=x`, where a
  /// doubled comma stands for one.
  static func machineName(inCommandLine words: [String]) -> String? {
    guard let index = words.lastIndex(where: { $0 == "-name" || $0 == "--name" }),
      index + 1 < words.count
    else { return nil }
    let options = words[index + 1].replacing(",,", with: "\0").split(separator: ",").map {
      String($0.replacing("\0", with: ","))
    }
    if let guest = options.last(where: { $0.hasPrefix("guest=") }) {
      return String(guest.dropFirst("guest=".count))
    }
    return options.first.flatMap { $0.contains("=") ? nil : $0 }
  }

  /// A foreign process chose these words: no control characters, and not without end.
  private static func printable(_ text: String) -> String {
    String(text.unicodeScalars.prefix(64).map { $0.properties.isPrintable ? Character($0) : "?" })
  }

  private static func numericEntries(_ path: String) -> [Int32] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var numbers: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let number = Int32(name) { numbers.append(number) }
    }
    return numbers.sorted()
  }

  /// The first 64 KiB of a file.
  private static func contents(_ path: String) -> [UInt8] {
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else {
      return []
    }
    defer { try? file.close() }
    let limit = 65536
    let bytes = try? [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      let raw = UnsafeMutableRawBufferPointer(buffer)
      while count < limit {
        let read = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: raw[count...]))
        if read == 0 { break }
        count += read
      }
    }
    return bytes ?? []
  }
}

extension Unicode.Scalar.Properties {
  /// Whether a character can be shown on a line of text as it is.
  fileprivate var isPrintable: Bool {
    switch generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    default: true
    }
  }
}
