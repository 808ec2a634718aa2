import Glibc
import TestOracles
import Testing

/// About the states of devices.
enum DeviceStateHints {
  /// A device state that QEMU has written.
  private static let file: String = {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    return "/\(root)/testdata/savevm-microvm.qevm"
  }()

  static let scenarios = [
    HintScenario(
      "a machine without a device state gets one from a file, and from a snapshot",
      "PresentState.swift: devices load FILE", "DeviceStateRun.swift: save --tag TAG",
      "PresentState.swift: load --tag TAG", "PresentState.swift: load --tag TAG"
    ) { stage in
      let none = try stage.web("devices", "save", "state")
      #expect(none.status == 4)
      let loaded = try stage.follow("devices load FILE", in: none, ["FILE": file])
      try stage.follow("save --tag TAG", in: loaded, ["TAG": "with state"])
      let sizes = try QemuImg.info(stage.disks[0])["snapshots"]?.array?
        .map { $0["vm-state-size"]?.int ?? 0 }
      #expect(sizes?.count == 2 && sizes?[0] == 0 && sizes?[1] != 0)

      try stage.webDone("load", "--tag", "t", "--yes")
      let absent = try stage.web("devices", "save", "state")
      try stage.follow("load --tag TAG", in: absent, ["TAG": "with state"])
      try stage.webDone("devices", "save", "state")

      try QemuIO.write(9, at: 0, length: 65536, in: stage.disks[0])
      let outdated = try stage.web("devices", "save", "again")
      #expect(outdated.status == 5)
      try stage.follow("load --tag TAG", in: outdated, ["TAG": "with state"])
      try stage.webDone("devices", "save", "again")
    },
    HintScenario(
      "a device that a state has not is looked for among those that it has",
      "DeviceStateReport.swift: devices inspect", "StateInspection.swift: devices inspect",
      "StateReference.swift: list"
    ) { stage in
      try Command.run("cp", [file, stage.path("it's a state")])
      try stage.webDone("devices", "load", "it's a state")
      try stage.webDone("save", "--tag", "s")
      for option in ["--device", "--fields"] {
        let ofTag = try stage.web("devices", "inspect", "--tag", "s", option, "none")
        let ofFile = try stage.web("devices", "inspect", "it's a state", option, "none")
        #expect(ofTag.status == 4 && ofFile.status == 4)
        let devices = try stage.follow("devices inspect --tag s", in: ofTag)
        #expect(devices.text.contains("cpu"))
        let path = stage.path("it's a state").replacing("'", with: #"'\''"#)
        let hint = "snapjob --catalog '\(stage.catalog)' -m web01 devices inspect '\(path)'"
        #expect(ofFile.standardError.hasSuffix("See: \(hint)\n"))
        #expect(try stage.attempt(hint: hint).text == devices.text)
      }
      let list = try stage.follow("list", in: stage.web("devices", "inspect", "--tag", "none"))
      #expect(list.text.contains("\ns "))
    },
    HintScenario(
      "a block device has to be at a snapshot before a device state goes with it",
      "DeviceStateLoading.swift: save --tag TAG --disk-only"
    ) { stage in
      let device = try LoopDevice(in: stage.directory, size: 4 << 20)
      try Command.run("qemu-img", ["create", "-q", "-f", "qcow2", device.path, "1M"])
      try stage.done("machine", "add", "web02", "--disk", "disk0=\(device.path)")
      let refused = try stage.attempt(["-m", "web02", "devices", "load", file])
      #expect(refused.status == 9, "\(refused.failure())")
      try stage.follow("save --tag TAG --disk-only", in: refused, ["TAG": "first"])
      try stage.done("-m", "web02", "devices", "load", file)
    },
  ]
}
