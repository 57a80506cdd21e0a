"""A member gone bad, for the test/tools/test_* that need one: it has the cluster's key, opens
sessions with real agents and then says what it likes.

Written from docs/wire.md and docs/wire-bodies.md, not from net/: only the ciphers are libsodium's.
"""

import base64
import ctypes
import hashlib
import hmac
import os
import socket
import struct
import time

SODIUM = ctypes.CDLL("libsodium.so.23")
PROTOCOL = b"Noise_IXpsk0_25519_ChaChaPoly_SHA256"
INIT, RESP, COOKIE, DATA = 1, 2, 3, 4
ALIVE, SUSPECT, DEAD, LEFT = 0, 1, 2, 3


def public(secret):
    out = ctypes.create_string_buffer(32)
    SODIUM.crypto_scalarmult_base(out, secret)
    return out.raw


def dh(secret, theirs):
    out = ctypes.create_string_buffer(32)
    assert SODIUM.crypto_scalarmult(out, secret, theirs) == 0
    return out.raw


def seal(key, count, text, ad):
    out = ctypes.create_string_buffer(len(text) + 16)
    SODIUM.crypto_aead_chacha20poly1305_ietf_encrypt(
        out, None, text, ctypes.c_ulonglong(len(text)), ad, ctypes.c_ulonglong(len(ad)), None,
        struct.pack("<4xQ", count), key)
    return out.raw


def unseal(key, count, sealed, ad):
    """None if it does not open."""
    out = ctypes.create_string_buffer(len(sealed))
    if len(sealed) < 16 or SODIUM.crypto_aead_chacha20poly1305_ietf_decrypt(
            out, None, None, sealed, ctypes.c_ulonglong(len(sealed)), ad,
            ctypes.c_ulonglong(len(ad)), struct.pack("<4xQ", count), key) != 0:
        return None
    return out.raw[:len(sealed) - 16]


def node_id(pub):
    return hashlib.sha256(b"gossipvs-node-id" + pub).digest()[:16]


def id_text(id_):
    return base64.b32encode(id_).decode().rstrip("=").lower()


def id_bytes(text):
    return base64.b32decode(text.upper() + "======")


class Noise:
    """SymmetricState of the Noise specification."""

    def __init__(self, cluster):
        self.ck = self.h = hashlib.sha256(PROTOCOL).digest()
        self.mix_hash(b"gossipvs1\0" + bytes((len(cluster),)) + cluster)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def hkdf(self, ikm, count):
        temp, out = hmac.digest(self.ck, ikm, "sha256"), [b""]
        for i in range(count):
            out.append(hmac.digest(temp, out[-1] + bytes((i + 1,)), "sha256"))
        return out[1:]

    def mix_key(self, ikm):
        self.ck, self.k = self.hkdf(ikm, 2)
        self.n = 0

    def mix_psk(self, psk):
        self.ck, temp, self.k = self.hkdf(psk, 3)
        self.mix_hash(temp)
        self.n = 0

    def encrypt(self, text):
        sealed = seal(self.k, self.n, text, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed):
        text = unseal(self.k, self.n, sealed, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return text


class Session:
    def __init__(self, theirs, send, recv, id_):
        self.theirs, self.send, self.recv, self.id = theirs, send, recv, id_
        self.count = self.seq = 0

    def wrap(self, body):
        head = struct.pack("<BBHIQ", DATA, 1, 0, self.theirs, self.count)
        self.count += 1
        return head + seal(self.send, self.count - 1, body, head)


class Liar:
    """Speaks from `address`. `secret` is a node's key, of a disk perhaps; `pub` the public key of
    somebody whose secret it has not."""

    def __init__(self, address, key, secret=None, pub=None, cluster=b"test"):
        self.psk = base64.b64decode(key.split()[0])
        self.secret = secret or os.urandom(32)
        self.pub = pub or public(self.secret)
        self.cluster = cluster
        self.id = node_id(self.pub)
        self.boot = int.from_bytes(os.urandom(8), "little")
        self.sessions = {}
        self.ahead_ns = 0  # of the clock, in init_time
        host, port = address.split(":")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, int(port)))
        self.socket.settimeout(0.5)

    def close(self):
        self.socket.close()

    def init(self, secret=None, index=None):
        """An INIT, and what is needed to go on from it."""
        e = secret or os.urandom(32)
        index = index or int.from_bytes(os.urandom(4), "little")
        n = Noise(self.cluster)
        n.mix_psk(self.psk)
        n.mix_hash(public(e))
        n.mix_key(public(e))
        key_id = hashlib.sha256(b"gossipvs-key-id" + self.psk).digest()[:8]
        packet = struct.pack("<BBHI", INIT, 1, 0, index) + key_id + public(e) + \
            n.encrypt(self.pub) + \
            n.encrypt(struct.pack("<QQHHHH8x", time.time_ns() + self.ahead_ns,
                                  self.boot, 1, 1, 1232, 0))
        mac = hashlib.blake2b(b"", digest_size=32, key=self.psk, salt=struct.pack("<QQ", 1, 0),
                              person=b"vgpsk__1").digest()
        return packet + hashlib.blake2b(packet, digest_size=16, key=mac).digest() + bytes(16), \
            (n, e)

    def finish(self, state, resp):
        """The session that RESP opens, or None: it does not open."""
        n, e = state
        theirs = resp[16:48]
        n.mix_hash(theirs)
        n.mix_key(theirs)
        n.mix_key(dh(e, theirs))
        n.mix_key(dh(self.secret, theirs))
        static = n.decrypt(resp[48:96])
        if static is None:
            return None
        n.mix_key(dh(e, static))
        if n.decrypt(resp[96:144]) is None:
            return None
        return Session(struct.unpack_from("<I", resp, 4)[0], *n.hkdf(b"", 2), node_id(static))

    def ask(self, to):
        """INIT there; the state, and the RESP that came or None."""
        packet, state = self.init()
        host, port = to.split(":")
        self.socket.sendto(packet, (host, int(port)))
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                answer, source = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            if source == (host, int(port)) and answer[0] == RESP and \
                    answer[8:12] == packet[4:8]:
                return state, answer
        return state, None

    def connect(self, to):
        """True if there is a session now, which both sides have proven."""
        for _ in range(5):
            state, resp = self.ask(to)
            session = resp and self.finish(state, resp)
            if session:
                self.sessions[to] = session
                self.body(to, b"")
                return True
        return False

    def body(self, to, body):
        host, port = to.split(":")
        self.socket.sendto(self.sessions[to].wrap(body), (host, int(port)))

    def push(self, to, *entries):
        s = self.sessions[to]
        s.seq += 1
        self.body(to, message(4, {1: s.seq, 2: list(entries)}))


# --- bodies -------------------------------------------------------------------------------------


def number(n):
    for least, code, form in ((1 << 32, 0xcf, ">BQ"), (1 << 16, 0xce, ">BI"), (256, 0xcd, ">BH"),
                              (128, 0xcc, ">BB")):
        if n >= least:
            return struct.pack(form, code, n)
    return bytes((n,))


def pack(x):
    if isinstance(x, int):
        return number(x)
    if isinstance(x, bytes):
        return (bytes((0xc4, len(x))) if len(x) < 256 else struct.pack(">BH", 0xc5, len(x))) + x
    if isinstance(x, list):
        head = bytes((0x90 | len(x),)) if len(x) < 16 else struct.pack(">BH", 0xdc, len(x))
        return head + b"".join(map(pack, x))
    return bytes((0x80 | len(x),)) + b"".join(number(k) + pack(v) for k, v in x.items())


def message(type_, keys):
    return pack([[type_, keys]])


def hlc(ms, count=0):
    return ms << 16 | count


def fields(**more):
    """A value: t1=..., t2=...; numbers or text."""
    out = b""
    for tag, x in more.items():
        b = x.to_bytes((x.bit_length() + 7) // 8, "big") if isinstance(x, int) else x
        out += bytes((int(tag[1:]), len(b))) + b
    return out


def entry(key, order, flags=0, writer=b"", value=b""):
    return bytes((len(key),)) + key + struct.pack(">QB", order, flags) + writer + value


def endpoint(text):
    host, port = text.split(":")
    return b"\x04" + socket.inet_aton(host) + struct.pack(">H", int(port))


def service(text, order, name, writer, flags=0):
    """The cluster's claim on a service, which `writer` wrote; TCP. Flag 1: its tombstone."""
    return entry(b"S\x06" + endpoint(text) + b"A", order, flags, writer,
                 b"" if flags else fields(t1=name.encode()))


def member(id_, incarnation, state, name, address, boot):
    order = (1 << 63 if state == LEFT else 0) | incarnation << 8 | state
    return entry(b"M" + id_, order, value=fields(t1=name.encode(), t2=endpoint(address), t3=boot))
