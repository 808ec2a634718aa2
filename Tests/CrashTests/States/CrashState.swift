/// All files at one instant at which a process, or the machine, has ended.
struct CrashState: Sendable {
  /// By path.
  var files: [String: FileModel]
  /// So many steps were told to be done.
  var acknowledged: Int
  /// How it came about, for messages.
  var story: String
  /// Whether the first sector of the only image may be lost although programs see it.
  var isLoneChain = false

  /// What tells it from others: what programs see, and what the disk may have instead.
  var key: ContentKey {
    var key = ContentKey(number: acknowledged)
    for (path, model) in files {
      let name = ContentKey(of: path)
      var part = model.exists ? model.cached.key : ContentKey(number: -1)
      if model.hasLost { part.add(model.durable.key, at: 1) }
      part.add(name, at: 2)
      key.add(part, at: 3)
    }
    return key
  }
}
