;; The smallest guest that says something: one import, one write.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; An iovec at 0: where the text is and how long it is. The count of bytes
  ;; written goes to 8.
  (data (i32.const 0) "\10\00\00\00\0f\00\00\00")
  (data (i32.const 16) "hello from wat\n")
  (func $main (export "_start")
    (drop (call $fd_write
      (i32.const 1)     ;; stdout
      (i32.const 0)     ;; the iovec
      (i32.const 1)     ;; one of them
      (i32.const 8)))))
