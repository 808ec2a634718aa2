public import QMP

/// Commands of a running QEMU that can end it, and that it is asked for by force only. Whatever sends a command
/// to a running machine for a user goes through here.
public enum HarmfulCommand {
  /// The member of the arguments by which a user takes the risk; QEMU does not get it.
  public static let force = "x-force"

  /// Why a command is harmful, and what to do instead; nil for all others.
  private static func danger(
    of command: String, _ arguments: QMPValue?
  ) -> (reason: String, advice: String)? {
    switch command {
    case "xen-load-devices-state":
      (
        "it loads over devices that run, and ends QEMU 7.2 to 10.2 at once (the whole machine, with what is "
          + "not written yet)", "Stop the machine and load into its snapshot"
      )
    case "block-dirty-bitmap-merge" where arguments?["bitmaps"]?.elements.isEmpty == true:
      (
        "it names no bitmap to merge, and ends QEMU 7.2 at once (the whole machine, with what is not written "
          + "yet)", "Name one"
      )
    case "transaction":
      (arguments?["actions"]?.elements ?? []).lazy.compactMap { action in
        danger(of: action.text("type"), action["data"])
      }.first
    default: nil
    }
  }

  /// Checks a command before QEMU gets it.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - arguments: an object, or nil for none; `"x-force": true` takes the risk.
  /// - Returns: the arguments as QEMU gets them.
  /// - Throws: `QMPError` of kind `refused` for a harmful one without force; QEMU was not asked.
  public static func check(
    _ command: String, _ arguments: QMPValue?
  ) throws(QMPError) -> QMPValue? {
    guard let danger = danger(of: command, arguments) else { return arguments }
    guard case .object(let members) = arguments, arguments?.isTrue(force) == true else {
      throw QMPError(
        .genericError,
        "\(command) is not for a machine that runs: \(danger.reason). \(danger.advice), or take the risk: "
          + "--force (\"\(force)\": true in QMP)", kind: "refused")
    }
    return .object(members.filter { $0.name != force })
  }
}
