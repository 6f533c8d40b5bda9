;; Loops for ever, without a single call to the host: only a time-out ends it.
(module
  (func $main (export "_start")
    (loop $again (br $again))))
