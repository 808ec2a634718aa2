import FuzzEntry

/// What libFuzzer calls with each input: a finding ends the process.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do throws(Finding) {
    try FuzzEntry.deviceState(UnsafeBufferPointer(start: bytes, count: count))
  } catch {
    fatalError("finding: \(error)")
  }
  return 0
}
