/* Calls of Linux that Swift's Glibc module leaves out, because it is built without _GNU_SOURCE. */
#ifndef SNAPJOB_LINUX_H
#define SNAPJOB_LINUX_H

#include <sys/types.h>
#include <sys/vfs.h>

/* fallocate(2); the modes are those of <linux/falloc.h>. */
extern int fallocate(int fd, int mode, off_t offset, off_t length);

enum {
  snapjob_FALLOC_FL_KEEP_SIZE = 0x01,
  snapjob_FALLOC_FL_PUNCH_HOLE = 0x02,
};

/* lseek(2) to the next byte that is in no hole. */
enum {
  snapjob_SEEK_DATA = 3,
};

/* renameat2(2) of paths with RENAME_NOREPLACE: a name that is taken stays as it is. */
extern int renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags);

enum {
  snapjob_RENAME_NOREPLACE = 1,
};

/* The type of a file's filesystem and the bytes that this user may still write there, by fstatfs(2). */
static inline int snapjob_filesystem(int fd, long *type, unsigned long long *available) {
  struct statfs space;
  int result = fstatfs(fd, &space);
  if (result == 0) {
    *type = space.f_type;
    *available = (unsigned long long)space.f_bavail * (unsigned long long)space.f_bsize;
  }
  return result;
}

#endif
