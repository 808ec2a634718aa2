extension ImageDraft {
  /// Bytes of clusters that the image uses now and will not use, as far as the draft has been settled. What
  /// is only moved when the draft is prepared is not among them; of an image that was not closed cleanly
  /// there are some from the start.
  public var freedByteCount: Int64 {
    let runs = refcounts.freedRuns(below: geometry.clusterCount(fileLength: image.fileLength))
    return runs.reduce(0) { $0 + Int64($1.count) << Int64(geometry.clusterBits) }
  }
}
