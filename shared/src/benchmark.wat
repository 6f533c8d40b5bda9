;; A short, deterministic piece of work that every provider times at its start
;; to tell its speed: 64-bit mixing (the finaliser of splitmix64, public domain)
;; over 64 KiB of memory, 1,024 steps a round.
(module
  (memory (export "memory") 1)
  (func (export "rounds") (param $n i32) (result i64)
    (local $x i64) (local $i i32) (local $at i32)
    (local.set $x (i64.const 0x9e3779b97f4a7c15))
    (block $done
      (loop $round
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $i (i32.const 1024))
        (loop $step
          (local.set $x (i64.mul
            (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 30)))
            (i64.const 0xbf58476d1ce4e5b9)))
          (local.set $x (i64.mul
            (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27)))
            (i64.const 0x94d049bb133111eb)))
          (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 31))))
          (local.set $at (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 0xfff8)))
          (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (local.get $x)))
          (local.set $x (i64.add (local.get $x) (i64.load (local.get $at))))
          (br_if $step (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $round)))
    (local.get $x)))
