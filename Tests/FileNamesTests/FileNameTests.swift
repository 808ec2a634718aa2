import FileNames
import Glibc
import Testing

@Suite("Names of files as text")
struct FileNameTests {
  @Test("UTF-8 is its own text")
  func plain() {
    for name in ["", "disk.qcow2", "d\u{FFFD}", "größe", "\u{10FFFF}", "\u{10FE7F}", "\u{E000}"] {
      #expect(String(fileName: name.utf8) == name)
      #expect(name.fileNameBytes == Array(name.utf8))
      #expect(!name.hasBytesOfFileNames)
    }
  }

  @Test("No byte is lost, and no two names have one text")
  func bijective() {
    var generator = SystemRandomNumberGenerator()
    var names: Set<[UInt8]> = [
      [0xFF], [0xEF, 0xBF, 0xBD], [0xC3], [0xC3, 0xA9], [0xF4, 0x8F, 0xBB, 0xBF],
    ]
    let pieces: [[UInt8]] = [
      [0xFF], [0xC3], [0xC3, 0xA9], [0xED, 0xA0, 0x80], [0xF4, 0x8F, 0xBA, 0x80], [0xF4, 0x8F],
      [0x61],
      [0x2F], [0xEF, 0xBF, 0xBD], [0xF5, 0x80, 0x80, 0x80], [0xC0, 0x80], [0x80],
    ]
    for _ in 0..<5000 {
      names.insert(
        (0..<Int.random(in: 1...6, using: &generator)).flatMap { _ in
          pieces.randomElement(using: &generator) ?? []
        })
    }
    var texts: Set<[UInt8]> = []
    for name in names {
      let text = String(fileName: name)
      #expect(text.fileNameBytes == name)
      #expect(texts.insert(Array(text.utf8)).inserted)
      #expect(text.hasBytesOfFileNames == (String(validating: name, as: UTF8.self) != text))
      #expect(text.split(separator: "/").count == name.split(separator: 0x2F).count)
    }
  }

  @Test("Paths are looked at byte by byte")
  func paths() {
    let mark = "\u{301}"
    #expect("/\(mark)x".isAbsolutePath && !"\(mark)/x".isAbsolutePath && !"".isAbsolutePath)
    #expect("/\(mark)x/./y//z/..".absolutePath(in: "/d") == "/\(mark)x/y/z/..")
    #expect("file:\(mark)x".suffix(after: "file:").map { Array($0.utf8) } == Array("\(mark)x".utf8))
    #expect("fil".suffix(after: "file:") == nil && "file:".suffix(after: "file:") == "")
    #expect("a/\(mark)x".hasSlash && !"a\(mark)x".hasSlash)
    #expect(Array("\(mark)x".absolutePath(in: "/d").utf8) == Array("/d/\(mark)x".utf8))
    #expect("/a/\(mark)x".pathNames.count == 2)
    #expect(
      "/a/\(mark)x".pathParts.directory == "/a" && "/x".pathParts == ("/", "x")
        && "x".pathParts == (".", "x"))
    #expect("caf\u{e9}" == "cafe\(mark)" && !"caf\u{e9}".hasSameBytes(as: "cafe\(mark)"))
    #expect(
      "/a/\(mark)x".isPath(below: "/a") && "/a/b".isPath(below: "/") && !"/ab".isPath(below: "/a"))
    #expect(!"/cafe\(mark)/x".isPath(below: "/caf\u{e9}") && !"/a".isPath(below: "/a"))
  }

  @Test("Bytes are shown as a shell writes them")
  func shown() {
    #expect(String(fileName: [0x64, 0xFF, 0x2E]).printedFileNames == #"d\xff."#)
  }

  @Test("Calls reach the file of that very name")
  func calls() throws {
    var template = Array("/tmp/snapjob-names-XXXXXX".utf8CString)
    #expect(mkdtemp(&template) != nil)
    let directory = String(fileName: template)
    let path = directory + "/" + String(fileName: [0x64, 0xFF])
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    #expect(descriptor >= 0)
    close(descriptor)
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(lstat(path, &status) == 0)
    #expect(access(path, R_OK) == 0)
    #expect(
      realpath(path) == realpath(directory).map { $0 + "/" + String(fileName: [0x64, 0xFF]) })
    let stream = try #require(opendir(directory))
    var found: [[UInt8]] = []
    while let entry = readdir(stream) {
      found.append(withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) })
    }
    closedir(stream)
    #expect(found.contains([0x64, 0xFF]))
    let other = path + String(fileName: [0xFE])
    #expect(rename(path, other) == 0)
    #expect(stat(path, &status) != 0)
    #expect(unlink(other) == 0)
    #expect(rmdir(directory) == 0)
  }

  @Test("Every file that makes calls with paths imports this module")
  func imports() throws {
    let calls =
      /(?:^|[^.\w])(?:Glibc\.)?(?:open|openat|stat|lstat|statvfs|access|faccessat|mkdir|rmdir|unlink|rename|renameat2|link|linkat|symlink|readlink|realpath|opendir|fopen|chmod|chown|truncate|getcwd|chdir)\((?!\))/
    var looked = 0
    for (path, text) in try sources() where text.contains(/(?m)^(public |package )?import Glibc$/) {
      looked += 1
      if text.contains(/(?m)^import FileNames$/) || path.contains("/FileNames/") { continue }
      for line in text.split(separator: "\n") where !line.contains(/^\s*\/\//) {
        #expect(!line.contains(calls), "\(path): \(line)")
      }
    }
    #expect(looked > 20)
  }

  @Test("Names are compared byte by byte, and no slash is looked for among characters")
  func comparisons() throws {
    let name =
      #"(?:\w*[pP]ath|\w*[tT]ag|\w*[dD]irectory|subject|served|(?:fileN|n)ame\w*\.fileName)"#
    let compared = try Regex(#"\b\#(name) [!=]= (?!nil|"/")|[!=]= (?:[\w$]+\.)*\#(name)\b"#)
    let slash =
      /(?:contains|hasPrefix|hasSuffix|split\(separator:|firstIndex\(of:|lastIndex\(of:)[( ]*"\//
    // Names that only this project gives, and types of other meaning.
    let exempt = [
      "SchemaVisit.swift", "DemoDisk.swift", "DiskScan.swift", "CommandLineExercise.swift",
    ]
    for (path, text) in try sources() where !exempt.contains(where: path.hasSuffix) {
      for line in text.split(separator: "\n") {
        // What most lines lack is looked for first: expressions take long without optimisation.
        let bytes = line.utf8
        let isCandidate = zip(bytes, bytes.dropFirst()).contains { pair in
          pair == (0x3D, 0x3D) || pair == (0x21, 0x3D) || pair == (0x22, 0x2F)
        }
        guard isCandidate, !line.contains(/^\s*\/\//) else { continue }
        #expect(!line.contains(compared) && !line.contains(slash), "\(path): \(line)")
      }
    }
  }

  /// The project's own sources.
  private func sources() throws -> [(String, String)] {
    let root = #filePath.components(upTo: "Tests") + "Sources"
    var found: [(String, String)] = []
    var directories = [root]
    while let directory = directories.popLast() {
      let stream = try #require(opendir(directory))
      defer { closedir(stream) }
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
          String(fileName: $0.prefix { $0 != 0 })
        }
        if name.hasPrefix(".") { continue }
        let path = directory + "/" + name
        if name.hasSuffix(".swift") {
          found.append((path, try contents(path)))
        } else if !name.contains(".") {
          directories.append(path)
        }
      }
    }
    return found
  }

  private func contents(_ path: String) throws -> String {
    let file = try #require(fopen(path, "re"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}

extension String {
  /// The directories above one of this name.
  fileprivate func components(upTo directory: String) -> String {
    split(separator: "/").prefix { $0 != directory }.map { "/" + $0 }.joined() + "/"
  }
}
