internal import Jobs
internal import Qcow2

/// The bitmaps of the images that change together, while actions follow each other.
struct BitmapEditing {
  private let members: [OpenImages.Member]
  /// Images whose bitmaps are only read.
  private let sources: [OpenImages.Member]
  /// The bitmaps of each member.
  private(set) var sets: [BitmapSet]

  /// Starts with what other edits have made of the images.
  ///
  /// - Parameters:
  ///   - drafts: one for each member; nil where the node is left alone so far.
  ///   - members: the images that may change.
  ///   - sources: images whose bitmaps are only read.
  init(
    _ drafts: [ImageDraft?], of members: [OpenImages.Member], sources: [OpenImages.Member]
  ) {
    self.members = members
    self.sources = sources
    sets = zip(members, drafts).map { $1?.bitmaps ?? BitmapSet($0.image) }
  }

  /// Does one action.
  ///
  /// - Throws: `JobError` with QEMU's text, and what to do next.
  mutating func perform(_ action: BitmapAction) throws(JobError) {
    guard let index = members.firstIndex(where: { $0.node.name.description == action.node })
    else { throw .bitmapNodeNotFound(action.node) }
    var contents: [BitmapContent] = []
    if case .merge(_, _, let references) = action {
      for reference in references {
        contents.append(try content(of: reference, otherwise: action.node))
      }
    }
    do throws(Qcow2Error) {
      try sets[index].perform(action, merging: contents)
    } catch {
      throw JobError(error, doing: action)
    }
  }

  /// The bits of a bitmap that is merged into another, as the actions before have left it.
  private func content(
    of reference: BitmapReference, otherwise node: String
  ) throws(JobError) -> BitmapContent {
    let node = reference.node ?? node
    let set: BitmapSet
    if let index = members.firstIndex(where: { $0.node.name.description == node }) {
      set = sets[index]
    } else if let source = sources.first(where: { $0.node.name.description == node }) {
      set = BitmapSet(source.image)
    } else {
      throw .bitmapNodeNotFound(node)
    }
    do throws(Qcow2Error) {
      return try set.content(of: reference.name)
    } catch {
      throw JobError(error, doing: .clear(node: node, name: reference.name))
    }
  }

  /// Goes on with what drafts have made of the bitmaps meanwhile.
  mutating func adopt(_ drafts: [ImageDraft?]) {
    for (index, draft) in drafts.enumerated() {
      if let draft { sets[index] = draft.bitmaps }
    }
  }

  /// Puts the bitmaps into the drafts; a node that was left alone gets one if its bitmaps change.
  func complete(_ drafts: [ImageDraft?]) throws(JobError) -> [ImageDraft?] {
    var drafts = drafts
    for (index, member) in members.enumerated() {
      if drafts[index] == nil {
        guard sets[index].isChanged else { continue }
        do throws(Qcow2Error) {
          drafts[index] = try ImageDraft(member.image)
        } catch {
          throw JobError(error, node: member.node.name.description)
        }
      }
      drafts[index]?.bitmaps = sets[index]
    }
    return drafts
  }
}

extension BitmapSet {
  /// Does one action on the bitmaps of its node.
  fileprivate mutating func perform(
    _ action: BitmapAction, merging contents: [BitmapContent]
  ) throws(Qcow2Error) {
    switch action {
    case .add(_, let name, let granularity, let isEnabled):
      try add(name, granularity: granularity, isEnabled: isEnabled)
    case .remove(_, let name): try remove(name)
    case .clear(_, let name): try clear(name)
    case .enable(_, let name): try setEnabled(true, name)
    case .disable(_, let name): try setEnabled(false, name)
    case .repair(_, let name): try repair(name)
    case .merge(_, let target, _):
      // Without a source the target is asked for all the same.
      try checkUsable(target)
      for content in contents { try merge(content, into: target) }
    }
  }
}

extension JobError {
  /// A failure of the image engine while it changed a bitmap: QEMU's words, and what to do next.
  fileprivate init(_ error: Qcow2Error, doing action: BitmapAction) {
    var error = error
    if case .add(let node, let name, _, _) = action, error.isForLackOfRoom {
      error = Qcow2Error(
        error.code, "Can't make bitmap '\(name)' persistent in '\(node)': \(error.message)")
    }
    if case .add = action, error.path == nil, error.code == .malformed {
      // It is about what was asked for, not about what is in the image.
      self.init(.usage, error.message)
    } else {
      self.init(error, aboutBitmap: action.name, of: action.node)
    }
  }

  /// A failure of the image engine that is about a bitmap and not about the file.
  init(_ error: Qcow2Error, aboutBitmap name: String, of node: String) {
    guard error.message.hasSuffix("is inconsistent and cannot be used") else {
      self.init(error)
      return
    }
    self.init(
      Qcow2Error(
        error.code,
        "\(error.message). To have it record again, with the whole disk counted as changed: "
          + "\(NextStep(["bitmap", "repair", node, name]))"))
  }
}

extension Qcow2Error {
  /// Whether the image cannot keep one more bitmap like that (`bdrv_can_store_new_dirty_bitmap`).
  fileprivate var isForLackOfRoom: Bool {
    path == nil && (code == .unsupported || code == .overLimit)
  }
}
