import QMP
import Snapjob
import Testing

@Suite struct BitmapMappingTextTests {
  private func value(_ parts: String..., file: String = "") throws(QMPError) -> QMPValue? {
    try BitmapMappingText.value(of: parts) { path throws(QMPError) in
      guard path == "map.json" || path == "dir/map=1.json" else {
        throw QMPError(.genericError, "no such file", kind: "notFound")
      }
      return file
    }
  }

  private static func node(_ name: String, _ bitmaps: String...) -> QMPValue {
    [
      "node-name": .string(name), "alias": .string("A\(name)"),
      "bitmaps": .array(bitmaps.map { ["name": .string($0), "alias": .string("B\($0)")] }),
    ]
  }

  @Test func nothingIsNoMapping() throws {
    #expect(try value() == nil)
  }

  @Test func partsOfEveryFormMakeOneMapping() throws {
    let json = QMPValue.array([Self.node("x", "1")]).jsonText
    let file = QMPValue.array([Self.node("y", "2")]).jsonText
    #expect(
      try value("disk0/b=Adisk0/Bb", " \(json)", "map.json", "disk0/c=Adisk0/Bc", file: file)
        == [Self.node("x", "1"), Self.node("y", "2"), Self.node("disk0", "b", "c")])
    #expect(try value("[]") == [])
  }

  @Test func whatQEMUTellsOfItsParametersIsAMapping() throws {
    let file = #"{"max-bandwidth": 5, "block-bitmap-mapping": [{"node-name": "n"}]}"#
    #expect(try value("map.json", file: file) == [["node-name": "n"]])
    // What is no short form is a path, with whatever is in it.
    #expect(try value("dir/map=1.json", file: "[]") == [])
  }

  @Test(
    "what is no mapping is refused",
    arguments: [("[", "refused"), ("{}", "refused"), ("a=b", "refused"), ("none", "notFound")])
  func refused(text: String, kind: String) {
    #expect {
      _ = try value(text)
    } throws: { error in
      (error as? QMPError)?.kind == kind
    }
    #expect(throws: QMPError.self) { _ = try value("map.json", file: "5") }
  }

  @Test func whereJSONIsBrokenIsToldInOneSentence() {
    #expect {
      _ = try value("[{")
    } throws: { error in
      (error as? QMPError)?.desc == "--mapping is no JSON: JSON parse error, premature EOI"
    }
  }

  @Test func aRuleThatTheShortFormBreaksIsToldInQEMUsWords() {
    #expect {
      _ = try value("n/b=1/x")
    } throws: { error in
      (error as? QMPError)?.desc
        == "Invalid mapping given for block-bitmap-mapping: The node alias '1' is not well-formed"
    }
  }
}
