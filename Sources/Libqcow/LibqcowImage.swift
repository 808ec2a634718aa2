import CLibqcow
import FileNames
import Jobs
import SnapshotJobs

/// An image as libqcow has it open. Used by one thread; closed when the last reference goes.
final class LibqcowImage: SecondReaderImage {
  let size: UInt64
  private let file: UnsafeMutablePointer<libqcow_file_t>
  private let path: String

  init(path: String) throws(JobError) {
    var candidate: UnsafeMutablePointer<libqcow_file_t>?
    try LibqcowCall.check(path) { libqcow_file_initialize(&candidate, &$0) }
    guard let opened = candidate else {
      throw JobError(.refused, "\(path): libqcow made no file object")
    }
    do throws(JobError) {
      try LibqcowCall.check(path) {
        error in
        path.withFileName {
          libqcow_file_open(opened, $0, libqcow_get_access_flags_read(), &error)
        }
      }
      try Self.checkIsReadable(opened, path: path)
      var byteCount: size64_t = 0
      try LibqcowCall.check(path) { libqcow_file_get_media_size(opened, &byteCount, &$0) }
      size = byteCount
    } catch {
      Self.close(opened)
      throw error
    }
    file = opened
    self.path = path
  }

  deinit { Self.close(file) }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(JobError) {
    let (end, overflows) = offset.addingReportingOverflow(UInt64(buffer.count))
    guard !overflows, end <= size, end <= UInt64(Int64.max) else {
      throw JobError(
        .general,
        "\(path): libqcow was asked for \(buffer.count) bytes at \(offset), beyond the end")
    }
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let position = off64_t(offset) + off64_t(done)
      let count = try LibqcowCall.check(path) {
        libqcow_file_read_buffer_at_offset(file, rest.baseAddress, rest.count, position, &$0)
      }
      guard count > 0 else {
        throw JobError(.refused, "\(path): libqcow read nothing at offset \(position)")
      }
      done += count
    }
  }

  /// Refuses what libqcow opens but would read as something else.
  private static func checkIsReadable(
    _ file: UnsafeMutablePointer<libqcow_file_t>, path: String
  ) throws(JobError) {
    var backingNameSize = 0
    let hasBackingFile = try LibqcowCall.check(path) {
      libqcow_file_get_utf8_backing_filename_size(file, &backingNameSize, &$0)
    }
    guard hasBackingFile == 0 || backingNameSize <= 1 else {
      throw JobError(
        .refused, "\(path): libqcow does not read an image with a backing file without that file")
    }
    var encryption: UInt32 = 0
    try LibqcowCall.check(path) { libqcow_file_get_encryption_method(file, &encryption, &$0) }
    guard encryption == 0 else {
      throw JobError(.refused, "\(path): libqcow does not read an encrypted image without its key")
    }
  }

  /// Closing a file that was only read loses nothing: its errors need no report.
  private static func close(_ file: UnsafeMutablePointer<libqcow_file_t>) {
    var file: UnsafeMutablePointer<libqcow_file_t>? = file
    var error: UnsafeMutablePointer<libqcow_error_t>?
    _ = libqcow_file_free(&file, &error)
    libqcow_error_free(&error)
  }
}
