import FileNames
import Glibc

/// The terminal that the program was started from: where questions go, whatever stdout and stderr are.
enum ControllingTerminal {
  /// Asks and waits for one line.
  ///
  /// - Parameter question: the text, without a space at its end.
  /// - Returns: the answer without its line end; nil if there is none.
  /// - Throws: a usage failure if nobody can be asked there.
  static func ask(_ question: String) throws(CommandFailure) -> String? {
    guard let terminal = fopen("/dev/tty", "r+e") else {
      let cause = String(cString: strerror(errno))
      throw CommandFailure(
        .usage,
        "there is a question to answer, and /dev/tty cannot be opened (\(cause)); nothing was changed. "
          + "To answer it beforehand: --yes")
    }
    defer { fclose(terminal) }
    fputs(question + " ", terminal)
    fflush(terminal)
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    guard getline(&line, &capacity, terminal) >= 0, let line else { return nil }
    let answer = String(cString: line)
    return answer.hasSuffix("\n") ? String(answer.dropLast()) : answer
  }
}
