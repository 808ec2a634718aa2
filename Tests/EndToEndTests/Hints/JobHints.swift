import Glibc
import TestOracles
import Testing

/// About jobs: those that wait, and those that have lost their processes.
enum JobHints {
  static let scenarios = [
    HintScenario(
      "a prepared job is finalized, or cancelled", "SnapshotOrder.swift: job finalize",
      "SnapshotOrder.swift: job cancel", "CatalogJobStore.swift: job finalize",
      "CatalogJobStore.swift: job cancel"
    ) { stage in
      for (tag, isOthers) in [("a", false), ("b", true)] {
        let prepared = try stage.webDone("save", "--tag", tag, "--no-auto-finalize")
        let source = isOthers ? try stage.web("save", "--tag", "other") : prepared
        try stage.follow("job finalize *", in: source)
        try stage.waitForJobs()
        let second = try stage.webDone("save", "--tag", "\(tag)2", "--no-auto-finalize")
        try stage.follow(
          "job cancel *", in: isOthers ? try stage.web("save", "--tag", "other") : second)
        try stage.waitForJobs()
      }
      #expect(try stage.tags() == [["t", "a", "b"], ["t", "a", "b"]])
    },
    HintScenario(
      "a job of a file is prepared from the command line",
      "JobArguments.swift: save --tag TAG --no-auto-finalize"
    ) { stage in
      try stage.write(
        "machine: web01\njobs: [snapshot-save: {tag: x, x-auto-finalize: false}]", to: "job.yaml")
      let refused = try stage.attempt(["run", "job.yaml"])
      #expect(refused.status == 9)
      let pending = try stage.follow(
        "save --tag TAG --no-auto-finalize", in: refused, ["TAG": "x"])
      try stage.follow("job finalize *", in: pending)
      try stage.waitForJobs()
      #expect(try stage.tags() == [["t", "x"], ["t", "x"]])
    },
    HintScenario(
      "a job that is not found is looked for among the old ones",
      "JobView.swift: query-jobs --history"
    ) { stage in
      try stage.webDone("save", "--tag", "x", "--job-id", "j1")
      try stage.done("job", "dismiss", "j1")
      let refused = try stage.web("job", "show", "j2")
      #expect(refused.status == 4)
      #expect(try stage.follow("query-jobs --history", in: refused).text.contains("j1 "))
    },
    HintScenario(
      "what a server is still asked shows later", "JobVerbs.swift: job show",
      "JobRefusals.swift: job show"
    ) { stage in
      try stage.webDone("save", "--tag", "x", "--no-auto-finalize", "--job-id", "j1")
      let worker = try #require(try stage.job("j1")["worker"]?["pid"]?.int)
      let server = try stage.start("-m", "web01", "serve", "--qmp", "unix:\(stage.path("q"))")
      defer { server.kill() }
      kill(pid_t(worker), SIGSTOP)
      while !stage.exists("q") { usleep(10_000) }
      let interrupted = try stage.shell(
        """
        snapjob --connect unix:'\(stage.path("q"))' job finalize j1 --timeout 100 2> said & p=$!
        until grep -q waiting said; do sleep 0.05; done
        kill -TERM $p; wait $p; cat said
        """)
      let hint = try stage.hint("job show *", in: interrupted)
      #expect(try stage.attempt(hint: hint).text.contains("status: pending"))
      kill(pid_t(worker), SIGCONT)
      try stage.waitForJobs()
      #expect(try stage.attempt(hint: hint).text.contains("status: concluded"))
      #expect(try stage.tags() == [["t", "x"], ["t", "x"]])
    },
    HintScenario(
      "a job whose process was killed is settled", "CatalogJobStore.swift: recover",
      // A server that is asked about the job itself settles it before it could say so.
      "JobRefusals.swift: recover"
    ) { stage in
      let server = try stage.start("-m", "web01", "serve", "--qmp", "unix:\(stage.path("q"))")
      defer { server.kill() }
      while !stage.exists("q") { usleep(10_000) }
      try stage.webDone("save", "--tag", "x", "--no-auto-finalize", "--job-id", "j1")
      let worker = try #require(try stage.job("j1")["worker"]?["pid"]?.int)
      kill(pid_t(worker), SIGKILL)
      let save = "snapjob --connect unix:'\(stage.path("q"))' save --tag y"
      let refused = try stage.shell(save)
      #expect(refused.status == 6, "\(refused.failure())")
      try stage.follow("recover", in: refused)
      try stage.require(try stage.shell(save))
      #expect(try stage.job("j1")["status"]?.string == "concluded")
      #expect(try stage.tags() == [["t", "y"], ["t", "y"]])
    },
  ]
}
