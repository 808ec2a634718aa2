/// How a recount becomes the image's new refcounts.
enum RecountRule: Sendable, Hashable {
  /// Counts become what was found.
  case all
  /// Counts become what was found where that is more; nobody knows what the others are for.
  case raise
  /// Counts become what was found where that is less: leaks are given back.
  case lower

  /// The new count.
  ///
  /// - Parameters:
  ///   - stored: the count on disk.
  ///   - found: the references.
  /// - Returns: what is to be stored.
  func count(stored: UInt64, found: UInt32) -> UInt64 {
    switch self {
    case .all: UInt64(found)
    case .raise: max(stored, UInt64(found))
    case .lower: min(stored, UInt64(found))
    }
  }
}

extension ImageCheck {
  /// The refcounts as they should be, in a map whose table and blocks are all to be written anew: the old
  /// ones count as free, and like every other cluster that is counted or referred to on disk they are not
  /// written to.
  ///
  /// - Throws: ``Qcow2Error`` (overLimit) for counts that this engine does not keep.
  func rebuiltRefcounts(_ rule: RecountRule) throws(Qcow2Error) -> RefcountMap {
    let perBlock = geometry.refcountBlockEntryCount
    var blocks: [[RefcountMap.Count]] = []
    for first in stride(from: 0, to: max(clusterCount, 1), by: perBlock) {
      blocks.append(try rebuiltBlock(first..<min(first + perBlock, clusterCount), rule))
    }
    return RefcountMap(
      rebuilding: geometry, blocks: blocks, clusterLimit: image.clusterLimit)
  }

  private func rebuiltBlock(
    _ clusters: Range<Int>, _ rule: RecountRule
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
      // Where nobody knows, and something may lead there, nothing is written.
      let onDisk = stored[cluster] ?? (findings.obstacle == nil ? 0 : 1)
      let all = references[cluster]
      guard onDisk > 0 || all > 0 else { continue }
      let found = contentReferences[cluster]
      // What counted the old table and blocks goes with them.
      let kept = onDisk - min(onDisk, UInt64(all - found))
      let count = rule.count(stored: kept, found: found)
      guard count <= UInt64(Limits.refcount) else {
        throw .overLimit(
          "a cluster has \(count) references, more than snapjob counts",
          at: geometry.offset(of: cluster).bytes)
      }
      counts[index - clusters.lowerBound] = .used(UInt32(count))
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
          "the image was not closed cleanly, and not only its refcounts are wrong (\(finding)); see: "
            + "snapjob check")
      }
      return try check.rebuiltRefcounts(.all)
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw Qcow2Error(.io, "\(error)")
    }
  }
}
