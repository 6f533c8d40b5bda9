/* Included before each of FFmpeg's files, as wasi-libc does not declare it.
   Without parameters: FFmpeg's configure looks for it by calling it with none. */
#ifndef WASIPOOL_MKSTEMP_H
#define WASIPOOL_MKSTEMP_H
int mkstemp();
#endif
