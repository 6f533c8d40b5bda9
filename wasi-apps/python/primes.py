"""Counts the primes from FROM to TO, both included: `python - FROM TO`."""

import sys

start, end = map(int, sys.argv[1:3])
sieve = bytearray([1]) * (end + 1)
sieve[:2] = bytes(2)
for factor in range(2, int(end**0.5) + 1):
    if sieve[factor]:
        sieve[factor * factor :: factor] = bytes(len(range(factor * factor, end + 1, factor)))
print(f"{sum(sieve[start:])} primes from {start} to {end}")
