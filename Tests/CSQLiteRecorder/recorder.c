#include "CSQLiteRecorder.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

/// An observed file: SQLite's own lies behind this structure in the same piece of memory.
struct observed {
  sqlite3_file base;
  const char *path;
  sqlite3_file *file;
};

static sqlite3_vfs *under;
static sqlite3_vfs over;
static recorder_observer observe;

static sqlite3_file *inner(sqlite3_file *file) { return ((struct observed *)file)->file; }
static const char *path_of(sqlite3_file *file) { return ((struct observed *)file)->path; }

static int observed_close(sqlite3_file *file) {
  return inner(file)->pMethods->xClose(inner(file));
}

static int observed_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
  return inner(file)->pMethods->xRead(inner(file), bytes, count, offset);
}

static int observed_write(sqlite3_file *file, const void *bytes, int count,
                          sqlite3_int64 offset) {
  int code = observe(path_of(file), recorder_write, offset, bytes, count);
  return code ? code : inner(file)->pMethods->xWrite(inner(file), bytes, count, offset);
}

static int observed_truncate(sqlite3_file *file, sqlite3_int64 length) {
  int code = observe(path_of(file), recorder_truncate, length, NULL, 0);
  return code ? code : inner(file)->pMethods->xTruncate(inner(file), length);
}

static int observed_sync(sqlite3_file *file, int flags) {
  int code = observe(path_of(file), recorder_sync, 0, NULL, 0);
  return code ? code : inner(file)->pMethods->xSync(inner(file), flags);
}

static int observed_size(sqlite3_file *file, sqlite3_int64 *size) {
  return inner(file)->pMethods->xFileSize(inner(file), size);
}

static int observed_lock(sqlite3_file *file, int level) {
  return inner(file)->pMethods->xLock(inner(file), level);
}

static int observed_unlock(sqlite3_file *file, int level) {
  return inner(file)->pMethods->xUnlock(inner(file), level);
}

static int observed_reserved(sqlite3_file *file, int *result) {
  return inner(file)->pMethods->xCheckReservedLock(inner(file), result);
}

static int observed_control(sqlite3_file *file, int operation, void *argument) {
  return inner(file)->pMethods->xFileControl(inner(file), operation, argument);
}

static int observed_sector(sqlite3_file *file) {
  return inner(file)->pMethods->xSectorSize(inner(file));
}

static int observed_characteristics(sqlite3_file *file) {
  return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}

static int observed_shm_map(sqlite3_file *file, int page, int size, int extend,
                            void volatile **memory) {
  return inner(file)->pMethods->xShmMap(inner(file), page, size, extend, memory);
}

static int observed_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  return inner(file)->pMethods->xShmLock(inner(file), offset, count, flags);
}

static void observed_shm_barrier(sqlite3_file *file) {
  inner(file)->pMethods->xShmBarrier(inner(file));
}

static int observed_shm_unmap(sqlite3_file *file, int deletes) {
  return inner(file)->pMethods->xShmUnmap(inner(file), deletes);
}

/// Version 2: without memory-mapped pages, which could not be observed.
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = observed_close,
    .xRead = observed_read,
    .xWrite = observed_write,
    .xTruncate = observed_truncate,
    .xSync = observed_sync,
    .xFileSize = observed_size,
    .xLock = observed_lock,
    .xUnlock = observed_unlock,
    .xCheckReservedLock = observed_reserved,
    .xFileControl = observed_control,
    .xSectorSize = observed_sector,
    .xDeviceCharacteristics = observed_characteristics,
    .xShmMap = observed_shm_map,
    .xShmLock = observed_shm_lock,
    .xShmBarrier = observed_shm_barrier,
    .xShmUnmap = observed_shm_unmap,
};

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *flags_out) {
  (void)vfs;
  int kinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  if (!path || !(flags & kinds) || !observe(path, recorder_open, 0, NULL, 0))
    return under->xOpen(under, path, file, flags, flags_out);
  int exists = 0;
  under->xAccess(under, path, SQLITE_ACCESS_EXISTS, &exists);
  struct observed *observed = (struct observed *)file;
  observed->path = path;
  observed->file = (sqlite3_file *)(observed + 1);
  observed->file->pMethods = NULL;
  int code = under->xOpen(under, path, observed->file, flags, flags_out);
  // Without methods SQLite does not close it.
  file->pMethods = observed->file->pMethods ? &methods : NULL;
  if (code == SQLITE_OK && !exists) observe(path, recorder_created, 0, NULL, 0);
  return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int synchronizes) {
  (void)vfs;
  if (observe(path, recorder_open, 0, NULL, 0)) {
    int code = observe(path, recorder_delete, synchronizes, NULL, 0);
    if (code) return code;
  }
  return under->xDelete(under, path, synchronizes);
}

static void register_once(void) {
  under = sqlite3_vfs_find(NULL);
  if (!under) return;
  over = *under;
  over.zName = "recorder";
  over.pNext = NULL;
  over.szOsFile = (int)sizeof(struct observed) + under->szOsFile;
  over.xOpen = vfs_open;
  over.xDelete = vfs_delete;
  sqlite3_vfs_register(&over, 1);
}

int32_t recorder_register(recorder_observer observer) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  if (!observe) observe = observer;
  pthread_mutex_unlock(&lock);
  pthread_once(&once, register_once);
  return under != NULL;
}

static uint64_t mixed(uint64_t left, uint64_t right) {
  __uint128_t product = (__uint128_t)left * right;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

void recorder_hash(const void *bytes, size_t count, uint64_t hash[2]) {
  const unsigned char *next = bytes;
  uint64_t first = 0x9e3779b97f4a7c15 ^ count, second = 0xc2b2ae3d27d4eb4f + count;
  for (; count >= 8; count -= 8, next += 8) {
    uint64_t word;
    memcpy(&word, next, 8);
    first = mixed(first ^ word, 0xa0761d6478bd642f) + 0x8ebc6af09c88c6e3;
    second = mixed(second + word, 0xe7037ed1a0b428db) ^ 0x589965cc75374cc3;
  }
  for (; count > 0; count--, next++) {
    first = mixed(first ^ *next, 0xa0761d6478bd642f) + 0x8ebc6af09c88c6e3;
    second = mixed(second + *next, 0xe7037ed1a0b428db) ^ 0x589965cc75374cc3;
  }
  hash[0] = first;
  hash[1] = second;
}

int32_t recorder_is_zero(const void *bytes, size_t count) {
  const unsigned char *start = bytes;
  return count == 0 || (start[0] == 0 && memcmp(start, start + 1, count - 1) == 0);
}
