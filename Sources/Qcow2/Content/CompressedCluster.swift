extension Image {
  /// Reads a compressed cluster.
  ///
  /// - Parameters:
  ///   - host: where its data begin.
  ///   - byteCount: bytes up to the end of its last sector, at most two clusters by the entry's layout;
  ///     behind the end of the file are zeros.
  ///   - guest: the cluster's first byte on the disk, for the message.
  ///   - cluster: one cluster long; filled.
  /// - Throws: ``Qcow2Error``; corrupt if the data do not inflate to a cluster.
  func inflate(
    at host: HostOffset, byteCount: Int, guest: GuestOffset,
    into cluster: UnsafeMutableRawBufferPointer
  ) throws(Qcow2Error) {
    var data = try file.readZeroPadded(byteCount: byteCount, at: Int64(host.bytes))
    let problem = data.withUnsafeMutableBytes {
      ClusterDecompressor(header).inflate(cluster, from: $0)
    }
    guard let problem else { return }
    throw .corrupt(
      "the compressed cluster at guest offset \(guest) cannot be inflated (\(problem)); "
        + "its content is lost, take it from a snapshot or a backup",
      at: host.bytes, advice: nil)
  }
}
