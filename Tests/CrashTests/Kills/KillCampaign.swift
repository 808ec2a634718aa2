import Dispatch
import Qcow2
import Synchronization
import TestOracles

/// So many kills of the real program, counted in a row of their own.
final class KillCampaign: Sendable {
  static let row = "kill -9"

  private let tally: Tally
  private let seed: UInt64
  private let left: Mutex<Int>
  private let failures = Mutex<[String]>([])

  init(count: Int, seed: UInt64, tally: Tally) {
    self.tally = tally
    self.seed = seed
    left = Mutex(count)
  }

  /// What could not be tried, and why.
  var obstacles: [String] { failures.withLock { $0 } }

  /// Kills until it is enough; returns then.
  func run(threadCount: Int) async {
    await withTaskGroup { group in
      for number in 0..<threadCount {
        group.addTask {
          await withCheckedContinuation { continuation in
            DispatchQueue(label: "snapjob.kill").async { [self] in
              work(number)
              continuation.resume()
            }
          }
        }
      }
    }
  }

  private func work(_ number: Int) {
    do {
      let program = try KilledProgram(diskCount: number % 2 + 1)
      var generator = SeededGenerator(seed: seed &+ UInt64(number))
      while take() {
        let jobs = KilledProgram.Job.allCases
        let job = jobs[Int(generator.next() % UInt64(jobs.count))]
        let stops = StopPoint.allCases.map(\.rawValue)
        let stop = stops[Int(generator.next() % UInt64(stops.count))]
        let passage = generator.next() % 3 == 0 ? "\(stop):2" : stop
        let part = Double(generator.next() % 1000) / 1000
        // A step that such a job does not have is none: it is killed at some time then.
        let atStop = generator.next() % 5 < 2 ? nil : try program.kill(job, at: passage)
        let damages = try atStop ?? program.kill(job, after: part)
        let story = atStop == nil ? "after \(part) of its time" : "at \(passage)"
        tally.enter(damages, rows: [Self.row], story: "\(job) \(story)", isLoneChain: false)
      }
    } catch {
      failures.withLock { $0.append("kill -9: \(error)") }
    }
  }

  private func take() -> Bool {
    left.withLock { left in
      left -= 1
      return left >= 0
    }
  }
}
