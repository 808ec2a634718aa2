import QMP
import Testing

@testable import SnapjobCLI

@Suite struct DevicesCommandTests {
  private static func part(
    _ kind: String, _ size: Int64, _ name: String? = nil, instance: Int64 = 0
  ) -> QMPValue {
    [
      "kind": .string(kind), "name": name.map(QMPValue.string) ?? .null,
      "instance": name == nil ? .null : .int(instance), "version": name == nil ? .null : 3,
      "size": .int(size), "sections": .null, "state-size": .null,
    ]
  }

  private static let state: QMPValue = [
    "length": 4140, "machine-type": "pc-i440fx-7.2", "run-state": "paused", "page-size": 4096,
    "ram": [
      "size": 33_685_504,
      "blocks": [["name": "pc.ram", "size": 33_554_432], ["name": "pc.rom", "size": 131_072]],
      "zero-pages": 1, "data-pages": 1, "encoded-pages": 0,
    ],
    "footers": true,
    "parts": [
      part("header", 8), part("iterable", 4096, "ram"), part("device", 17, "i8259"),
      part("device", 18, "i8259", instance: 1), part("end", 1),
    ],
    "fields": [
      [
        "device": "i8259", "instance": 1, "name": "irr", "type": "uint8", "offset": 0, "length": 1,
        "value": 7,
      ],
      [
        "device": "i8259", "instance": 1, "name": "fifo", "type": "buffer", "offset": 1,
        "length": 40, "value": .string(String(repeating: "ab", count: 40)),
      ],
    ],
  ]

  private func run(_ line: String) async -> Run {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-device-state-inspect", with: Self.state)
    #expect(await run(line) == .done)
    return run
  }

  @Test func `the whole is told before the table of its parts`() async {
    let run = await run("devices inspect vm.state")
    #expect(
      run.out.text == """
        machine type  pc-i440fx-7.2
        run state     paused
        RAM           32.1 MiB (pc.ram 32 MiB, pc.rom 128 KiB)
        page size     4 KiB
        length        4140 bytes
        DEVICE    INSTANCE  VERSION  SIZE
        (header)         -        -     8
        ram              0        3  4096
        i8259            0        3    17
        i8259            1        3    18
        (end)            -        -     1

        """)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-device-state-inspect")
        == ["filename": "/work dir/vm.state"])
  }

  @Test func `one device, or one instance of it, can be listed alone`() async throws {
    let both = await run("state inspect --tag monday --device i8259 --json")
    #expect(try both.jsonLines().first?["parts"]?.elements.count == 2)
    let one = await run("devices inspect --tag monday --device i8259#1")
    #expect(
      one.out.text == """
        DEVICE  INSTANCE  VERSION  SIZE
        i8259          1        3    18

        """)
    #expect(
      one.endpoint.arguments(of: "x-snapjob-device-state-inspect") == ["tag": "monday"])
    let none = Run()
    none.endpoint.reply(to: "x-snapjob-device-state-inspect", with: Self.state)
    #expect(await none("devices inspect --tag monday --device uart") == .notFound)
    #expect(none.err.text.contains("snapshot 'monday' has no device 'uart'"))
  }

  @Test func `fields are a table, long values are cut`() async {
    let run = await run("devices inspect vm.state --fields i8259#1")
    #expect(
      run.out.text == """
        FIELD  TYPE    OFFSET  VALUE
        irr    uint8        0  7
        fifo   buffer       1  \(String(repeating: "ab", count: 31))a…

        """)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-device-state-inspect")?.text("fields") == "i8259#1")
  }

  @Test func `a file or a tag is needed, and not both`() async {
    #expect(await Run()("devices inspect") == .usage)
    #expect(await Run()("devices inspect vm.state --tag monday") == .usage)
  }

  @Test func `what differs has a line for each device and field`() async {
    let bytes = String(repeating: "00", count: 30)
    let difference: QMPValue = [
      "added": [["name": "uart", "instance": 1]], "removed": [["name": "uart", "instance": 0]],
      "changed": [
        [
          "name": "cpu", "instance": 0, "from-version": 12, "to-version": 12, "from-size": 1851,
          "to-size": 1851, "bytes": 3,
          "fields": [
            ["name": "env.eip", "type": "uint64", "from": 65520, "to": 512],
            ["name": "env.new", "type": "uint64", "from": .null, "to": 1],
            [
              "name": "ram", "type": "buffer", "from": .string(bytes),
              "to": .string("0000001f" + bytes.dropFirst(8)),
            ],
          ],
        ],
        [
          "name": "fdc", "instance": 0, "from-version": 2, "to-version": 3, "from-size": 10,
          "to-size": 12, "bytes": 1, "fields": .null,
        ],
      ],
      "equal": 27,
    ]
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-device-state-diff", with: difference)
    #expect(await run("devices diff tag:monday new.state") == .done)
    #expect(
      run.out.text == """
        removed  uart
        added    uart#1
        changed  cpu: 3 bytes
          env.eip: 65520 -> 512
          env.new: nothing -> 1
          ram: from byte 3: 0000000000000000… -> 1f00000000000000…
        changed  fdc: 1 byte, size 10 -> 12, version 2 -> 3 (its fields are not described)
        2 devices changed, 1 added, 1 removed, 27 equal

        """)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-device-state-diff")
        == ["from": "tag:monday", "to": "/work dir/new.state"])
  }
}
