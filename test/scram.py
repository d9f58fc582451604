"""The client's side of SCRAM-SHA-256 (RFC 5802, 7677), written from the RFC."""
import base64
import hashlib
import hmac
import os


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class ScramClient:
    """answer() takes what the server sent (base64 taken off) and gives what goes back; at its end the server has proved itself."""

    def __init__(self, user, password, header=b"n,,", binding=b""):
        self.password, self.bound = password.encode(), base64.b64encode(header + binding)
        self.nonce = base64.b64encode(os.urandom(15))
        self.bare = b"n=" + user.encode().replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + self.nonce
        self.header, self.signature, self.is_done = header, None, False

    def answer(self, challenge):
        if challenge == b"":
            return self.header + self.bare
        if self.signature is None:
            return self.prove(challenge)
        assert challenge == b"v=" + base64.b64encode(self.signature), "the server has not proved itself"
        self.is_done = True
        return b""

    def prove(self, challenge):
        parts = dict(p.split(b"=", 1) for p in challenge.split(b","))
        assert parts[b"r"].startswith(self.nonce) and int(parts[b"i"]) >= 4096
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        end = b"c=" + self.bound + b",r=" + parts[b"r"]
        text = b",".join((self.bare, challenge, end))
        key = mac(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.sha256(key).digest(), text)))
        self.signature = mac(mac(salted, b"Server Key"), text)
        return end + b",p=" + base64.b64encode(proof)
