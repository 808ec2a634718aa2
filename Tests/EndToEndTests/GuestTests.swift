import Glibc
import TestOracles
import Testing

/// A client of another user, whom the server lets in: which files it may name.
@Suite(.enabled(if: geteuid() == 0, "only root can be another user than the server's"))
struct GuestTests {
  private let program: Program

  /// Directories of root with a disk in each, and one in which everybody may do everything.
  init() throws {
    program = try Program()
    try program.shell(
      """
      chmod 755 . && mkdir exchange secret open && chmod 1777 open && chmod 700 secret
      for d in exchange secret open; do qemu-img create -q -f qcow2 $d/a.qcow2 1M; done
      ln -s ../secret/a.qcow2 exchange/link.qcow2
      """)
  }

  /// What each command replies to user 65534: its error, or `ok`.
  private func replies(_ options: String, _ commands: [String]) throws -> [String] {
    try program.write(
      """
      import json, socket, sys
      s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1]); f = s.makefile()
      f.readline()
      for line in ['{"execute": "qmp_capabilities"}'] + sys.argv[2:]:
          s.sendall(line.encode() + b'\\n')
          while True:
              reply = json.loads(f.readline())
              if 'event' not in reply: break
          print(reply['error']['desc'] if 'error' in reply else 'ok')
      """, to: "client.py")
    let words = commands.map { "'\($0)'" }.joined(separator: " ")
    let result = try program.shell(
      """
      chmod 644 client.py
      snapjob serve --qmp "unix:$PWD/s" --allow-uid 65534 \(options) 2> log & server=$!
      for i in $(seq 100); do [ -S s ] && break; sleep 0.1; done; chmod 666 s
      setpriv --reuid=65534 --clear-groups /usr/bin/python3 client.py s \(words)
      kill $server; wait $server
      """)
    #expect(result.status == 0, "\(result.standardError)")
    return result.text.split(separator: "\n").dropFirst().map(String.init)
  }

  private func add(_ name: String) -> String {
    #"""
    {"execute": "blockdev-add", "arguments": {"driver": "qcow2", "node-name": "n", \#
    "file": {"driver": "file", "filename": "\#(program.path(name))"}}}
    """#.replacing("\\\n", with: "")
  }

  @Test func `names none by default`() throws {
    for reply in try replies("", [add("exchange/a.qcow2")]) {
      #expect(reply.contains("--files DIR"))
    }
  }

  @Test func `names those below the given directories, and no link leads out of them`() throws {
    let exchange = program.path("exchange")
    let copy = program.path("exchange/copy")
    let said = try replies(
      "--files \(exchange)",
      [
        add("secret/a.qcow2"), add("exchange/link.qcow2"), add("exchange/../secret/a.qcow2"),
        #"{"execute": "x-snapjob-catalog", "arguments": {"action": "backup", "filename": "\#(copy)"}}"#,
        #"{"execute": "x-snapjob-machine-add", "arguments": {"name": "z", "disks": [], "qmp": "unix:/x"}}"#,
        add("exchange/a.qcow2"),
      ])
    try #require(said.count == 6)
    for reply in said.prefix(3) { #expect(reply.contains("--files DIR"), "\(said)") }
    for reply in said[3..<5] {
      #expect(reply.contains("for the server's own user and root only"), "\(said)")
    }
    #expect(said.last == "ok", "\(said)")
    #expect(!program.exists("exchange/copy"))
  }

  @Test func `names none where it could put a link later`() throws {
    let said = try replies("--files \(program.path("open"))", [add("open/a.qcow2")])
    #expect(said.count == 1)
    #expect(said.first?.contains("another user can put links into") == true, "\(said)")
  }
}
