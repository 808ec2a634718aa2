#ifndef CSQLITERECORDER_H
#define CSQLITERECORDER_H

#include <stddef.h>
#include <stdint.h>

/// What SQLite is about to do with a database or its write-ahead log.
enum {
  recorder_open = 0,
  recorder_created = 1,
  recorder_write = 2,
  recorder_sync = 3,
  recorder_truncate = 4,
  recorder_delete = 5,
};

/// Told before each of them. `offset` of a truncation is the new length; `bytes` is set for writes only.
///
/// Of an `open` it answers 1 if the file is to be observed. Of everything else it answers 0, and the call is
/// made, or an SQLite error code, with which the call ends and nothing has been done.
typedef int32_t (*recorder_observer)(const char *path, int32_t kind, int64_t offset,
                                     const void *bytes, int64_t count);

/// Registers the recording VFS as the default one; later calls change nothing.
///
/// Files of which `open` is answered 0 are the system's own, without a way around.
int32_t recorder_register(recorder_observer observer);

/// Two independent hashes of some bytes, 128 bits together.
void recorder_hash(const void *bytes, size_t count, uint64_t hash[2]);

/// Whether all bytes are zero.
int32_t recorder_is_zero(const void *bytes, size_t count);

#endif
