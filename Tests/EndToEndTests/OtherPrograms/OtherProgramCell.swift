import TestOracles
import Testing

/// A QEMU, an image that snapjob has touched, and what that QEMU does to it.
struct OtherProgramCell: Sendable, CustomTestStringConvertible {
  let release: QemuRelease
  let format: TwinFormat
  let touch: Touch
  let steps: [OtherStep]
  /// After which of them snapjob goes on with the image.
  let followedSteps: Set<OtherStep>

  var testDescription: String { "\(release), \(format.testDescription), \(touch.testDescription)" }

  /// In the full scope everything. Otherwise a sample with the system's QEMU that
  /// covers every pair of format, touch and step, and a third of it with the other QEMU.
  static let all: [OtherProgramCell] = {
    if TestScope.isFull {
      return QemuRelease.allCases.flatMap { cells(of: $0, everything, followed: everything) }
    }
    let some = sample.indices.filter { $0 % 3 == 0 }.map { sample[$0] }
    return cells(of: .debian12, sample, followed: sample)
      + cells(of: .backports, some, followed: some)
  }()

  private static let factors = (TwinFormat.allCases, Touch.allCases, OtherStep.allCases)

  private static func isPossible(_ row: [Int]) -> Bool {
    let format = factors.0[row[0]]
    return factors.1[row[1]].isPossible(on: format) && factors.2[row[2]].isPossible(on: format)
  }

  private static let everything: [[Int]] = {
    factors.0.indices.flatMap { format in
      factors.1.indices.flatMap { touch in factors.2.indices.map { [format, touch, $0] } }
    }.filter(isPossible)
  }()

  private static let sample: [[Int]] = {
    let levels = [factors.0.count, factors.1.count, factors.2.count]
    return PairwiseCover(levels: levels, where: isPossible).rows
  }()

  /// One cell for each format and touch that occurs.
  private static func cells(
    of release: QemuRelease, _ rows: [[Int]], followed: [[Int]]
  ) -> [OtherProgramCell] {
    factors.0.indices.flatMap { format in
      factors.1.indices.compactMap { touch in
        let steps = { (rows: [[Int]]) in
          rows.filter { $0[0] == format && $0[1] == touch }.map { factors.2[$0[2]] }
        }
        guard !steps(rows).isEmpty else { return nil }
        return OtherProgramCell(
          release: release, format: factors.0[format], touch: factors.1[touch],
          steps: steps(rows), followedSteps: Set(steps(followed)))
      }
    }
  }
}
