import Testing

@testable import Qcow2

@Suite struct MarksTests {
  @Test("Marks are decoded as they were encoded")
  func roundTrip() {
    for marks in [
      Marks(), Marks(last: CommitID()), Marks(pending: CommitID(), catalog: CatalogID()),
      Marks(last: CommitID(), pending: CommitID(), catalog: CatalogID()),
    ] {
      #expect(marks.encoded.count == 48)
      #expect(Marks(decoding: marks.encoded) == marks)
    }
  }

  @Test("Data of another length mean no marks")
  func foreignData() {
    let data = Marks(last: CommitID()).encoded
    for count in [0, 16, 47] { #expect(Marks(decoding: Array(data.prefix(count))) == Marks()) }
    #expect(Marks(decoding: data + [0]) == Marks())
  }

  @Test("An id is 16 bytes that are not all zero, shown as 32 digits")
  func identifiers() {
    #expect(CommitID(bytes: [UInt8](repeating: 0, count: 16)) == nil)
    #expect(CommitID(bytes: [1]) == nil)
    #expect(CatalogID(bytes: Array(0..<16))?.description == "000102030405060708090a0b0c0d0e0f")
    #expect(CommitID() != CommitID())
  }
}
