/// The states that were reached, each once, with the way to it.
struct StateTable {
  private var images: [UInt64] = []
  private var machines: [UInt64] = []
  private var rests: [UInt64] = []
  private var parents: [UInt32] = []
  private var labels: [UInt32] = []
  /// Open addressing: 1 + the number of the state; 0 for a free place.
  private var places: [UInt32] = Array(repeating: 0, count: 1 << 12)
  private var mask = 1 << 12 - 1

  var count: Int { images.count }

  subscript(number: Int) -> ModelWorld.Packed {
    ModelWorld.Packed(images: images[number], machines: machines[number], rest: rests[number])
  }

  /// Adds a state.
  ///
  /// - Parameters:
  ///   - state: the state.
  ///   - parent: the number of the state that it follows.
  ///   - label: what has led to it.
  /// - Returns: whether it is new.
  mutating func insert(_ state: ModelWorld.Packed, from parent: Int, by label: UInt32) -> Bool {
    if 2 * (count + 1) > places.count { grow() }
    var place = Self.hash(state.images, state.machines, state.rest) & mask
    while places[place] != 0 {
      let number = Int(places[place]) - 1
      if images[number] == state.images, machines[number] == state.machines,
        rests[number] == state.rest
      {
        return false
      }
      place = (place + 1) & mask
    }
    images.append(state.images)
    machines.append(state.machines)
    rests.append(state.rest)
    parents.append(UInt32(truncatingIfNeeded: parent))
    labels.append(label)
    places[place] = UInt32(count)
    return true
  }

  private mutating func grow() {
    let size = 2 * places.count
    places = Array(repeating: 0, count: size)
    mask = size - 1
    for number in images.indices {
      var place = Self.hash(images[number], machines[number], rests[number]) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = UInt32(number + 1)
    }
  }

  private static func hash(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> Int {
    var hash = a &* 0x9E37_79B9_7F4A_7C15
    hash = (hash ^ hash >> 29 ^ b) &* 0xBF58_476D_1CE4_E5B9
    hash = (hash ^ hash >> 32 ^ c) &* 0x94D0_49BB_1331_11EB
    return Int(truncatingIfNeeded: hash ^ hash >> 31)
  }

  /// What has led to a state, from the start.
  func labels(to number: Int) -> [UInt32] {
    var found: [UInt32] = []
    var number = number
    while number != 0 {
      found.append(labels[number])
      number = Int(parents[number])
    }
    return found.reversed()
  }
}
