#!/usr/bin/env python3
"""Prints known answers for the MODP groups of RFC 3526 (see ../vectors.rs), independently of Adit.

The primes are computed from pi by the RFC's formula and not copied; the powers are Python's pow().
Private exponents are fixed bytes, chosen so that the second shared secret starts with a zero byte.
"""


def pi_times_two_to_the(n):
    """floor(2^n * pi), by Machin's formula with 64 guard bits."""
    one = 1 << (n + 64)

    def arctan_of_inverse(x):
        power = one // x
        total, k, sign = power, 3, -1
        while power:
            power //= x * x
            total += sign * (power // k)
            k, sign = k + 2, -sign
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64


def prime(bits, c):
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (pi_times_two_to_the(bits - 130) + c)


def exponent(label, length):
    digits = b"".join((label * 7919 + i * 104729).to_bytes(4, "big") for i in range(length))
    return digits[:length]


# Bits, the constant of RFC 3526's formula, bytes in a private exponent.
for bits, c, length in (2048, 124476, 40), (3072, 1690314, 53), (4096, 240904, 60):
    p = prime(bits, c)
    a = exponent(bits, length)
    public_a = pow(2, int.from_bytes(a, "big"), p)
    print(f"group {bits}")
    print(f"p {p:0{bits // 4}x}")
    print(f"a {a.hex()}")
    print(f"A {public_a:0{bits // 4}x}")
    label = bits + 1
    while True:
        b = exponent(label, length)
        shared = pow(public_a, int.from_bytes(b, "big"), p)
        if shared >> (bits - 8) == 0:
            break
        label += 1
    print(f"b {b.hex()}")
    print(f"B {pow(2, int.from_bytes(b, 'big'), p):0{bits // 4}x}")
    print(f"shared {shared:0{bits // 4}x}")
