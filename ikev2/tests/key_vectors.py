#!/usr/bin/env python3
"""The expected values of src/keys/tests.rs, computed from RFC 7296, RFC 5282 and RFC 7383 without any of
Adit's code. No RFC holds vectors for the IKEv2 key schedule.

    python3 key_vectors.py      (needs the package `cryptography` for AES and ChaCha20)
"""
import hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

NI, NR = bytes(range(0, 32)), bytes(range(100, 148))
SHARED, SHARED2 = bytes(range(32, 64)), bytes(range(64, 96))
SPII, SPIR = b"initiatr", b"respondr"
SPII2, SPIR2 = b"INITIATR", b"RESPONDR"
CONTENT = bytes.fromhex("00000008" "01000000")  # one Delete payload, for the IKE SA


def prf(hash_name, key, data):
    return hmac.new(key, data, hash_name).digest()


def prf_plus(hash_name, key, seed, length):
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = prf(hash_name, key, block + seed + bytes([number]))
        out, number = out + block, number + 1
    return out[:length]


def cut(data, lengths):
    parts = []
    for length in lengths:
        parts.append(data[:length])
        data = data[length:]
    return parts


def ike_keys(hash_name, seed_key, ni, nr, spii, spir, a, e):
    d = hmac.new(b"", b"", hash_name).digest_size
    lengths = [d, a, a, e, e, d, d]
    data = prf_plus(hash_name, seed_key, ni + nr + spii + spir, sum(lengths))
    return cut(data, lengths)


def datagram(fragment, icv, iv, cipher_len):
    """IKE header and SK or SKF header: responder's IV follows."""
    payload = 4 + (4 if fragment else 0) + len(iv) + cipher_len + icv
    header = SPII + SPIR + bytes([53 if fragment else 46, 0x20, 37, 0x08])
    header += (5).to_bytes(4, "big") + (28 + payload).to_bytes(4, "big")
    sk = bytes([42, 0]) + payload.to_bytes(2, "big")
    if fragment:
        sk += (1).to_bytes(2, "big") + (1).to_bytes(2, "big")
    return header + sk


def seal_aead(kind, key_salt, fragment):
    key, salt = key_salt[:-4], key_salt[-4:]
    iv = bytes(8)
    plain = CONTENT + b"\x00"
    aad = datagram(fragment, 16, iv, len(plain))
    return aad + iv + kind(key).encrypt(salt + iv, plain, aad)


def seal_cbc(key, mac_key, hash_name, icv, fragment):
    iv = bytes([0x5a] * 16)
    plain = CONTENT + bytes(16 - len(CONTENT) - 1) + bytes([16 - len(CONTENT) - 1])
    enc = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    body = iv + enc.update(plain) + enc.finalize()
    head = datagram(fragment, icv, iv, len(plain))
    return head + body + hmac.new(mac_key, head + body, hash_name).digest()[:icv]


SUITES = [
    ("Aes128Gcm16", "sha256", 0, 20),
    ("Aes256Gcm16", "sha384", 0, 36),
    ("ChaCha20Poly1305", "sha512", 0, 36),
    ("Aes128Cbc", "sha256", 32, 16),
    ("Aes256Cbc", "sha512", 64, 32),
]

for name, hash_name, a, e in SUITES:
    print(f"== {name} {hash_name}")
    seed = prf(hash_name, NI + NR, SHARED)
    d, ai, ar, ei, er, pi, pr = ike_keys(hash_name, seed, NI, NR, SPII, SPIR, a, e)
    for label, value in zip(["d", "ai", "ar", "ei", "er", "pi", "pr"], [d, ai, ar, ei, er, pi, pr]):
        print(f"sk_{label} {value.hex()}")
    n = a + e
    child = cut(prf_plus(hash_name, d, NI + NR, 2 * n), [n, n])
    print("child_i", child[0].hex())
    print("child_r", child[1].hex())
    child = cut(prf_plus(hash_name, d, SHARED2 + NI + NR, 2 * n), [n, n])
    print("child_pfs_i", child[0].hex())
    print("child_pfs_r", child[1].hex())
    seed2 = prf(hash_name, d, SHARED2 + NR + NI)
    print("rekeyed_d", ike_keys(hash_name, seed2, NR, NI, SPII2, SPIR2, a, e)[0].hex())
    identity = bytes([2, 0, 0, 0]) + b"gw.lab.test"
    octets = b"first message" + NR + prf(hash_name, pi, identity)
    secret = prf(hash_name, b"correct horse battery staple", b"Key Pad for IKEv2")
    print("auth", prf(hash_name, secret, octets).hex())
    if a == 0:
        kind = ChaCha20Poly1305 if name.startswith("ChaCha") else AESGCM
        print("sk", seal_aead(kind, ei, False).hex())
        print("skf", seal_aead(kind, ei, True).hex())
    else:
        icv = a // 2
        print("sk", seal_cbc(ei, ai, hash_name, icv, False).hex())
        print("skf", seal_cbc(ei, ai, hash_name, icv, True).hex())
