import Glibc
import TestOracles
import Testing

/// About machines that run in QEMU.
enum LiveHints {
  static let scenarios = [
    HintScenario(
      "what a running machine does in several steps", "LiveStateWork.swift: save --tag TAG",
      "LiveStateWork.swift: devices save FILE --with-ram --tag TAG", "LivePlan.swift: delete --tag",
      "LivePlan.swift: save --tag", "LivePlan.swift: list",
      // A connection that breaks at one moment, and a machine that takes its word back.
      "LiveOperation.swift: list", "LiveOperation.swift: list", "OrphanedLiveJob.swift: list"
    ) { stage in
      let vm = try stage.startWeb01()
      let devices = try stage.web("devices", "save", "whole", "--with-ram")
      #expect(devices.status == 64)
      try stage.follow("save --tag TAG", in: devices, ["TAG": "m1"])
      try stage.follow(
        "devices save FILE --with-ram --tag TAG", in: devices, ["FILE": "whole", "TAG": "m1"])
      #expect(stage.exists("whole"))
      let taken = try stage.web("save", "--tag", "m1")
      #expect(taken.status == 5)
      try stage.follow("delete --tag m1", in: taken)
      #expect(try stage.liveTags() == [["t"], ["t"]])
      let both = try stage.web("load", "--tag", "t", "--save-current", "it's now", "--yes")
      #expect(both.status == 9)
      let now = #"'it'\''s now'"#
      #expect(both.standardError.contains("save --tag \(now); then"))
      let save = "snapjob --catalog '\(stage.catalog)' -m web01 save --tag \(now)"
      #expect(both.standardError.contains(save))
      try stage.require(try stage.attempt(hint: save))
      #expect(try stage.liveTags() == [["t", "it's now"], ["t", "it's now"]])
      let list = try stage.follow("list", in: stage.web("load", "--tag", "none", "--yes"))
      #expect(list.text.contains("it's now"))
      try vm.quit()
    },
    HintScenario(
      "a bitmap of a running machine is copied there",
      "PassingOn.swift: bitmap merge NODE TARGET SOURCE"
    ) { stage in
      let vm = try stage.startWeb01()
      for name in ["a", "b"] { try stage.webDone("bitmap", "add", "disk0", name) }
      let refused = try stage.web("bitmap", "transfer", "--to-machine", "default")
      #expect(refused.status == 6, "\(refused.failure())")
      try stage.follow(
        "bitmap merge NODE TARGET SOURCE", in: refused,
        ["NODE": "disk0", "TARGET": "a", "SOURCE": "b"])
      try vm.quit()
    },
    HintScenario(
      "a disk that is not registered is added, or left out", "LivePlan.swift: node add FILE",
      "LivePlan.swift: machine set --exclude"
    ) { stage in
      for name in ["more", "swap"] { try QemuImg.create(stage.path("\(name).qcow2"), size: "1M") }
      let vm = try stage.startWeb01(more: ["more", "swap"])
      let first = try stage.web("save", "--tag", "m1")
      #expect(first.status == 5)
      try stage.follow("node add more *", in: first)
      let second = try stage.web("save", "--tag", "m1")
      try stage.follow("machine set web01 --exclude swap", in: second)
      try stage.webDone("save", "--tag", "m1", "--disk-only")
      #expect(try stage.liveTags() == [["t", "m1"], ["t", "m1"]])
      try vm.quit()
      #expect(try QemuImg.snapshotNames(stage.path("more.qcow2")) == ["m1"])
      #expect(try QemuImg.snapshotNames(stage.path("swap.qcow2")) == [])
    },
    HintScenario(
      "what a machine has left that died is repaired",
      // Mending fails only where the disks are out of reach; the step is run on disks with a leak.
      "LiveSnapshotWork.swift: check --repair all"
    ) { stage in
      for disk in stage.disks {
        try Command.run("sh", ["-c", "qemu-io -c 'write 0 64k' -c abort '\(disk)'; true"])
      }
      try stage.require(
        try stage.attempt(hint: "snapjob --catalog '\(stage.catalog)' -m web01 check --repair all"))
      for disk in stage.disks { #expect(try QemuImg.check(disk).isClean) }
    },
  ]
}

extension HintStage {
  /// Starts `web01` in QEMU, with more disks than those that the catalog knows.
  fileprivate func startWeb01(more: [String] = []) throws -> QemuVM {
    let monitor = ["-qmp", "unix:\(path("monitor")),server=on,wait=off"]
    let own = zip(["disk0", "disk1"], disks).map { QemuVM.Disk($0, $1) }
    let added = more.map { QemuVM.Disk($0, path("\($0).qcow2")) }
    try done("machine", "remove", "web01")
    let vm = try QemuVM(own, isRunning: true, arguments: monitor)
    try done("machine", "add", "web01", "--qmp", "unix:\(path("monitor"))")
    if more.isEmpty { return vm }
    try vm.quit()
    return try QemuVM(own + added, isRunning: true, arguments: monitor)
  }

  /// The tags on the disks while a machine holds them.
  fileprivate func liveTags() throws -> [[String]] {
    try disks.map { try QemuImg.snapshotNames($0, forceShare: true) }
  }
}
