import GRDB
import Jobs

/// Content of the catalog that does not decode.
struct MalformedRow: Error, CustomStringConvertible {
  /// Table and column.
  let place: String
  /// What is wrong with it.
  let problem: String

  var description: String { "\(place): \(problem)" }
}

extension Row {
  /// A column that must have a value of this type.
  ///
  /// GRDB's subscripts end the process on a column that is missing or a value that does not convert; a
  /// catalog that somebody has edited must not.
  func value<Value: DatabaseValueConvertible>(
    _ column: String, as type: Value.Type = Value.self
  ) throws(MalformedRow) -> Value {
    let raw = try stored(column)
    guard let value = Value.fromDatabaseValue(raw) else {
      throw MalformedRow(place: column, problem: "\(raw) is no \(Value.self)")
    }
    return value
  }

  private func stored(_ column: String) throws(MalformedRow) -> DatabaseValue {
    guard hasColumn(column) else {
      throw MalformedRow(place: column, problem: "there is no such column")
    }
    return self[column]
  }

  /// A column that may be null.
  func optional<Value: DatabaseValueConvertible>(
    _ column: String, as type: Value.Type = Value.self
  ) throws(MalformedRow) -> Value? {
    let raw = try stored(column)
    return raw.isNull ? nil : try value(column)
  }

  /// A column whose text another room's type checks. What that refuses is bad content of the
  /// catalog here, not a client's mistake.
  func checked<Value>(
    _ column: String, _ make: (String) throws(JobError) -> Value
  ) throws(MalformedRow) -> Value {
    let text: String = try value(column)
    do {
      return try make(text)
    } catch {
      throw MalformedRow(place: column, problem: error.message)
    }
  }

  /// A column that holds one of an enumeration's names.
  func name<Name: RawRepresentable>(
    _ column: String, as type: Name.Type = Name.self
  ) throws(MalformedRow) -> Name where Name.RawValue == String {
    let text: String = try value(column)
    guard let name = Name(rawValue: text) else {
      throw MalformedRow(place: column, problem: "'\(text)' is no \(Name.self)")
    }
    return name
  }
}
