"""An issuer of access tokens (RFC 7515, 7517, 7519): keys are made and used by the openssl program, so that nobody checks himself."""
import base64
import functools
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import tempfile
import time

ISSUER, AUDIENCE = "https://id.example", "mail"
KEYS = {"rsa": ("RSA", "rsa_keygen_bits:2048"), "p256": ("EC", "ec_paramgen_curve:P-256"), "p384": ("EC", "ec_paramgen_curve:P-384"),
        "ed25519": ("ED25519", None)}
KEY_OF = {"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "ES256": "p256", "ES384": "p384", "EdDSA": "ed25519", "HS256": "oct"}
CURVES = {"p256": ("P-256", 32), "p384": ("P-384", 48)}
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sigopt", "rsa_mgf1_md:sha256")


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*args, octets=b""):
    return subprocess.run(["openssl", *args], input=octets, capture_output=True, check=True, timeout=600).stdout


def der_numbers(der):
    """The two numbers of an ECDSA signature in DER; short forms only, which is what they have."""
    numbers, at = [], 2 if der[1] < 0x80 else 3
    for _ in range(2):
        n = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + n], "big"))
        at += 2 + n
    return numbers


class Issuer:
    def __init__(self, name=""):
        self.directory = tempfile.TemporaryDirectory(prefix="restante-issuer-")
        self.name = name  # in front of the kid of each key
        self.secret = os.urandom(48)

    @functools.lru_cache(maxsize=None)
    def key(self, name):
        path = pathlib.Path(self.directory.name) / (name + ".pem")
        algorithm, option = KEYS[name]
        openssl("genpkey", "-quiet", "-algorithm", algorithm, *(("-pkeyopt", option) if option else ()), "-out", str(path))
        return str(path)

    @functools.lru_cache(maxsize=None)
    def jwk(self, name):
        kid = self.name + name
        if name == "oct":
            return {"kty": "oct", "kid": kid, "alg": "HS256", "k": base64url(self.secret)}
        if name == "rsa":
            modulus = openssl("rsa", "-in", self.key(name), "-noout", "-modulus").decode().strip().partition("=")[2]
            return {"kty": "RSA", "kid": kid, "use": "sig", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        public = openssl("pkey", "-in", self.key(name), "-pubout", "-outform", "DER")
        if name == "ed25519":
            return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(public[-32:])}
        curve, octets = CURVES[name]
        return {"kty": "EC", "crv": curve, "kid": kid, "x": base64url(public[-2 * octets : -octets]), "y": base64url(public[-octets:])}

    def jwks(self, *names):
        return json.dumps({"keys": [self.jwk(name) for name in names or ("rsa", "p256", "p384", "ed25519", "oct")]})

    def sign(self, algorithm, text):
        name = KEY_OF[algorithm]
        if name == "oct":
            return hmac.new(self.secret, text, hashlib.sha256).digest()
        if name == "ed25519":
            with tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key(name), "-in", file.name)
        digest = "-sha" + {"EdDSA": "", "PS256": "256"}.get(algorithm, algorithm[2:])
        signature = openssl("dgst", digest, "-sign", self.key(name), *(PSS if algorithm == "PS256" else ()), octets=text)
        if name in CURVES:
            octets = CURVES[name][1]
            return b"".join(n.to_bytes(octets, "big") for n in der_numbers(signature))
        return signature

    def token(self, algorithm="ES256", header=None, **claims):
        """exp, nbf and iat count from now; a claim that is None is left out."""
        head = {"alg": algorithm, "typ": "at+jwt", "kid": self.name + KEY_OF[algorithm], **(header or {})}
        all_claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": 600, "scope": "mail", **claims}
        for name in ("exp", "nbf", "iat"):
            if isinstance(all_claims.get(name), int):
                all_claims[name] += int(time.time())
        body = {name: value for name, value in all_claims.items() if value is not None}
        text = base64url(json.dumps(head).encode()) + "." + base64url(json.dumps(body).encode())
        return text + "." + base64url(self.sign(algorithm, text.encode()))


def message(token, authzid=""):
    """What OAUTHBEARER sends (RFC 7628 §3.1)."""
    return f"n,{'a=' + authzid if authzid else ''},\x01host=mx.site.example\x01auth=Bearer {token}\x01\x01".encode()


def settings(*more):
    return "".join(line + "\n" for line in ("[oauth]", f"issuer = {ISSUER}", f"audience = {AUDIENCE}", "keys = keys.json", *more))
