import Glibc
import SystemPackage
import TestOracles
import Testing

/// About images, their snapshots and their bitmaps.
enum ImageHints {
  static let scenarios = [
    HintScenario(
      "a tag that a disk lacks is loaded on the others",
      "DraftPlan.swift: load --tag"
    ) { stage in
      try QemuImg.deleteSnapshot("t", in: stage.disks[1])
      let before = try stage.digests()
      let refused = try stage.web("load", "--tag", "t", "--yes")
      #expect(refused.status == 4)
      try stage.follow("load --tag t --device *", in: refused)
      let after = try stage.digests()
      #expect(after[0] != before[0] && after[1] == before[1])
      // The same of files.
      try QemuIO.write(3, at: 0, length: 65536, in: stage.disks[0])
      let ofFiles = try stage.attempt(["load", "--tag", "t", "--yes", "--file"] + stage.disks)
      try stage.follow("load --tag t --file *", in: ofFiles)
      #expect(try stage.digests() == after)
    },
    HintScenario(
      "the tags that there are are listed where one is missing",
      "DiskDifferences.swift: list",
      "Verification.swift: list --file"
    ) { stage in
      let diff = try stage.web("diff", "--from", "none", "--to", "t")
      let diffOfFiles = try stage.attempt(
        ["diff", "--from", "none", "--to", "t", "--file"] + stage.disks)
      let verify = try stage.web("verify", "disk0", "--tag", "none")
      for (result, shape) in [
        (diff, "list"), (diffOfFiles, "list --file * *"), (verify, "list --file *"),
      ] {
        #expect(result.status == 4)
        let list = try stage.follow(shape, in: result)
        #expect(list.text.contains("\nt ") && list.text.contains("disk0"))
      }
    },
    HintScenario(
      "snapshots are deleted by their names", "PruneCommand.swift: delete --tag TAG",
      "RetentionPolicy.swift: delete --tag TAG"
    ) { stage in
      let own = try stage.web("prune", "--match", "*", "--keep-last", "0")
      let servers = try stage.web(
        "qmp", "x-snapjob-prune-plan", #"{"match": "*", "keep-last": 0, "devices": ["disk0"]}"#)
      for (index, result) in [own, servers].enumerated() {
        #expect(result.status == 64)
        if index > 0 { try stage.webDone("save", "--tag", "t") }
        try stage.follow("delete --tag TAG", in: result, ["TAG": "t"])
        #expect(try stage.tags() == [[], []])
      }
    },
    HintScenario("ids are listed", "SnapshotRun.swift: list --json") { stage in
      for verb in ["load", "delete"] {
        let refused = try stage.web(verb, "--id", "", "--device", "disk0", "--yes")
        #expect(refused.status == 64)
        let list = try JSONValue(parsing: stage.follow("list --json", in: refused).text)
        #expect(list.array?.first?["devices"]?.array?.first?["id"]?.string == "1")
      }
    },
    HintScenario(
      "a bitmap that cannot be used is repaired", "BitmapEditing.swift: bitmap repair",
      "OutgoingBitmap.swift: bitmap repair"
    ) { stage in
      for disk in stage.disks { try Command.run("qemu-img", ["bitmap", "--add", disk, "daily"]) }
      for (index, words) in [
        ["bitmap", "clear", "disk0", "daily"],
        ["bitmap", "send", "--to", "file:\(stage.path("s"))"],
        ["bitmap", "clear", stage.disks[0], "daily"],
      ].enumerated() {
        try stage.breakBitmaps()
        let refused =
          index == 2 ? try stage.attempt(words) : try stage.attempt(["-m", "web01"] + words)
        #expect(refused.status == 5, "\(refused.failure())")
        try stage.follow("bitmap repair * daily", in: refused)
        let bitmaps = try stage.bitmaps(ofDisk: 0)
        #expect(bitmaps == [false])
      }
    },
    HintScenario(
      "a machine without bitmaps gets one", "BitmapListCommand.swift: bitmap add NODE NAME"
    ) { stage in
      try stage.follow(
        "bitmap add NODE NAME", in: stage.web("bitmap", "list"),
        ["NODE": "disk0", "NAME": "daily"])
      #expect(try stage.bitmaps(ofDisk: 0) == [false])
    },
    HintScenario(
      "bitmaps of one machine are merged there",
      "MigrationCommands.swift: bitmap merge NODE TARGET SOURCE"
    ) { stage in
      for name in ["a", "b"] { try stage.webDone("bitmap", "add", "disk0", name) }
      let refused = try stage.web("bitmap", "transfer", "--to-machine", "web01")
      #expect(refused.status == 64)
      try stage.follow(
        "bitmap merge NODE TARGET SOURCE", in: refused,
        ["NODE": "disk0", "TARGET": "a", "SOURCE": "b"])
    },
    HintScenario("damage is told by a check", "Failures.swift: check") { stage in
      try stage.poke([0xFF], at: stage.activeL2Table(of: 0), of: 0)
      let info = try QemuImg.check(stage.disks[0])
      let refused = try stage.web("save", "--tag", "x")
      #expect(!info.isClean && refused.status == 9, "\(refused.failure())")
      let check = try stage.attempt(hint: stage.hint("check *", in: refused))
      #expect(check.status == 2 && check.standardError.contains("ERROR"))
      #expect(!check.text.contains(stage.disks[1]))
    },
    HintScenario(
      "an image that is marked as corrupt is repaired", "Failures.swift: check --repair all"
    ) { stage in
      try stage.poke([2], at: 79, of: 0)
      let refused = try stage.web("save", "--tag", "x")
      #expect(refused.status == 9)
      try stage.follow("check * --repair all", in: refused)
      try stage.webDone("save", "--tag", "x")
    },
    HintScenario(
      "an empty file is none, and an image is made",
      "Failures.swift: node create NODE FILE --size SIZE"
    ) { stage in
      try stage.write("", to: "empty")
      let refused = try stage.web("node", "add", "more", "empty")
      #expect(refused.status == 9)
      try stage.follow(
        "node create NODE FILE --size SIZE", in: refused,
        ["NODE": "more", "FILE": "more.qcow2", "SIZE": "1M"])
      try stage.webDone("save", "--tag", "x", "--device", "more")
      #expect(try QemuImg.snapshotNames(stage.path("more.qcow2")) == ["x"])
    },
    HintScenario(
      "an earlier version's marker is taken away", "ListCommand.swift: check --repair leaks",
      "Failures.swift: check --repair leaks"
    ) { stage in
      for command in ["list", "check"] {
        try stage.mark(disk: 0)
        let result = try stage.web(command)
        try stage.follow("check disk0 --repair leaks", in: result)
        #expect(try stage.bytes(1, at: 88, of: 0)[0] & 2 == 0)
      }
    },
    HintScenario(
      "an earlier version's fence is given up", "Failures.swift: recover --abandon --file FILE"
    ) { stage in
      try stage.poke([2], at: 72, of: 0)
      let refused = try stage.web("save", "--tag", "x")
      #expect(refused.status == 5)
      try stage.follow("recover --abandon --file *", in: refused)
      try stage.webDone("save", "--tag", "x")
      #expect(try stage.tags() == [["t", "x"], ["t", "x"]])
    },
  ]
}

extension HintStage {
  fileprivate func poke(_ bytes: [UInt8], at offset: Int64, of disk: Int) throws {
    let file = try FileDescriptor.open(disks[disk], .writeOnly)
    defer { try? file.close() }
    _ = try file.writeAll(toAbsoluteOffset: offset, bytes)
  }

  fileprivate func bytes(_ count: Int, at offset: Int64, of disk: Int) throws -> [UInt8] {
    let file = try FileDescriptor.open(disks[disk], .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: count)
    _ = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: offset, into: $0) }
    return bytes
  }

  /// Sets the autoclear bit with which an earlier version marked images.
  fileprivate func mark(disk: Int) throws { try poke([2], at: 88, of: disk) }

  /// Where the table is that maps the beginning of the disk.
  fileprivate func activeL2Table(of disk: Int) throws -> Int64 {
    func number(at offset: Int64) throws -> Int64 {
      try bytes(8, at: offset, of: disk).reduce(0) { $0 << 8 | Int64($1) }
    }
    return try number(at: number(at: 40)) & (1 << 56 - 1)
  }

  /// Marks the bitmaps of both disks as in use, as a program leaves them that dies.
  fileprivate func breakBitmaps() throws {
    for disk in disks {
      kill(try QemuIO.hold(disk).pid, SIGKILL)
    }
  }

  /// Of each bitmap whether it is inconsistent.
  fileprivate func bitmaps(ofDisk disk: Int) throws -> [Bool] {
    let info = try QemuImg.info(disks[disk])
    return info["format-specific"]?["data"]?["bitmaps"]?.array?.map { bitmap in
      bitmap["flags"]?.array?.contains { $0.string == "in-use" } == true
    } ?? []
  }
}
