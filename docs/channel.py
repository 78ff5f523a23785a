#!/usr/bin/env python3
"""A whole channel program without libmta, to show docs/protocol.md and docs/queue-format.md at work.

It takes every message of its channel and prints one line for each: message id, sender, recipients and size; change
deliver() to do something useful. One message at a time, no reconnection, and the checks of envelope and content are
left to others: XXH3 is written out here for up to 128 bytes only.

  PMDF_CHANNEL=name JOBCTL_ROOT=dir docs/channel.py [--idle SECONDS]
"""
import fcntl, os, select, signal, socket, struct, sys, time
from urllib.parse import unquote

# --- XXH3, 64 bits, for 9 to 16 and 17 to 128 bytes ------------------------------------------------------------------

MASK = (1 << 64) - 1
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364")


def u64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & MASK
    return h ^ (h >> 32)


def xxh3(data, seed=0):
    n = len(data)
    if 9 <= n <= 16:
        low = u64(data, 0) ^ ((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed & MASK)
        high = u64(data, n - 8) ^ ((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed & MASK)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return avalanche(n + swapped + high + fold(low, high) & MASK)
    assert 17 <= n <= 128
    h = n * 0x9E3779B185EBCA87

    def mix(at, secret):
        return fold(u64(data, at) ^ (u64(SECRET, secret) + seed & MASK),
                    u64(data, at + 8) ^ (u64(SECRET, secret + 8) - seed & MASK))

    for i in range((n + 31) // 32):  # from both ends
        h += mix(16 * i, 32 * i) + mix(n - 16 * (i + 1), 32 * i + 16)
    return avalanche(h & MASK)


# --- the queue -------------------------------------------------------------------------------------------------------

FINISHED, DEFERRED, RELEASED, LOCKED, GONE, BAD, HELD = range(7)  # outcomes, of the protocol
PHASE_FINISHED, PHASE_DEFERRED, PHASE_HELD = 3, 1, 2  # states, of the queue format


def file_name(number):
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(digits[number >> 5 * i & 31] for i in reversed(range(13)))


def now():
    return int(time.time() * 1000)


class MessageFile:
    def __init__(self, directory, number):
        self.number = number
        self.fd = os.open(f"{directory}/{file_name(number)}.msgs", os.O_RDWR | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)

    def generation(self):
        page = os.pread(self.fd, 4096, 0)
        copies = [page[at:at + 64] for at in (0, 2048)]
        return max((struct.unpack_from("<I", c, 16)[0] for c in copies
                    if c[:8] == b"JOBCTLQ1" and u64(c, 8) == self.number and u64(c, 56) == xxh3(c[:56])), default=0)

    def lock(self, slot, kind):
        flock = struct.pack("hhqqi4x", kind, os.SEEK_SET, 2**41 + slot, 1, 0)
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, flock)
            return True
        except (BlockingIOError, PermissionError):
            return False

    def process(self, generation, slot):
        """Outcome and next attempt."""
        if self.generation() != generation:
            return GONE, 0
        if not self.lock(slot, fcntl.F_WRLCK):
            return LOCKED, 0
        try:
            if self.generation() != generation:
                return GONE, 0
            return self.process_locked(generation, slot)
        finally:
            self.lock(slot, fcntl.F_UNLCK)

    def process_locked(self, generation, slot):
        seed = xxh3(struct.pack("<QII", self.number, generation, slot))
        at = 4096 + 256 * slot
        entry = os.pread(self.fd, 256, at)
        if len(entry) < 256 or struct.unpack_from("<III", entry) != (xxh3(entry[4:128], seed) & 0xFFFFFFFF,
                                                                    generation, slot):
            return BAD, 0
        recipients, record = struct.unpack_from("<HQ", entry, 14)

        # The state: sequence, phase, reason, attempts, notices (kept as they are), next attempt, time of change, one bit per recipient.
        copies = [entry[128:192], entry[192:256]]
        sequences = [struct.unpack_from("<I", c, 4)[0]
                     if struct.unpack_from("<I", c)[0] == xxh3(c[4:], seed) & 0xFFFFFFFF else 0 for c in copies]
        newest = 0 if sequences[0] >= sequences[1] else 1
        sequence, phase, attempts, notices, done = sequences[newest], 0, 0, 0, bytearray(32)
        if sequence != 0:
            phase, _, attempts, notices = struct.unpack_from("<BBHI", copies[newest], 8)
            done = bytearray(copies[newest][32:64])
        if phase >= PHASE_FINISHED:
            return GONE, 0
        if phase == PHASE_HELD:
            return HELD, 0

        header = os.pread(self.fd, 64, record)
        if header[:4] != b"MREC" or u64(header, 56) != xxh3(header[:56], seed):
            return BAD, 0
        envelope_length, content_length = struct.unpack_from("<IQ", header, 12)
        envelope = [line.split(" ", 1) for line in
                    os.pread(self.fd, envelope_length, record + 64).decode("utf-8", "replace").split("\n") if line]
        content = os.pread(self.fd, content_length, record + 64 + envelope_length)

        sender = next((unquote(v) for k, v in envelope if k == "from"), "")
        to = [unquote(v) for k, v in envelope if k == "to"]
        for i, recipient in enumerate(to):
            if not done[i >> 3] >> (i & 7) & 1 and deliver(f"{file_name(self.number)}.{generation}.{slot}", sender,
                                                            recipient, content):
                done[i >> 3] |= 1 << (i & 7)
        all_done = all(done[i >> 3] >> (i & 7) & 1 for i in range(recipients))

        # Over the copy that is not the newest, after what the newest rests on has become durable.
        if sequence != 0:
            os.pwrite(self.fd, copies[newest], at + 128 + 64 * newest)
            os.fdatasync(self.fd)
        state = struct.pack("<IBBHIqq", sequence + 1, PHASE_FINISHED if all_done else PHASE_DEFERRED, 0, attempts + 1,
                            notices, 0, now()) + bytes(done)
        state = struct.pack("<I", xxh3(state, seed) & 0xFFFFFFFF) + state
        os.pwrite(self.fd, state, at + 128 + 64 * (1 - newest if sequence != 0 else 0))
        return (FINISHED if all_done else DEFERRED), 0


def deliver(message_id, sender, recipient, content):
    """True: this recipient is done with. False: try again later."""
    print(message_id, f"<{sender}>", f"<{recipient}>", len(content), flush=True)
    return True


# --- the wire --------------------------------------------------------------------------------------------------------

HELLO, ASK, RESULTS, POLL, STOPPING, BYE = 1, 3, 4, 5, 6, 7
WELCOME, REFUSED, LEASE, POLLED, STOP = 129, 130, 131, 132, 133


class Wire:
    def __init__(self, path, channel):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.buffer = b""
        name = channel.encode()
        self.send(HELLO, struct.pack("<HBBIQIB", 1, 1, 0, os.getpid(), int(os.environ.get("JOBCTL_JOB", 0)), 1,
                                     len(name)) + name + struct.pack("<I", 0))

    def send(self, kind, body=b""):
        self.socket.sendall(struct.pack("<IH", 2 + len(body), kind) + body)

    def receive(self, seconds):
        """The next frame, or None when there is none within that time."""
        until = time.monotonic() + seconds
        while len(self.buffer) < 4 or len(self.buffer) < 4 + int.from_bytes(self.buffer[:4], "little"):
            if not select.select([self.socket], [], [], max(0, until - time.monotonic()))[0]:
                return None
            data = self.socket.recv(65536)
            if not data:
                sys.exit("the controller has closed the connection")
            self.buffer += data
        length, kind = struct.unpack_from("<IH", self.buffer)
        body, self.buffer = self.buffer[6:4 + length], self.buffer[4 + length:]
        if kind == REFUSED:
            sys.exit("refused: " + body[3:].decode())
        return kind, body


def leased(body):
    """(file number, generation, slot) for every message of a LEASE."""
    at = 1 + body[0]
    (groups,) = struct.unpack_from("<I", body, at)
    at += 4
    for _ in range(groups):
        number, generation, count = struct.unpack_from("<QII", body, at)
        at += 16
        for _ in range(count):
            yield number, generation, struct.unpack_from("<I", body, at)[0]
            at += 7


def main():
    channel, root = os.environ["PMDF_CHANNEL"], os.environ["JOBCTL_ROOT"]
    idle = float(sys.argv[2]) if sys.argv[1:2] == ["--idle"] else 10  # MTA_JBC_RETRY_INTERVAL
    patience = 5  # MTA_JBC_MAX_ATTEMPTS
    files, waiting, stopping = {}, [], False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leaving returns everything that is leased

    wire = Wire(f"{root}/run/jobctl.sock", channel)
    wire.send(ASK, struct.pack("<I", 16))
    while not stopping:
        frame = wire.receive(0 if waiting else idle)
        if frame is None and not waiting:
            wire.send(POLL, struct.pack("<II", 0, 1))
            frame = wire.receive(30)  # MTA_JBC_TIMEOUT; a lease will do as well
        kind, body = frame if frame is not None else (None, b"")
        if kind == LEASE:
            waiting += leased(body)
            patience = 5
        elif kind == POLLED:
            patience = 5 if struct.unpack_from("<Q", body, 4)[0] != 0 else patience - 1
        stopping = kind == STOP or patience == 0
        if waiting and not stopping:
            number, generation, slot = waiting.pop(0)
            try:
                if number not in files:
                    files[number] = MessageFile(f"{root}/queue/{channel}", number)
                outcome, again = files[number].process(generation, slot)
            except FileNotFoundError:
                outcome, again = GONE, 0
            if outcome == GONE and number in files:
                files.pop(number).close()
            wire.send(RESULTS, struct.pack("<IQIIIBq", 1, number, generation, 1, slot, outcome, again))
            wire.send(ASK, struct.pack("<I", 1))
    wire.send(STOPPING)
    for number, generation, slot in waiting:
        wire.send(RESULTS, struct.pack("<IQIIIBq", 1, number, generation, 1, slot, RELEASED, 0))
    wire.send(BYE)


main()
