import Testing

@testable import Qcow2

@Suite struct SnapjobMarkTests {
  private let commit = CommitID()
  private let catalog = CatalogID()

  @Test("A mark of 56 bytes is decoded as it was encoded, with another catalog's commit or not")
  func roundTrip() {
    for previous in [nil, CommitID()] {
      let mark = SnapjobMark(last: commit, catalog: catalog, previous: previous)
      #expect(mark.encoded.count == 56)
      #expect(SnapjobMark(decoding: mark.encoded) == mark)
    }
  }

  @Test("The bytes are where the layout says")
  func layout() {
    let previous = CommitID()
    let bytes = SnapjobMark(last: commit, catalog: catalog, previous: previous).encoded
    #expect(bytes[0] == 1)
    #expect(bytes[1..<8].allSatisfy { $0 == 0 })
    #expect(Array(bytes[8..<24]) == commit.bytes)
    #expect(Array(bytes[24..<40]) == catalog.bytes)
    #expect(Array(bytes[40..<56]) == previous.bytes)
  }

  @Test("The 48 bytes of earlier versions say which commit was the last, and of which catalog")
  func earlierLayout() {
    // The last id, the pending one, the catalog.
    for pending in [[UInt8](repeating: 0, count: 16), CommitID().bytes] {
      let data = commit.bytes + pending + catalog.bytes
      #expect(SnapjobMark(decoding: data) == SnapjobMark(last: commit, catalog: catalog))
    }
    let none = [UInt8](repeating: 0, count: 16)
    #expect(SnapjobMark(decoding: none + commit.bytes + catalog.bytes) == nil)
  }

  @Test("Data of another length or layout, or without a commit, are no mark")
  func foreignData() {
    let data = SnapjobMark(last: commit, catalog: catalog).encoded
    for count in [0, 16, 47, 55] {
      #expect(SnapjobMark(decoding: Array(data.prefix(count))) == nil)
    }
    #expect(SnapjobMark(decoding: data + [0]) == nil)
    #expect(SnapjobMark(decoding: [2] + data.dropFirst()) == nil)
    let none = [UInt8](repeating: 0, count: 16)
    #expect(SnapjobMark(decoding: data[..<8] + none + data[24...]) == nil)
    #expect(SnapjobMark(decoding: data[..<24] + none + data[40...]) == nil)
  }

  @Test("The last commit of another catalog is kept until a third one writes")
  func following() {
    let own = CommitID()
    let first = SnapjobMark(following: nil, commit: commit, catalog: catalog)
    #expect(first == SnapjobMark(last: commit, catalog: catalog))
    // The same catalog again: its own older commit is nothing to keep.
    let second = SnapjobMark(following: first, commit: own, catalog: catalog)
    #expect(second == SnapjobMark(last: own, catalog: catalog))
    // Another catalog, twice: what the first one wrote last stays.
    let other = CatalogID()
    let third = SnapjobMark(following: second, commit: CommitID(), catalog: other)
    #expect(third.previous == own)
    let fourth = SnapjobMark(following: third, commit: CommitID(), catalog: other)
    #expect(fourth.previous == own)
    // Back to the first: now it is the other's last one that is kept.
    let fifth = SnapjobMark(following: fourth, commit: CommitID(), catalog: catalog)
    #expect(fifth.previous == fourth.last)
  }

  @Test("An image carries its last commit and the one kept of another catalog, and no third")
  func carries() {
    let previous = CommitID()
    let mark = SnapjobMark(last: commit, catalog: catalog, previous: previous)
    #expect(mark.carries(commit))
    #expect(mark.carries(previous))
    #expect(!mark.carries(CommitID()))
    #expect(!SnapjobMark(last: commit, catalog: catalog).carries(previous))
  }

  @Test("An id is 16 bytes that are not all zero, shown as 32 digits")
  func identifiers() {
    #expect(CommitID(bytes: [UInt8](repeating: 0, count: 16)) == nil)
    #expect(CommitID(bytes: [1]) == nil)
    #expect(CatalogID(bytes: Array(0..<16))?.description == "000102030405060708090a0b0c0d0e0f")
    #expect(CommitID() != CommitID())
  }
}
