/// One operation of a history, by snapjob or by one of qemu's programs.
enum HistoryStep: CustomStringConvertible {
  /// qemu-io runs commands.
  case guest([String])
  /// qemu-io runs commands and dies; then snapjob saves under a tag.
  case crash([String], save: String)
  /// qemu-img changes the disk's size, in bytes.
  case resize(Int)
  /// qemu-img makes a snapshot.
  case qemuSave(String)
  /// qemu-img goes back to one.
  case qemuLoad(String)
  /// qemu-img removes one.
  case qemuDelete(String)
  /// snapjob makes one.
  case save(String)
  /// snapjob makes one in the place of another of the tag.
  case replace(String)
  /// snapjob goes back to one.
  case load(String)
  /// snapjob goes back to one and keeps the present state under another tag.
  case saveCurrent(String, load: String)
  /// snapjob removes one.
  case delete(String)

  /// snapjob's words; nil if others do it.
  var arguments: [String]? {
    switch self {
    case .guest, .resize, .qemuSave, .qemuLoad, .qemuDelete: nil
    case .save(let tag), .crash(_, save: let tag): ["save", "--tag", tag]
    case .replace(let tag): ["save", "--tag", tag, "--replace"]
    case .load(let tag): ["load", "--tag", tag, "--yes"]
    case .saveCurrent(let new, load: let tag):
      ["load", "--tag", tag, "--save-current", new, "--yes"]
    case .delete(let tag): ["delete", "--tag", tag, "--yes"]
    }
  }

  var description: String {
    switch self {
    case .guest(let commands): "qemu-io: \(commands.joined(separator: "; "))"
    case .crash(let commands, save: let tag):
      "qemu-io, killed: \(commands.joined(separator: "; ")); snapjob save --tag \(tag)"
    case .resize(let size): "qemu-img resize \(size)"
    case .qemuSave(let tag): "qemu-img snapshot -c \(tag)"
    case .qemuLoad(let tag): "qemu-img snapshot -a \(tag)"
    case .qemuDelete(let tag): "qemu-img snapshot -d \(tag)"
    default: "snapjob \(arguments?.joined(separator: " ") ?? "")"
    }
  }
}
