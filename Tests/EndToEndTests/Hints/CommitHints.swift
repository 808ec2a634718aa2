import Glibc
import SystemPackage
import TestOracles
import Testing

/// About commits that are not finished.
enum CommitHints {
  static let scenarios = [
    HintScenario(
      "a commit waits for a disk, and goes on when that is back", "CommitReport.swift: recover"
    ) { stage in
      try stage.leaveCommit()
      let refused = try stage.web("save", "--tag", "more")
      try stage.bringBack()
      try stage.follow("recover", in: refused)
      #expect(try stage.tags() == [["t", "new"], ["t", "new"]])
    },
    HintScenario(
      "a commit without a job is given up by the image",
      "CommitReport.swift: recover --abandon --file"
    ) { stage in
      let killed = try stage.web("bitmap", "add", "disk1", "daily", stopAt: "before-publish")
      #expect(killed.status == 137)
      try Command.run("mv", [stage.disks[1], stage.path("away")])
      let waits = try stage.attempt(["recover"])
      #expect(waits.status != 0)
      try stage.follow("recover --abandon --file *", in: waits)
      #expect(try stage.done("recover").standardError.contains("nothing to recover"))
    },
    HintScenario(
      "a disk of an open commit, by another name, is free when that is settled",
      "CommitGate.swift: recover"
    ) { stage in
      try stage.leaveCommit()
      try Command.run("ln", [stage.disks[0], stage.path("link.qcow2")])
      let refused = try stage.attempt(["save", "--tag", "x", "--file", "link.qcow2"])
      #expect(refused.status == 6)
      try stage.bringBack()
      try stage.follow("recover", in: refused)
      try stage.done("save", "--tag", "x", "--file", "link.qcow2")
      #expect(try stage.tags() == [["t", "new", "x"], ["t", "new"]])
    },
    HintScenario(
      "who only looks at a fenced disk sees it after a recovery", "CommitGate.swift: recover",
      // A commit that is not decided while nobody is at it: recovery decides whatever the disks are like, so that
      // this is met between its steps alone. The step is the same.
      "CommitGate.swift: recover"
    ) { stage in
      try stage.leaveCommit("after-record", hides: false)
      let partial = try stage.web("list")
      #expect(partial.status != 0)
      try stage.follow("recover", in: partial)
      #expect(try stage.webDone("list").text.contains("new"))
      #expect(try stage.tags() == [["t", "new"], ["t", "new"]])
    },
    HintScenario(
      "a commit that the catalog keeps from its end goes on when that is mended",
      "CommitReport.swift: recover",
      // In a process that is at the commit the failure has to come between two steps; who comes next says the same.
      "CommitRun.swift: recover", "JobRefusals.swift: recover"
    ) { stage in
      try stage.webDone("save", "--tag", "a", "--no-auto-finalize", "--job-id", "j1")
      try stage.breakCatalog("INSERT ON commit_decision")
      _ = try stage.web("job", "finalize", "j1")
      let waited = try stage.web("job", "wait", "j1")
      #expect(waited.standardError.contains("When that is mended"))
      let hint = try stage.hint("recover", in: waited)
      #expect(try stage.attempt(hint: hint).status != 0)
      try stage.mendCatalog()
      try stage.require(try stage.attempt(hint: hint))
      try stage.webDone("save", "--tag", "b")
      #expect(try stage.tags() == [["t", "b"], ["t", "b"]])
    },
    HintScenario(
      "a job whose disk has been changed since is told from what is there",
      "CommitReport.swift: list --file"
    ) { stage in
      let killed = try stage.web(
        "save", "--tag", "new", "--device", "disk0", stopAt: "before-publish")
      #expect(killed.status == 137)
      try QemuImg.createSnapshot("later", in: stage.disks[0])
      let list = try stage.follow("list --file *", in: stage.attempt(["recover"]))
      #expect(list.text.contains("later") && !list.text.contains("new"))
    },
    HintScenario(
      "a fence of another catalog is taken away by that one", "Failures.swift: recover CATALOG"
    ) { stage in
      try stage.leaveCommit(hides: false)
      let refused = try stage.elsewhere("save", "--tag", "z", "--file", stage.disks[0])
      try stage.follow("recover", in: refused, ["CATALOG": stage.catalog])
      #expect(try stage.tags() == [["t", "new"], ["t", "new"]])
    },
    HintScenario(
      "a fence of another catalog is given up, and the disks compared",
      "Failures.swift: recover --abandon --file FILE", "Recovery.swift: list --file FILE"
    ) { stage in
      try stage.leaveCommit(hides: false)
      let refused = try stage.elsewhere("save", "--tag", "z", "--file", stage.disks[0])
      let abandoned = try stage.follow("recover --abandon --file *", in: refused)
      #expect(try QemuImg.check(stage.disks[0]).isClean)
      #expect(try QemuImg.snapshotNames(stage.disks[0]) == ["t"])
      let list = try stage.attempt(
        hint: stage.hint("list --file * FILE", in: abandoned), ["FILE": stage.disks[1]])
      // The other one still has its fence.
      #expect(list.text.contains("t ") && list.standardError.contains(stage.disks[1]))
    },
    HintScenario(
      "a commit in the hands of a process that lives ends by that process",
      // Between its intent and its end a process cannot be held from outside; the steps are those of a job that waits.
      "CommitReport.swift: job finalize", "CommitReport.swift: job cancel"
    ) { stage in
      for (tag, step) in [("a", "job finalize *"), ("b", "job cancel *")] {
        let prepared = try stage.webDone("save", "--tag", tag, "--no-auto-finalize")
        try stage.follow(step, in: prepared)
        try stage.waitForJobs()
      }
      #expect(try stage.tags() == [["t", "a"], ["t", "a"]])
    },
    HintScenario(
      "a job that was left by its process is settled", "JobFollower.swift: recover"
    ) { stage in
      // A disk with enough of tables to be met at work. Both signals are there before it goes on; if the first one
      // has ended it before the second one is seen, it is tried again.
      let disk = stage.path("big.qcow2")
      try Command.run(
        "qemu-img", ["create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", disk, "16G"])
      try stage.done("machine", "add", "web02", "--disk", "disk0=\(disk)")
      let interrupted = try stage.shell(
        """
        for attempt in $(seq 20); do
          : > said; snapjob --catalog '\(stage.catalog)' -m web02 -v save --tag x > id 2> said & p=$!
          until grep -q running said; do sleep 0.01; done
          kill -STOP $p; kill -TERM $p; kill -HUP $p; kill -CONT $p; wait $p
          if grep 'second signal' said; then break; fi
        done
        """)
      let job = interrupted.text.split(separator: " ").first { $0.hasPrefix("save-") } ?? ""
      #expect(try stage.follow("recover", in: interrupted).text.contains(job))
      #expect(try stage.job(String(job))["status"]?.string == "concluded")
      #expect(try QemuImg.snapshotNames(disk).isEmpty)
    },
  ]
}

extension HintStage {
  /// Runs snapjob with another catalog than the one of `web01`.
  fileprivate func elsewhere(_ arguments: String...) throws -> CommandResult {
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    return try shell("snapjob --catalog other.sqlite \(words)")
  }
}
