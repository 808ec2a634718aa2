extension Image {
  /// Who has the image open for writing; nil for nobody that can be seen.
  public func writer() -> LockHolder? {
    let holder = LockHolder.find(ofBytes: [LockBytes.Permission.write.useByte], in: file)
    return holder.processes.isEmpty ? nil : holder
  }
}
