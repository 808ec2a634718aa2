import QMP

/// The outcome of checking one image, in qemu-img's words.
struct CheckReport {
  private let result: QMPValue

  init(_ result: QMPValue) { self.result = result }

  /// Each problem found, in qemu-img's words.
  var messages: [String] { result.texts("messages") }

  /// qemu-img's exit code for this image.
  var status: ExitStatus {
    guard let code = result["exit-code"]?.asInteger, let small = Int32(exactly: code) else {
      return .failed
    }
    return ExitStatus(rawValue: small)
  }

  /// The worst of several: corruption, then what could not be checked, then leaks.
  static func worst(_ statuses: [ExitStatus]) -> ExitStatus {
    for code: Int32 in [2, 1, 63, 3] {
      let status = ExitStatus(rawValue: code)
      if statuses.contains(status) { return status }
    }
    return statuses.first { $0 != .done } ?? .done
  }

  /// Whether the image could be looked at.
  var isChecked: Bool { [0, 2, 3].contains(status.rawValue) }

  /// What `qemu-img check -r` prints of what it has mended; nil for nothing.
  var repairText: String? {
    let leaks = result.integer("leaks-fixed")
    let corruptions = result.integer("corruptions-fixed")
    guard leaks > 0 || corruptions > 0 else { return nil }
    return """
      The following inconsistencies were found and repaired:

          \(leaks) leaked clusters
          \(corruptions) corruptions

      """
  }

  /// What `qemu-img check` prints for people about an image that could be looked at.
  var text: String {
    let corruptions = result.integer("corruptions")
    let leaks = result.integer("leaks")
    let errors = result.integer("check-errors")
    var lines: [String] = []
    if corruptions == 0, leaks == 0, errors == 0 {
      lines.append("No errors were found on the image.")
    }
    if corruptions > 0 {
      lines += [
        "", "\(corruptions) errors were found on the image.",
        "Data may be corrupted, or further writes to the image may corrupt it.",
      ]
    }
    if leaks > 0 {
      lines += [
        "", "\(leaks) leaked clusters were found on the image.",
        "This means waste of disk space, but no harm to data.",
      ]
    }
    if errors > 0 {
      lines += ["", "\(errors) internal errors have occurred during the check."]
    }
    let total = result.integer("total-clusters")
    let allocated = result.integer("allocated-clusters")
    if total > 0, allocated > 0 {
      let share = Self.percent(allocated, of: total)
      let fragmented = Self.percent(result.integer("fragmented-clusters"), of: allocated)
      let compressed = Self.percent(result.integer("compressed-clusters"), of: allocated)
      lines.append(
        "\(allocated)/\(total) = \(share)% allocated, \(fragmented)% fragmented, "
          + "\(compressed)% compressed clusters")
    }
    let end = result.integer("image-end-offset")
    if end > 0 { lines.append("Image end offset: \(end)") }
    return lines.joined(separator: "\n")
  }

  /// A share with two decimals, as C's `%0.2f` gives it.
  private static func percent(_ part: Int64, of whole: Int64) -> String {
    let hundredths = (Double(part) * 100 / Double(whole) * 100).rounded(.toNearestOrEven)
    guard let value = Int64(exactly: hundredths), value >= 0 else { return "0.00" }
    let fraction = value % 100
    return "\(value / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
