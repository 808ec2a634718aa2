extension ImageCheck {
  /// The refcounts as they should be, in a map whose table and blocks are all to be written anew: the old
  /// ones count as free, and like every other cluster that is counted or referred to on disk they are not
  /// written to.
  ///
  /// - Precondition: everything was found; see ``CheckFindings/firstLasting``.
  /// - Throws: ``Qcow2Error`` (overLimit) for counts that this engine does not keep.
  func rebuiltRefcounts() throws(Qcow2Error) -> RefcountMap {
    precondition(findings.firstLasting == nil, "what nobody has found must not be given away")
    let perBlock = geometry.refcountBlockEntryCount
    var blocks: [[RefcountMap.Count]] = []
    for first in stride(from: 0, to: max(clusterCount, 1), by: perBlock) {
      blocks.append(try rebuiltBlock(first..<min(first + perBlock, clusterCount)))
    }
    return RefcountMap(rebuilding: geometry, blocks: blocks, clusterLimit: image.clusterLimit)
  }

  private func rebuiltBlock(
    _ clusters: Range<Int>
  ) throws(Qcow2Error) -> [RefcountMap.Count] {
    if stored.areZeros(around: HostCluster(clusters.lowerBound)),
      !references.hasAny(in: clusters)
    {
      return []
    }
    var counts = [RefcountMap.Count](
      repeating: .unused, count: geometry.refcountBlockEntryCount)
    for index in clusters {
      let cluster = HostCluster(index)
      guard references[cluster] > 0 || stored[cluster] ?? 0 > 0 else { continue }
      let count = contentReferences[cluster]
      guard count <= Limits.refcount else {
        throw .overLimit(
          "a cluster has \(count) references, more than snapjob counts",
          at: geometry.offset(of: cluster).bytes)
      }
      counts[index - clusters.lowerBound] = .used(count)
    }
    return counts
  }
}

extension Image {
  /// Clusters that the file has room for.
  var clusterLimit: Int {
    file.isBlockDevice ? Int(fileLength >> Int64(geometry.clusterBits)) : 1 << 47
  }

  /// The refcounts of an image that was not closed cleanly, counted anew.
  ///
  /// - Throws: ``Qcow2Error`` (corrupt) if more is wrong than that.
  func recountRefcounts() throws(Qcow2Error) -> RefcountMap {
    do {
      let check = try ImageCheck(self) { _ in }
      if let finding = check.findings.firstLasting {
        throw Qcow2Error.corrupt(
          "the image was not closed cleanly, and not only its refcounts are wrong (\(finding))")
      }
      return try check.rebuiltRefcounts()
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw Qcow2Error(.io, "\(error)")
    }
  }
}
