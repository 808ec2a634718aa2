internal import ByteCoding

/// Passes over one section of dirty bitmaps, chunk by chunk; ``DirtyBitmapChunk`` shows how one lies in the
/// stream. What the chunks say is not looked at.
struct DirtyBitmapWalk {
  let section: SectionHeader

  func pass(_ cursor: inout StreamCursor) throws(StreamError) {
    while true {
      let (header, byteCount) = try peekHeader(&cursor)
      guard try cursor.skip(byteCount + header.followingByteCount) else {
        throw cursor.truncated(in: section.place)
      }
      if header.isLast { return }
    }
  }

  /// Looks at the next header, and how many bytes it takes. No byte after it is waited for: a sender may
  /// want an answer before it goes on.
  private func peekHeader(
    _ cursor: inout StreamCursor
  ) throws(StreamError) -> (DirtyBitmapChunkHeader, byteCount: Int) {
    var byteCount = 1
    while true {
      let bytes = try cursor.peek(ahead: 0, byteCount)
      guard bytes.count == byteCount else { throw cursor.truncated(in: section.place) }
      var reader = ByteReader(bytes)
      do {
        return (try DirtyBitmapChunkHeader(decoding: &reader), reader.position)
      } catch let error as ByteCodingError {
        byteCount = error.position + error.wanted
      } catch let error as StreamError {
        throw StreamError(error.code, error.message, at: cursor.offset, section: section.place)
      } catch {
        throw .source(error, at: cursor.offset)
      }
    }
  }
}
