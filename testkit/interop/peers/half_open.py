#!/usr/bin/env python3
"""half_open.py HOST PORT COUNT: sends COUNT IKE_SA_INIT requests that are never continued and prints how
many of the answers asked for a cookie. They offer AES-GCM-16-128, PRF-HMAC-SHA2-256 and X25519."""
import os, socket, struct, sys, time

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
assert host.startswith(('127.', '10.77.')), 'addresses of the lab only'


def transform(last, kind, number, attributes=b''):
    return struct.pack('!BBHBBH', 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes


def payload(following, body):
    return struct.pack('!BBH', following, 0, 4 + len(body)) + body


def request():
    transforms = (transform(False, 1, 20, struct.pack('!HH', 0x800E, 128))
                  + transform(False, 2, 5) + transform(True, 4, 31))
    proposal = struct.pack('!BBHBBBB', 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    key_exchange = struct.pack('!HH', 31, 0) + os.urandom(32)
    body = payload(34, proposal) + payload(40, key_exchange) + payload(0, os.urandom(32))
    return os.urandom(8) + bytes(8) + struct.pack('!BBBBII', 33, 0x20, 34, 0x08, 0, 28 + len(body)) + body


sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(count):
    sock.sendto(request(), (host, port))
    time.sleep(0.001)
answers = cookies = 0
end = time.time() + 1
while time.time() < end:
    sock.settimeout(max(0.01, end - time.time()))
    try:
        answer = sock.recv(4096)
    except socket.timeout:
        break
    answers += 1
    cookies += answer[16] == 41 and answer[34:36] == b'\x40\x06'  # a Notify, and COOKIE (16390)
print(f'sent {count} answers {answers} cookies {cookies}')
