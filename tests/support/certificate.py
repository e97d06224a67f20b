"""Certificates for this machine, for as long as a test runs."""

import ssl
import subprocess
from pathlib import Path

import pytest


def trusted_server(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> ssl.SSLContext:
    """A server's side for these names and this machine; clients made from now on trust it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    hosts = ",".join(["DNS:localhost", "IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=localhost", "-addext", f"subjectAltName={hosts}", "-days", "2",
             "-keyout", str(key), "-out", str(cert)],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context
