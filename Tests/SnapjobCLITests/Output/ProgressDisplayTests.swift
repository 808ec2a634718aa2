import ArgumentParser
import Testing

@testable import SnapjobCLI

@Suite struct ProgressDisplayTests {
  private func display(
    _ options: [String], isTerminal: Bool
  ) throws -> (ProgressDisplay, CapturedText) {
    let err = CapturedText()
    let console = Console(
      out: CapturedText(), err: err, isInteractive: false, errorIsTerminal: isTerminal,
      width: { 80 }, ask: { _ in nil })
    let output = Output(console: console, globals: try GlobalOptions.parse(options))
    return (ProgressDisplay(title: "j1", output: output), err)
  }

  @Test("nothing is shown in the first second") func patience() throws {
    var (display, err) = try display([], isTerminal: true)
    display.update(current: 1, total: 2, elapsed: .milliseconds(999))
    #expect(err.text.isEmpty)
    display.update(current: 1, total: 2, elapsed: .seconds(1))
    #expect(err.text.contains("50 %"))
  }

  @Test(
    "there is no bar without a terminal, and none when it is not wanted",
    arguments: [([], false), (["--progress", "none"], true), (["-q"], true)])
  func silent(options: [String], isTerminal: Bool) throws {
    var (display, err) = try display(options, isTerminal: isTerminal)
    display.update(current: 1, total: 2, elapsed: .seconds(5))
    display.clear()
    #expect(err.text.isEmpty)
  }

  @Test("plain progress is a line now and then, without control characters") func plain() throws {
    var (display, err) = try display(["--progress", "plain"], isTerminal: false)
    display.update(current: 512, total: 1024, elapsed: .seconds(1))
    display.update(current: 600, total: 1024, elapsed: .milliseconds(1500))
    display.update(current: 1024, total: 1024, elapsed: .seconds(2))
    display.clear()
    #expect(err.text == "j1: 50 % (512 B of 1 KiB)\nj1: 100 % (1 KiB of 1 KiB)\n")
  }

  @Test("a bar is drawn over itself and taken away") func bar() throws {
    var (display, err) = try display([], isTerminal: true)
    display.update(current: 512, total: 1024, elapsed: .seconds(2))
    display.clear()
    #expect(err.text.hasPrefix("\rj1  [="))
    #expect(err.text.hasSuffix("\r\u{1B}[K"))
  }

  @Test("a bar never wraps", arguments: [0, 1, 10, 20, 40, 80, 200])
  func width(columns: Int) {
    let line = ProgressDisplay.bar(
      title: Run.saveID, percent: 45, amount: "1.2 GiB of 2.7 GiB", width: columns)
    #expect(line.count < max(columns, 1))
  }

  @Test("more done than foreseen is all") func overflow() throws {
    var (display, err) = try display(["--progress", "plain"], isTerminal: false)
    display.update(current: 4096, total: 1024, elapsed: .seconds(1))
    #expect(err.text == "j1: 100 % (1 KiB of 1 KiB)\n")
  }
}
