;; Ends at once: what is measured with it is the pool, not the guest.
(module
  (func $main (export "_start")))
