#!/usr/bin/python3
"""An identity provider for tests: makes keys and tokens with PyJWT, and publishes keys over HTTP.

Reads commands from standard input and answers each, a line of JSON each way; the first line it writes has its port.

  {"do": "key", "kid": ..., "kind": "RSA" | "P-256" | "P-384" | "P-521", "bits": ...}   -> {"pem", "jwk", "private"}
  {"do": "sign", "kid": ..., "alg": ..., "header": text or object, "claims": text or object}  -> {"token"}
  {"do": "publish", "jwks": text or object, "status": ..., "max_age": ..., "hold": true} -> {}; hold: until the next publish
  {"do": "hits"}                                                                         -> {"hits"}
"""
import base64
import http.server
import json
import sys
import threading

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ALGORITHMS = jwt.algorithms.get_default_algorithms()
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
keys = {}
published = {"jwks": "", "status": 200}
hits = 0
free = threading.Event()
free.set()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global hits
        hits += 1
        free.wait(60)
        jwks = published["jwks"]
        body = (jwks if isinstance(jwks, str) else json.dumps(jwks)).encode()
        self.send_response(published["status"])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "public, max-age=%d, must-revalidate" % published.get("max_age", 3600))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return encode(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


def make_key(kid, kind, bits=2048):
    if kind == "RSA":
        key = rsa.generate_private_key(65537, bits)
        numbers = key.public_key().public_numbers()
        jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    else:
        key = ec.generate_private_key(CURVES[kind]())
        numbers = key.public_key().public_numbers()
        size = (key.curve.key_size + 7) // 8
        jwk = {"kty": "EC", "crv": kind, "x": number(numbers.x, size), "y": number(numbers.y, size)}
    keys[kid] = key
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"pem": pem.decode(), "private": private.decode(), "jwk": dict(jwk, kid=kid, use="sig")}


def text_of(part):
    return (part if isinstance(part, str) else json.dumps(part)).encode()


def sign(kid, alg, claims, header=None):
    if header is None and not isinstance(claims, str):
        return jwt.encode(claims, keys[kid], algorithm=alg, headers={"kid": kid})
    text = encode(text_of(header if header is not None else {"alg": alg, "kid": kid, "typ": "JWT"})) + "." + encode(text_of(claims))
    return text + "." + encode(ALGORITHMS[alg].sign(text.encode(), keys[kid]))


def answer(do, **arguments):
    if do == "key":
        return make_key(**arguments)
    if do == "sign":
        return {"token": sign(**arguments)}
    if do == "publish":
        published.clear()
        published.update({"status": 200}, **arguments)
        free.clear() if arguments.get("hold") else free.set()
        return {}
    return {"hits": hits}


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(**json.loads(line))), flush=True)
