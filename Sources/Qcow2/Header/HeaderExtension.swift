/// One header extension (qcow2 specification, "Header extensions").
struct HeaderExtension: Sendable, Hashable {
  /// What its data means.
  let type: UInt32
  /// Its data, without padding.
  let data: [UInt8]
  /// Where it begins in cluster 0; 0 for one that is not on disk yet.
  let position: Int

  /// Ends the chain.
  static let end: UInt32 = 0
  /// The backing file's format.
  static let backingFormat: UInt32 = 0xe279_2aca
  /// Names of feature bits.
  static let featureNameTable: UInt32 = 0x6803_f857
  /// The bitmap directory.
  static let bitmaps: UInt32 = 0x2385_2875
  /// Where the LUKS header is.
  static let luksHeader: UInt32 = 0x0537_be77
  /// The external data file's name.
  static let externalDataFile: UInt32 = 0x4441_5441
  /// snapjob's ids (`SJob`).
  static let snapjob: UInt32 = 0x534a_6f62
  /// snapjob's fence (`SJfn`).
  static let fence: UInt32 = 0x534a_666e
  /// snapjob's filler (`SJfl`), which leads over unused bytes to extensions that stay where they are.
  static let filler: UInt32 = 0x534a_666c

  /// Bytes that it takes on disk, padding included.
  var byteCount: Int { 8 + (data.count + 7) / 8 * 8 }
}
