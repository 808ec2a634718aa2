import QMP
import Testing

@testable import SnapjobCLI

@Suite struct VerifyReportTests {
  /// A state of a reply.
  private func state(
    tag: QMPValue = .null, digest: QMPValue = .null, problems: [QMPValue] = [], count: Int64? = nil,
    backing: QMPValue = 0, encrypted: QMPValue = 0
  ) -> QMPValue {
    [
      "tag": tag, "id": .null, "size": 4096, "digest": digest, "bytes-read": 1024,
      "bytes-from-backing-file": backing, "backing-file": "base.qcow2",
      "bytes-encrypted": encrypted, "problem-count": .int(count ?? Int64(problems.count)),
      "problems": .array(problems),
    ]
  }

  @Test("Each state has a line with its digest, then comes the second reader's sentence")
  func sound() {
    let report = VerifyReport([
      "target": "disk0",
      "states": [state(digest: "ab12"), state(tag: "old\u{1b}", digest: "cd34")],
      "bytes-equal": 2048, "differences": [], "left-out": ["zero flag": 3],
      "second-reader": "toy 1", "exit-code": 0,
    ])
    #expect(
      report.lines == [
        "disk0: active: ab12", "disk0: snapshot 'old\u{fffd}': cd34",
        "disk0: 2 KiB equal to what toy 1 reads", "  left out: 3 clusters (zero flag)",
      ])
    #expect(report.status == .done)
  }

  @Test("Problems are named with their places, the first of many only")
  func damaged() {
    let problem: QMPValue = ["offset": 512, "length": 1, "text": "its cluster lies on the header"]
    let report = VerifyReport([
      "target": "disk0",
      "states": [
        state(problems: [problem]),
        state(tag: "a", problems: .init(repeating: problem, count: 30), count: 1030),
      ],
      "structure-problems": ["an L2 table lies on the header"], "exit-code": 2,
      "problem": "the image is damaged",
    ])
    let lines = report.lines
    #expect(
      lines.prefix(2) == [
        "disk0: active: 1 problem", "  1 byte from offset 512: its cluster lies on the header",
      ])
    #expect(lines[2] == "disk0: snapshot 'a': 1030 problems")
    #expect(
      lines[22...] == [
        "  1 byte from offset 512: its cluster lies on the header", "  and 1010 more",
        "disk0: damaged: an L2 table lies on the header",
        "disk0: not compared with libqcow: the image is damaged",
      ])
    #expect(report.status == .differs)
  }

  @Test("A device state that cannot be loaded is told below its snapshot") func deviceState() {
    let saved = QMPValue.object(
      state(tag: "a", digest: "ab12").members + [
        .init("device-state-problem", "offset 0x17, section 'ram' (instance 0, id 2): cut off")
      ])
    let report = VerifyReport([
      "target": "disk0", "states": [saved], "exit-code": 2, "problem": "it reads no snapshots",
    ])
    #expect(
      report.lines.prefix(2) == [
        "disk0: snapshot 'a': ab12",
        "  device state: offset 0x17, section 'ram' (instance 0, id 2): cut off",
      ])
    #expect(report.status == .differs)
  }

  @Test("What was not read is said, and is no damage")
  func unread() {
    let report = VerifyReport([
      "target": "disk0", "states": [state(backing: 3072), state(encrypted: 512)], "exit-code": 0,
      "problem": "no", "second-reader": "toy 1",
    ])
    #expect(
      report.lines == [
        "disk0: active: no digest: 3 KiB come from the backing file 'base.qcow2', which was not "
          + "opened, 1 KiB can be read",
        "disk0: active: no digest: 512 B are encrypted and were not read, 1 KiB can be read",
        "disk0: not compared with toy 1: no",
      ])
    #expect(report.status == .done)
  }

  @Test("Damage weighs more than an image that could not be read")
  func worst() {
    let held = VerifyReport(["target": "disk1", "exit-code": 6, "problem": "held by somebody"])
    #expect(held.lines.isEmpty)
    #expect(held.failure?.message == "disk1: held by somebody")
    let different = VerifyReport([
      "target": "disk0", "bytes-equal": 1024, "differences": [["offset": 512, "length": 1]],
      "exit-code": 2,
    ])
    #expect(
      different.lines == [
        "disk0: differs from what libqcow reads; 1 KiB are equal", "  1 byte from offset 512",
      ])
    let fine = VerifyReport(["target": "disk2", "exit-code": 0])
    #expect(VerifyReport.worst([fine, held]).rawValue == 6)
    #expect(VerifyReport.worst([held, different]) == .differs)
    #expect(VerifyReport.worst([fine]) == .done)
    #expect(VerifyReport.worst([]) == .done)
  }
}
