import QMP

/// The question before something that cannot be taken back. Asked if standard input is a terminal, never
/// elsewhere.
struct Confirmation: Sendable, Hashable {
  /// The question, with what is at stake.
  let question: String

  /// The question before a load or a delete; nil for a save, which loses nothing.
  ///
  /// - Parameters:
  ///   - order: what is asked for.
  ///   - disks: where.
  ///   - machine: the machine's name as the endpoint tells it; nil for that of the disks.
  ///   - bytesAtRisk: for a load, the bytes that are in no snapshot.
  init?(_ order: SnapshotOrder, disks: Disks, machine: String?, bytesAtRisk: Int64) {
    let name = machine ?? disks.machine
    let prefix = name.map { "\(Table.printable($0)): " } ?? ""
    let place = Quantity.count(disks.devices.count, "disk")
    let what = "\(prefix)\(order.verb.rawValue) \(order.names) on \(place)"
    switch order.verb {
    case .save: return nil
    case .delete: question = "\(what). Go on? [y/N]"
    case .load:
      if let saved = order.saveCurrent {
        question = "\(what); the present state is saved as \(Table.printable(saved)). Go on? [y/N]"
      } else if bytesAtRisk == 0 {
        question = "\(what); nothing written since then will be lost. Go on? [y/N]"
      } else {
        question =
          "\(what); \(Quantity.bytes(bytesAtRisk)) written since then are in no snapshot and "
          + "will be lost. Go on? [y/N] (to keep them: --save-current TAG)"
      }
    }
  }

  init(question: String) { self.question = question }

  /// Asks, if there is somebody to ask.
  ///
  /// - Throws: a failure with code 1 for any answer but yes, and the console's if it cannot ask; nothing
  ///   has been changed then.
  func ask(_ console: Console) throws(CommandFailure) {
    guard console.isInteractive else { return }
    let answer = try console.ask(question)?.lowercased()
    guard answer == "y" || answer == "yes" else {
      throw CommandFailure(.failed, "not confirmed; nothing was changed")
    }
  }
}
