import DeviceState
import FileNames
public import QMP

/// A `block-bitmap-mapping` as people write it: QAPI's JSON, in place or in a file, or the short form
/// `disk0/b0=alias0/balias0`, as often as there are bitmaps.
public enum BitmapMappingText {
  /// Reads the parts of a mapping.
  ///
  /// - Parameters:
  ///   - parts: each a JSON list, a short form, or else a file's path.
  ///   - readFile: the content of a file; throws `QMPError`.
  /// - Returns: the mapping as `migrate-set-parameters` takes it, whose rules are checked there; nil if there
  ///   are no parts.
  /// - Throws: `QMPError` of kind `refused` for what is no mapping, and what `readFile` throws.
  public static func value(
    of parts: [String], readFile: (_ path: String) throws(QMPError) -> String
  ) throws(QMPError) -> QMPValue? {
    if parts.isEmpty { return nil }
    var nodes: [QMPValue] = []
    var shortForms: [String] = []
    for part in parts {
      if let first = part.first(where: { !$0.isWhitespace }), first == "[" || first == "{" {
        nodes += try elements(of: part, from: "--mapping")
      } else if BlockBitmapMapping.isShortForm(part) {
        shortForms.append(part)
      } else if part.contains("="), !part.hasSlash {
        throw refusal(
          "'\(part)' is no mapping. Write NODE/BITMAP=ALIAS/ALIAS, JSON, or a file's path")
      } else {
        nodes += try elements(of: try readFile(part), from: part)
      }
    }
    do throws(StreamError) {
      nodes += try BlockBitmapMapping(shortForms: shortForms).nodes.map(value)
    } catch {
      throw refusal(error.message)
    }
    return .array(nodes)
  }

  /// The nodes of a JSON text: a list, or what `query-migrate-parameters` tells.
  private static func elements(
    of text: String, from source: String
  ) throws(QMPError) -> [QMPValue] {
    let value: QMPValue
    do throws(QMPError) {
      value = try QMPValue(parsing: text)
    } catch {
      throw refusal("\(source) is no JSON: \(error.desc)")
    }
    switch value["block-bitmap-mapping"] ?? value {
    case .array(let nodes): return nodes
    default:
      throw refusal(
        "\(source): a mapping is a list of objects with node-name, alias and bitmaps, as in QEMU's "
          + "block-bitmap-mapping")
    }
  }

  private static func value(of node: BlockBitmapMapping.Node) -> QMPValue {
    [
      "node-name": .string(node.name), "alias": .string(node.alias),
      "bitmaps": .array(
        node.bitmaps.map { ["name": .string($0.name), "alias": .string($0.alias)] }),
    ]
  }

  private static func refusal(_ text: String) -> QMPError {
    QMPError(.genericError, text, kind: "refused")
  }
}
