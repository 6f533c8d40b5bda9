;; Prints what a guest sees: arguments, environment, files, stdin. The same as
;; wasi-apps/hello does, but for the first line, by hand: no library, no compiler.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get"
    (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; The first page:
  ;;     0  an iovec: where the bytes are, how many
  ;;     8  how many were moved; a descriptor that was opened
  ;;    16  how many strings there are, and their bytes together
  ;;    32  the digits of a number, from their end at 52
  ;;    64  what path_filestat_get tells (64 bytes)
  ;;   128  constants
  ;;   512  one entry of a folder: 24 bytes and a name of at most 255
  ;;  1024  the path of what is listed
  ;;  8192  bytes on their way from a file to stdout
  ;; From the second page on: arguments and environment.
  (memory (export "memory") 2)
  (global $free (mut i32) (i32.const 65536))

  (data (i32.const 128) "hello from wat\n")
  (data (i32.const 144) "arg[")
  (data (i32.const 148) "]=")
  (data (i32.const 150) "\n")
  (data (i32.const 151) " ")
  (data (i32.const 152) "/\n")
  (data (i32.const 160) "--- ")
  (data (i32.const 164) "stdin\n")
  (data (i32.const 176) "/input.txt\00")
  (data (i32.const 192) "FILE=\00")
  (data (i32.const 200) "--write\00")
  (data (i32.const 208) "written by hello\n")
  (data (i32.const 226) "stdin\00")
  (data (i32.const 232) "hello: ")
  (data (i32.const 240) ": error ")

  ;; Writes all of it: a host may take less at a time.
  (func $write (param $fd i32) (param $at i32) (param $length i32)
    (loop $again
      (if (i32.eqz (local.get $length)) (then (return)))
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $proc_exit (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
      (br $again)))

  (func $print (param $at i32) (param $length i32)
    (call $write (i32.const 1) (local.get $at) (local.get $length)))

  (func $print_string (param $at i32)
    (call $print (local.get $at) (call $length (local.get $at))))

  (func $write_number (param $fd i32) (param $number i64)
    (local $at i32)
    (local.set $at (i32.const 52))
    (loop $again
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i64.store8 (local.get $at)
        (i64.add (i64.const 48) (i64.rem_u (local.get $number) (i64.const 10))))
      (local.set $number (i64.div_u (local.get $number) (i64.const 10)))
      (br_if $again (i64.ne (local.get $number) (i64.const 0))))
    (call $write (local.get $fd) (local.get $at) (i32.sub (i32.const 52) (local.get $at))))

  ;; The length of a string that ends with a zero.
  (func $length (param $at i32) (result i32)
    (local $end i32)
    (local.set $end (local.get $at))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $again)))
    (i32.sub (local.get $end) (local.get $at)))

  ;; Whether a string begins with another one, or is that one.
  (func $begins (param $at i32) (param $with i32) (result i32)
    (loop $again
      (if (i32.eqz (i32.load8_u (local.get $with))) (then (return (i32.const 1))))
      (if (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u (local.get $with)))
        (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $with (i32.add (local.get $with) (i32.const 1)))
      (br $again))
    (unreachable))

  ;; Paths are relative to the root, which is descriptor 3.
  (func $relative (param $at i32) (result i32)
    (loop $again
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 47))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $again))))
    (local.get $at))

  (func $fail (param $path i32) (param $errno i32)
    (call $write (i32.const 2) (i32.const 232) (i32.const 7))
    (call $write (i32.const 2) (local.get $path) (call $length (local.get $path)))
    (call $write (i32.const 2) (i32.const 240) (i32.const 8))
    (call $write_number (i32.const 2) (i64.extend_i32_u (local.get $errno)))
    (call $write (i32.const 2) (i32.const 150) (i32.const 1))
    (call $proc_exit (i32.const 1)))

  ;; Room that is never given back.
  (func $allocate (param $bytes i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    ;; Pointers are aligned to four bytes.
    (global.set $free
      (i32.and (i32.add (i32.add (local.get $at) (local.get $bytes)) (i32.const 3)) (i32.const -4)))
    (block $enough
      (loop $again
        (br_if $enough (i32.le_u (global.get $free) (i32.shl (memory.size) (i32.const 16))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (br $again)))
    (local.get $at))

  ;; The string number $index of a list of pointers.
  (func $string (param $list i32) (param $index i32) (result i32)
    (i32.load (i32.add (local.get $list) (i32.shl (local.get $index) (i32.const 2)))))

  ;; `arg[0]=…`, one a line; gives what follows `--write`, or 0.
  (func $arguments (result i32)
    (local $list i32) (local $count i32) (local $index i32) (local $name i32)
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (local.set $count (i32.load (i32.const 16)))
    (local.set $list (call $allocate (i32.shl (local.get $count) (i32.const 2))))
    (drop (call $args_get (local.get $list) (call $allocate (i32.load (i32.const 20)))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $index) (local.get $count)))
        (call $print (i32.const 144) (i32.const 4))
        (call $write_number (i32.const 1) (i64.extend_i32_u (local.get $index)))
        (call $print (i32.const 148) (i32.const 2))
        (call $print_string (call $string (local.get $list) (local.get $index)))
        (call $print (i32.const 150) (i32.const 1))
        ;; The first `--write` after the program's name counts.
        (if (i32.and
              (i32.and (i32.eqz (local.get $name)) (i32.gt_u (local.get $index) (i32.const 1)))
              (call $is_write
                (call $string (local.get $list) (i32.sub (local.get $index) (i32.const 1)))))
          (then (local.set $name (call $string (local.get $list) (local.get $index)))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (local.get $name))

  (func $is_write (param $argument i32) (result i32)
    ;; Of argument and option, each begins with the other.
    (i32.and
      (call $begins (local.get $argument) (i32.const 200))
      (call $begins (i32.const 200) (local.get $argument))))

  ;; The environment, which the host gives in order; gives the value of FILE, or 0.
  (func $environment (result i32)
    (local $list i32) (local $count i32) (local $index i32) (local $file i32)
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (local.set $count (i32.load (i32.const 16)))
    (local.set $list (call $allocate (i32.shl (local.get $count) (i32.const 2))))
    (drop (call $environ_get (local.get $list) (call $allocate (i32.load (i32.const 20)))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $index) (local.get $count)))
        (call $print_string (call $string (local.get $list) (local.get $index)))
        (call $print (i32.const 150) (i32.const 1))
        (if (call $begins (call $string (local.get $list) (local.get $index)) (i32.const 192))
          (then
            (local.set $file
              (i32.add (call $string (local.get $list) (local.get $index)) (i32.const 5)))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (local.get $file))

  ;; Opens a file below the root; gives an error number, the descriptor is at 8.
  ;; $rights is what will be done with it: 2 is reading, 64 writing.
  (func $open (param $path i32) (param $create i32) (param $rights i64) (param $flags i32) (result i32)
    (local.set $path (call $relative (local.get $path)))
    (call $path_open (i32.const 3)
      (i32.const 1) ;; links are followed
      (local.get $path) (call $length (local.get $path))
      (local.get $create) (local.get $rights) (i64.const 0) (local.get $flags) (i32.const 8)))

  (func $append (param $path i32)
    (local $errno i32) (local $fd i32)
    ;; 1 is create, and 1 is append.
    (local.set $errno (call $open (local.get $path) (i32.const 1) (i64.const 64) (i32.const 1)))
    (if (local.get $errno) (then (call $fail (local.get $path) (local.get $errno))))
    (local.set $fd (i32.load (i32.const 8)))
    (call $write (local.get $fd) (i32.const 208) (i32.const 17))
    (drop (call $fd_close (local.get $fd))))

  ;; What is in the open folder $fd, whose path is the first $length bytes at
  ;; 1024: one line a file, `/path size`; folders end in `/`. The host lists
  ;; names in order.
  (func $list (param $fd i32) (param $length i32)
    (local $place i64) (local $name i32) (local $end i32) (local $kind i32)
    (loop $next
      (if (call $fd_readdir
            (local.get $fd) (i32.const 512) (i32.const 279) (local.get $place) (i32.const 8))
        (then (return)))
      ;; Less than an entry: it was the last.
      (if (i32.lt_u (i32.load (i32.const 8)) (i32.const 24)) (then (return)))
      (local.set $place (i64.load (i32.const 512)))
      (local.set $name (i32.load (i32.const 528)))
      (local.set $kind (i32.load8_u (i32.const 532)))
      (br_if $next (call $is_dots (local.get $name)))
      (local.set $end (i32.add (local.get $length) (i32.add (local.get $name) (i32.const 1))))
      ;; A path that is longer than what a host takes isn't gone into.
      (if (i32.gt_u (local.get $end) (i32.const 4095)) (then (unreachable)))
      (i32.store8 offset=1024 (local.get $length) (i32.const 47))
      (memory.copy (i32.add (local.get $length) (i32.const 1025)) (i32.const 536) (local.get $name))
      (call $print (i32.const 1024) (local.get $end))
      (if (i32.eq (local.get $kind) (i32.const 3)) ;; a folder
        (then
          (call $print (i32.const 152) (i32.const 2))
          (if (i32.eqz (call $path_open (i32.const 3) (i32.const 0)
                (i32.const 1025) (i32.sub (local.get $end) (i32.const 1))
                (i32.const 2) ;; must be a folder
                (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 8)))
            (then (call $list_and_close (i32.load (i32.const 8)) (local.get $end)))))
        (else
          (call $print (i32.const 151) (i32.const 1))
          (i64.store (i32.const 96) (i64.const 0))
          (drop (call $path_filestat_get (i32.const 3) (i32.const 0)
            (i32.const 1025) (i32.sub (local.get $end) (i32.const 1)) (i32.const 64)))
          (call $write_number (i32.const 1) (i64.load (i32.const 96)))
          (call $print (i32.const 150) (i32.const 1))))
      (br $next)))

  (func $list_and_close (param $fd i32) (param $length i32)
    (call $list (local.get $fd) (local.get $length))
    (drop (call $fd_close (local.get $fd))))

  ;; Whether the entry at 512 is `.` or `..`.
  (func $is_dots (param $length i32) (result i32)
    (i32.or
      (i32.and
        (i32.eq (local.get $length) (i32.const 1))
        (i32.eq (i32.load8_u (i32.const 536)) (i32.const 46)))
      (i32.and
        (i32.eq (local.get $length) (i32.const 2))
        (i32.eq (i32.load16_u (i32.const 536)) (i32.const 0x2e2e)))))

  ;; Copies up to 32 KiB from a descriptor to 8192; gives how many.
  (func $read (param $fd i32) (param $name i32) (result i32)
    (local $errno i32)
    (i32.store (i32.const 0) (i32.const 8192))
    (i32.store (i32.const 4) (i32.const 32768))
    (local.set $errno (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (local.get $errno) (then (call $fail (local.get $name) (local.get $errno))))
    (i32.load (i32.const 8)))

  ;; Prints $count bytes, and all that is left to read.
  (func $copy (param $fd i32) (param $name i32) (param $count i32)
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $count)))
        (call $print (i32.const 8192) (local.get $count))
        (local.set $count (call $read (local.get $fd) (local.get $name)))
        (br $again))))

  ;; The file of that name, or /input.txt if it is there.
  (func $show (param $wanted i32)
    (local $path i32) (local $errno i32) (local $fd i32)
    (local.set $path (select (local.get $wanted) (i32.const 176) (local.get $wanted)))
    (local.set $errno (call $open (local.get $path) (i32.const 0) (i64.const 2) (i32.const 0)))
    (if (local.get $errno)
      (then
        (if (local.get $wanted) (then (call $fail (local.get $path) (local.get $errno))))
        (return)))
    (local.set $fd (i32.load (i32.const 8)))
    (call $print (i32.const 160) (i32.const 4))
    (call $print_string (local.get $path))
    (call $print (i32.const 150) (i32.const 1))
    (call $copy (local.get $fd) (local.get $path) (call $read (local.get $fd) (local.get $path)))
    (drop (call $fd_close (local.get $fd))))

  (func (export "_start")
    (local $write i32) (local $file i32) (local $count i32)
    (call $print (i32.const 128) (i32.const 15))
    (local.set $write (call $arguments))
    (local.set $file (call $environment))
    ;; Written before the listing, so that the listing shows it.
    (if (local.get $write) (then (call $append (local.get $write))))
    (call $list (i32.const 3) (i32.const 0))
    (call $show (local.get $file))
    (local.set $count (call $read (i32.const 0) (i32.const 226)))
    (if (local.get $count)
      (then
        (call $print (i32.const 160) (i32.const 4))
        (call $print (i32.const 164) (i32.const 6))
        (call $copy (i32.const 0) (i32.const 226) (local.get $count))))))
