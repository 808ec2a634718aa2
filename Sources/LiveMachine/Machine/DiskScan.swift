import FileNames
import Jobs
import QMP

/// The writable disks of a running machine: what its guest can change, and what else QEMU has open for
/// writing as qcow2.
///
/// Read-only disks, empty drives and CDs are left out: they have no state.
struct DiskScan: Sendable {
  let disks: [LiveDisk]

  /// Asks a monitor.
  init(_ monitor: any QMPEndpoint) async throws(QMPError) {
    let devices = try await monitor.execute("query-block", nil)
    let nodes = try await monitor.execute("query-named-block-nodes", ["flat": true])
    self.init(devices: devices, nodes: nodes)
  }

  /// Reads the replies of `query-block` and `query-named-block-nodes`.
  init(devices: QMPValue, nodes: QMPValue) {
    var disks: [LiveDisk] = []
    for device in devices.elements {
      guard let inserted = device["inserted"], !inserted.isTrue("ro") else { continue }
      disks.append(LiveDisk(inserted, device: device))
    }
    // Monitor-owned nodes without a device take part in snapshots as well, if they are named.
    for node in nodes.elements.reversed()
    where node.text("drv") == "qcow2" && !node.isTrue("ro")
      && !disks.contains(where: { $0.node == node.text("node-name") })
    {
      disks.append(LiveDisk(node, device: nil))
    }
    self.disks = disks
  }
}

extension LiveDisk {
  /// Reads an element of `query-named-block-nodes`, and the device that has it.
  fileprivate init(_ inserted: QMPValue, device: QMPValue?) {
    let node = inserted.text("node-name")
    let qdev = device?.text("qdev") ?? ""
    let drive = device?.text("device") ?? ""
    self.init(
      node: node, label: Self.label(node: node, drive: drive, qdev: qdev),
      path: Self.path(inserted), driver: inserted.text("drv"),
      isFlash: drive.hasPrefix("pflash") || qdev.contains(".flash"), isAttached: device != nil,
      bitmaps: (inserted["dirty-bitmaps"]?.elements ?? []).map { bitmap in
        let name = bitmap.text("name")
        return name.isEmpty ? "one without a name" : name
      },
      snapshots: (inserted["image"]?["snapshots"]?.elements ?? []).map {
        Snapshot(
          id: $0.text("id"), name: $0.text("name"), vmStateSize: $0.integer("vm-state-size"),
          dateSeconds: $0.integer("date-sec"),
          dateNanoseconds: UInt32(clamping: $0.integer("date-nsec")))
      })
  }

  /// The name that a user has given, in this order: node name, drive id, device id.
  private static func label(node: String, drive: String, qdev: String) -> String? {
    if !node.isEmpty, !node.hasPrefix("#") { return node }
    if !drive.isEmpty { return drive }
    guard qdev.hasPrefix("/") else { return qdev.isEmpty ? nil : qdev }
    let parts = qdev.split(separator: "/")
    guard let place = parts.firstIndex(of: "peripheral"), place + 1 < parts.count else {
      return nil
    }
    return String(parts[place + 1])
  }

  /// The file of a node; where QEMU needs more words to open it, the file is among them.
  ///
  /// - Returns: nil also for a name that is no UTF-8: QEMU tells it with signs in the bytes' places, which would be
  ///   the name of another file.
  private static func path(_ inserted: QMPValue) -> String? {
    let name = inserted["image"]?["filename"]?.asText ?? inserted.text("file")
    if name.contains("\u{FFFD}") { return nil }
    if name.isAbsolutePath { return String(fileName: name.utf8) }
    guard name.hasPrefix("json:"), let options = try? QMPValue(parsing: String(name.dropFirst(5)))
    else { return nil }
    let file = options["file"]?["filename"]?.asText ?? options["filename"]?.asText
    return file.flatMap { $0.isAbsolutePath ? String(fileName: $0.utf8) : nil }
  }
}
