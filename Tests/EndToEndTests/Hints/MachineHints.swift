import TestOracles
import Testing

/// About machines, their nodes, and the catalog that they are in.
enum MachineHints {
  static let scenarios = [
    HintScenario(
      "a machine that there is not is added", "MachineTable.swift: machine add"
    ) { stage in
      let refused = try stage.attempt(["-m", "web02", "list"])
      #expect(refused.status == 4)
      try stage.follow("machine add *", in: refused)
      try stage.done("machine", "show", "web02")
    },
    HintScenario(
      "a machine that there is already is shown", "MachineTable.swift: machine show"
    ) { stage in
      let shown = try stage.follow(
        "machine show *", in: stage.attempt(["machine", "add", "web01"]))
      #expect(stage.disks.allSatisfy(shown.text.contains))
    },
    HintScenario(
      "a machine with an open commit can be removed when that is settled",
      "MachineTable.swift: recover"
    ) { stage in
      let killed = try stage.web("bitmap", "add", "disk1", "daily", stopAt: "before-publish")
      #expect(killed.status == 137)
      try Command.run("mv", [stage.disks[1], stage.path("away")])
      let refused = try stage.attempt(["machine", "remove", "web01"])
      #expect(refused.status == 5, "\(refused.failure())")
      try stage.bringBack()
      // The next command of whoever settles it would have done so.
      let hint = PrintedStep.all(of: "recover", in: refused.standardError)
      #expect(!hint.isEmpty)
      for hint in hint { try stage.require(try stage.attempt(hint: hint)) }
      try stage.done("machine", "remove", "web01")
    },
    HintScenario(
      "a commit whose disk never returns is abandoned",
      "CommitReport.swift: recover --abandon --file"
    ) { stage in
      try stage.leaveCommit()
      try stage.follow("recover left --abandon", in: stage.web("save", "--tag", "more"))
      #expect(try stage.job("left")["status"]?.string == "concluded")
      try stage.webDone("save", "--tag", "more", "--device", "disk0")
      #expect(try QemuImg.snapshotNames(stage.disks[0]) == ["t", "new", "more"])
    },
    HintScenario(
      "a running machine is added by its monitor",
      "RunStateCommands.swift: machine add NAME --qmp unix:PATH"
    ) { stage in
      let vm = try QemuVM([], arguments: ["-qmp", "unix:\(stage.path("q")),server=on,wait=off"])
      let refused = try stage.web("qmp", "cont")
      try stage.follow(
        "machine add NAME --qmp unix:PATH", in: refused,
        ["NAME": "web02", "PATH": stage.path("q")])
      #expect(try stage.done("machine", "show", "web02").text.contains(stage.path("q")))
      try vm.quit()
    },
    HintScenario(
      "nodes are listed where one is named that there is not",
      "MachineChange.swift: node list", "NodeArgument.swift: node list", "Machine.swift: node list"
    ) { stage in
      for result in [
        try stage.web("machine", "set", "web01", "--exclude", "disk9"),
        try stage.web("bitmap", "list", "disk9"),
        try stage.web("save", "--tag", "x", "--device", "disk9"),
        try stage.web("save", "--tag", "x", "--vmstate", "disk9"),
      ] {
        #expect(result.status == 4)
        let list = try stage.follow("node list", in: result)
        #expect(stage.disks.allSatisfy(list.text.contains))
      }
    },
    HintScenario(
      "a node in the way is removed", "BlockCommands.swift: node remove"
    ) { stage in
      let refused = try stage.web("node", "add", "disk0", "other.qcow2")
      #expect(refused.status == 5)
      try stage.follow("node remove *", in: refused)
      #expect(!(try stage.webDone("node", "list").text.contains(stage.disks[0])))
    },
    HintScenario(
      "a machine without disks gets one", "Disks.swift: node add NODE FILE",
      "CheckCommand.swift: node add NODE FILE", "NodeListCommand.swift: node add NODE FILE"
    ) { stage in
      for (index, words) in [["save", "--tag", "x"], ["check"], ["node", "list"]].enumerated() {
        let name = "empty\(index)"
        try QemuImg.create(stage.path("\(name).qcow2"), size: "1M")
        try stage.done("machine", "add", name)
        try stage.follow(
          "node add NODE FILE", in: stage.attempt(["-m", name] + words),
          ["NODE": "disk0", "FILE": "\(name).qcow2"])
        try stage.done("-m", name, "save", "--tag", "kept")
        #expect(try QemuImg.snapshotNames(stage.path("\(name).qcow2")) == ["kept"])
      }
    },
    HintScenario(
      "an image that is there is used as it is", "NodeCreateCommand.swift: node add"
    ) { stage in
      try QemuImg.create(stage.path("it's.qcow2"), size: "1M")
      let refused = try stage.web("node", "create", "more", "it's.qcow2", "--size", "1M")
      #expect(refused.status == 5)
      try stage.follow("node add more *", in: refused)
      #expect(try stage.webDone("node", "list").text.contains(stage.path("it's.qcow2")))
    },
    HintScenario(
      "an image that was made and could not be registered is added later",
      "NodeCreateCommand.swift: node add NODE"
    ) { stage in
      try stage.breakCatalog("INSERT ON node")
      let refused = try stage.web("node", "create", "more", "new.qcow2", "--size", "1M")
      #expect(refused.status == 13)
      try stage.mendCatalog()
      try stage.follow("node add NODE *", in: refused, ["NODE": "more"])
      #expect(try stage.webDone("node", "list").text.contains(stage.path("new.qcow2")))
    },
    HintScenario(
      "a catalog that refuses something is examined", "CatalogFailure.swift: catalog check"
    ) { stage in
      try stage.breakCatalog("INSERT ON job")
      let refused = try stage.web("save", "--tag", "x")
      #expect(refused.status == 13)
      let check = try stage.follow("catalog check", in: refused)
      #expect(check.text.contains("\(stage.catalog): no errors"))
    },
    HintScenario(
      "a job file's machine is added, and its disk changed",
      "JobFilePlan.swift: machine add", "JobFilePlan.swift: machine set --file"
    ) { stage in
      let job = "jobs: [snapshot-save: {tag: x}]"
      try stage.write("machine: web02\n\(job)", to: "new.yaml")
      try stage.follow("machine add *", in: stage.attempt(["run", "new.yaml"]))
      try stage.done("machine", "show", "web02")

      try Command.run("cp", [stage.disks[0], stage.path("copy.qcow2")])
      try stage.write(
        "machines:\n  web01:\n    disks:\n      disk0: copy.qcow2\n\(job)", to: "moved.yaml")
      try stage.follow("machine set web01 --file *", in: stage.attempt(["run", "moved.yaml"]))
      try stage.done("run", "moved.yaml")
      #expect(try QemuImg.snapshotNames(stage.path("copy.qcow2")) == ["t", "x"])
      #expect(try stage.tags() == [["t"], ["t", "x"]])
    },
  ]
}
