import Testing

@testable import SnapjobCLI

@Suite struct TableTests {
  @Test("columns are aligned, and nothing trails") func aligned() {
    var table = Table([.init("A"), .init("SIZE", right: true), .init("END")])
    table.add(["long cell", "1 B", "x"])
    table.add(["", "1.5 KiB", ""])
    #expect(
      table.text == """
        A             SIZE  END
        long cell      1 B  x
        -          1.5 KiB  -

        """)
  }

  @Test("what a terminal would obey is shown as a replacement") func controls() {
    #expect(
      Table.printable("a\u{1B}[31mb\n\u{202E}c\u{0}") == "a\u{FFFD}[31mb\u{FFFD}\u{FFFD}c\u{FFFD}")
    #expect(Table.printable("näive 日本") == "näive 日本")
  }
}
