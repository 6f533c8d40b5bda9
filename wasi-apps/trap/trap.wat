;; Runs into `unreachable`, three named functions deep: the backtrace of the
;; task's reason names them.
(module
  (func $innermost unreachable)
  (func $middle call $innermost)
  (func $main (export "_start") call $middle))
