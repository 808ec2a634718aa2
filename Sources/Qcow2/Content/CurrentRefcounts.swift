extension Image {
  /// The refcounts by which space is told: those on disk, or, of an image that was not closed cleanly, counted
  /// anew if that can be done.
  ///
  /// A program with lazy refcounts has the true ones in memory; what is on disk may count too many or too
  /// few.
  func currentRefcounts() throws(Qcow2Error) -> RefcountMap {
    if header.incompatible.contains(.dirty), let recounted = try? recountRefcounts() {
      return recounted
    }
    return try loadRefcounts()
  }
}
